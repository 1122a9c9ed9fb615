//! Series that are named by the ids of their metrics.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use carbonara::expression::Expression;
use gnocchi_core::model::{Metric, MetricId};
use gnocchi_core::policy::{Action, Caller};
use gnocchi_core::query::{Evaluation, KeepResources, Source};
use serde_json::{Value, json};

use super::operations::{Operations, pairs};
use super::parameters::Parameters;
use super::refusal;
use super::view;
use crate::api::auth::{Extent, require_on_metrics, resources_of};
use crate::api::response::error::ApiResult;
use crate::api::response::render::Document;
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
    let all = || metrics.iter().map(Arc::as_ref);
    let (action, extent) = (Action::GetMetric, Extent::WithResource);
    require_on_metrics(state, action, caller, all(), extent).await?;
    let resources = match keep {
        KeepResources::Keep => resources_of(state, all()).await?,
        KeepResources::Drop => HashMap::new(),
    };
    let references = expression.references();
    let query = parameters.query(Arc::clone(&expression))?;
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
    document(state, answer)
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
