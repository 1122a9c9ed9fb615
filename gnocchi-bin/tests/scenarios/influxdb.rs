//! Measures in the line protocol of InfluxDB.

use carbonara::Timespan;
use gnocchi_core::Settings;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::support::{Answer, App, NOW_SECONDS, drivers};

const WRITE: &str = "/v1/influxdb/write?db=influxdbtest";

/// Starts with a database, and an archive policy for every metric.
async fn prepared() -> App {
    let app = App::with_policy().await;
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(200);
    app
}

pub(crate) async fn query(app: &App, user: &str, statement: &str) -> Answer {
    let statement = utf8_percent_encode(statement, NON_ALPHANUMERIC);
    let path = format!("/v1/influxdb/query?q={statement}");
    app.call("POST", &path).user(user).wants_json().send().await
}

/// Reads what a sender is told of a request that is stored in part: the text, which must be on one line of JSON.
pub(crate) fn error(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text().lines().count(), 1);
    answer.json()["error"].as_str().unwrap().to_owned()
}

async fn write_as(app: &App, user: &str, path: &str, lines: &str) -> Answer {
    let call = app.call("POST", path).user(user).wants_json();
    call.header("content-type", "text/plain")
        .body(lines.to_owned())
        .send()
        .await
}

async fn write(app: &App, lines: &str) -> Answer {
    write_as(app, "admin", WRITE, lines).await
}

pub(crate) async fn read(app: &App, path: &str) -> Value {
    app.admin("GET", path, Value::Null).await.is(200).json()
}

async fn values(app: &App, resource: &str, metric: &str) -> Vec<(String, f64)> {
    let path = format!("/v1/resource/influxdbtest/{resource}/metric/{metric}/measures");
    let rows = read(app, &path).await;
    let row = |row: &Value| {
        (
            row[0].as_str().unwrap().to_owned(),
            row[2].as_f64().unwrap(),
        )
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn at(second: &str, value: f64) -> (String, f64) {
    (format!("2017-11-13T14:03:{second}+00:00"), value)
}

#[tokio::test]
async fn senders_recognise_a_server() {
    let app = App::new();
    for method in ["GET", "HEAD"] {
        for accept in ["*/*", "application/json", "text/plain"] {
            let call = app
                .call(method, "/v1/influxdb/ping")
                .header("accept", accept);
            let answer = call.send().await.is(204);
            let version = format!("Gnocchi {}", env!("CARGO_PKG_VERSION"));
            assert_eq!(answer.header("x-influxdb-version"), version);
        }
    }
    let health = app.call("GET", "/v1/influxdb/health").send().await.is(200);
    assert_eq!(health.json()["status"], "pass");
}

#[tokio::test]
async fn callers_in_the_ways_of_the_protocol() {
    let app = prepared().await;
    let write = async |path: &str, header: Option<&str>| {
        let mut call = app.call("POST", path);
        if let Some(header) = header {
            call = call.header("authorization", header);
        }
        call.body("m,host=h f=1").send().await
    };
    write(WRITE, None).await.is(401);
    write(&format!("{WRITE}&u=admin&p=secret"), None)
        .await
        .is(204);
    write(WRITE, Some("Token admin:secret")).await.is(204);
    let refused = write(WRITE, Some("Token secret")).await.is(401);
    assert!(refused.headers.contains_key("www-authenticate"));
    assert!(
        error(&refused).contains("Authorization header"),
        "{}",
        refused.text()
    );
    write(&format!("{WRITE}&u=a%00"), None).await.is(400);
    write(&format!("{WRITE}&u=a&u=b"), None).await.is(400);
    // Elsewhere they mean nothing.
    app.call("GET", "/v1/metric?u=admin&p=x")
        .send()
        .await
        .is(401);
}

#[tokio::test]
async fn buckets_of_the_second_version_are_databases() {
    let app = prepared().await;
    let write = async |parameters: &str, lines: &str| {
        let path = format!("/v1/influxdb/api/v2/write?org=o&{parameters}");
        write_as(&app, "admin", &path, lines).await
    };
    write("bucket=influxdbtest&precision=s", "m,host=h f=1 1510581804")
        .await
        .is(204);
    write(
        "bucket=influxdbtest/autogen&precision=ms",
        "m,host=h f=2 1510581805000",
    )
    .await
    .is(204);
    assert_eq!(
        values(&app, "h", "m.f").await,
        [at("24", 1.0), at("25", 2.0)]
    );
    let missing = write("bucket=none", "m,host=h f=1").await.is(404);
    assert_eq!(error(&missing), "database not found: \"none\"");
    let lines = "m,host=h f=1 1510581806000000000\nbroken";
    let partial = write("bucket=influxdbtest", lines).await.is(400);
    assert!(
        error(&partial).starts_with("partial write: "),
        "{}",
        partial.text()
    );
}

#[tokio::test]
async fn resources_and_metrics_come_into_being() {
    let app = prepared().await;
    write(
        &app,
        "mymetric,host=foobar,mytag=myvalue field=123 1510581804179554816",
    )
    .await
    .is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/foobar").await;
    assert_eq!(resource["original_resource_id"], "foobar");
    assert_eq!(resource["id"], "b4d568e4-7af1-5aec-ac3f-9c09fa3685a9");
    assert_eq!(resource["type"], "influxdbtest");
    assert_eq!(resource["creator"], "admin");
    assert_eq!(resource["started_at"], "2015-06-06T14:00:00+00:00");
    assert_eq!(
        values(&app, "foobar", "mymetric.field@mytag=myvalue").await,
        [at("24", 123.0)]
    );

    let lines = "mymetric,host=foobar,mytag=myvalue field=123 1510581804179554816\n\
                 cpu,path=/foobar,mytag=myvalue field=43i 1510581804179554816";
    let call = app
        .call("POST", WRITE)
        .user("admin")
        .header("x-gnocchi-influxdb-tag-resource-id", "mytag");
    call.body(lines).send().await.is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/myvalue").await;
    assert_eq!(resource["id"], "6b9e2039-98d0-5d8d-9153-2d7491cf13e5");
    let mut names: Vec<&String> = resource["metrics"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        ["cpu.field@path=_foobar", "mymetric.field@host=foobar"]
    );
    // Further metrics join the resource, whose history does not grow.
    write(&app, "disk,host=foobar free=1,used=2").await.is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/foobar").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 3);
    let history = read(&app, "/v1/resource/influxdbtest/foobar/history").await;
    assert_eq!(history.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_kind_of_value() {
    let app = prepared().await;
    let lines = "# a comment\n\nm,host=h f=1.5,i=-5i,u=1u,t=true,n=F,s=\"a, b\" 1510581804179554816\r\n\
                 m,host=h f=2.5 1510581805179554816\n";
    write(&app, lines).await.is(204);
    assert_eq!(
        values(&app, "h", "m.f").await,
        [at("24", 1.5), at("25", 2.5)]
    );
    for (field, value) in [("i", -5.0), ("u", 1.0), ("t", 1.0), ("n", 0.0)] {
        assert_eq!(
            values(&app, "h", &format!("m.{field}")).await,
            [at("24", value)],
            "{field}"
        );
    }
    let resource = read(&app, "/v1/resource/influxdbtest/h").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn times_and_their_units() {
    let app = prepared().await;
    let path = format!("{WRITE}&precision=s");
    write_as(&app, "admin", &path, "m,host=h f=1 1510581804")
        .await
        .is(204);
    write_as(
        &app,
        "admin",
        &format!("{WRITE}&epoch=ms"),
        "m,host=h f=2 1510581805000",
    )
    .await
    .is(204);
    assert_eq!(
        values(&app, "h", "m.f").await,
        [at("24", 1.0), at("25", 2.0)]
    );
    write_as(&app, "admin", &format!("{WRITE}&precision=d"), "")
        .await
        .is(400)
        .says("must be one of n, ns, u, us, ms, s, m, h");
    // Lines that tell no time get that of the request.
    write(&app, "n,host=h f=1\nn,host=h f=2").await.is(204);
    let now = jiff::Timestamp::from_second(NOW_SECONDS)
        .unwrap()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00");
    assert_eq!(values(&app, "h", "n.f").await, [(now.to_string(), 2.0)]);
    let answer = write(&app, "m,host=h f=1 -1").await.is(400);
    assert_eq!(answer.description()["detail"], "timestamp");
}

/// What clients send beside what counts.
#[tokio::test]
async fn other_parameters_do_no_harm() {
    let app = prepared().await;
    let write = async |path: &str| write_as(&app, "admin", path, "m,host=h f=1").await;
    write(&format!(
        "{WRITE}&rp=&consistency=all&precision=ns&epoch=ns"
    ))
    .await
    .is(204);
    write("/v1/influxdb/api/v2/write?org=o&orgID=1&bucket=influxdbtest&precision=ns")
        .await
        .is(204);
    let path = "/v1/influxdb/query?chunked=true&db=&epoch=ns&pretty=true&q=show+databases";
    for method in ["GET", "POST"] {
        app.call(method, path).user("admin").send().await.is(200);
    }
}

#[tokio::test]
async fn good_lines_are_stored_and_the_others_named() {
    let app = prepared().await;
    let check = async |bad: &str, expected: &str| {
        let lines = format!("m,host=h f=1\n\n{bad}");
        let answer = write(&app, &lines).await.is(400);
        assert_eq!(error(&answer), expected);
        assert_eq!(answer.description(), expected);
        assert_eq!(values(&app, "h", "m.f").await.len(), 1, "{bad}");
        app.admin("DELETE", "/v1/resource/influxdbtest/h", Value::Null)
            .await
            .is(204);
    };
    check(
        "m,host=h f=oops",
        "partial write: line 3: Unable to parse line 3 (column 12: the value oops of the field f is neither a number (1.5, 7i, 7u), \
         nor a boolean, nor a string in double quotes); dropped=1 of 2 (1 unparsable_line)",
    )
    .await;
    check(
        "m,server=h f=1,g=2\nbroken",
        "partial write: line 3: Unable to find key `host' in tags; dropped=3 of 4 (1 unparsable_line, 2 no_resource_tag)",
    )
    .await;
    check(
        "m,host=a/b f=1",
        "partial write: line 3: Unable to use line 3: '/' is not supported in resource id: a/b; dropped=1 of 2 (1 unusable_resource_id)",
    )
    .await;
    let long = format!("m,host={} f=1", "a".repeat(290));
    write(&app, &format!("m,host=h f=1\n\n{long}"))
        .await
        .is(400)
        .says("resource id >289");
}

#[tokio::test]
async fn when_no_line_is_good_the_first_reason_is_the_answer() {
    let app = prepared().await;
    let check = async |lines: &str, detail: &str, reason: &str| {
        let answer = write(&app, lines).await.is(400);
        let expected = json!({"cause": "Value error", "detail": detail, "reason": reason});
        assert_eq!(answer.description(), expected);
        assert!(error(&answer).starts_with(reason), "{}", answer.text());
    };
    check("\n\nm,host=h f=oops\nx", "line", "Unable to parse line 3").await;
    check(
        "m,server=h f=1\nx",
        "key",
        "Unable to find key `host' in tags",
    )
    .await;
    check(
        "m,host=h f=1 -1",
        "timestamp",
        "Unable to use line 1: the timestamp -1: timestamp lies before the epoch",
    )
    .await;
    assert_eq!(read(&app, "/v1/resource/influxdbtest").await, json!([]));
    for lines in [
        "",
        "\n\n",
        "# nothing",
        "m,host=h f=\"text\"",
        "\u{feff}",
        "\r",
    ] {
        write(&app, lines).await.is(204);
    }
}

#[tokio::test]
async fn a_metric_that_cannot_be_created_costs_no_other() {
    let app = App::with_policy().await;
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(200);
    let rule = json!({"name": "cpu", "metric_pattern": "cpu*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    let generic = json!({"id": "taken"});
    app.admin("POST", "/v1/resource/generic", generic)
        .await
        .is(201);
    let lines = "cpu,host=h f=1\nmem,host=h f=1,g=2\ncpu,host=taken f=1\ndisk,host=other f=1";
    let no_rule = "No archive policy name specified and no archive policy rule found matching the metric name mem.f";
    let expected = format!(
        "partial write: line 2: {no_rule} (name one with archive_policy_name, or create a rule whose pattern matches the name); dropped=4 of 5 (1 resource_of_another_type, 3 no_archive_policy_rule)"
    );
    // The second time everything that can be there is.
    for _ in 0..2 {
        assert_eq!(error(&write(&app, lines).await.is(400)), expected);
    }
    let resources = read(&app, "/v1/resource/influxdbtest").await;
    assert_eq!(resources.as_array().unwrap().len(), 1);
    let metrics: Vec<&String> = resources[0]["metrics"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(metrics, ["cpu.f"]);
}

#[tokio::test]
async fn what_a_caller_may_not_do_costs_him_nothing_else() {
    let app = prepared().await;
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    write_as(&app, "foobar", WRITE, &format!("m,host={id} f=1"))
        .await
        .is(204);
    let lines = format!("m,host=mine f=1\nm,host={id} f=1\nm,host={id} g=1");
    let answer = write_as(&app, "foobaz", WRITE, &lines).await.is(400);
    let text = error(&answer);
    assert!(text.ends_with("dropped=2 of 3 (2 denied)"), "{text}");
    let resources = read(&app, "/v1/resource/influxdbtest").await;
    assert_eq!(resources.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn long_names_end_with_a_digest() {
    let app = prepared().await;
    let tags: Vec<String> = (0..30)
        .map(|tag| format!("label_{tag}=value-{tag}"))
        .collect();
    let tags = tags.join(",");
    let lines = format!("m,host=h,{tags} f=1\nm,host=h,{tags},z=1 f=2");
    write(&app, &lines).await.is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/h").await;
    let metrics: Vec<&String> = resource["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(metrics.len(), 2);
    for name in metrics {
        assert!(
            name.starts_with("m.f@label_0=value-0,label_1=value-1,"),
            "{name}"
        );
        assert_eq!(name.len(), 255);
    }
}

#[tokio::test]
async fn a_database_must_exist_and_hold_the_resource() {
    let app = prepared().await;
    let lines = "mymetric,host=conflict,mytag=myvalue field=123 1510581804179554816";
    let missing = write_as(&app, "admin", "/v1/influxdb/write?db=zz", lines).await;
    assert_eq!(error(&missing.is(404)), "database not found: \"zz\"");
    let missing = write_as(&app, "admin", "/v1/influxdb/write", lines).await;
    let text = error(&missing.is(404));
    let expected = "database not found: \"influxdb\" (the request has no db= in its address";
    assert!(text.starts_with(expected), "{text}");
    app.admin("POST", "/v1/resource/generic", json!({"id": "conflict"}))
        .await
        .is(201);
    let answer = write(&app, lines).await.is(409);
    assert_eq!(answer.json()["title"], "Conflict");
    let expected = json!({"cause": "Resource already exists", "detail": "da19a545-af76-5081-9a88-f370baab66c6"});
    assert_eq!(answer.description(), expected);
    // A metric of that name makes no difference.
    write_as(&app, "admin", "/v1/influxdb/write?db=generic", lines)
        .await
        .is(204);
    write(&app, lines).await.is(409);
    // The type asks for more than a line can give.
    let strict = json!({"name": "strict", "attributes": {"flavor": {"type": "string"}}});
    app.admin("POST", "/v1/resource_type", strict).await.is(201);
    let refused = write_as(
        &app,
        "admin",
        "/v1/influxdb/write?db=strict",
        "m,host=h f=1",
    )
    .await;
    refused.is(400).says("attribute flavor is required");
}

#[tokio::test]
async fn policies_and_rights_are_asked() {
    let app = App::with_policy().await;
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(200);
    let no_rule = write(&app, "m,host=h f=1").await.is(400);
    no_rule.says("no archive policy rule found matching the metric name m.f");
    assert_eq!(read(&app, "/v1/resource/influxdbtest").await, json!([]));
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    write_as(&app, "foobar", WRITE, &format!("m,host={id} f=1"))
        .await
        .is(204);
    // Neither a new metric on the resource of another user nor measures for theirs.
    write_as(&app, "foobaz", WRITE, &format!("m,host={id} f=1"))
        .await
        .is(403);
    write_as(&app, "foobaz", WRITE, &format!("m,host={id} g=1"))
        .await
        .is(403);
    // The same name is another resource to him.
    write_as(&app, "foobar", WRITE, "m,host=web f=1")
        .await
        .is(204);
    write_as(&app, "foobaz", WRITE, "m,host=web f=1")
        .await
        .is(204);
    assert_eq!(
        read(&app, "/v1/resource/influxdbtest")
            .await
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn two_spellings_of_a_resource_are_one() {
    let app = prepared().await;
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    let upper = id.to_uppercase();
    let lines =
        format!("m,host={id} f=1 1510581804179554816\nm,host={upper} f=2 1510581805179554816");
    write(&app, &lines).await.is(204);
    assert_eq!(
        values(&app, id, "m.f").await,
        [at("24", 1.0), at("25", 2.0)]
    );
}

#[tokio::test]
async fn bodies_in_chunks_are_one() {
    let app = prepared().await;
    let pieces = [
        "m,ho",
        "st=h f=1 1510581804179554816\nm,host=h f",
        "=2 1510581805179554816",
    ];
    let pieces = pieces.map(Ok::<_, std::io::Error>);
    let body = axum::body::Body::from_stream(futures::stream::iter(pieces));
    app.call("POST", WRITE)
        .user("admin")
        .body(body)
        .send()
        .await
        .is(204);
    assert_eq!(values(&app, "h", "m.f").await.len(), 2);
}

#[tokio::test]
async fn an_unknown_database_is_the_better_reason() {
    let app = prepared().await;
    write(&app, "m,host=h f=1").await.is(204);
    let unknown = app
        .call("POST", "/v1/influxdb/write?db=nodb")
        .user("foobar");
    let answer = unknown.body("m,host=h f=1").send().await;
    assert_eq!(error(&answer.is(404)), "database not found: \"nodb\"");
}

#[tokio::test]
async fn there_are_limits() {
    let app = prepared().await;
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).map(line).collect::<Vec<_>>().join("\n")
    };
    let points = lines(1001, &|at| format!("m,host=h f=1 {at}"));
    write(&app, &points)
        .await
        .is(413)
        .says("more points than the limit of 1000");
    let metrics = lines(501, &|at| format!("m,host=h f{at}=1"));
    write(&app, &metrics)
        .await
        .is(413)
        .says("more metrics than the limit of 500");
    write(&app, &" ".repeat(100_001)).await.is(413);
}

/// Many senders begin at the same time with the same resource.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creation_is_no_error() {
    let app = prepared().await;
    let writes = (0..20).map(|sender: i64| {
        let app = app.clone();
        tokio::spawn(async move {
            let lines = format!(
                "m,host=h f=1 {}000000000\nm,host=h g{}=1",
                NOW_SECONDS + sender % 10,
                sender % 3
            );
            write(&app, &lines).await.is(204);
        })
    });
    futures::future::try_join_all(writes).await.unwrap();
    let resource = read(&app, "/v1/resource/influxdbtest/h").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 4);
    // None is older than the back window, in whatever order they come.
    assert_eq!(values(&app, "h", "m.f").await.len(), 10);
}

/// What the store itself does not take is no success either.
#[tokio::test]
async fn points_too_far_ahead_are_named() {
    let max_future = Timespan::from_second(3600).unwrap();
    let store = Settings {
        max_future: Some(max_future),
        ..Settings::default()
    };
    let app = App::with(drivers(), store);
    app.create_policy().await;
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(200);
    let ahead = NOW_SECONDS + 7200;
    let lines =
        format!("m,host=h f=1\nm,host=h f=2 {ahead}000000000\nn,host=h f=3 {ahead}000000000");
    let text = error(&write(&app, &lines).await.is(400));
    assert!(
        text.starts_with(
            "partial write: line 1: measures of the metric m.f of the resource h are not stored: "
        ),
        "{text}"
    );
    assert!(text.ends_with("dropped=2 of 3 (2 too_far_ahead)"), "{text}");
    assert_eq!(values(&app, "h", "m.f").await.len(), 1);
}
