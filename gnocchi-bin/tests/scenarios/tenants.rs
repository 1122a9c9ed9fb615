//! Every operation against every kind of caller, in one table.

use serde_json::{Value, json};

use crate::support::App;

/// Nobody, another user, the user whose things these are, and the administrator.
const CALLERS: [Option<&str>; 4] = [None, Some("other"), Some("owner"), Some("admin")];

const OPEN: [u16; 4] = [200; 4];

/// Method, path, body, and the status for each caller. `METRIC` stands for the id of the metric of `owner`.
fn table() -> Vec<(&'static str, &'static str, Value, [u16; 4])> {
    let none = || Value::Null;
    let policy = json!({"name": "new", "definition": [{"granularity": 60}]});
    let change = json!({"definition": [{"granularity": 1}]});
    let rule = json!({"name": "new", "metric_pattern": "*", "archive_policy_name": "second"});
    let metric = json!({"archive_policy_name": "second"});
    let measures = json!([{"timestamp": 1, "value": 1}]);
    let by_metric = json!({"METRIC": measures.clone()});
    let by_resource = json!({RESOURCE: {"cpu": measures.clone()}});
    let new_type = json!({"name": "new"});
    vec![
        ("GET", "/v1/", none(), OPEN),
        ("GET", "/v1/openapi.json", none(), OPEN),
        ("GET", "/v1/capabilities", none(), OPEN),
        ("GET", "/v1/status", none(), [401, 403, 403, 200]),
        ("GET", "/v1/archive_policy", none(), [401, 200, 200, 200]),
        ("POST", "/v1/archive_policy", policy, [401, 403, 403, 201]),
        (
            "GET",
            "/v1/archive_policy/{name}",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "PATCH",
            "/v1/archive_policy/{name}",
            change,
            [401, 403, 403, 200],
        ),
        (
            "DELETE",
            "/v1/archive_policy/{name}",
            none(),
            [401, 403, 403, 400],
        ),
        (
            "GET",
            "/v1/archive_policy_rule",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "POST",
            "/v1/archive_policy_rule",
            rule,
            [401, 403, 403, 201],
        ),
        (
            "GET",
            "/v1/archive_policy_rule/{name}",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "PATCH",
            "/v1/archive_policy_rule/{name}",
            json!({"name": "new"}),
            [401, 403, 403, 200],
        ),
        (
            "DELETE",
            "/v1/archive_policy_rule/{name}",
            none(),
            [401, 403, 403, 204],
        ),
        ("GET", "/v1/metric", none(), [401, 200, 200, 200]),
        ("POST", "/v1/metric", metric.clone(), [401, 201, 201, 201]),
        ("GET", "/v1/metric/{id}", none(), [401, 403, 200, 200]),
        ("DELETE", "/v1/metric/{id}", none(), [401, 403, 204, 204]),
        (
            "GET",
            "/v1/metric/{id}/measures",
            none(),
            [401, 403, 200, 200],
        ),
        (
            "POST",
            "/v1/metric/{id}/measures",
            measures.clone(),
            [401, 403, 202, 202],
        ),
        (
            "POST",
            "/v1/batch/metrics/measures",
            by_metric,
            [401, 403, 202, 202],
        ),
        (
            "POST",
            "/v1/batch/resources/metrics/measures",
            by_resource,
            [401, 403, 202, 202],
        ),
        ("GET", "/v1/resource_type", none(), [401, 200, 200, 200]),
        ("POST", "/v1/resource_type", new_type, [401, 403, 403, 201]),
        (
            "GET",
            "/v1/resource_type/{name}",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "DELETE",
            "/v1/resource_type/{name}",
            none(),
            [401, 403, 403, 204],
        ),
        ("GET", "/v1/resource", none(), [401, 200, 200, 200]),
        ("GET", "/v1/resource/{type}", none(), [401, 200, 200, 200]),
        (
            "POST",
            "/v1/resource/{type}",
            json!({"id": "new"}),
            [401, 201, 201, 201],
        ),
        (
            "GET",
            "/v1/resource/{type}/{id}",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "PATCH",
            "/v1/resource/{type}/{id}",
            json!({}),
            [401, 403, 200, 200],
        ),
        (
            "DELETE",
            "/v1/resource/{type}/{id}",
            none(),
            [401, 403, 204, 204],
        ),
        (
            "GET",
            "/v1/resource/{type}/{id}/history",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "GET",
            "/v1/resource/{type}/{id}/metric",
            none(),
            [401, 200, 200, 200],
        ),
        (
            "POST",
            "/v1/resource/{type}/{id}/metric",
            json!({"new": metric}),
            [401, 403, 200, 200],
        ),
        (
            "GET",
            "/v1/resource/{type}/{id}/metric/{name}",
            none(),
            [401, 403, 200, 200],
        ),
        (
            "DELETE",
            "/v1/resource/{type}/{id}/metric/{name}",
            none(),
            [401, 403, 204, 204],
        ),
        (
            "GET",
            "/v1/resource/{type}/{id}/metric/{name}/measures",
            none(),
            [401, 403, 200, 200],
        ),
        (
            "POST",
            "/v1/resource/{type}/{id}/metric/{name}/measures",
            measures,
            [401, 403, 202, 202],
        ),
    ]
}

const RESOURCE: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";

/// Starts a store with one thing of each kind and returns the id of the metric.
async fn prepared() -> (App, String) {
    let app = App::with_policy().await;
    let rule = json!({"name": "rule", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    app.admin("POST", "/v1/resource_type", json!({"name": "type"}))
        .await
        .is(201);
    let resource = json!({"id": RESOURCE, "metrics": {"cpu": {}}});
    let created = app
        .call("POST", "/v1/resource/generic")
        .user("owner")
        .json(&resource)
        .await;
    let metric = created.is(201).json()["metrics"]["cpu"]
        .as_str()
        .unwrap()
        .to_owned();
    (app, metric)
}

fn address(path: &str, metric: &str) -> String {
    let names = [
        ("/archive_policy/{name}", "/archive_policy/second"),
        ("/archive_policy_rule/{name}", "/archive_policy_rule/rule"),
        ("/resource_type/{name}", "/resource_type/type"),
        ("/metric/{name}", "/metric/cpu"),
        ("{type}/{id}", &format!("generic/{RESOURCE}")),
        ("{type}", "generic"),
        ("{id}", metric),
    ];
    names.iter().fold(path.to_owned(), |path, (name, value)| {
        path.replace(name, value)
    })
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says() {
    for (method, path, body, expected) in table() {
        for (caller, expected) in CALLERS.into_iter().zip(expected) {
            let (app, metric) = prepared().await;
            let mut call = app.call(method, &address(path, &metric)).wants_json();
            if let Some(name) = caller {
                call = call.user(name);
            }
            let body = body.to_string().replace("METRIC", &metric);
            let answer = if body == "null" {
                call.send().await
            } else {
                call.raw_json(body).await
            };
            assert_eq!(
                answer.status.as_u16(),
                expected,
                "{method} {path} as {caller:?}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn every_operation_stands_in_the_table() {
    let (app, _) = prepared().await;
    let document = app
        .call("GET", "/v1/openapi.json")
        .send()
        .await
        .is(200)
        .json();
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (method.to_uppercase(), path.clone())),
        );
    }
    let mut listed: Vec<(String, String)> = table()
        .into_iter()
        .map(|(method, path, ..)| (method.to_owned(), path.to_owned()))
        .collect();
    described.sort();
    listed.sort();
    assert_eq!(listed, described);
}
