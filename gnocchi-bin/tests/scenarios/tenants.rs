//! Every operation against every kind of caller, in one table.

use serde_json::json;

use crate::support::App;

/// Nobody, another user, the user whose things these are, and the administrator.
const CALLERS: [Option<&str>; 4] = [None, Some("other"), Some("owner"), Some("admin")];

const OPEN: [u16; 4] = [200; 4];

/// Who may read what everybody who has a name may.
const READ: [u16; 4] = [401, 200, 200, 200];

/// Who may see or change what belongs to somebody.
const OWN: [u16; 4] = [401, 403, 200, 200];

/// Who may send measures.
const SEND: [u16; 4] = [401, 403, 202, 202];

const NEW_POLICY: &str = r#"{"name": "new", "definition": [{"granularity": 60}]}"#;
const POLICY_CHANGE: &str = r#"{"definition": [{"granularity": 1}]}"#;
const NEW_RULE: &str = r#"{"name": "new", "metric_pattern": "*", "archive_policy_name": "second"}"#;
const NEW_NAME: &str = r#"{"name": "new"}"#;
const NEW_METRIC: &str = r#"{"archive_policy_name": "second"}"#;
const NEW_METRICS: &str = r#"{"new": {"archive_policy_name": "second"}}"#;
const NEW_RESOURCE: &str = r#"{"id": "new"}"#;
const NOTHING: &str = "{}";
const FILTER: &str = r#"{"=": {"project_id": "x"}}"#;
const OPERATIONS: &str = r#"{"operations": "(metric METRIC mean)"}"#;
const METRIC_LIST: &str = r#"["METRIC"]"#;
const PREDICATE: &str = r#"{"=": 1}"#;
const MEASURES: &str = r#"[{"timestamp": 1, "value": 1}]"#;
const BY_METRIC: &str = r#"{"METRIC": [{"timestamp": 1, "value": 1}]}"#;
const BY_RESOURCE: &str = r#"{"RESOURCE": {"cpu": [{"timestamp": 1, "value": 1}]}}"#;

/// Method, path, body, and the status for each caller. `METRIC` stands for the id of the metric of `owner`, `RESOURCE` for that
/// of its resource.
const TABLE: &[(&str, &str, &str, [u16; 4])] = &[
    ("GET", "/v1/", "", OPEN),
    ("GET", "/v1/openapi.json", "", OPEN),
    ("GET", "/v1/capabilities", "", OPEN),
    ("GET", "/v1/status", "", [401, 403, 403, 200]),
    ("GET", "/v1/archive_policy", "", READ),
    (
        "POST",
        "/v1/archive_policy",
        NEW_POLICY,
        [401, 403, 403, 201],
    ),
    ("GET", "/v1/archive_policy/{name}", "", READ),
    (
        "PATCH",
        "/v1/archive_policy/{name}",
        POLICY_CHANGE,
        [401, 403, 403, 200],
    ),
    (
        "DELETE",
        "/v1/archive_policy/{name}",
        "",
        [401, 403, 403, 400],
    ),
    ("GET", "/v1/archive_policy_rule", "", READ),
    (
        "POST",
        "/v1/archive_policy_rule",
        NEW_RULE,
        [401, 403, 403, 201],
    ),
    ("GET", "/v1/archive_policy_rule/{name}", "", READ),
    (
        "PATCH",
        "/v1/archive_policy_rule/{name}",
        NEW_NAME,
        [401, 403, 403, 200],
    ),
    (
        "DELETE",
        "/v1/archive_policy_rule/{name}",
        "",
        [401, 403, 403, 204],
    ),
    ("GET", "/v1/metric", "", READ),
    ("POST", "/v1/metric", NEW_METRIC, [401, 201, 201, 201]),
    ("GET", "/v1/metric/{id}", "", OWN),
    ("DELETE", "/v1/metric/{id}", "", [401, 403, 204, 204]),
    ("GET", "/v1/metric/{id}/measures", "", OWN),
    ("POST", "/v1/metric/{id}/measures", MEASURES, SEND),
    ("POST", "/v1/batch/metrics/measures", BY_METRIC, SEND),
    (
        "POST",
        "/v1/batch/resources/metrics/measures",
        BY_RESOURCE,
        SEND,
    ),
    ("POST", "/v1/aggregates", OPERATIONS, OWN),
    ("GET", "/v1/aggregation/metric", "", READ),
    ("POST", "/v1/aggregation/metric", METRIC_LIST, OWN),
    (
        "POST",
        "/v1/aggregation/resource/{type}/metric/{name}",
        NOTHING,
        READ,
    ),
    ("POST", "/v1/search/metric?metric_id={id}", PREDICATE, OWN),
    ("GET", "/v1/resource_type", "", READ),
    ("POST", "/v1/resource_type", NEW_NAME, [401, 403, 403, 201]),
    ("GET", "/v1/resource_type/{name}", "", READ),
    (
        "DELETE",
        "/v1/resource_type/{name}",
        "",
        [401, 403, 403, 204],
    ),
    ("GET", "/v1/resource", "", READ),
    ("GET", "/v1/resource/{type}", "", READ),
    (
        "POST",
        "/v1/resource/{type}",
        NEW_RESOURCE,
        [401, 201, 201, 201],
    ),
    ("DELETE", "/v1/resource/{type}", FILTER, READ),
    ("POST", "/v1/search/resource/{type}", FILTER, READ),
    ("GET", "/v1/resource/{type}/{id}", "", READ),
    ("PATCH", "/v1/resource/{type}/{id}", NOTHING, OWN),
    (
        "DELETE",
        "/v1/resource/{type}/{id}",
        "",
        [401, 403, 204, 204],
    ),
    ("GET", "/v1/resource/{type}/{id}/history", "", READ),
    ("GET", "/v1/resource/{type}/{id}/metric", "", READ),
    ("POST", "/v1/resource/{type}/{id}/metric", NEW_METRICS, OWN),
    ("GET", "/v1/resource/{type}/{id}/metric/{name}", "", OWN),
    (
        "DELETE",
        "/v1/resource/{type}/{id}/metric/{name}",
        "",
        [401, 403, 204, 204],
    ),
    (
        "GET",
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        "",
        OWN,
    ),
    (
        "POST",
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        MEASURES,
        SEND,
    ),
];

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
    for (method, path, body, expected) in TABLE {
        for (caller, expected) in CALLERS.into_iter().zip(*expected) {
            let (app, metric) = prepared().await;
            let mut call = app.call(method, &address(path, &metric)).wants_json();
            if let Some(name) = caller {
                call = call.user(name);
            }
            let body = body
                .replace("METRIC", &metric)
                .replace("RESOURCE", RESOURCE);
            let answer = if body.is_empty() {
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
    let mut listed: Vec<(String, String)> = TABLE
        .iter()
        .map(|(method, path, ..)| {
            let path = path.split('?').next().unwrap_or(path);
            ((*method).to_owned(), path.to_owned())
        })
        .collect();
    described.sort();
    listed.sort();
    assert_eq!(listed, described);
}
