//! What monitoring asks: whether the server is well, and its measurements.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::accept::{ErrorFormat, error_format};
use super::edge::no_head;
use super::error::{ApiError, ApiResult};
use super::render;
use super::state::ApiState;

/// The content type of the text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/healthcheck", any(health))
        .route("/healthcheck/", any(health))
        .route("/healthcheck/{*below}", any(health))
        .route("/metrics", get(measurements).route_layer(from_fn(no_head)))
}

/// Says that the server is well: it answers.
async fn health(method: Method, headers: HeaderMap) -> Response {
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    let (body, content_type) = match headers.get(ACCEPT).map(|accept| error_format(Some(accept))) {
        Some(ErrorFormat::Json) => (
            render::to_bytes(&json!({"detailed": false, "reasons": []})),
            "application/json",
        ),
        Some(ErrorFormat::Html) if headers[ACCEPT] != "*/*" => {
            let page = "<!DOCTYPE html>\n<html>\n <head>\n  <title>Healthcheck Status</title>\n </head>\n <body>\n </body>\n</html>\n";
            (page.as_bytes().to_vec(), "text/html; charset=UTF-8")
        }
        _ => (Vec::new(), "text/plain; charset=UTF-8"),
    };
    with_content_type(body, content_type)
}

/// Renders the measurements of this process.
async fn measurements(State(state): State<ApiState>) -> ApiResult {
    let prometheus = state.prometheus().ok_or_else(ApiError::no_such_address)?;
    // How much waits changes without anybody recording it. A failure is no reason to hide everything else.
    if let Err(error) = state.gnocchi().observe_backlog().await {
        tracing::warn!(%error, "cannot observe the backlog");
    }
    Ok(with_content_type(
        prometheus.render().into_bytes(),
        PROMETHEUS_TEXT,
    ))
}

fn with_content_type(body: Vec<u8>, content_type: &'static str) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static(content_type))],
        body,
    )
        .into_response()
}
