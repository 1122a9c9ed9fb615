//! Measures of one metric: sending and reading.

use carbonara::Timespan;
use gnocchi_core::Settings;
use serde_json::{Value, json};

use crate::support::{App, drivers};

async fn send(app: &App, metric: &str, measures: Value) {
    let answer = app
        .post(&format!("/v1/metric/{metric}/measures"), measures)
        .await
        .is(202);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("content-length"), "0");
    assert_eq!(answer.header("content-type"), "application/json");
}

async fn read(app: &App, metric: &str, query: &str) -> Value {
    app.get(&format!("/v1/metric/{metric}/measures?{query}"))
        .await
        .is(200)
        .json()
}

fn measure(timestamp: &str, value: f64) -> Value {
    json!({"timestamp": timestamp, "value": value})
}

#[tokio::test]
async fn what_was_acknowledged_is_readable_before_and_after_it_is_folded() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    assert_eq!(read(&app, &metric, "").await, json!([]));
    send(
        &app,
        &metric,
        json!([
            measure("2015-03-06T14:33:57", 43.1),
            measure("2015-03-06 14:34:12", 12.0)
        ]),
    )
    .await;
    let expected = json!([
        ["2015-03-06T14:33:57+00:00", 1.0, 43.1],
        ["2015-03-06T14:34:12+00:00", 1.0, 12.0]
    ]);
    assert_eq!(read(&app, &metric, "").await, expected);
    assert_eq!(read(&app, &metric, "refresh=true").await, expected);
    app.gnocchi.process().await.unwrap();
    assert_eq!(read(&app, &metric, "").await, expected);
    app.get(&format!("/v1/metric/{metric}/measures"))
        .await
        .says(r#"[["2015-03-06T14:33:57+00:00", 1.0, 43.1], ["#);
    assert_eq!(
        read(&app, &metric, "start=2015-03-06T14:34").await,
        json!([expected[1]])
    );
    assert_eq!(
        read(&app, &metric, "start=1425652440").await,
        json!([expected[1]])
    );
    assert_eq!(
        read(&app, &metric, "stop=2015-03-06T14:34:12").await,
        json!([expected[0]])
    );
    assert_eq!(
        read(&app, &metric, "aggregation=count&granularity=1").await[1],
        json!(["2015-03-06T14:34:12+00:00", 1.0, 1.0])
    );
}

#[tokio::test]
async fn aggregates_are_grouped_further() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    send(
        &app,
        &metric,
        json!([
            measure("2015-03-06T14:34:12", 12.0),
            measure("2015-03-06T14:34:15", 16.0)
        ]),
    )
    .await;
    assert_eq!(
        read(&app, &metric, "resample=60&granularity=1").await,
        json!([["2015-03-06T14:34:00+00:00", 60.0, 14.0]])
    );
    assert_eq!(
        read(&app, &metric, "resample=M&granularity=1").await,
        json!([["2015-03-01T00:00:00+00:00", "M", 14.0]])
    );
    assert_eq!(
        read(&app, &metric, "resample=Y&granularity=1&start=2015-01-01").await[0][1],
        "Y"
    );
    let check = async |query: &str, text: &str| {
        app.get(&format!("/v1/metric/{metric}/measures?{query}"))
            .await
            .is(400)
            .says(text);
    };
    check("resample=60", "A granularity must be specified to resample").await;
    check("resample=abc&granularity=1", "Unable to parse timespan").await;
    check("resample=0&granularity=1", "Timespan must be positive").await;
}

#[tokio::test]
async fn numbers_that_json_lacks_are_read_and_written_bare() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let body = r#"[{"timestamp": 1, "value": NaN}, {"timestamp": 2, "value": -Infinity}, {"timestamp": 3, "value": "inf"}]"#;
    app.call("POST", &format!("/v1/metric/{metric}/measures"))
        .user("foobar")
        .raw_json(body)
        .await
        .is(202);
    let text = app
        .get(&format!("/v1/metric/{metric}/measures?aggregation=max"))
        .await
        .is(200)
        .text();
    assert!(
        text.contains("1.0, NaN]")
            && text.contains("1.0, -Infinity]")
            && text.contains("1.0, Infinity]"),
        "{text}"
    );
}

#[tokio::test]
async fn queries_that_cannot_be_answered() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let ask = async |query: &str| {
        app.call("GET", &format!("/v1/metric/{metric}/measures?{query}"))
            .user("foobar")
            .wants_json()
            .send()
            .await
    };
    let argument = |name: &str, reason: &str| json!({"cause": "Argument value error", "detail": name, "reason": reason});
    let moment = "Must be a datetime or a timestamp";
    assert_eq!(
        ask("start=x").await.is(400).description(),
        argument("start", moment)
    );
    assert_eq!(
        ask("stop=1915-01-01").await.is(400).description(),
        argument("stop", moment)
    );
    assert_eq!(
        ask("granularity=foobar").await.is(400).description(),
        argument("granularity", "Unable to parse timespan")
    );
    assert_eq!(
        ask("granularity=-1").await.is(400).description(),
        argument("granularity", "Timespan must be positive")
    );
    ask("granularity=1&granularity=1").await.is(400);
    let unknown = |method: &str| {
        json!({
            "cause": "Aggregation method does not exist for this metric",
            "detail": {"metric": metric, "aggregation_method": method},
        })
    };
    assert_eq!(
        ask("aggregation=wtf").await.is(404).description(),
        unknown("wtf")
    );
    assert_eq!(
        ask("aggregation=median&granularity=42")
            .await
            .is(404)
            .description(),
        unknown("median")
    );
    let text = format!(
        "Aggregation method 'mean' at granularity '42.0' for metric {metric} does not exist"
    );
    assert_eq!(ask("granularity=42").await.is(404).description(), text);
    ask("refresh=awesome")
        .await
        .is(400)
        .says("Unable to parse `refresh': Unrecognized value 'awesome'");
}

#[tokio::test]
async fn nothing_of_a_bad_list_is_taken() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let check = async |body: &str, status: u16, text: &str| {
        let path = format!("/v1/metric/{metric}/measures");
        app.call("POST", &path)
            .user("foobar")
            .raw_json(body.to_owned())
            .await
            .is(status)
            .says(text);
    };
    let good = r#"{"timestamp": "2015-03-06T14:33:57", "value": 1}"#;
    check(
        &format!(r#"[{good}, {{"timestamp": "1915-03-06", "value": 1}}]"#),
        400,
        "Timestamp must be after Epoch",
    )
    .await;
    check(
        &format!(r#"[{good}, {{"timestamp": "0001-01-01", "value": 1}}]"#),
        400,
        "Timestamp must be after Epoch",
    )
    .await;
    check(
        &format!(r#"[{good}, {{"timestamp": "300000-01-01", "value": 1}}]"#),
        400,
        "Unable to convert timestamps",
    )
    .await;
    check(
        &format!(r#"[{good}, {{"timestamp": 1478012832, "value": 1}}]"#),
        400,
        "Unable to convert timestamps",
    )
    .await;
    check(
        &format!(r#"[{good}, {{"timestamp": "2015-03-06T14:33:57", "value": "foobar"}}]"#),
        400,
        "unexpected measures value",
    )
    .await;
    check(
        &format!(r#"[{good}, {{"timestamp": "2015-03-06T14:33:57", "value": 1e999}}]"#),
        400,
        "Unable to decode body",
    )
    .await;
    check(&format!("[{good}, 1]"), 400, "unexpected measures format").await;
    check(&format!("[{good}"), 400, "Unable to decode body").await;
    check("", 400, "Expected object or value").await;
    check("1", 400, "unexpected measures format").await;
    assert_eq!(read(&app, &metric, "").await, json!([]));
    // And the empty list is taken, and does nothing.
    check("[]", 202, "").await;
    check("{}", 202, "").await;
    let status = app
        .call("GET", "/v1/status")
        .user("admin")
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(
        status["storage"],
        json!({"summary": {"metrics": 0, "measures": 0}, "measures_to_process": {}})
    );
}

#[tokio::test]
async fn requests_have_limits() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures");
    let list = |points: usize| {
        json!(
            (0..points)
                .map(|second| json!({"timestamp": second, "value": 1}))
                .collect::<Vec<_>>()
        )
    };
    app.post(&path, list(1000)).await.is(202);
    app.post(&path, list(1001))
        .await
        .is(413)
        .says("more points than the limit of 1000");
    let spaces = " ".repeat(100_001);
    app.call("POST", &path)
        .user("foobar")
        .raw_json(spaces.clone())
        .await
        .is(413)
        .says("longer than the limit of 100000 bytes after decompression ([api] body_bytes_max)");
    let announced = app
        .call("POST", &path)
        .user("foobar")
        .header("content-length", "100001");
    announced.raw_json(spaces).await.is(413);
    assert_eq!(
        read(&app, &metric, "aggregation=count")
            .await
            .as_array()
            .unwrap()
            .len(),
        1000
    );
}

#[tokio::test]
async fn a_report_tells_what_becomes_of_the_points() {
    let settings = Settings {
        max_future: Some(Timespan::from_second(3600).unwrap()),
        ..Settings::default()
    };
    let app = App::with(drivers(), settings);
    app.create_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures?report=true");
    let report = |accepted: usize, too_late: usize, too_far_ahead: usize| json!({metric.clone(): {"accepted": accepted, "rejected": {"too_late": too_late, "too_far_ahead": too_far_ahead}}});
    let answer = app.post(&path, json!([measure("now", 1.0)])).await.is(202);
    assert_eq!(answer.json(), report(1, 0, 0));
    app.gnocchi.process().await.unwrap();
    let mixed = json!([
        measure("-30 minutes", 1.0),
        measure("-5 seconds", 2.0),
        measure("2 hours", 3.0)
    ]);
    assert_eq!(app.post(&path, mixed).await.is(202).json(), report(1, 1, 1));
    app.gnocchi.process().await.unwrap();
    assert_eq!(
        read(&app, &metric, "aggregation=count")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        app.post(&path, json!([])).await.is(202).json(),
        report(0, 0, 0)
    );
    let batch = app
        .post(
            "/v1/batch/metrics/measures?report=yes",
            json!({metric.clone(): [measure("now", 1.0)]}),
        )
        .await
        .is(202);
    assert_eq!(batch.json(), report(1, 0, 0));
}

#[tokio::test]
async fn every_endpoint_for_measures_as_json_reports() {
    let app = App::with_policy().await;
    let body = json!({"id": "host", "metrics": {"cpu": {"archive_policy_name": "second"}}});
    let resource = app.post("/v1/resource/generic", body).await.is(201).json();
    let metric = resource["metrics"]["cpu"].as_str().unwrap();
    let report = |metric: &str, accepted: usize, too_late: usize| json!({metric: {"accepted": accepted, "rejected": {"too_late": too_late, "too_far_ahead": 0}}});
    let by_name = "/v1/resource/generic/host/metric/cpu/measures?report=true";
    let newest = json!([measure("2026-01-01T12:00:00", 1.0)]);
    let answer = app.post(by_name, newest).await.is(202);
    assert_eq!(answer.json(), report(metric, 1, 0));
    // Three hours late, while the newest one is still pending.
    let late = json!([measure("2026-01-01T09:00:00", 1.0)]);
    let answer = app.post(by_name, late.clone()).await.is(202);
    assert_eq!(answer.json(), report(metric, 0, 1));
    let by_resource = "/v1/batch/resources/metrics/measures?create_metrics=true&report=true";
    let answer = app
        .post(by_resource, json!({"host": {"cpu": late}}))
        .await
        .is(202);
    assert_eq!(answer.json(), report(metric, 0, 1));
}

#[tokio::test]
async fn calendars_hang_on_a_time_zone() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures");
    // In Paris the first one is in March already.
    let measures = json!([
        {"timestamp": "2015-02-28T23:30:00", "value": 1},
        {"timestamp": "2015-03-31T22:30:00", "value": 2},
    ]);
    app.post(&path, measures).await.is(202);
    let read = async |query: &str| {
        let path = format!("{path}?granularity=1&resample=M{query}");
        app.get(&path).await.is(200).json()
    };
    let utc = json!([
        ["2015-02-01T00:00:00+00:00", "M", 1.0],
        ["2015-03-01T00:00:00+00:00", "M", 2.0]
    ]);
    let paris = json!([
        ["2015-02-28T23:00:00+00:00", "M", 1.0],
        ["2015-03-31T22:00:00+00:00", "M", 2.0]
    ]);
    assert_eq!(read("").await, utc);
    assert_eq!(read("&timezone=UTC").await, utc);
    assert_eq!(read("&timezone=Europe/Paris").await, paris);
    assert_eq!(
        read("&timezone=Europe/Paris&start=2015-03-31T22:00:00").await,
        json!([paris[1]])
    );
    // A unit that began before counts as a whole.
    assert_eq!(read("&timezone=Europe/Paris&start=2015-03-01").await, paris);
    let refused = app.get(&format!("{path}?timezone=Europe/Nowhere")).await;
    refused.is(400).says("Unknown time zone 'Europe/Nowhere'");
}

#[tokio::test]
async fn moments_between_seconds_are_told_apart() {
    let app = App::new();
    let policy = json!({"name": "fast", "definition": [{"granularity": 0.5}, {"granularity": 1}]});
    app.admin("POST", "/v1/archive_policy", policy)
        .await
        .is(201);
    let metric = app
        .post("/v1/metric", json!({"archive_policy_name": "fast"}))
        .await;
    let metric = metric.is(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/metric/{metric}/measures");
    let measures = json!([{"timestamp": 1, "value": 1}, {"timestamp": 1.5, "value": 3}]);
    app.post(&path, measures).await.is(202);
    assert_eq!(
        app.get(&path).await.is(200).json(),
        json!([
            ["1970-01-01T00:00:01+00:00", 1.0, 2.0],
            ["1970-01-01T00:00:01+00:00", 0.5, 1.0],
            ["1970-01-01T00:00:01.500000+00:00", 0.5, 3.0],
        ])
    );
}
