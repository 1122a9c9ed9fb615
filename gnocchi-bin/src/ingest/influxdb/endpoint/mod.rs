//! The routes of this protocol, and how senders recognise a server.

mod credentials;
mod operations;
mod query;
mod write;

use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::api::probes::health;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::render;
use crate::api::routes::Routes;
use crate::api::state::ApiState;

pub(super) use operations::OPERATIONS;

/// The header by which senders recognise a server.
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");

const VERSION: &str = concat!("Gnocchi ", env!("CARGO_PKG_VERSION"));

/// Adds the routes of this protocol.
pub(super) fn routes(routes: Routes) -> Routes {
    let with_credentials =
        |methods: MethodRouter<ApiState>| methods.layer(from_fn(credentials::translate));
    let query = get(query::ask).post(query::execute);
    routes
        .add("/v1/influxdb/ping", get(ping))
        // Some clients forget the path of the server when they look whether it is there.
        .add("/ping", get(ping))
        .add("/v1/influxdb/health", get(health))
        .add("/v1/influxdb/query", with_credentials(query))
        .add("/v1/influxdb/write", with_credentials(post(write::write)))
        .add(
            "/v1/influxdb/api/v2/write",
            with_credentials(post(write::write_to_bucket)),
        )
}

/// `GET /v1/influxdb/ping` and `GET /ping`
async fn ping() -> Response {
    let version = [(VERSION_HEADER, HeaderValue::from_static(VERSION))];
    (StatusCode::NO_CONTENT, version).into_response()
}

/// `GET /v1/influxdb/health`
async fn health(State(state): State<ApiState>) -> ApiResult {
    let reasons = health::reasons(&state).await;
    if !reasons.is_empty() {
        let text = reasons.join(", ");
        return Err(ApiError::text(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    let body = render::to_bytes(&json!({
        "name": "influxdb",
        "message": "ready for queries and writes",
        "status": "pass",
        "checks": [],
        "version": VERSION,
        "commit": "",
    }));
    let content_type = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}
