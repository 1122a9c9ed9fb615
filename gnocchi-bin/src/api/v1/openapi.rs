//! placeholder
use axum::response::Response;
/// `GET /v1/openapi.json`
pub(super) async fn document() -> Response {
    super::ok(&serde_json::json!({}))
}
