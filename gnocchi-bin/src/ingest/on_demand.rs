//! Metrics for measures that name them by resource and name: found, or created on demand.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    GENERIC, Measures, Metric, Resource, ResourceAddress, ResourceId, SeenResource,
};
use gnocchi_core::policy::{Action, Caller, Tenancy};
use http::StatusCode;
use serde_json::json;

use super::named::{Named, NamedBatch};
use crate::api::auth::{Extent, require_insight, require_on_metrics, require_on_resource};
use crate::api::error::{ApiError, ApiResult, NamedIn};
use crate::api::explanation;
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
            let found = self.find(batch).await?;
            let pairs = batch.measures.iter().zip(&found);
            let missing: Vec<&Named> = pairs
                .filter(|(_, metric)| metric.is_none())
                .map(|(named, _)| named)
                .collect();
            // What does not exist is told before what the caller may not do.
            let known = match self.missing {
                Missing::Refuse if !missing.is_empty() => {
                    // Where that would tell which names a resource has, both are refused alike.
                    if self.caller.tenancy == Tenancy::Projects {
                        require_posts(self.state, self.caller, &found).await?;
                    }
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
            let seen: Vec<SeenResource> = known.iter().map(SeenResource::of).collect();
            if self.create_metrics(&missing, &seen).await? == Attempt::Raced {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Finds the metrics that are there and meant.
    async fn find(&self, batch: &NamedBatch) -> ApiResult<Vec<Option<Arc<Metric>>>> {
        let found = self.state.gnocchi().named_metrics(&batch.names).await?;
        let pairs = batch.measures.iter().zip(found);
        let meant = |(named, metric): (&Named, Option<Arc<Metric>>)| {
            let address = &named.destination.address;
            metric.filter(|metric| address.can_mean_metric(metric))
        };
        Ok(pairs.map(meant).collect())
    }

    /// Returns the resources of metrics that are missing.
    ///
    /// # Errors
    /// 400 when one of the resources does not exist.
    async fn known_resources(&self, missing: &[&Named]) -> ApiResult<Vec<Resource>> {
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = addresses(missing);
        let found = self.resources(&wanted).await?;
        let mut taken = None;
        let mut unknown = Vec::new();
        for (address, found) in wanted.iter().zip(&found) {
            if found.as_ref().is_some_and(|found| address.means(found)) {
                continue;
            }
            if found.is_some() {
                taken = Some(address.original());
            }
            let (id, original) = (address.id().to_string(), address.original());
            unknown.push(json!({"resource_id": id, "original_resource_id": original}));
        }
        if unknown.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        let error = ApiError::bad_data(json!({"cause": "Unknown resources", "detail": unknown}));
        Err(match taken {
            Some(name) => error.explained(explanation::taken_name(name)),
            None => error,
        })
    }

    async fn resources(&self, addresses: &[&ResourceAddress]) -> ApiResult<Vec<Option<Resource>>> {
        let ids: Vec<ResourceId> = addresses.iter().map(|address| address.id()).collect();
        Ok(self.state.gnocchi().resources(GENERIC, &ids).await?)
    }

    /// Requires that the caller may learn that these metrics do not exist.
    async fn require_insight(&self, missing: &[&Named]) -> ApiResult<()> {
        let wanted = addresses(missing);
        let found = self.resources(&wanted).await?;
        let found = wanted.iter().zip(&found);
        let meant = found.filter_map(|(address, found)| {
            let found = found.as_ref()?;
            address.means(found).then_some(found)
        });
        for resource in meant {
            require_insight(self.state, self.caller, resource).await?;
        }
        Ok(())
    }

    /// Requires that the caller may create metrics on a resource.
    async fn require_update(&self, resource: &Resource) -> ApiResult<()> {
        require_on_resource(self.state, Action::UpdateResource, self.caller, resource).await
    }

    /// Creates metrics on resources that exist, all or none.
    async fn create_metrics(
        &self,
        missing: &[&Named],
        seen: &[SeenResource],
    ) -> ApiResult<Attempt> {
        check_new_metrics(self.state, missing.len())?;
        let mut maker = MetricMaker::new(self.state, self.caller);
        let mut made = Vec::with_capacity(missing.len());
        for named in missing {
            made.push(maker.make(description(named)).await?);
        }
        attempt(self.state.gnocchi().create_metrics_on(made, seen).await)
    }
}

/// Refuses measures for metrics that the caller may not write to. In batches the resource of a metric grants nothing.
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

/// Returns the resources of missing metrics in the words of the sender, by id. Of two spellings of one the name counts, which means
/// less.
fn addresses<'a>(missing: &[&'a Named]) -> Vec<&'a ResourceAddress> {
    let mut addresses: Vec<&ResourceAddress> = (missing.iter())
        .map(|named| &named.destination.address)
        .collect();
    addresses.sort_by_key(|address| (address.id(), !address.is_name()));
    addresses.dedup_by_key(|address| address.id());
    addresses
}

/// Says that a resource cannot come into being under a name.
pub(super) fn taken_name(address: &ResourceAddress) -> ApiError {
    let id = address.id();
    ApiError::text(
        StatusCode::CONFLICT,
        format!("Resource {id} already exists"),
    )
    .explained(explanation::taken_name(address.original()))
}

/// Says which metrics do not exist.
pub(crate) fn unknown(mut names: Vec<String>) -> ApiError {
    names.sort_unstable();
    ApiError::bad_request(format!("Unknown metrics: {}", names.join(", ")))
}

fn unknown_metrics(missing: &[&Named]) -> ApiError {
    let named = |named: &Named, id: &dyn Display| format!("{id}/{}", named.measures.name);
    let name = |one: &&Named| named(one, &one.destination.address.id());
    let sent = |one: &&Named| named(one, &one.destination.address.original());
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
        resource: Some(named.destination.address.clone()),
        original_resource_id: Some(named.destination.address.original().to_owned()),
        name: Some(named.measures.name.clone()),
        unit: named.measures.unit.clone(),
    }
}

fn attempt<T>(outcome: Result<T, Error>) -> ApiResult<Attempt> {
    match outcome {
        Ok(_) => Ok(Attempt::Created),
        // Another request has just created one of them, which is as good, or changed or deleted the resource, which the next attempt
        // finds.
        Err(Error::Indexer(
            IndexerError::NamedMetricExists { .. }
            | IndexerError::ResourceExists { .. }
            | IndexerError::NoSuchResource { .. }
            | IndexerError::RevisionChanged { .. },
        )) => Ok(Attempt::Raced),
        Err(error) => Err(ApiError::of(error, NamedIn::Body)),
    }
}

/// Says that others interfere for too long.
pub(super) fn unsettled() -> ApiError {
    ApiError::busy("Metrics of this request are created and deleted at the same time: try again")
}
