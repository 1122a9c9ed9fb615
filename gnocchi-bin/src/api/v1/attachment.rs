//! Existing metrics that come to a resource: whichever resource has one now loses it, so the caller must be allowed to change that.

use std::collections::{BTreeMap, HashMap};

use gnocchi_core::driver::MetricFilter;
use gnocchi_core::model::{
    GENERIC, MetricId, Page, Resource, ResourceId, ResourceMetric, SeenResource,
};
use gnocchi_core::policy::{Action, Caller};

use crate::api::auth::require_on_resource;
use crate::api::response::error::ApiResult;
use crate::api::state::ApiState;

/// The resource that metrics come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker<'a> {
    pub(super) id: ResourceId,
    pub(super) creator: Option<&'a str>,
}

/// Requires that the caller may take existing metrics from the resources that have them, and notes those as they were seen: the
/// indexer takes the metrics from nowhere else.
///
/// Metrics that are not of the creator of the resource are left to the indexer, for which they do not exist.
///
/// # Errors
/// 403 when there is a resource that the caller may not change; what the store says when it cannot be read.
pub(super) async fn see_holders(
    state: &ApiState,
    caller: &Caller,
    taker: Taker<'_>,
    metrics: &mut BTreeMap<String, ResourceMetric>,
) -> ApiResult<()> {
    let ids: Vec<MetricId> = metrics.values().filter_map(existing).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let page = Page::first(ids.len());
    let filter = MetricFilter {
        ids: Some(ids),
        ..MetricFilter::default()
    };
    // Not from the directory of metrics, which may be behind what other processes do.
    let found = state.gnocchi().list_metrics(&filter, &page).await?;
    let held: HashMap<MetricId, ResourceId> = (found.into_iter())
        .filter(|metric| metric.creator.as_deref() == taker.creator)
        .filter_map(|metric| Some((metric.id, metric.resource_id?)))
        .filter(|(_, holder)| *holder != taker.id)
        .collect();
    let mut holders: Vec<ResourceId> = held.values().copied().collect();
    holders.sort_unstable();
    holders.dedup();
    let mut seen = HashMap::with_capacity(holders.len());
    if !holders.is_empty() {
        let found = state.gnocchi().resources(GENERIC, &holders).await?;
        for holder in found.iter().flatten() {
            require_on_resource(state, Action::UpdateResource, caller, holder).await?;
            seen.insert(holder.id, SeenResource::of(holder));
        }
    }
    for metric in metrics.values_mut() {
        if let Some(id) = existing(metric) {
            let holder = held.get(&id).and_then(|holder| seen.get(holder));
            *metric = ResourceMetric::ExistingOf(id, holder.cloned());
        }
    }
    Ok(())
}

/// As [`see_holders`] for what is added to a resource.
pub(super) async fn see_holders_for(
    state: &ApiState,
    caller: &Caller,
    resource: &Resource,
    metrics: &mut BTreeMap<String, ResourceMetric>,
) -> ApiResult<()> {
    let taker = Taker {
        id: resource.id,
        creator: resource.creator.as_deref(),
    };
    see_holders(state, caller, taker, metrics).await
}

fn existing(metric: &ResourceMetric) -> Option<MetricId> {
    match metric {
        ResourceMetric::Existing(id) | ResourceMetric::ExistingOf(id, _) => Some(*id),
        ResourceMetric::New(_) => None,
    }
}
