//! Queries beyond their budget, and changes that would keep the indexer busy.

use std::time::Duration;

use gnocchi_core::Settings;
use gnocchi_core::budget::QueryLimits;
use serde_json::{Value, json};

use crate::support::{App, drivers};

/// Points of the metric, more than small queries have memory for.
const POINTS: usize = 900;
const POSTS: usize = 40;

async fn with(limits: QueryLimits) -> (App, String) {
    let settings = Settings {
        query_limits: limits,
        ..Settings::default()
    };
    let app = App::with(drivers(), settings);
    let policy = json!({"name": "long", "aggregation_methods": ["mean"], "definition": [{"granularity": 1, "timespan": 1_000_000}]});
    app.admin("POST", "/v1/archive_policy", policy)
        .await
        .is(201);
    let metric = json!({"archive_policy_name": "long"});
    let created = app.post("/v1/metric", metric).await.is(201).json();
    let id = created["id"].as_str().unwrap().to_owned();
    for post in 0..POSTS {
        let points: Value = (0..POINTS)
            .map(
                |index| json!({"timestamp": 1_400_000_000 + post * POINTS + index, "value": index}),
            )
            .collect();
        app.post(&format!("/v1/metric/{id}/measures"), points)
            .await
            .is(202);
    }
    app.gnocchi.process().await.unwrap();
    (app, id)
}

/// Checks what a query is answered with, and that a small one after it is served.
async fn check(limits: QueryLimits, status: u16, option: &str) {
    let (app, id) = with(limits).await;
    let whole = format!("/v1/metric/{id}/measures");
    let expression = json!({"operations": format!("(+ (abs (metric {id} mean)) 1)")});
    let asked = [
        app.get(&whole).await,
        app.get(&format!("{whole}?granularity=1&resample=7")).await,
        app.get(&format!("/v1/aggregation/metric?metric={id}"))
            .await,
        app.post("/v1/aggregates", expression).await,
        app.post(
            &format!("/v1/search/metric?metric_id={id}"),
            json!({">": 5}),
        )
        .await,
    ];
    for answer in asked {
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert_eq!(answer.status.as_u16(), status, "{text}");
        assert!(text.contains(&format!("[api] {option}")), "{text}");
        let retried = answer.headers.contains_key("retry-after");
        assert_eq!(retried, status == 503, "{text}");
    }
    assert_eq!(app.gnocchi.query_usage().held_bytes, 0);
    assert_eq!(app.gnocchi.query_usage().running, 0);
    if status != 504 {
        let small = format!("{whole}?start=1400000000&stop=1400000010");
        let points = app.get(&small).await.is(200).json();
        assert_eq!(points.as_array().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn queries_compute_so_many_cells() {
    let limits = QueryLimits {
        cells_max: 20_000,
        ..QueryLimits::default()
    };
    check(limits, 422, "query_cells_max").await;
}

#[tokio::test]
async fn queries_hold_so_much_memory() {
    let limits = QueryLimits {
        memory_bytes: 64 << 10,
        ..QueryLimits::default()
    };
    check(limits, 422, "query_memory_bytes").await;
}

#[tokio::test]
async fn queries_take_so_long() {
    let limits = QueryLimits {
        timeout: Duration::ZERO,
        ..QueryLimits::default()
    };
    check(limits, 504, "query_timeout").await;
}

#[tokio::test]
async fn memory_is_held_until_a_response_is_sent() {
    let limits = QueryLimits {
        // Room for a few responses.
        memory_bytes: 2200 << 10,
        ..QueryLimits::default()
    };
    let (app, id) = with(limits).await;
    let request = || {
        let path = format!("/v1/metric/{id}/measures");
        let request = http::Request::get(path).header("authorization", "Basic Zm9vYmFyOg==");
        request.body(axum::body::Body::empty()).unwrap()
    };
    let send = async || {
        tower::ServiceExt::oneshot(app.router.clone(), request())
            .await
            .unwrap()
    };
    let mut unread = Vec::new();
    let refused = loop {
        let response = send().await;
        if response.status() != 200 {
            break response;
        }
        unread.push(response);
        assert!(unread.len() < 100, "nothing is held");
    };
    assert_eq!(refused.status(), 503);
    assert!(app.gnocchi.query_usage().held_bytes > 0);
    drop(unread);
    assert_eq!(app.gnocchi.query_usage().held_bytes, 0);
    assert_eq!(send().await.status(), 200);
}

#[tokio::test]
async fn changes_of_types_are_bounded() {
    let settings = Settings {
        type_change_bytes_max: 1000,
        ..Settings::default()
    };
    let app = App::with(drivers(), settings);
    app.create_policy().await;
    app.admin("POST", "/v1/resource_type", json!({"name": "kind"}))
        .await
        .is(201);
    for id in ["one", "two"] {
        app.post("/v1/resource/kind", json!({"id": id}))
            .await
            .is(201);
    }
    let change = |fill: &str| {
        let value = json!({"type": "string", "required": true, "options": {"fill": fill}});
        json!([{"op": "add", "path": "/attributes/a", "value": value}])
    };
    let patch = async |change: Value| {
        let call = app.call("PATCH", "/v1/resource_type/kind").user("admin");
        let call = call.header("content-type", "application/json-patch+json");
        call.body(change.to_string()).send().await
    };
    let refused = patch(change(&"x".repeat(200))).await.is(422);
    let text = String::from_utf8(refused.body.clone()).unwrap();
    assert!(text.contains("[api] type_change_bytes_max"), "{text}");
    patch(change("x")).await.is(200);
}
