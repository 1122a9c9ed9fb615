//! Expressions across series of metrics and of resources.

use serde_json::{Value, json};

use crate::support::{Answer, App};

/// A store with two granularities and three metrics: two that overlap for the most part, and one without points.
struct Story {
    app: App,
    ids: [String; 3],
}

fn points(values: &[(u32, f64)]) -> Value {
    values
        .iter()
        .map(|(second, value)| {
            let timestamp = format!("2015-03-06T14:{:02}:{:02}", second / 60, second % 60);
            json!({"timestamp": timestamp, "value": value})
        })
        .collect()
}

async fn create_policy(app: &App, name: &str, granularities: &[&str]) {
    let definition: Vec<Value> = granularities
        .iter()
        .map(|granularity| json!({"granularity": granularity}))
        .collect();
    let policy = json!({"name": name, "back_window": 100, "definition": definition});
    app.admin("POST", "/v1/archive_policy", policy)
        .await
        .is(201);
}

async fn send(app: &App, metric: &str, values: &[(u32, f64)]) {
    app.post(&format!("/v1/metric/{metric}/measures"), points(values))
        .await
        .is(202);
}

impl Story {
    async fn new() -> Self {
        let app = App::new();
        create_policy(&app, "policy", &["1 second", "60 seconds"]).await;
        let mut ids = Vec::new();
        for name in ["one", "two", "empty"] {
            let metric = json!({"archive_policy_name": "policy", "name": name});
            let created = app.post("/v1/metric", metric).await.is(201).json();
            ids.push(created["id"].as_str().unwrap().to_owned());
        }
        send(&app, &ids[0], &[(0, 0.0), (1, 1.0), (2, 2.0), (65, 65.0)]).await;
        send(&app, &ids[1], &[(1, 2.0), (2, 4.0), (3, 6.0), (65, 130.0)]).await;
        let ids = ids.try_into().unwrap();
        Self { app, ids }
    }

    /// Computes; `ONE`, `TWO` and `EMPTY` stand for the ids of the metrics.
    async fn compute(&self, parameters: &str, operations: &str) -> Answer {
        let operations = self.named(operations);
        let operations = serde_json::from_str(&operations).unwrap_or_else(|_| json!(operations));
        let path = format!("/v1/aggregates?{parameters}");
        let body = json!({"operations": operations}).to_string();
        let call = self.app.call("POST", &path).user("foobar").wants_json();
        call.raw_json(body).await
    }

    fn named(&self, text: &str) -> String {
        text.replace("ONE", &self.ids[0])
            .replace("TWO", &self.ids[1])
            .replace("EMPTY", &self.ids[2])
    }

    /// Checks the rows of one granularity, as text because NaN is no JSON.
    async fn check(&self, parameters: &str, operations: &str, expected: &[&str]) {
        let answer = self.compute(parameters, operations).await.is(200);
        for rows in expected {
            answer.says_text(&self.named(rows));
        }
    }

    async fn refuses(&self, parameters: &str, operations: &str, status: u16, expected: Value) {
        let answer = self.compute(parameters, operations).await.is(status);
        let expected: Value = serde_json::from_str(&self.named(&expected.to_string())).unwrap();
        let mut described = answer.description();
        // What stands there for people has its own test.
        if let Some(entries) = described.as_object_mut() {
            entries.remove("explanation");
        }
        assert_eq!(described, expected, "{operations}");
    }
}

impl Answer {
    #[track_caller]
    fn says_text(&self, text: &str) {
        assert!(
            self.text().contains(text),
            "`{text}` is not in `{}`",
            self.text()
        );
    }
}

/// Returns a row of a second after 14:00 as it is printed.
fn row(second: u32, granularity: &str, value: &str) -> String {
    format!(
        "[\"2015-03-06T14:{:02}:{:02}+00:00\", {granularity}, {value}]",
        second / 60,
        second % 60
    )
}

/// Returns rows of seconds as a list.
fn seconds(rows: &[(u32, &str)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(second, value)| row(*second, "1.0", value))
        .collect();
    format!("[{}]", rows.join(", "))
}

#[tokio::test]
async fn series_are_listed_by_metric_and_method() {
    let story = Story::new().await;
    let answer = story
        .compute("", "(metric (ONE mean) (ONE max))")
        .await
        .is(200)
        .json();
    let minutes = json!([
        ["2015-03-06T14:00:00+00:00", 60.0, 1.0],
        ["2015-03-06T14:01:00+00:00", 60.0, 65.0]
    ]);
    let own = &answer["measures"][&story.ids[0]];
    assert_eq!(
        own["mean"].as_array().unwrap()[..2],
        minutes.as_array().unwrap()[..]
    );
    assert_eq!(own["max"][0][2], json!(2.0));
    assert_eq!(own["mean"].as_array().unwrap().len(), 6);
    // One metric has one name, however it is written.
    let twice = json!([
        "metric",
        [story.ids[0].to_uppercase(), "mean"],
        [story.ids[0], "mean"]
    ]);
    let twice = story
        .compute("granularity=60&details=true", &twice.to_string())
        .await
        .is(200)
        .json();
    assert_eq!(twice["measures"][&story.ids[0]]["mean"], minutes);
    assert_eq!(twice["references"].as_array().unwrap().len(), 1);
    assert_eq!(
        twice["references"][0]["archive_policy"]["name"],
        json!("policy")
    );
}

#[tokio::test]
async fn gaps_are_filled_as_told() {
    let story = Story::new().await;
    let both = "(metric (ONE mean) (TWO mean))";
    let fill = async |mode: &str, one: &[(u32, &str)]| {
        let parameters = format!("granularity=1&{mode}");
        let rows = format!("\"ONE\": {{\"mean\": {}}}", seconds(one));
        story.check(&parameters, both, &[&rows]).await;
    };
    let own = [(0, "0.0"), (1, "1.0"), (2, "2.0")];
    let with = |filling: &[(u32, &'static str)]| [&own[..], filling, &[(65, "65.0")]].concat();
    fill("", &with(&[])).await;
    fill("fill=dropna", &with(&[])).await;
    fill("fill=null", &with(&[(3, "NaN")])).await;
    fill("fill=-7", &with(&[(3, "-7.0")])).await;
    fill("fill=ffill", &with(&[(3, "2.0")])).await;
    fill("fill=full_bfill", &with(&[(3, "65.0")])).await;
    // Without a start and a stop, what lies outside of the overlap is cut.
    fill(
        "needed_overlap=75",
        &[(1, "1.0"), (2, "2.0"), (3, "NaN"), (65, "65.0")],
    )
    .await;
    let refused = |reason: &str, second: &str| {
        json!({
            "cause": "Metrics cannot be aggregated",
            "reason": reason,
            "detail": [["ONE", "mean"], [second, "mean"]],
        })
    };
    let too_little = "Less than 90.000000% of datapoints overlap in this timespan (75.00%)";
    story
        .refuses(
            "granularity=1&needed_overlap=90",
            both,
            400,
            refused(too_little, "TWO"),
        )
        .await;
    let nothing = "(metric (ONE mean) (EMPTY mean))";
    story
        .refuses(
            "granularity=1&needed_overlap=50",
            nothing,
            400,
            refused("No overlap", "EMPTY"),
        )
        .await;
}

#[tokio::test]
async fn operations_are_computed() {
    let story = Story::new().await;
    let check = async |operations: &str, rows: &[(u32, &str)]| {
        let aggregated = format!("\"aggregated\": {}", seconds(rows));
        story
            .check("granularity=1", operations, &[&aggregated])
            .await;
    };
    let both = "(metric (ONE mean) (TWO mean))";
    let mean = [(0, "0.0"), (1, "1.5"), (2, "3.0"), (3, "6.0"), (65, "97.5")];
    check(&format!("(aggregate mean {both})"), &mean).await;
    let count = [(0, "1.0"), (1, "2.0"), (2, "2.0"), (3, "1.0"), (65, "2.0")];
    check(&format!("(aggregate count {both})"), &count).await;
    let rate = [(1, "1.5"), (2, "1.5"), (3, "3.0"), (65, "91.5")];
    check(&format!("(aggregate rate:mean {both})"), &rate).await;
    check(
        "(- (metric TWO mean) (metric ONE mean))",
        &[(1, "1.0"), (2, "2.0"), (65, "65.0")],
    )
    .await;
    let one = async |operations: &str, rows: &[(u32, &str)]| {
        let own = format!("\"ONE\": {{\"mean\": {}}}", seconds(rows));
        story.check("granularity=1", operations, &[&own]).await;
    };
    one(
        "(clip (metric ONE mean) 1 2)",
        &[(0, "1.0"), (1, "1.0"), (2, "2.0"), (65, "2.0")],
    )
    .await;
    one(
        "(clip (metric ONE mean) 5 2)",
        &[(0, "2.0"), (1, "2.0"), (2, "2.0"), (65, "2.0")],
    )
    .await;
    one(
        "(>= (metric ONE mean) 1)",
        &[(0, "0.0"), (1, "1.0"), (2, "1.0"), (65, "1.0")],
    )
    .await;
    one(
        "(% (neg (metric ONE mean)) 3)",
        &[(0, "0.0"), (1, "2.0"), (2, "1.0"), (65, "1.0")],
    )
    .await;
    one(
        "(rateofchange (metric ONE mean))",
        &[(1, "1.0"), (2, "1.0"), (65, "63.0")],
    )
    .await;
    one(
        "(rateofchangesec (metric ONE mean))",
        &[(1, "1.0"), (2, "1.0"), (65, "1.0")],
    )
    .await;
    one(
        "(rolling max 3 (metric ONE mean))",
        &[(2, "2.0"), (65, "65.0")],
    )
    .await;
    // A division by zero is not finite: it is left out, unless gaps are shown.
    one("(/ (metric ONE mean) 0)", &[]).await;
    story
        .check(
            "granularity=1&fill=null",
            "(/ (metric ONE mean) 0)",
            &["0.0, NaN", "Infinity"][1..],
        )
        .await;
    let minutes = format!("[{}, {}]", row(0, "60.0", "1.0"), row(60, "60.0", "65.0"));
    story
        .check(
            "granularity=1",
            "(resample mean 60 (metric ONE mean))",
            &[&minutes],
        )
        .await;
}

#[tokio::test]
async fn what_other_clients_send_is_computed() {
    let story = Story::new().await;
    let check = async |operations: &str, rows: &[(u32, &str)]| {
        let aggregated = format!("\"aggregated\": {}", seconds(rows));
        story
            .check("granularity=1", operations, &[&aggregated])
            .await;
    };
    let mean = [(0, "0.0"), (1, "1.5"), (2, "3.0"), (3, "6.0"), (65, "97.5")];
    check(
        "(aggregate mean (metric ONE mean) (metric TWO mean))",
        &mean,
    )
    .await;
    check(
        r#"["aggregate", "mean", ["metric", "ONE", "mean"], ["metric", "TWO", "mean"]]"#,
        &mean,
    )
    .await;
    check(
        "(aggregate max (* 2 (metric ONE mean)) (metric TWO mean))",
        &[
            (0, "0.0"),
            (1, "2.0"),
            (2, "4.0"),
            (3, "6.0"),
            (65, "130.0"),
        ],
    )
    .await;
    for (method, values) in [
        ("first", ["0.0", "65.0"]),
        ("last", ["2.0", "65.0"]),
        ("50pct", ["1.0", "65.0"]),
    ] {
        let minutes = format!(
            "[{}, {}]",
            row(0, "60.0", values[0]),
            row(60, "60.0", values[1])
        );
        let operations = format!("(resample {method} 60 (metric ONE mean))");
        story.check("granularity=1", &operations, &[&minutes]).await;
    }
}

#[tokio::test]
async fn what_is_wrong_inside_an_expression_is_explained() {
    let app = App::new();
    let explained = async |operations: &str, expected: &str| {
        let body = json!({"operations": operations});
        let call = app
            .call("POST", "/v1/aggregates")
            .user("foobar")
            .wants_json();
        let refusal = call.json(&body).await.is(400).json();
        let explanation = &refusal["description"]["explanation"];
        let explanation = explanation.as_str().unwrap();
        assert!(
            explanation.starts_with(expected),
            "{operations}: {explanation}"
        );
    };
    explained(
        "(abs (rolling mean 0 (metric a mean)))",
        "'abs' operation invalid: window is not a number of rows, at least one (at [1][2]): got \"0\"",
    )
    .await;
    explained(
        "(foo 1)",
        "'foo' operation invalid: unknown operation (at [0]): got \"foo\"; known operations: metric",
    )
    .await;
}

#[tokio::test]
async fn what_is_no_operation_is_refused() {
    let story = Story::new().await;
    let invalid = async |operations: &str, reason: &str| {
        let reason = format!("{reason} for dictionary value @ data['operations']");
        let expected =
            json!({"cause": "Invalid input", "reason": reason, "detail": ["operations"]});
        story.refuses("", operations, 400, expected).await;
    };
    invalid("[]", "Operation must not be empty").await;
    invalid("()", "Operation must not be empty").await;
    invalid(
        r#"{"foo": "bar"}"#,
        "Expected a tuple/list, got a <class 'dict'>",
    )
    .await;
    invalid("null", "Expected a tuple/list, got a <class 'NoneType'>").await;
    invalid("[\"metric\"]", "Operation need at least one argument").await;
    invalid(
        "(rolling blah 2 (metric ONE mean))",
        "'rolling' operation invalid",
    )
    .await;
    invalid(
        "(rolling mean (metric ONE mean))",
        "'rolling' operation invalid",
    )
    .await;
    invalid(
        "(notexist (abs (metric ONE mean)))",
        "'notexist' operation invalid",
    )
    .await;
    invalid(
        "(resample mean invalid (metric ONE mean))",
        "'resample' operation invalid",
    )
    .await;
    let answer = story
        .compute("", "(metroc foo bar")
        .await
        .is(400)
        .description();
    assert_eq!(answer["cause"], json!("Invalid operations"));
    assert_eq!(
        answer["reason"],
        json!("Fail to parse the operations string")
    );
    assert_eq!(
        answer["detail"],
        json!("Expected ')', found end of text  (at char 15), (line:1, col:16)")
    );
    let malformed = story
        .compute("", "[\"metric\", [\"ONE\", \"mean\"], [\"b\"]]")
        .await
        .is(400)
        .description();
    assert_eq!(malformed["detail"], json!(["operations", "1"]));
    let none = json!({
        "cause": "Operations is invalid",
        "reason": "At least one 'metric' is required",
        "detail": ["+", 1.0, 2.0],
    });
    story.refuses("", "(+ 1 2)", 400, none).await;
    let too_long = json!({
        "cause": "Metrics cannot be aggregated",
        "reason": "Rolling window '7' is greater than serie length '4'",
        "detail": [["ONE", "mean"]],
    });
    story
        .refuses(
            "granularity=1",
            "(rolling mean 7 (metric ONE mean))",
            400,
            too_long,
        )
        .await;
    let grids = story.compute(
        "granularity=1",
        "(+ (metric ONE mean) (resample mean 60 (metric TWO mean)))",
    );
    let grids = grids.await.is(400).description();
    assert!(
        grids["reason"]
            .as_str()
            .unwrap()
            .starts_with("Can't compute timeseries with different granularity"),
        "{grids}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let story = Story::new().await;
    let unknown = "8c062a7e-9f9f-4b1c-9996-9d0328512ab7";
    let references = json!({
        "cause": "Invalid metric references",
        "reason": "badly formed hexadecimal UUID string",
        "detail": [["ONE", "mean"], ["nope", "mean"]],
    });
    story
        .refuses("", "(metric (ONE mean) (nope mean))", 400, references)
        .await;
    let metrics = json!({
        "cause": "Unknown metrics",
        "reason": "Provided metrics don't exists",
        "detail": [unknown],
    });
    story
        .refuses(
            "",
            &format!("(metric (ONE mean) ({unknown} mean))"),
            404,
            metrics,
        )
        .await;
    let aggregation =
        json!({"cause": "Metrics with unknown aggregation", "detail": [["ONE", "what?"]]});
    story
        .refuses(
            "",
            r#"["metric", ["ONE", "what?"], ["TWO", "mean"]]"#,
            404,
            aggregation,
        )
        .await;
    let granularity = json!({
        "cause": "Metrics cannot be aggregated",
        "reason": "Granularities are missing",
        "detail": [["ONE", "mean", 7.0]],
    });
    story
        .refuses("granularity=7", "(metric ONE mean)", 400, granularity)
        .await;
    create_policy(&story.app, "other", &["5 seconds"]).await;
    let metric = json!({"archive_policy_name": "other"});
    let other = story.app.post("/v1/metric", metric).await.is(201).json();
    let other = other["id"].as_str().unwrap();
    let no_match = json!({
        "cause": "Metrics cannot be aggregated",
        "reason": "No granularity match",
        "detail": [["ONE", "mean"], [other, "mean"]],
    });
    story
        .refuses(
            "",
            &format!("(metric (ONE mean) ({other} mean))"),
            400,
            no_match,
        )
        .await;
    // A metric of another user.
    let body = json!({"operations": ["metric", story.ids[0], "mean"]});
    story
        .app
        .call("POST", "/v1/aggregates")
        .user("other")
        .json(&body)
        .await
        .is(403);
}

#[tokio::test]
async fn bodies_and_parameters_are_checked() {
    let story = Story::new().await;
    let check = async |path: &str, body: Value, expected: Value| {
        let call = story.app.call("POST", path).user("foobar").wants_json();
        assert_eq!(
            call.json(&body).await.is(400).description(),
            expected,
            "{body}"
        );
    };
    let invalid = |reason: &str, detail: Value| json!({"cause": "Invalid input", "reason": reason, "detail": detail});
    let path = "/v1/aggregates";
    check(
        path,
        json!({}),
        invalid(
            "required key not provided @ data['operations']",
            json!(["operations"]),
        ),
    )
    .await;
    check(
        path,
        json!([1]),
        invalid("expected a dictionary", json!([])),
    )
    .await;
    check(
        path,
        json!({"foo": 1}),
        invalid("extra keys not allowed @ data['foo']", json!(["foo"])),
    )
    .await;
    let operations = "(metric cpu mean)";
    check(
        path,
        json!({"operations": operations, "resource_type": "generic"}),
        invalid(
            "required key not provided @ data['search']",
            json!(["search"]),
        ),
    )
    .await;
    check(
        path,
        json!({"operations": operations, "resource_type": "nope", "search": {}}),
        json!({"cause": "Resource type does not exist", "detail": "nope"}),
    )
    .await;
    check(
        path,
        json!({"operations": operations, "resource_type": "generic", "search": {"=": {"foo": 1}}}),
        json!("Resource type generic has no foo attribute"),
    )
    .await;
    for search in [json!(null), json!(5), json!({"foo": 1}), json!("a = = b")] {
        let body = json!({"operations": operations, "resource_type": "generic", "search": search});
        let call = story.app.call("POST", path).user("foobar").wants_json();
        call.json(&body).await.is(400);
    }
    // Parameters are looked at before the body.
    let wrong = json!({"cause": "Argument value error", "detail": "start", "reason": "Must be a datetime or a timestamp"});
    check("/v1/aggregates?start=notadate", json!({"foo": 1}), wrong).await;
    story.app.get(path).await.is(405);
}
