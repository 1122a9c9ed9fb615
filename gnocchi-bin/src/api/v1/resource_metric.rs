//! Metrics of a resource, by name.

use std::sync::Arc;

use axum::extract::State;
use gnocchi_core::Error;
use gnocchi_core::driver::MetricFilter;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{Metric, Page, ResourceId, ResourceUpdate, SeenResource};
use gnocchi_core::policy::{Action, Caller};
use http::StatusCode;

use super::attachment::see_holders_for;
use super::resource_body::{make_metrics, metric_entries};
use super::{metric, resource};
use crate::api::attempts::{Attempts, was_overtaken};
use crate::api::auth::{Authenticated, require_get_resource, require_insight, require_on_resource};
use crate::api::middleware::address::Names;
use crate::api::middleware::unsent;
use crate::api::request::body::RequestBody;
use crate::api::request::query::Query;
use crate::api::request::schema::Path;
use crate::api::response::error::{ApiError, ApiResult, NamedIn};
use crate::api::state::ApiState;

/// `GET /v1/resource/{type}/{id}/metric`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
) -> ApiResult {
    let resource = resource::find(&state, &caller, &type_name, &id).await?;
    require_get_resource(&state, &caller, &resource).await?;
    super::list(
        &state,
        metrics_of(&state, resource.id).await?,
        metric::listed,
    )
    .await
}

/// `POST /v1/resource/{type}/{id}/metric`
pub(super) async fn add(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
    body: RequestBody,
) -> ApiResult {
    let find = async || {
        let resource = resource::find(&state, &caller, &type_name, &id).await?;
        require_on_resource(&state, Action::UpdateResource, &caller, &resource).await?;
        Ok::<_, ApiError>(resource)
    };
    let mut resource = find().await?;
    let entries = metric_entries(&*body.json().await?, &Path::Root, &caller)?;
    unsent::admit_report(state.gnocchi())?;
    let added_metrics = make_metrics(&state, &caller, entries).await?;
    let mut update = ResourceUpdate {
        added_metrics,
        ..ResourceUpdate::default()
    };
    let attempts = Attempts::new(&state);
    let updated = loop {
        update.seen = Some(SeenResource::of(&resource));
        see_holders_for(&state, &caller, &resource, &mut update.added_metrics).await?;
        let gnocchi = state.gnocchi();
        let updated = gnocchi.update_resource(&type_name, resource.id, &update);
        match updated.await {
            Err(error) if was_overtaken(&error) => attempts.again()?,
            updated => break updated,
        }
        resource = find().await?;
    };
    updated.map_err(|error| {
        let is_taken = matches!(
            error,
            Error::Indexer(IndexerError::NamedMetricExists { .. })
        );
        ApiError::of(
            error,
            if is_taken {
                NamedIn::Address
            } else {
                NamedIn::Body
            },
        )
    })?;
    // What was added comes first: command line clients show the first one as what they have created.
    let mut metrics = metrics_of(&state, resource.id).await?;
    metrics.sort_by_key(|metric| {
        let name = metric.name.as_ref();
        !name.is_some_and(|name| update.added_metrics.contains_key(name))
    });
    let listing = super::listing(metrics, metric::listed).await?;
    Ok(super::json_bytes(StatusCode::OK, listing))
}

/// `GET /v1/resource/{type}/{id}/metric/{name}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id, name)): Names<(String, String, String)>,
) -> ApiResult {
    let metric = find(&state, &caller, &type_name, &id, name).await?;
    metric::show_found(&state, &caller, &metric).await
}

/// `DELETE /v1/resource/{type}/{id}/metric/{name}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id, name)): Names<(String, String, String)>,
) -> ApiResult {
    let metric = find(&state, &caller, &type_name, &id, name).await?;
    metric::delete_found(&state, &caller, &metric).await
}

/// `GET /v1/resource/{type}/{id}/metric/{name}/measures`
pub(super) async fn measures(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id, name)): Names<(String, String, String)>,
    query: Query,
) -> ApiResult {
    let metric = find(&state, &caller, &type_name, &id, name).await?;
    super::measures::read(&state, &caller, &metric, &query).await
}

/// `POST /v1/resource/{type}/{id}/metric/{name}/measures`
pub(super) async fn send(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id, name)): Names<(String, String, String)>,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let metric = find(&state, &caller, &type_name, &id, name).await?;
    super::measures::send(&state, &caller, &metric, &query, body).await
}

async fn find(
    state: &ApiState,
    caller: &Caller,
    type_name: &str,
    id: &str,
    name: String,
) -> ApiResult<Arc<Metric>> {
    let resource = resource::find(state, caller, type_name, id).await?;
    let missing = ApiError::no_such_metric(&name);
    let found = state
        .gnocchi()
        .named_metrics(&[(resource.id, name)])
        .await?;
    let Some(metric) = found.into_iter().flatten().next() else {
        require_insight(state, caller, &resource).await?;
        return Err(missing);
    };
    Ok(metric)
}

/// A resource has as many metrics as it has; this listing has no pages.
async fn metrics_of(state: &ApiState, resource: ResourceId) -> ApiResult<Vec<Metric>> {
    let filter = MetricFilter {
        resource_id: Some(resource),
        ..MetricFilter::default()
    };
    let page = Page::first(i32::MAX.unsigned_abs() as usize);
    Ok(state.gnocchi().list_metrics(&filter, &page).await?)
}
