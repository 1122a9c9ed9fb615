//! What monitoring asks: whether the server is well, and its measurements.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::error::{ApiError, ApiResult};
use super::health::{health, live};
use super::state::ApiState;

/// The content type of the text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/healthcheck", any(health))
        .route("/healthcheck/", any(health))
        .route("/healthcheck/live", any(live))
        .route("/healthcheck/{*below}", any(health))
        .route("/metrics", get(measurements))
}

/// Renders the measurements of this process.
async fn measurements(State(state): State<ApiState>) -> ApiResult {
    let prometheus = state.prometheus().ok_or_else(ApiError::no_such_address)?;
    // How much waits changes without anybody recording it. A failure is no reason to hide everything else.
    if let Err(error) = state.gnocchi().observe_backlog().await {
        tracing::warn!(%error, "cannot observe the backlog");
    }
    let content_type = HeaderValue::from_static(PROMETHEUS_TEXT);
    Ok(([(CONTENT_TYPE, content_type)], prometheus.render()).into_response())
}
