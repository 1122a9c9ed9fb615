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
        "end=now",
        "reaggregation=max",
        "_=1",
        "x",
        "fields=a&format=json",
    ] {
        let read: Value = app.get(&format!("{measures}?{query}")).await.is(200).json();
        assert_eq!(read, json!([]), "{query}");
    }
}
