//! Metrics for measures that name them by resource and name: found, or created on demand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    GENERIC, Measures, Metric, MetricId, NewMetric, NewResource, Resource, ResourceId,
    ResourceMetric, ResourceType,
};
use gnocchi_core::policy::{Action, Caller, Properties};
use http::StatusCode;
use serde_json::{Value, json};

use super::named::{Destination, Named, NamedBatch};
use super::resource_kind::ResourceKind;
use crate::api::auth::{Extent, require, require_insight, require_on_metrics, require_on_resource};
use crate::api::error::{ApiError, ApiResult, Detail, NamedIn};
use crate::api::state::ApiState;
use crate::api::v1::creation::{MetricDescription, MetricMaker};
use crate::api::v1::resource_body::whole_microseconds;

/// The pause before what is missing is looked for again because somebody else creates it at the same time.
const PAUSE: Duration = Duration::from_millis(5);

/// How many resources are created at the same time: a back-end that writes one log for all makes them durable together.
const CREATED_AT_ONCE: usize = 16;

/// What becomes of measures whose metric does not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Missing<'a> {
    /// The request is refused.
    Refuse,
    /// Metrics are created, on resources that exist.
    CreateMetrics,
    /// Resources are created too.
    CreateResources(&'a ResourceKind),
}

/// Finds metrics for one caller, and creates those that he may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnDemand<'a> {
    pub(crate) state: &'a ApiState,
    pub(crate) caller: &'a Caller,
    pub(crate) missing: Missing<'a>,
}

/// What is there already.
struct Found {
    /// One entry for each name of the batch.
    metrics: Vec<Option<Arc<Metric>>>,
    /// The resources, where they are needed to go on.
    resources: HashMap<ResourceId, Resource>,
}

/// How an attempt to create something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Created,
    /// Somebody else created or deleted one of the things at the same time.
    Raced,
}

impl OnDemand<'_> {
    /// Stores measures and returns when they are durable.
    ///
    /// # Errors
    /// As [`measures`](Self::measures), and what the store says when it does not take them.
    pub(crate) async fn store(&self, batch: NamedBatch) -> ApiResult<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let measures = self.measures(batch).await?;
        match self.state.gnocchi().append(measures).await {
            Ok(_) => Ok(()),
            // It was there a moment ago, so there is nothing wrong with the request.
            Err(Error::Indexer(IndexerError::NoSuchMetric { .. })) => Err(unsettled()),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the metric of each measure of a batch. What is missing is created, or the batch refused.
    ///
    /// # Errors
    /// 400 when something is missing or cannot be created, 403 when the caller may not do something of that, 409 when a resource
    /// is of another type, 503 when others interfere for too long.
    pub(crate) async fn measures(&self, batch: NamedBatch) -> ApiResult<Vec<Measures>> {
        let metrics = self.metrics(&batch).await?;
        let measures = batch.measures.into_iter().zip(metrics);
        let measures = measures.map(|(named, metric)| Measures {
            metric: metric.id,
            series: named.measures.series,
        });
        Ok(measures.collect())
    }

    async fn metrics(&self, batch: &NamedBatch) -> ApiResult<Vec<Arc<Metric>>> {
        let started = Instant::now();
        loop {
            let found = self.find(batch).await?;
            let pairs = batch.measures.iter().zip(&found.metrics);
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
                Missing::Refuse | Missing::CreateResources(_) => Vec::new(),
            };
            require_posts(self.state, self.caller, &found.metrics).await?;
            if missing.is_empty() {
                return Ok(found.metrics.into_iter().flatten().collect());
            }
            if started.elapsed() > self.state.settings().operation_timeout {
                return Err(unsettled());
            }
            let attempt = match self.missing {
                Missing::Refuse => return Err(unknown_metrics(&missing)),
                Missing::CreateMetrics => {
                    for resource in &known {
                        self.require_update(resource).await?;
                    }
                    self.create_metrics(&missing).await?
                }
                Missing::CreateResources(kind) => {
                    self.create_resources(kind, &missing, &found.resources)
                        .await?
                }
            };
            if attempt == Attempt::Raced {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn find(&self, batch: &NamedBatch) -> ApiResult<Found> {
        if let Missing::CreateResources(kind) = self.missing {
            return self.find_by_resource(kind, batch).await;
        }
        Ok(Found {
            metrics: self.state.gnocchi().named_metrics(&batch.names).await?,
            resources: HashMap::new(),
        })
    }

    /// Looks at the resources first: an id that is taken by another type is a conflict, whatever its metrics.
    async fn find_by_resource(&self, kind: &ResourceKind, batch: &NamedBatch) -> ApiResult<Found> {
        let ids: BTreeSet<ResourceId> = batch.names.iter().map(|(id, _)| *id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let gnocchi = self.state.gnocchi();
        let mut resources = HashMap::with_capacity(ids.len());
        for resource in gnocchi
            .resources(GENERIC, &ids)
            .await?
            .into_iter()
            .flatten()
        {
            if !kind.holds(&resource) {
                // A type that doesn't exist is the better reason.
                kind.find_or_create(self.state, self.caller).await?;
                return Err(taken_by_another_type(resource.id));
            }
            resources.insert(resource.id, resource);
        }
        let ids: Vec<Option<MetricId>> = batch
            .names
            .iter()
            .map(|(id, name)| resources.get(id)?.metrics.get(name).copied())
            .collect();
        let known: Vec<MetricId> = ids.iter().flatten().copied().collect();
        let mut known = gnocchi.metrics(&known).await?.into_iter();
        let metrics = ids.iter().map(|id| id.and_then(|_| known.next().flatten()));
        Ok(Found {
            metrics: metrics.collect(),
            resources,
        })
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
        let mut maker = MetricMaker::new(self.state, self.caller);
        let mut made = Vec::with_capacity(missing.len());
        for named in missing {
            made.push(maker.make(description(named)).await?);
        }
        attempt(self.state.gnocchi().create_metrics(made).await)
    }

    /// Creates metrics on resources that exist, and the resources that do not with their metrics. Everything is checked before
    /// anything is created.
    async fn create_resources(
        &self,
        kind: &ResourceKind,
        missing: &[&Named],
        resources: &HashMap<ResourceId, Resource>,
    ) -> ApiResult<Attempt> {
        let mut by_resource: BTreeMap<ResourceId, Vec<&Named>> = BTreeMap::new();
        for named in missing {
            by_resource
                .entry(named.destination.id)
                .or_default()
                .push(named);
        }
        let mut maker = MetricMaker::new(self.state, self.caller);
        let mut resource_type = None;
        let (mut added, mut created) = (Vec::new(), Vec::new());
        for (id, missing) in by_resource {
            if let Some(resource) = resources.get(&id) {
                self.require_update(resource).await?;
                for named in missing {
                    added.push(maker.make(description(named)).await?);
                }
                continue;
            }
            let resource_type = match &resource_type {
                Some(known) => known,
                None => resource_type.insert(kind.find_or_create(self.state, self.caller).await?),
            };
            created.push(
                self.make_resource(resource_type, &missing, &mut maker)
                    .await?,
            );
        }
        self.create(created, added).await
    }

    /// Makes a resource with the metrics that are sent to it.
    async fn make_resource(
        &self,
        resource_type: &ResourceType,
        sent: &[&Named],
        maker: &mut MetricMaker<'_>,
    ) -> ApiResult<NewResource> {
        let destination = &sent[0].destination;
        super::resource_kind::check_attributes(resource_type, destination)?;
        self.require_creation(resource_type, destination).await?;
        let mut metrics = BTreeMap::new();
        for named in sent {
            // The resource is the one around it.
            let description = MetricDescription {
                resource_id: None,
                ..description(named)
            };
            let metric = ResourceMetric::New(maker.make(description).await?);
            metrics.insert(named.measures.name.clone(), metric);
        }
        Ok(NewResource {
            id: destination.id,
            resource_type: resource_type.name().to_owned(),
            creator: self.caller.creator.clone(),
            original_resource_id: destination.original_id.clone(),
            started_at: whole_microseconds(self.state.gnocchi().clock().now()),
            ended_at: None,
            user_id: None,
            project_id: None,
            attributes: destination.attributes.clone(),
            metrics,
        })
    }

    async fn require_creation(
        &self,
        resource_type: &ResourceType,
        destination: &Destination,
    ) -> ApiResult<()> {
        let mut target = Properties::new()
            .with("resource_type", resource_type.name())
            .with("id", destination.id.to_string())
            .with("original_resource_id", &destination.original_id)
            .with_maybe("creator", self.caller.creator.clone());
        for (name, value) in &destination.attributes {
            target = target.with_attribute(name, value.as_ref());
        }
        require(self.state, Action::CreateResource, self.caller, &target).await
    }

    async fn create(
        &self,
        resources: Vec<NewResource>,
        metrics: Vec<NewMetric>,
    ) -> ApiResult<Attempt> {
        let gnocchi = self.state.gnocchi();
        let mut outcome = Attempt::Created;
        if !metrics.is_empty() {
            outcome = attempt(gnocchi.create_metrics(metrics).await)?;
        }
        let attempts: Vec<Attempt> = stream::iter(resources)
            .map(async |resource| attempt(gnocchi.create_resource(&resource).await))
            .buffer_unordered(CREATED_AT_ONCE)
            .try_collect()
            .await?;
        if attempts.contains(&Attempt::Raced) {
            outcome = Attempt::Raced;
        }
        Ok(outcome)
    }
}

/// Refuses measures for a metric of somebody else. In batches the resource of a metric lets nobody through.
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
    unknown(missing.iter().map(name).collect())
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
        // Somebody else has just created one of them, which is as good, or deleted the resource, which shows next time.
        Err(Error::Indexer(
            IndexerError::NamedMetricExists { .. }
            | IndexerError::ResourceExists { .. }
            | IndexerError::NoSuchResource { .. },
        )) => Ok(Attempt::Raced),
        Err(error) => Err(ApiError::of(error, NamedIn::Body)),
    }
}

fn taken_by_another_type(id: ResourceId) -> ApiError {
    ApiError {
        status: StatusCode::CONFLICT,
        detail: Detail::Data(json!({"cause": "Resource already exists", "detail": id.to_string()})),
        retry_after_seconds: None,
    }
}

fn unsettled() -> ApiError {
    ApiError::busy("Metrics of this request are created and deleted at the same time: try again")
}
