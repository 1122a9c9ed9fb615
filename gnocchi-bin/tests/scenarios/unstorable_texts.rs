//! U+0000, which no back-end may be asked to keep, and texts that every back-end keeps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::support::App;

/// Starts with something of each kind, so that only the text can be what is wrong.
async fn prepared() -> App {
    let app = App::with_policy().await;
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    let attributes = json!({"text": {"type": "string", "required": false}});
    let resource_type = json!({"name": "machine", "attributes": attributes});
    app.admin("POST", "/v1/resource_type", resource_type)
        .await
        .is(201);
    let machine = json!({"id": "one", "metrics": {"cpu": {}}});
    app.admin("POST", "/v1/resource/machine", machine)
        .await
        .is(201);
    app
}

/// Method, path, body, and the place that the response names.
const BODIES: [(&str, &str, &str, &str); 22] = [
    (
        "POST",
        "/v1/archive_policy",
        r#"{"name": "a\u0000b", "definition": [{"granularity": 1, "points": 10}]}"#,
        "['name']",
    ),
    (
        "POST",
        "/v1/archive_policy_rule",
        r#"{"name": "a\u0000", "metric_pattern": "*", "archive_policy_name": "second"}"#,
        "['name']",
    ),
    (
        "POST",
        "/v1/archive_policy_rule",
        r#"{"name": "a", "metric_pattern": "\u0000*", "archive_policy_name": "second"}"#,
        "['metric_pattern']",
    ),
    (
        "PATCH",
        "/v1/archive_policy_rule/all",
        r#"{"name": "a\u0000"}"#,
        "['name']",
    ),
    ("POST", "/v1/metric", r#"{"name": "a\u0000b"}"#, "['name']"),
    ("POST", "/v1/metric", r#"{"unit": "\u0000"}"#, "['unit']"),
    (
        "POST",
        "/v1/metric",
        r#"{"name": "a", "resource_id": "r\u0000"}"#,
        "['resource_id']",
    ),
    (
        "POST",
        "/v1/resource/generic",
        r#"{"id": "r\u0000s"}"#,
        "['id']",
    ),
    (
        "POST",
        "/v1/resource/generic",
        r#"{"id": "r", "user_id": "u\u0000"}"#,
        "['user_id']",
    ),
    (
        "POST",
        "/v1/resource/machine",
        r#"{"id": "r", "text": "x\u0000y"}"#,
        "['text']",
    ),
    (
        "POST",
        "/v1/resource/machine",
        r#"{"id": "r", "metrics": {"a\u0000": {}}}"#,
        "['metrics']",
    ),
    (
        "PATCH",
        "/v1/resource/machine/one",
        r#"{"project_id": "\u0000"}"#,
        "['project_id']",
    ),
    (
        "POST",
        "/v1/resource/machine/one/metric",
        r#"{"a\u0000": {}}"#,
        r"['a\\x00']",
    ),
    (
        "POST",
        "/v1/resource_type",
        r#"{"name": "t\u0000"}"#,
        "['name']",
    ),
    (
        "POST",
        "/v1/resource_type",
        r#"{"name": "t", "attributes": {"a\u0000": {"type": "string"}}}"#,
        "['attributes']",
    ),
    (
        "POST",
        "/v1/search/resource/generic",
        r#"{"=": {"user_id": "a\u0000"}}"#,
        "['user_id']",
    ),
    (
        "POST",
        "/v1/search/resource/generic",
        r#"{"=": {"a\u0000": 1}}"#,
        r"['a\\x00']",
    ),
    (
        "POST",
        "/v1/aggregates",
        r#"{"operations": "(metric a\u0000 mean)", "resource_type": "generic", "search": {}}"#,
        "['operations']",
    ),
    (
        "POST",
        "/v1/aggregates",
        r#"{"operations": "(metric a mean)", "resource_type": "generic", "search": "{\"=\": {\"user_id\": \"a\\u0000\"}}"}"#,
        "['user_id']",
    ),
    (
        "POST",
        "/v1/batch/resources/metrics/measures?create_metrics=true",
        r#"{"r\u0000": {"a": [{"timestamp": 1, "value": 1}]}}"#,
        r"['r\\x00']",
    ),
    (
        "POST",
        "/v1/batch/resources/metrics/measures?create_metrics=true",
        r#"{"one": {"a\u0000": [{"timestamp": 1, "value": 1}]}}"#,
        r"['a\\x00']",
    ),
    (
        "POST",
        "/v1/batch/resources/metrics/measures?create_metrics=true",
        r#"{"one": {"a": {"measures": [], "unit": "\u0000"}}}"#,
        "['unit']",
    ),
];

#[tokio::test]
async fn bodies_are_refused_with_the_place() {
    let app = prepared().await;
    for (method, path, body, place) in BODIES {
        let call = app.call(method, path).user("admin").wants_json();
        let answer = call.raw_json(body).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}");
        answer.says("U+0000 is not supported").says(place);
    }
    let patch = json!([{"op": "add", "path": "/attributes/a\0", "value": {"type": "bool"}}]);
    let call = app.call("PATCH", "/v1/resource_type/machine").user("admin");
    let call = call.header("content-type", "application/json-patch+json");
    let answer = call.body(patch.to_string()).send().await;
    answer.is(400).says("U+0000 is not supported");
    // Half of a pair is no character, so JSON with it is none.
    let call = app.call("POST", "/v1/metric").user("admin");
    call.raw_json(r#"{"name": "\ud800"}"#).await.is(400);
}

#[tokio::test]
async fn addresses_and_callers_are_refused() {
    let app = prepared().await;
    for path in [
        "/v1/archive_policy/a%00",
        "/v1/archive_policy_rule/%00",
        "/v1/resource_type/a%00b",
        "/v1/resource/machine/%00",
        "/v1/resource/machine/one/metric/a%00/measures",
        "/v1/metric?name=a%00",
        "/v1/metric?%00",
        "/v1/resource/generic?filter=user_id%3D'%00'",
    ] {
        let answer = app
            .call("GET", path)
            .user("admin")
            .wants_json()
            .send()
            .await;
        answer.is(400).says("U+0000 is not supported in the");
    }
    let call = app.call("GET", "/v1/metric?name=%ff").user("admin");
    call.send().await.is(400).says("is not UTF-8");

    let named = |name: &str| format!("Basic {}", STANDARD.encode(format!("{name}:")));
    let ask = async |name: &str| {
        let call = app.call("GET", "/v1/metric").wants_json();
        call.header("authorization", &named(name)).send().await
    };
    ask("a\0b").await.is(400).says("U+0000 is not supported");
    ask(&"é".repeat(255)).await.is(200);
    ask(&"é".repeat(256))
        .await
        .is(400)
        .says("more than 255 characters");
}

/// What differs only after a normalisation stays different, and everything is found under its name.
#[tokio::test]
async fn every_other_text_is_found_again() {
    let app = prepared().await;
    let texts = [
        " a",
        "a ",
        "A",
        "a",
        "\u{e9}",
        "e\u{301}",
        "\u{1}",
        "\t",
        "\u{7f}",
        "\u{feff}a",
        "\u{ffff}",
        "\u{10ffff}",
        "'",
        "\"",
        "\\",
        "\\u0000",
        "%",
        "_",
        "null",
        "1",
        "01",
        "1.0",
        "ß",
        "SS",
        "\u{130}",
    ];
    let metrics: Vec<(String, Value)> = texts
        .map(|text| (text.to_owned(), json!({"archive_policy_name": "second"})))
        .into();
    let metrics = Value::Object(metrics.into_iter().collect());
    app.admin("POST", "/v1/resource/machine/one/metric", metrics)
        .await
        .is(200);
    for text in texts {
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC);
        let path = format!("/v1/resource/machine/one/metric/{encoded}");
        let found = app.admin("GET", &path, Value::Null).await;
        assert_eq!(found.is(200).json()["name"], text, "{text:?}");
        let batch = json!({"one": {text: [{"timestamp": 1, "value": 1}]}});
        let answer = app.admin("POST", "/v1/batch/resources/metrics/measures", batch);
        answer.await.is(202);
        let policy = json!({"name": text, "definition": [{"granularity": 1, "points": 10}]});
        app.admin("POST", "/v1/archive_policy", policy)
            .await
            .is(201);
        let path = format!("/v1/archive_policy/{encoded}");
        let found = app.admin("GET", &path, Value::Null).await;
        assert_eq!(found.is(200).json()["name"], text, "{text:?}");
    }
}
