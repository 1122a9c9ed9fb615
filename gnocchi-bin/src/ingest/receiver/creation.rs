//! Resources and metrics that come into being with their first measure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    NewMetric, NewResource, Resource, ResourceId, ResourceMetric, ResourceType, SeenResource,
};
use gnocchi_core::policy::{Action, Properties};

use super::{Receiver, Work};
use crate::api::auth::{require, require_on_resource};
use crate::api::error::{ApiError, ApiResult, NamedIn};
use crate::api::v1::creation::{MetricDescription, MetricMaker, check_new_metrics};
use crate::api::v1::resource_body::whole_microseconds;
use crate::ingest::Reason;
use crate::ingest::named::{Destination, Named};
use crate::ingest::resource_kind::check_attributes;

/// How many resources are created at the same time: a back-end that writes one log for all makes them durable together.
const CREATED_AT_ONCE: usize = 16;

/// How many metrics are created together: the indexer makes other changes between such parts.
const METRICS_AT_ONCE: usize = 1000;

/// How an attempt to create what is missing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// There was nothing to create, because all of it is left out.
    Nothing,
    Created,
    /// Another request created or deleted one of the things at the same time.
    Raced,
}

/// What is to be created, and the entries of the batch that ask for it.
#[derive(Default)]
struct Plan {
    metrics: Vec<NewMetric>,
    metric_entries: Vec<usize>,
    /// The resources of these metrics, as they were when the rules allowed it.
    seen: BTreeMap<ResourceId, SeenResource>,
    resources: Vec<(NewResource, Vec<usize>)>,
}

impl Receiver<'_> {
    /// Creates metrics on resources that exist, and the resources that do not with their metrics.
    pub(super) async fn create(
        &self,
        missing: &[usize],
        resources: &HashMap<ResourceId, Resource>,
        work: &mut Work<'_>,
    ) -> ApiResult<Attempt> {
        let plan = self.plan(missing, resources, work).await?;
        if plan.metrics.is_empty() && plan.resources.is_empty() {
            return Ok(Attempt::Nothing);
        }
        let gnocchi = self.state.gnocchi();
        let mut outcome = Attempt::Created;
        for (metrics, entries) in in_parts(plan.metrics, &plan.metric_entries) {
            let resources: BTreeSet<ResourceId> = (metrics.iter())
                .filter_map(|metric| metric.resource_id)
                .collect();
            let seen = resources.iter().filter_map(|id| plan.seen.get(id));
            let seen: Vec<SeenResource> = seen.cloned().collect();
            match gnocchi.create_metrics_on(metrics, &seen).await {
                Ok(_) => log_names(entries, work),
                Err(error) if is_race(&error) => outcome = Attempt::Raced,
                Err(error) => return Err(ApiError::of(error, NamedIn::Body)),
            }
        }
        let created: Vec<_> = stream::iter(plan.resources)
            .map(
                async |(resource, entries)| match gnocchi.create_resource(&resource).await {
                    Ok(_) => Ok((entries, Ok(Attempt::Created))),
                    Err(error) if is_race(&error) => Ok((entries, Ok(Attempt::Raced))),
                    Err(error) => match ApiError::of(error, NamedIn::Body) {
                        error if error.status.is_server_error() => Err(error),
                        error => Ok((entries, Err(error))),
                    },
                },
            )
            .buffer_unordered(CREATED_AT_ONCE)
            .try_collect()
            .await?;
        for (entries, created) in created {
            match created {
                Ok(Attempt::Raced) => outcome = Attempt::Raced,
                Ok(_) => log_names(&entries, work),
                Err(error) => work.refuse(&entries, Reason::UnfitResource, &error)?,
            }
        }
        Ok(outcome)
    }

    /// Checks everything before anything is created. What cannot be created is left out.
    async fn plan(
        &self,
        missing: &[usize],
        resources: &HashMap<ResourceId, Resource>,
        work: &mut Work<'_>,
    ) -> ApiResult<Plan> {
        let mut by_resource: BTreeMap<ResourceId, Vec<usize>> = BTreeMap::new();
        for entry in missing {
            let id = work.named(*entry).destination.address.id();
            by_resource.entry(id).or_default().push(*entry);
        }
        check_new_metrics(self.state, missing.len())?;
        let mut maker = MetricMaker::new(self.state, self.caller);
        let mut resource_type = None;
        let mut plan = Plan::default();
        for (id, entries) in by_resource {
            if let Some(resource) = resources.get(&id) {
                self.plan_metrics(resource, entries, &mut maker, work, &mut plan)
                    .await?;
                continue;
            }
            let resource_type = match &resource_type {
                Some(known) => known,
                None => {
                    resource_type.insert(self.kind.find_or_create(self.state, self.caller).await?)
                }
            };
            self.plan_resource(resource_type, entries, &mut maker, work, &mut plan)
                .await?;
        }
        Ok(plan)
    }

    /// Plans metrics of a resource that exists.
    async fn plan_metrics(
        &self,
        resource: &Resource,
        entries: Vec<usize>,
        maker: &mut MetricMaker<'_>,
        work: &mut Work<'_>,
        plan: &mut Plan,
    ) -> ApiResult<()> {
        let action = Action::UpdateResource;
        if let Err(error) = require_on_resource(self.state, action, self.caller, resource).await {
            return work.refuse(&entries, Reason::Denied, &error);
        }
        plan.seen.insert(resource.id, SeenResource::of(resource));
        for entry in entries {
            let named = work.named(entry);
            match maker.make(description(named, Existence::There)).await {
                Ok(metric) => {
                    plan.metrics.push(metric);
                    plan.metric_entries.push(entry);
                }
                Err(error) => work.refuse(&[entry], Reason::NoArchivePolicyRule, &error)?,
            }
        }
        Ok(())
    }

    /// Plans a resource with the metrics that are sent to it, unless none of them can be created.
    async fn plan_resource(
        &self,
        resource_type: &ResourceType,
        entries: Vec<usize>,
        maker: &mut MetricMaker<'_>,
        work: &mut Work<'_>,
        plan: &mut Plan,
    ) -> ApiResult<()> {
        let destination = &work.named(entries[0]).destination;
        if let Err(error) = check_attributes(resource_type, destination) {
            return work.refuse(&entries, Reason::UnfitResource, &error);
        }
        if let Err(error) = self.require_creation(resource_type, destination).await {
            return work.refuse(&entries, Reason::Denied, &error);
        }
        let mut metrics = BTreeMap::new();
        let mut wanted = Vec::with_capacity(entries.len());
        // The others are created on the resource when it is there.
        for entry in entries.into_iter().take(METRICS_AT_ONCE) {
            let named = work.named(entry);
            // The resource is the one around it.
            match maker.make(description(named, Existence::ToCome)).await {
                Ok(metric) => {
                    let name = named.measures.name.clone();
                    metrics.insert(name, ResourceMetric::New(metric));
                    wanted.push(entry);
                }
                Err(error) => work.refuse(&[entry], Reason::NoArchivePolicyRule, &error)?,
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let resource = NewResource {
            id: destination.address.id(),
            resource_type: resource_type.name().to_owned(),
            creator: self.caller.creator.clone(),
            original_resource_id: destination.address.original().to_owned(),
            started_at: whole_microseconds(self.state.gnocchi().clock().now()),
            ended_at: None,
            user_id: None,
            project_id: None,
            attributes: destination.attributes.clone(),
            metrics,
        };
        plan.resources.push((resource, wanted));
        Ok(())
    }

    async fn require_creation(
        &self,
        resource_type: &ResourceType,
        destination: &Destination,
    ) -> ApiResult<()> {
        let mut target = Properties::new()
            .with("resource_type", resource_type.name())
            .with("id", destination.address.id().to_string())
            .with("original_resource_id", destination.address.original())
            .with_maybe("creator", self.caller.creator.clone());
        for (name, value) in &destination.attributes {
            target = target.with_attribute(name, value.as_ref());
        }
        require(self.state, Action::CreateResource, self.caller, &target).await
    }
}

/// Cuts metrics, and the entries that ask for them, into parts that are created one after the other.
fn in_parts(
    metrics: Vec<NewMetric>,
    entries: &[usize],
) -> impl Iterator<Item = (Vec<NewMetric>, &[usize])> {
    let mut metrics = metrics.into_iter();
    entries
        .chunks(METRICS_AT_ONCE)
        .map(move |entries| (metrics.by_ref().take(entries.len()).collect(), entries))
}

/// Whether the resource of a new metric exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existence {
    There,
    /// It is created with its metrics.
    ToCome,
}

fn description(named: &Named, resource: Existence) -> MetricDescription {
    let address = &named.destination.address;
    MetricDescription {
        archive_policy_name: None,
        resource: match resource {
            Existence::There => Some(address.clone()),
            Existence::ToCome => None,
        },
        original_resource_id: Some(address.original().to_owned()),
        name: Some(named.measures.name.clone()),
        unit: None,
    }
}

/// Returns whether another request is the reason: it has just created one of the things, which is as good, or changed or deleted
/// the resource or the archive policy of a rule, which shows next time.
fn is_race(error: &Error) -> bool {
    matches!(
        error,
        Error::Indexer(
            IndexerError::NamedMetricExists { .. }
                | IndexerError::ResourceExists { .. }
                | IndexerError::NoSuchResource { .. }
                | IndexerError::RevisionChanged { .. }
                | IndexerError::NoSuchArchivePolicy { .. }
        )
    )
}

/// Keeps the whole names of new metrics whose names end with a digest: the log is the only place that has them.
fn log_names(entries: &[usize], work: &Work<'_>) {
    for entry in entries {
        let named = work.named(*entry);
        if let Some(full_name) = &named.full_name {
            tracing::info!(
                resource = named.destination.address.original(),
                metric = named.measures.name,
                full_name,
                "the name of a new metric is too long: it ends with a digest"
            );
        }
    }
}
