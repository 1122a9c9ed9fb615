//! The deprecated calls: one aggregate across metrics, as a bare list.

use std::collections::BTreeSet;

use axum::extract::State;
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::MetricId;
use gnocchi_core::policy::{Action, Caller, MetricTarget};
use gnocchi_core::query::{
    AggregatesError, KeepResources, ReaggregationQuery, ResourceGroup, ResourceSelection, Source,
};
use serde_json::{Value, json};

use super::parameters::{Parameters, UnlessSaid};
use super::refusal;
use super::view::{self, Document};
use super::by_resources::group_by;
use crate::api::address::Names;
use crate::api::auth::{Authenticated, require, resource_visibility};
use crate::api::body::RequestBody;
use crate::api::error::{ApiError, ApiResult};
use crate::api::filter;
use crate::api::query::Query;
use crate::api::schema::{self, Path};
use crate::api::state::ApiState;
use crate::api::v1::measures::{parse_resample, parse_time_zone};

/// What is not said of a metric that is named in a list.
const NO_ID: &str = "not a valid value";

/// How many groups of resources are computed together.
const GROUPS_AT_ONCE: usize = 1024;

/// `GET /v1/aggregation/metric`
pub(in crate::api::v1) async fn across_metrics(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> ApiResult {
    let mut ids = BTreeSet::new();
    for (place, text) in query.all("metric").enumerate() {
        let id: Result<MetricId, _> = text.parse();
        ids.insert(id.map_err(|_| {
            ApiError::bad_request(format!("Invalid input: {NO_ID} @ data[{place}]"))
        })?);
    }
    aggregate_metrics(&state, &caller, &query, ids).await
}

/// `POST /v1/aggregation/metric`
pub(in crate::api::v1) async fn across_metrics_of_body(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let ids = schema::list(&body.json().await?, &Path::Root, 0, |value, path| {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| path.invalid(NO_ID))
    })?;
    aggregate_metrics(&state, &caller, &query, ids.into_iter().collect()).await
}

/// `POST /v1/aggregation/resource/{type}/metric/{name}`
pub(in crate::api::v1) async fn across_resources(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, metric_name)): Names<(String, String)>,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let resource_type = state.gnocchi().resource_type(&type_name).await?;
    let filter = filter::of_request(body, &query).await?;
    let condition = filter::bind(&state, filter.as_ref(), &caller, &resource_type, false)?;
    let asked = parse(&state, &query)?;
    let visibility = resource_visibility(&state, Action::SearchResource, &caller, &type_name);
    let selection = ResourceSelection {
        resource_type: type_name.clone(),
        condition,
        visibility: visibility.await?,
        group_by: group_by(&query),
    };
    let grouped = !selection.group_by.is_empty();
    let references = json!([[metric_name, asked.aggregation]]);
    let gnocchi = state.gnocchi();
    let mut groups = gnocchi.named_metric_groups(selection, &metric_name, KeepResources::Drop);
    let mut document = Document::new();
    let mut list = view::LegacyList::new(&mut document, grouped);
    loop {
        let mut batch = groups.next_batch().await.map_err(bad_group)?;
        if batch.is_empty() {
            break;
        }
        let sources: Vec<Vec<Source>> = batch
            .iter_mut()
            .map(|group| std::mem::take(&mut group.sources))
            .collect();
        let computed = gnocchi
            .reaggregated(&asked, &sources)
            .await
            .map_err(|error| refused(error, references.clone()))?;
        for (group, levels) in batch.into_iter().zip(computed) {
            list.add(&group.properties, levels);
        }
    }
    list.end();
    Ok(document.into_response())
}
