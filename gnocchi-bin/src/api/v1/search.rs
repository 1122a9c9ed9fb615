//! What is done with all resources that match a filter.

use axum::extract::State;
use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::policy::Action;
use http::StatusCode;
use serde_json::json;

use super::deletion::Deletion;
use super::ok;
use super::resource::{Attributes, Seen, find_type, list_resources};
use crate::api::auth::{Authenticated, resource_sight};
use crate::api::middleware::address::Names;
use crate::api::request::body::RequestBody;
use crate::api::request::filter::{self, Rows};
use crate::api::request::page::Listing;
use crate::api::request::query::Query;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// What a deletion without filter is answered with; the gap is part of what clients know.
const EMPTY_FILTER: &str =
    "caution: the query can not be empty, or it will                  delete entire database";

/// `POST /v1/search/resource/{type}`
pub(super) async fn resources(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(type_name): Names<String>,
    listing: Listing,
    body: RequestBody,
) -> ApiResult {
    let attributes = Attributes::through(&type_name, listing.query.flag("details", false)?);
    let history = listing.query.flag("history", false)?;
    let resource_type = find_type(&state, &type_name).await?;
    let action = Action::SearchResource;
    let sight = resource_sight(&state, action, &caller, &type_name).await?;
    let wanted = filter::of_request(body, &listing.query).await?;
    let rows = Rows::of(history);
    let query = ResourceQuery {
        condition: filter::bind(&state, wanted.as_ref(), &caller, &resource_type, rows)?,
        history,
        ..ResourceQuery::of_type(type_name)
    };
    let seen = Seen {
        caller: &caller,
        action,
        sight,
    };
    list_resources(&state, query, seen, attributes, &listing).await
}

/// Any other method of `/v1/search/resource/{type}`: what is wrong with the address goes before what is wrong with the method.
pub(super) async fn other_method(
    State(state): State<ApiState>,
    Authenticated(_): Authenticated,
    Names(type_name): Names<String>,
) -> ApiResult {
    find_type(&state, &type_name).await?;
    Err(ApiError::empty(StatusCode::METHOD_NOT_ALLOWED))
}

/// `DELETE /v1/resource/{type}`
pub(super) async fn delete_resources(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(type_name): Names<String>,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let resource_type = find_type(&state, &type_name).await?;
    let deletion = Deletion::of(&state, &caller, &type_name).await?;
    let wanted = filter::of_request(body, &query).await?;
    let rows = Rows::Current;
    let condition = filter::bind(&state, wanted.as_ref(), &caller, &resource_type, rows)?;
    let condition = condition.ok_or_else(|| ApiError::bad_request(EMPTY_FILTER))?;
    let deleted = deletion.delete(&type_name, condition).await?;
    Ok(ok(&json!({ "deleted": deleted })))
}
