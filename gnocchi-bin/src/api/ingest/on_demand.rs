//! Metrics for measures that name them by resource and name: found, or created on demand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, Measures, Metric, Resource, ResourceId};
use gnocchi_core::policy::{Action, Caller};
use serde_json::{Value, json};

use super::named::{Named, NamedBatch};
use crate::api::auth::{Extent, require_insight, require_on_metrics, require_on_resource};
use crate::api::error::{ApiError, ApiResult, NamedIn};
use crate::api::state::ApiState;
use crate::api::v1::creation::{MetricDescription, MetricMaker, check_new_metrics};

/// The most missing metrics that are named as they were sent.
const NAMED_MAX: usize = 10;

/// The pause before what is missing is looked for again because another request creates it at the same time.
const PAUSE: Duration = Duration::from_millis(5);

/// What becomes of measures whose metric does not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Missing {
    /// The request is refused.
    Refuse,
    /// Metrics are created, on resources that exist.
    CreateMetrics,
}

/// Finds metrics for one caller, and creates those that the caller may create.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnDemand<'a> {
    pub(crate) state: &'a ApiState,
    pub(crate) caller: &'a Caller,
    pub(crate) missing: Missing,
}

/// How an attempt to create something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Created,
    /// Another request created or deleted one of them at the same time.
    Raced,
}

impl OnDemand<'_> {
    /// Finds the metric of each measure of a batch, and returns resource and name of each as well. What is missing is created, or
    /// the batch refused.
    ///
    /// # Errors
    /// 400 when something is missing or cannot be created, 403 when the caller may not do something of that, 503 when others
    /// interfere for too long.
    pub(crate) async fn measures(
        &self,
        batch: NamedBatch,
    ) -> ApiResult<(Vec<Measures>, Vec<(ResourceId, String)>)> {
        let metrics = self.metrics(&batch).await?;
        let measures = batch.measures.into_iter().zip(metrics);
        let measures = measures.map(|(named, metric)| Measures {
            metric: metric.id,
            series: named.measures.series,
        });
        Ok((measures.collect(), batch.names))
    }

    async fn metrics(&self, batch: &NamedBatch) -> ApiResult<Vec<Arc<Metric>>> {
        let started = Instant::now();
        loop {
            let found = self.state.gnocchi().named_metrics(&batch.names).await?;
            let pairs = batch.measures.iter().zip(&found);
            let missing: Vec<&Named> = pairs
                .filter(|(_, metric)| metric.is_none())
                .map(|(named, _)| named)
                .collect();
            // What does not exist is told before what the caller may not do.
            let known = match self.missing {
                Missing::Refuse if !missing.is_empty() => {
                    self.require_insight(&missing).await?;
                    return Err(unknown_metrics(&missing));
                }
                Missing::CreateMetrics => self.known_resources(&missing).await?,
                Missing::Refuse => Vec::new(),
            };
            require_posts(self.state, self.caller, &found).await?;
            if missing.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            if started.elapsed() > self.state.settings().operation_timeout {
                return Err(unsettled());
            }
            for resource in &known {
                self.require_update(resource).await?;
            }
            if self.create_metrics(&missing).await? == Attempt::Raced {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Returns the resources of metrics that are missing.
    ///
    /// # Errors
    /// 400 when one of the resources does not exist.
    async fn known_resources(&self, missing: &[&Named]) -> ApiResult<Vec<Resource>> {
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = originals(missing);
        let ids: Vec<ResourceId> = wanted.keys().copied().collect();
        let found = self.state.gnocchi().resources(GENERIC, &ids).await?;
        let unknown: Vec<Value> = wanted
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|((id, original), _)| json!({"resource_id": id.to_string(), "original_resource_id": original}))
            .collect();
        if unknown.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        Err(ApiError::bad_data(
            json!({"cause": "Unknown resources", "detail": unknown}),
        ))
    }

    /// Requires that the caller may learn that these metrics do not exist.
    async fn require_insight(&self, missing: &[&Named]) -> ApiResult<()> {
        let ids: Vec<ResourceId> = originals(missing).into_keys().collect();
        let found = self.state.gnocchi().resources(GENERIC, &ids).await?;
        for resource in found.iter().flatten() {
            require_insight(self.state, self.caller, resource).await?;
        }
        Ok(())
    }

    /// Requires that the caller may create metrics on a resource.
    async fn require_update(&self, resource: &Resource) -> ApiResult<()> {
        require_on_resource(self.state, Action::UpdateResource, self.caller, resource).await
    }

    /// Creates metrics on resources that exist, all or none.
    async fn create_metrics(&self, missing: &[&Named]) -> ApiResult<Attempt> {
        check_new_metrics(self.state, missing.len())?;
        let mut maker = MetricMaker::new(self.state, self.caller);
        let mut made = Vec::with_capacity(missing.len());
        for named in missing {
            made.push(maker.make(description(named)).await?);
        }
        attempt(self.state.gnocchi().create_metrics(made).await)
    }
}

/// Refuses measures for metrics that the caller may not write to. In batches the resource of a metric lets nobody through.
///
/// # Errors
/// 403 when the caller may not send measures of one of the metrics.
pub(crate) async fn require_posts(
    state: &ApiState,
    caller: &Caller,
    metrics: &[Option<Arc<Metric>>],
) -> ApiResult<()> {
    let metrics = metrics.iter().flatten().map(Arc::as_ref);
    require_on_metrics(state, Action::PostMeasures, caller, metrics, Extent::Alone).await
}

/// Returns the ids of the resources of missing metrics as the sender wrote them.
fn originals<'a>(missing: &[&'a Named]) -> BTreeMap<ResourceId, &'a str> {
    let destinations = missing.iter().map(|named| &named.destination);
    destinations
        .map(|destination| (destination.id, destination.original_id.as_str()))
        .collect()
}

/// Says which metrics do not exist.
pub(crate) fn unknown(mut names: Vec<String>) -> ApiError {
    names.sort_unstable();
    ApiError::bad_request(format!("Unknown metrics: {}", names.join(", ")))
}

fn unknown_metrics(missing: &[&Named]) -> ApiError {
    let name = |named: &&Named| format!("{}/{}", named.destination.id, named.measures.name);
    let sent =
        |named: &&Named| format!("{}/{}", named.destination.original_id, named.measures.name);
    let mut shown: Vec<String> = missing.iter().take(NAMED_MAX).map(sent).collect();
    if missing.len() > NAMED_MAX {
        shown.push(format!("{} more", missing.len() - NAMED_MAX));
    }
    unknown(missing.iter().map(name).collect()).explained(format!(
        "missing, as sent: {}; create_metrics=true creates the metrics that are missing",
        shown.join(", ")
    ))
}

fn description(named: &Named) -> MetricDescription {
    MetricDescription {
        archive_policy_name: named.measures.archive_policy_name.clone(),
        resource_id: Some(named.destination.id),
        original_resource_id: Some(named.destination.original_id.clone()),
        name: Some(named.measures.name.clone()),
        unit: named.measures.unit.clone(),
    }
}

fn attempt<T>(outcome: Result<T, Error>) -> ApiResult<Attempt> {
    match outcome {
        Ok(_) => Ok(Attempt::Created),
        // Another request has just created one of them, which is as good, or deleted the resource, which the next attempt finds.
        Err(Error::Indexer(
            IndexerError::NamedMetricExists { .. }
            | IndexerError::ResourceExists { .. }
            | IndexerError::NoSuchResource { .. },
        )) => Ok(Attempt::Raced),
        Err(error) => Err(ApiError::of(error, NamedIn::Body)),
    }
}

/// Says that others interfere for too long.
pub(super) fn unsettled() -> ApiError {
    ApiError::busy("Metrics of this request are created and deleted at the same time: try again")
}
