//! Version 1 of the API: one file for each kind of thing.

mod archive_policy;
mod archive_policy_rule;
mod batch;
mod capabilities;
mod creation;
mod measures;
mod metric;
mod openapi;
mod operations;
mod resource;
mod resource_body;
mod resource_metric;
mod resource_type;
mod root;
mod search;
mod status;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::aside::{self, Length};
use super::error::{ApiError, ApiResult};
use super::render;
use super::state::ApiState;

/// How many things are listed at once: it takes about half a millisecond.
const LISTED_AT_ONCE: usize = 50;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Returns the routes that answer in JSON to clients that take it.
pub(super) fn routes() -> Router<ApiState> {
    let below_a_metric = || any(async || ApiError::empty(StatusCode::METHOD_NOT_ALLOWED));
    Router::new()
        .add("/v1/capabilities", get(capabilities::list))
        .add("/v1/status", get(status::show))
        .add(
            "/v1/archive_policy",
            get(archive_policy::list).post(archive_policy::create),
        )
        .add(
            "/v1/archive_policy/{name}",
            get(archive_policy::show)
                .patch(archive_policy::update)
                .delete(archive_policy::delete),
        )
        .add(
            "/v1/archive_policy_rule",
            get(archive_policy_rule::list).post(archive_policy_rule::create),
        )
        .add(
            "/v1/archive_policy_rule/{name}",
            get(archive_policy_rule::show)
                .patch(archive_policy_rule::rename)
                .delete(archive_policy_rule::delete),
        )
        .add("/v1/metric", get(metric::list).post(metric::create))
        .add("/v1/metric/{id}", get(metric::show).delete(metric::delete))
        .add(
            "/v1/metric/{id}/measures",
            get(measures::of_metric).post(measures::send_to_metric),
        )
        .route("/v1/metric/{id}/{*below}", below_a_metric())
        .add("/v1/batch/metrics/measures", post(batch::by_metric))
        .add(
            "/v1/batch/resources/metrics/measures",
            post(batch::by_resource),
        )
        .add(
            "/v1/resource_type",
            get(resource_type::list).post(resource_type::create),
        )
        .add(
            "/v1/resource_type/{name}",
            get(resource_type::show).delete(resource_type::delete),
        )
        .add(
            "/v1/search/resource/{type}",
            post(search::resources).fallback(search::other_method),
        )
        .add("/v1/resource", get(resource::types))
        .add(
            "/v1/resource/{type}",
            get(resource::list)
                .post(resource::create)
                .delete(search::delete_resources),
        )
        .add(
            "/v1/resource/{type}/{id}",
            get(resource::show)
                .patch(resource::update)
                .delete(resource::delete),
        )
        .add("/v1/resource/{type}/{id}/history", get(resource::history))
        .add(
            "/v1/resource/{type}/{id}/metric",
            get(resource_metric::list).post(resource_metric::add),
        )
        .add(
            "/v1/resource/{type}/{id}/metric/{name}",
            get(resource_metric::show).delete(resource_metric::delete),
        )
        .add(
            "/v1/resource/{type}/{id}/metric/{name}/measures",
            get(resource_metric::measures).post(resource_metric::send),
        )
}

/// Returns the routes that answer whatever the client takes.
pub(super) fn open_routes() -> Router<ApiState> {
    let below_an_item = || any(async || ApiError::empty(StatusCode::NOT_FOUND));
    Router::new()
        .route("/v1/archive_policy/{name}/{*below}", below_an_item())
        .route("/v1/archive_policy_rule/{name}/{*below}", below_an_item())
        .route("/v1/resource_type/{name}/{*below}", below_an_item())
        .route("/", get(root::versions))
        .route("/v1", get(root::redirect))
        .route("/v1/", get(root::index))
        .route("/v1/openapi.json", get(openapi::document))
}

/// Adds routes that don't care about a slash at the end.
trait AddRoute {
    fn add(self, path: &str, methods: MethodRouter<ApiState>) -> Self;
}

impl AddRoute for Router<ApiState> {
    fn add(self, path: &str, methods: MethodRouter<ApiState>) -> Self {
        self.route(path, methods.clone())
            .route(&format!("{path}/"), methods)
    }
}

/// Answers with JSON.
fn ok(body: &impl Serialize) -> Response {
    json_bytes(StatusCode::OK, render::to_bytes(body))
}

/// Answers with a list, each item in its wire form.
async fn list<T: Send + 'static, V: Serialize>(
    items: Vec<T>,
    view: impl Fn(&T) -> V + Send + 'static,
) -> ApiResult {
    let length = Length::of(items.len(), LISTED_AT_ONCE);
    let listing = move || render::to_bytes(&items.iter().map(view).collect::<Vec<_>>());
    Ok(json_bytes(
        StatusCode::OK,
        aside::work(length, listing).await?,
    ))
}

/// Answers that a thing was created, and where it is.
fn created(location: String, body: &impl Serialize) -> Response {
    let mut response = json_bytes(StatusCode::CREATED, render::to_bytes(body));
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers that measures were taken.
fn accepted() -> Response {
    json_bytes(StatusCode::ACCEPTED, Vec::new())
}

/// Answers that a thing is gone.
fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn json_bytes(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}
