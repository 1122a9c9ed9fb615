//! The documents that lead to everything else.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Value, json};

use super::ok;
use crate::api::middleware::address::BaseUrl;

/// The version of the Gnocchi whose API this is. Clients compare it: ceilometer wants at least 4.2.0 and less than 5, and the data
/// source of Grafana chooses addresses by it.
const API_VERSION: &str = "4.7.1";

/// What the index of version 1 links to.
const CHILDREN: [&str; 12] = [
    "aggregates",
    "aggregation",
    "archive_policy",
    "archive_policy_rule",
    "batch",
    "capabilities",
    "influxdb",
    "metric",
    "resource",
    "resource_type",
    "search",
    "status",
];

/// `GET /`
pub(super) async fn versions(base: BaseUrl) -> Response {
    ok(&json!({
        "build": API_VERSION,
        "server": env!("CARGO_PKG_VERSION"),
        "versions": [{
            "id": "v1.0",
            "status": "CURRENT",
            "updated": "2015-03-19",
            "links": [{"rel": "self", "href": base.at("/v1/")}],
        }],
    }))
}

/// `GET /v1`
pub(super) async fn redirect(base: BaseUrl) -> Response {
    (StatusCode::FOUND, [(LOCATION, base.at("/v1/"))]).into_response()
}

/// `GET /v1/`
pub(super) async fn index(base: BaseUrl) -> Response {
    let mut links = vec![json!({"rel": "self", "href": base.at("/v1")})];
    links.extend(
        CHILDREN
            .iter()
            .map(|child| json!({"rel": child, "href": base.at(&format!("/v1/{child}"))})),
    );
    ok(&json!({"version": "1.0", "links": Value::Array(links)}))
}
