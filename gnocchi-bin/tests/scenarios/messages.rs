//! What errors say: what was sent, where it stood, and what is allowed.

use serde_json::{Value, json};

use crate::support::App;

#[tokio::test]
async fn misspelt_parameters_are_named() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let measures = format!("/v1/metric/{metric}/measures");
    for (method, path, sent, meant) in [
        ("GET", measures.as_str(), "agregation=max", "aggregation"),
        ("GET", &measures, "Granularity=1", "granularity"),
        ("GET", &measures, "strat=2015-01-01", "start"),
        ("GET", &measures, "end=now", "stop"),
        ("GET", &measures, "from=now", "start"),
        ("GET", &measures, "tz=Europe/Paris", "timezone"),
        ("GET", &measures, "aggreg=max", "aggregation"),
        ("GET", "/v1/metric", "limits=3", "limit"),
        ("GET", "/v1/resource/generic", "detail=true", "details"),
        ("POST", "/v1/aggregates", "group_by=project_id", "groupby"),
        ("POST", "/v1/influxdb/write", "precison=s", "precision"),
        (
            "POST",
            "/v1/batch/resources/metrics/measures",
            "create_metric=true",
            "create_metrics",
        ),
    ] {
        let call = app.call(method, &format!("{path}?{sent}")).user("foobar");
        let refused = call.wants_json().json(&json!({})).await.is(400);
        let name = sent.split('=').next().unwrap();
        let expected = json!({
            "cause": "Argument value error",
            "detail": name,
            "reason": format!("unknown parameter; did you mean '{meant}'?"),
        });
        assert_eq!(refused.description(), expected, "{method} {path}?{sent}");
    }
}

#[tokio::test]
async fn parameters_that_resemble_none_are_ignored() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let measures = format!("/v1/metric/{metric}/measures");
    for query in [
        "step=60",
        "page=now",
        "reaggregation=max",
        "_=1",
        "x",
        "fields=a&format=json",
    ] {
        let read: Value = app.get(&format!("{measures}?{query}")).await.is(200).json();
        assert_eq!(read, json!([]), "{query}");
    }
}

/// A request, and what its refusal says.
struct Case {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    /// Texts that clients compare, and what is said for people.
    says: &'static [&'static str],
}

const fn case(
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    says: &'static [&'static str],
) -> Case {
    Case {
        method,
        path,
        body,
        status,
        says,
    }
}

/// Requests about the metric METRIC of the archive policy `two`, which keeps mean and max at 60 and 3600 s.
#[rustfmt::skip]
const CASES: &[Case] = &[
    // Timestamps.
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": 1, "value": 1}, {"timestamp": 1433599200000, "value": 1}]"#, 400, &[
        "unexpected timestamp 'Unable to convert timestamps'",
        "measure at index 1: 1433599200000 looks like milliseconds since 1970 (2015-06-06T14:00:00Z), but seconds are expected",
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": "yesterday", "value": 1}]"#, 400, &[
        r#"measure at index 0: \"yesterday\" is not a timestamp; expected ISO 8601"#,
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": -1, "value": 1}]"#, 400, &[
        "Timestamp must be after Epoch", "measure at index 0: -1 seconds is before 1970",
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": 1, "value": "high"}]"#, 400, &[
        "unexpected measures value", r#"the value \"high\" is not a number"#,
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"{"timestamp": 1, "value": 1}"#, 400, &[
        "unexpected measures format", "a list of objects with a timestamp and a value is expected",
    ]),
    case("POST", "/v1/batch/metrics/measures", r#"{"METRIC": [{"timestamp": 1, "value": 1}, {"value": 2}]}"#, 400, &[
        "unexpected measures format for dictionary value @ data['METRIC']", "measure at index 1: the timestamp is missing",
    ]),
    case("POST", "/v1/batch/metrics/measures", r#"{"cpu": []}"#, 400, &[
        "not a valid value @ data['cpu']", "keys are ids of metrics, which are UUIDs",
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": "3 hours", "value": 1}, {"timestamp": "now", "value": 1}]"#, 400, &[
        "measure at index 1: the timestamp is a date, now or today, after a duration added to now in the same list",
    ]),
    case("POST", "/v1/metric/METRIC/measures", r#"[{"timestamp": "9999-01-01", "value": 1}]"#, 400, &[
        "unexpected timestamp 'Unable to convert timestamps'", r#"\"9999-01-01\" is after the year 2262"#,
    ]),
    case("POST", "/v1/metric/METRIC/measures?reprot=true", "[]", 400, &["did you mean 'report'?", "the only parameter is report"]),
    case("POST", "/v1/batch/resources/metrics/measures", r#"{"r": {"cpu": [{"timestamp": 1, "value": 1}]}}"#, 400, &[
        "Unknown metrics: ", "missing, as sent: r/cpu; create_metrics=true creates the metrics that are missing",
    ]),
    case("POST", "/v1/batch/resources/metrics/measures", r#"{"r": {"cpu": {"measures": [], "untis": "%"}}}"#, 400, &[
        "extra keys not allowed", "known keys: measures, archive_policy_name, unit",
    ]),
    case("GET", "/v1/metric/METRIC/measures?start=1433599200000", "", 400, &[
        "Must be a datetime or a timestamp", "1433599200000 looks like milliseconds since 1970",
    ]),
    case("GET", "/v1/metric/METRIC/measures?stop=soon", "", 400, &[r#""detail": "stop""#, r#"\"soon\" is not a timestamp"#]),
    case("POST", "/v1/search/metric?metric_id=METRIC&start=soon", r#"{">": 1}"#, 400, &["Invalid value for start", r#"\"soon\" is not a timestamp"#]),
    case("POST", "/v1/resource/generic", r#"{"id": "x", "started_at": "soon"}"#, 400, &["Unable to convert timestamps", r#"\"soon\" is not a timestamp"#]),
    // Granularities, durations and aggregation methods.
    case("GET", "/v1/metric/METRIC/measures?granularity=42", "", 404, &[
        "Aggregation method 'mean' at granularity '42.0' for metric METRIC does not exist", "archive policy two keeps 60, 3600 s",
    ]),
    case("GET", "/v1/metric/METRIC/measures?granularity=1%20month", "", 400, &["Unable to parse timespan", r#"\"1 month\" is not a duration"#]),
    case("GET", "/v1/metric/METRIC/measures?granularity=60&resample=X", "", 400, &["Unable to parse timespan", "letters of the calendar Y, H, Q, M, W and D"]),
    case("GET", "/v1/metric/METRIC/measures?resample=3600", "", 400, &["A granularity must be specified to resample", "granularity="]),
    case("GET", "/v1/metric/METRIC/measures?aggregation=p95", "", 404, &[
        "Aggregation method does not exist for this metric", r#"\"p95\" is written 95pct; archive policy two keeps mean, max"#,
    ]),
    case("GET", "/v1/metric/METRIC/measures?aggregation=maximum", "", 404, &["did you mean max? archive policy two keeps mean, max"]),
    case("GET", "/v1/metric/METRIC/measures?aggregation=min", "", 404, &["archive policy two keeps mean, max"]),
    case("GET", "/v1/metric/METRIC/measures?resample=3600&granularity=60&timezone=Mars", "", 400, &["Unknown time zone 'Mars'", "IANA"]),
    case("POST", "/v1/search/metric?metric_id=METRIC&granularity=7", r#"{">": 1}"#, 400, &["Aggregation does not exist", "keeps 60, 3600 s"]),
    case("POST", "/v1/search/metric?metric_id=METRIC&aggregation=avg", r#"{">": 1}"#, 400, &["Metric does not exist", "did you mean mean?"]),
    case("POST", "/v1/search/metric?metric_id=METRIC", r#"{">": "x"}"#, 400, &["expected float", r#"got \"x\""#]),
    case("POST", "/v1/search/metric?metric_id=METRIC", r#"{"=>": 1}"#, 400, &["not a valid value @ data['=>']", "known operators: ="]),
    case("POST", "/v1/search/metric?metric_id=cpu", r#"{">": 1}"#, 400, &["not a valid value @ data[0]", r#"\"cpu\" is not a UUID of a metric"#]),
    // Archive policies.
    case("POST", "/v1/archive_policy", r#"{"name": "p", "definition": [{"granularity": 300, "timespan": 60}]}"#, 400, &[
        "Calculated number of points is < 0", "a granularity of 300 s is longer than a timespan of 60 s",
    ]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "definition": [{"granularity": 60, "points": 10, "timespan": 700}]}"#, 400, &[
        "timespan \\u2260 granularity \\u00d7 points: 700 s \\u2260 60 s \\u00d7 10",
    ]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "definition": [{"granularity": "1 fortnight"}]}"#, 400, &["Unable to parse timespan", r#"\"1 fortnight\" is not a duration"#]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "definition": [{"granularity": [1]}]}"#, 400, &["Invalid timespan", "got [1]"]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "back_window": "some", "definition": [{"granularity": 1}]}"#, 400, &[
        "expected int for dictionary value @ data['back_window']", "a whole number of at least 0 (a fraction is cut off)",
    ]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "backwindow": 1, "definition": [{"granularity": 1}]}"#, 400, &[
        "extra keys not allowed @ data['backwindow']", "did you mean 'back_window'? known keys: name, back_window",
    ]),
    case("POST", "/v1/archive_policy", r#"{"name": "p", "definition": [{"granularity": 1}], "aggregation_methods": ["p95"]}"#, 400, &["not a valid value", "did you mean 95pct?"]),
    case("PATCH", "/v1/archive_policy/two", r#"{"definition": [{"granularity": 60}]}"#, 400, &["Cannot add or drop granularities: it has 60 s, 3600 s, and 1 are given"]),
    // Listings.
    case("GET", "/v1/metric?limit=many", "", 400, &["expected int for dictionary value @ data['limit']", r#"got \"many\""#]),
    case("GET", "/v1/metric?sort=nmae", "", 400, &["Sort key supplied is invalid: nmae", "did you mean 'name'? known attributes: id, name, unit"]),
    case("GET", "/v1/resource/generic?sort=started", "", 400, &["Sort key supplied is invalid: started", "known attributes: id, type, creator"]),
    case("GET", "/v1/metric?sort=name:up", "", 400, &["Unknown sort direction, must be one of: asc-nullsfirst", r#"got \"name:up\""#]),
    case("GET", "/v1/metric?marker=METRIC0", "", 400, &["Invalid marker: `METRIC0'", "as in its Link header"]),
    case("GET", "/v1/metric?status=deleted", "", 400, &["`deleted' is not a status; active and delete are"]),
    // Resources, their types and filters.
    case("POST", "/v1/resource_type", r#"{"name": "t", "attributes": {"a": {"type": "text"}}}"#, 400, &["not a valid value", r#"got \"text\"; expected one of the types string"#]),
    case("POST", "/v1/resource_type", r#"{"name": "t", "attributes": {"a": {"type": "string", "max": 5}}}"#, 400, &["not a valid value", "is not a key of an attribute of type string; known keys: type, required, min_length, max_length"]),
    case("POST", "/v1/resource_type", r#"{"name": "t", "attributes": {"a": {"type": "string", "max_length": 999}}}"#, 400, &["got 999; expected a whole number from 1 to 256 for max_length"]),
    case("POST", "/v1/resource/generic", r#"{"id": "x", "project": "p"}"#, 400, &["extra keys not allowed @ data['project']", "known keys: id, started_at"]),
    case("POST", "/v1/metric", r#"{"unit": "a unit of more than 31 characters"}"#, 400, &["length of value must be at most 31", "which has 33 characters"]),
    case("POST", "/v1/metric", r#"{"name": "cpu"}"#, 400, &["no archive policy rule found matching the metric name cpu", "name one with archive_policy_name"]),
    case("POST", "/v1/search/resource/generic", r#"{"=": {"projectid": "x"}}"#, 400, &["Resource type generic has no projectid attribute", "did you mean 'project_id'?"]),
    case("POST", "/v1/search/resource/generic", r#"{">": {"started_at": "soon"}}"#, 400, &["Invalid value: `soon' for field `started_at'", "started_at is compared with a timestamp"]),
    case("POST", "/v1/search/resource/generic", r#"{"equals": {"id": "x"}}"#, 400, &["not a valid value @ data['equals']", "known operators: ="]),
    // Ids of resources, which are turned into UUIDs.
    case("GET", "/v1/resource/generic/nope", "", 404, &["Resource ", "does not exist", r#"the id \"nope\" was sent"#]),
    case("DELETE", "/v1/resource/generic/nope", "", 404, &[r#"the id \"nope\" was sent"#]),
    case("GET", "/v1/resource/generic/nope/metric/cpu/measures", "", 404, &[r#"the id \"nope\" was sent"#]),
    case("POST", "/v1/resource/generic", r#"{"id": "taken"}"#, 409, &["already exists", r#"the id \"taken\" was sent"#]),
    case("POST", "/v1/metric", r#"{"archive_policy_name": "two", "name": "cpu", "resource_id": "nope"}"#, 400, &["does not exist", r#"the id \"nope\" was sent"#]),
    // Addresses and methods.
    case("GET", "/v1/nowhere", "", 404, &[r#""description": null"#, "this server has no such path; GET /v1/ lists"]),
    case("DELETE", "/v1/metric", "", 405, &[r#""description": """#, "DELETE is not a method of this path; known methods: GET, POST"]),
    // Aggregates.
    case("POST", "/v1/aggregates?granularity=3600&resample=D", r#"{"operations": "(metric METRIC mean)"}"#, 400, &[
        "Argument value error", r#""detail": "resample""#, "(resample mean 86400 (metric ...))",
    ]),
    case("POST", "/v1/aggregates?resampl=D", r#"{"operations": "(metric METRIC mean)"}"#, 400, &[r#""detail": "resampl""#]),
    case("POST", "/v1/aggregates", r#"{"operations": "(resample foo 86400 (metric METRIC mean))"}"#, 400, &[
        "'resample' operation invalid", r#"got \"foo\"; expected mean, median"#,
    ]),
    case("POST", "/v1/aggregates", r#"{"operations": "(resampl mean 86400 (metric METRIC mean))"}"#, 400, &["did you mean 'resample'?"]),
    case("POST", "/v1/aggregates?groupby=projectid", r#"{"operations": "(metric cpu mean)", "resource_type": "generic", "search": {}}"#, 400, &[
        "Invalid pagination: `Sort key supplied is invalid: projectid'", r#"resources cannot be grouped by \"projectid\" (groupby)"#, "did you mean 'project_id'?",
    ]),
    case("POST", "/v1/aggregates?fill=zero", r#"{"operations": "(metric METRIC mean)"}"#, 400, &["Must be a float, 'dropna'", r#"got \"zero\""#]),
    case("POST", "/v1/aggregates?needed_overlap=half", r#"{"operations": "(metric METRIC mean)"}"#, 400, &["Must be a number", r#"got \"half\""#]),
    case("POST", "/v1/aggregates", r#"{"operations": "(metric METRIC p95)"}"#, 404, &["Metrics with unknown aggregation", r#"\"p95\" is written 95pct"#]),
    case("POST", "/v1/aggregates?granularity=7", r#"{"operations": "(metric METRIC mean)"}"#, 400, &["Granularities are missing", "archive policy two keeps 60, 3600 s"]),
    case("POST", "/v1/aggregates", r#"{"operations": "(metric cpu.* mean)", "resource_type": "generic", "search": {}}"#, 404, &["Metric ['cpu.*'] does not exist", "no resource that matches the search"]),
    case("GET", "/v1/aggregation/metric?metric=METRIC&metric=OTHER&reaggregation=wtf", "", 400, &["Invalid reaggregation", "expected mean, median"]),
    case("GET", "/v1/aggregation/metric?metric=METRIC&metric=OTHER&aggregation=p95", "", 404, &["Aggregation method 'p95' at granularity '60.0'", r#"\"p95\" is written 95pct"#]),
];

#[tokio::test]
async fn what_was_sent_and_what_is_allowed_is_said() {
    let app = App::new();
    let policy = json!({
        "name": "two", "aggregation_methods": ["mean", "max"],
        "definition": [{"granularity": 60}, {"granularity": 3600}],
    });
    app.admin("POST", "/v1/archive_policy", policy)
        .await
        .is(201);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let metric = app.post("/v1/metric", json!({"archive_policy_name": "two"}));
        let metric = metric.await.is(201).json();
        ids.push(metric["id"].as_str().unwrap().to_owned());
    }
    app.admin("POST", "/v1/resource/generic", json!({"id": "taken"}))
        .await
        .is(201);
    let fill = |text: &str| text.replace("METRIC", &ids[0]).replace("OTHER", &ids[1]);
    for case in CASES {
        let path = fill(case.path);
        let call = app.call(case.method, &path).user("admin").wants_json();
        let answer = if case.body.is_empty() {
            call.send().await
        } else {
            call.raw_json(fill(case.body)).await
        };
        let text = answer.text();
        let request = format!("{} {path} {}", case.method, case.body);
        assert_eq!(answer.status.as_u16(), case.status, "{request}: {text}");
        for part in case.says {
            assert!(
                text.contains(&fill(part)),
                "{request}: {part} is not in {text}"
            );
        }
    }
}

#[tokio::test]
async fn the_largest_number_of_granularities_is_named() {
    let app = App::new();
    let policy = |count: u32| {
        let definition: Vec<Value> = (1..=count).map(|n| json!({"granularity": n})).collect();
        json!({"name": format!("p{count}"), "definition": definition})
    };
    app.admin("POST", "/v1/archive_policy", policy(64))
        .await
        .is(201);
    app.admin("POST", "/v1/archive_policy", policy(65))
        .await
        .is(400)
        .says("an archive policy has at most 64 granularities, and 65 are given");
}

#[tokio::test]
async fn fractions_of_a_back_window_are_cut_off_and_described() {
    let app = App::new();
    let policy = json!({"name": "p", "back_window": 1.9, "definition": [{"granularity": 1}]});
    let made = app
        .admin("POST", "/v1/archive_policy", policy)
        .await
        .is(201);
    assert_eq!(made.json()["back_window"], 1);
    let document = app.get("/v1/openapi.json").await.is(200).json();
    for name in ["ArchivePolicyCreation", "ArchivePolicyChange"] {
        let property = &document["components"]["schemas"][name]["properties"]["back_window"];
        let described = property["description"].as_str().unwrap();
        assert!(described.contains("Fractions are discarded"), "{described}");
    }
}

#[tokio::test]
async fn senders_of_other_systems_are_told_in_their_words() {
    let app = App::with_policy().await;
    let line = "cpu,host=a value=1";
    let write = async |path: &str, authorization: Option<&str>| {
        let call = app.call("POST", path).body(line);
        match authorization {
            Some(value) => call.header("authorization", value).send().await,
            None => call.user("admin").send().await,
        }
    };
    let ways = "the header Authorization: Token USER:PASSWORD";
    for path in [
        "/v1/influxdb/write?db=x",
        "/v1/influxdb/api/v2/write?bucket=x",
    ] {
        write(path, Some("Token abcdef")).await.is(401).says(ways);
        write(path, Some("Bearer abcdef")).await.is(401).says(ways);
    }
    let anonymous = app.call("POST", "/v1/influxdb/query?q=x").send().await;
    anonymous.is(401).says("u=USER&p=PASSWORD");
    for (path, parameter) in [
        ("/v1/influxdb/write", "db="),
        ("/v1/influxdb/api/v2/write", "bucket="),
    ] {
        write(path, None)
            .await
            .is(404)
            .says("database not found: ")
            .says(&format!("the request has no {parameter} in its address"));
        let named = write(&format!("{path}?{parameter}nope"), None)
            .await
            .is(404);
        assert!(!named.text().contains("in its address"), "{}", named.text());
    }

    let remote = |body: &'static str| app.call("POST", "/api/v1/write").user("admin").body(body);
    remote("")
        .header("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
        .send()
        .await
        .is(415)
        .says("proto=io.prometheus.write.v2.Request was sent; remote write is accepted in version 1.0");
    let refused = remote("{}").send().await.is(400);
    assert!(
        refused.text().contains("the body is not a block of Snappy"),
        "{}",
        refused.text()
    );
}
