//! Series that are named by the ids of their metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use carbonara::expression::Expression;
use gnocchi_core::model::{GENERIC, Metric, MetricId, Resource, ResourceId};
use gnocchi_core::policy::{Action, Caller, MetricTarget};
use gnocchi_core::query::{Evaluation, KeepResources, Source};
use serde_json::{Value, json};

use super::operations::{Operations, pairs};
use super::parameters::Parameters;
use super::refusal;
use super::view;
use crate::api::auth::require;
use crate::api::error::ApiResult;
use crate::api::render::Document;
use crate::api::state::ApiState;
use crate::api::v1::document;
use crate::api::v1::metric;

/// Answers with an expression over metrics.
pub(super) async fn compute(
    state: &ApiState,
    caller: &Caller,
    parameters: &Parameters,
    operations: Operations,
    keep: KeepResources,
) -> ApiResult {
    let expression = Arc::new(operations.by_ids()?);
    let sources = sources(state, &expression).await?;
    let metrics = distinct(&sources);
    let resources = resources_of(state, &metrics).await?;
    for metric in &metrics {
        let resource = metric.resource_id.and_then(|id| resources.get(&id));
        let target = MetricTarget { metric, resource };
        require(state, Action::GetMetric, caller, &target).await?;
    }
    let references = expression.references();
    let query = parameters.query(Arc::clone(&expression));
    let evaluation = Evaluation {
        sources,
        start: parameters.start,
        stop: parameters.stop,
    };
    let computed = state
        .gnocchi()
        .aggregates(&query, std::slice::from_ref(&evaluation))
        .await
        .map_err(|error| refusal::of(error, &pairs(&references)))?;
    let outcomes = computed.into_iter().next().unwrap_or_default();
    let details = (keep == KeepResources::Keep).then(|| {
        let detailed = metrics.iter().map(|metric| {
            metric::detailed(metric, metric.resource_id.and_then(|id| resources.get(&id)))
        });
        detailed.collect::<Vec<Value>>()
    });
    let mut answer = Document::new();
    view::measures(
        &mut answer,
        &references,
        &evaluation.sources,
        outcomes,
        details,
    );
    Ok(document(answer))
}

/// Finds the metric of every reference.
async fn sources(state: &ApiState, expression: &Expression) -> ApiResult<Vec<Source>> {
    let references = expression.references();
    let ids: Vec<MetricId> = references
        .iter()
        .filter_map(|one| one.name.parse().ok())
        .collect();
    let metrics = state.gnocchi().metrics(&ids).await?;
    let mut unknown: Vec<String> = ids
        .iter()
        .zip(&metrics)
        .filter(|(_, metric)| metric.is_none())
        .map(|(id, _)| id.to_string())
        .collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        unknown.dedup();
        return Err(refusal::missing(json!({
            "cause": "Unknown metrics",
            "reason": "Provided metrics don't exists",
            "detail": unknown,
        })));
    }
    let found = metrics.into_iter().flatten().enumerate();
    Ok(found
        .map(|(reference, metric)| Source {
            reference,
            metric,
            found: None,
        })
        .collect())
}

/// Returns every metric once, in the order of the references.
fn distinct(sources: &[Source]) -> Vec<Arc<Metric>> {
    let mut metrics: Vec<Arc<Metric>> = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources {
        if seen.insert(source.metric.id) {
            metrics.push(Arc::clone(&source.metric));
        }
    }
    metrics
}

/// Reads the resources of metrics, all in one call.
async fn resources_of(
    state: &ApiState,
    metrics: &[Arc<Metric>],
) -> ApiResult<BTreeMap<ResourceId, Resource>> {
    let mut ids: Vec<ResourceId> = metrics
        .iter()
        .filter_map(|metric| metric.resource_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = state.gnocchi().resources(GENERIC, &ids).await?;
    Ok(found
        .into_iter()
        .flatten()
        .map(|resource| (resource.id, resource))
        .collect())
}
