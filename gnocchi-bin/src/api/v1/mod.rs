//! Version 1 of the API: one file for each kind of thing.

mod aggregates;
mod archive_policy;
mod archive_policy_rule;
mod attachment;
mod batch;
mod capabilities;
mod creation;
mod deletion;
mod measures;
mod metric;
mod one_by_one;
mod openapi;
mod openapi_names;
mod openapi_parameters;
mod openapi_schemas;
pub(crate) mod operations;
pub(super) mod parameters;
mod resource;
mod resource_body;
mod resource_metric;
pub(crate) mod resource_type;
mod resource_type_patch;
mod root;
mod search;
mod search_metric;
mod status;
mod value_predicate;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gnocchi_core::Error;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::aside::{self, Length};
use super::routes::Routes;
use super::state::ApiState;
use crate::api::middleware::unsent::{self, Counted};
use crate::api::response::error::ApiResult;
use crate::api::response::render::{self, Document};

/// How many things are listed at once: it takes about half a millisecond.
const LISTED_AT_ONCE: usize = 50;

/// About how much memory a thing of a listing takes until it is sent, as it was read or as JSON, in bytes.
const LISTED_BYTES: usize = 1024;

/// How many points are rendered at once, and sent with their length: it takes about half a millisecond. More are rendered while they
/// are sent.
const RENDERED_AT_ONCE_POINTS: usize = 16_384;

/// The path of the document that leads to version 1.
const ROOT: &str = "/";

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Returns the routes that answer in JSON to clients that take it.
pub(super) fn routes() -> Routes {
    Routes::new()
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
        .refuse("/v1/metric/{id}/{*below}", StatusCode::METHOD_NOT_ALLOWED)
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
            get(resource_type::show)
                .patch(resource_type::update)
                .delete(resource_type::delete),
        )
        .add(
            "/v1/search/resource/{type}",
            post(search::resources).fallback(search::other_method),
        )
        .add("/v1/search/metric", post(search_metric::search))
        .add("/v1/aggregates", post(aggregates::compute))
        .add(
            "/v1/aggregation/metric",
            get(aggregates::across_metrics).post(aggregates::across_metrics_of_body),
        )
        .add(
            "/v1/aggregation/resource/{type}/metric/{name}",
            post(aggregates::across_resources),
        )
        .refuse(
            "/v1/aggregation/resource/{type}/metric",
            StatusCode::METHOD_NOT_ALLOWED,
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

/// Returns the description of the routes for machines.
pub(super) fn openapi_document() -> &'static [u8] {
    openapi::bytes()
}

/// Returns the routes that answer whatever the client takes.
pub(super) fn open_routes() -> Routes {
    Routes::new()
        .refuse("/v1/archive_policy/{name}/{*below}", StatusCode::NOT_FOUND)
        .refuse(
            "/v1/archive_policy_rule/{name}/{*below}",
            StatusCode::NOT_FOUND,
        )
        .refuse("/v1/resource_type/{name}/{*below}", StatusCode::NOT_FOUND)
        .route("/v1", get(root::redirect))
        .route("/v1/", get(root::index))
        .route("/v1/openapi.json", get(openapi::document))
}

/// Returns the route of the document that leads here, which every caller may read.
pub(super) fn root_routes() -> Routes {
    Routes::new().route(ROOT, get(root::versions))
}

/// Answers with JSON.
fn ok(body: &impl Serialize) -> Response {
    json_bytes(StatusCode::OK, render::to_bytes(body))
}

/// Answers with a list, each item in its wire form.
///
/// # Errors
/// 503 when other responses hold the memory that it takes.
async fn list<T: Send + 'static, V: Serialize>(
    state: &ApiState,
    items: Vec<T>,
    view: impl Fn(&T) -> V + Send + 'static,
) -> ApiResult {
    let gnocchi = state.gnocchi();
    let expected_bytes = items.len().saturating_mul(LISTED_BYTES);
    let reserved = unsent::reserve(gnocchi, expected_bytes)?;
    let bytes = listing(items, view).await?;
    let body = unsent::rendered(gnocchi, reserved, bytes)?;
    Ok(counted(body))
}

/// Renders a list, each item in its wire form.
async fn listing<T: Send + 'static, V: Serialize>(
    items: Vec<T>,
    view: impl Fn(&T) -> V + Send + 'static,
) -> ApiResult<Vec<u8>> {
    let length = Length::of(items.len(), LISTED_AT_ONCE);
    let listing = move || render::to_bytes(&items.iter().map(view).collect::<Vec<_>>());
    aside::work(length, listing).await
}

/// Answers with a document, which is rendered while it is sent if it is long.
///
/// # Errors
/// 503 when other responses hold the memory that it takes.
fn document(state: &ApiState, document: Document) -> ApiResult {
    let gnocchi = state.gnocchi();
    if document.rows() <= RENDERED_AT_ONCE_POINTS {
        let reserved = unsent::reserve(gnocchi, document.bytes())?;
        let body = unsent::rendered(gnocchi, reserved, document.into_bytes())?;
        return Ok(counted(body));
    }
    if let Some(budget) = gnocchi.budget() {
        budget.keep(document.text_bytes()).map_err(Error::from)?;
    }
    Ok(([(CONTENT_TYPE, JSON)], document.into_body()).into_response())
}

/// Responds with JSON whose memory is counted.
fn counted(body: Body) -> Response {
    let mut response = json_bytes(StatusCode::OK, body);
    response.extensions_mut().insert(Counted);
    response
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
pub(crate) fn accepted() -> Response {
    json_bytes(StatusCode::ACCEPTED, Vec::new())
}

/// Answers that a thing is gone.
fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn json_bytes(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body.into()).into_response()
}
