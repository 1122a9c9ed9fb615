//! What this server can do.

use axum::response::Response;
use carbonara::AggregationMethod;
use serde_json::json;

use super::ok;

/// `GET /v1/capabilities`
pub(super) async fn list() -> Response {
    let methods: Vec<String> = AggregationMethod::all()
        .map(|method| method.to_string())
        .collect();
    ok(&json!({"aggregation_methods": methods}))
}
