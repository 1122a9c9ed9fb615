//! Resources and metrics that come into being with their first measure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::each::Work;
use super::resource_kind::check_attributes;
use super::store::{Attempt, is_race};
use super::{
    Destination, Intake, IntakeError, MetricDescription, MetricMaker, NamedSeries, Refusal,
};
use crate::access::Denied;
use crate::error::{Error, IndexerError};
use crate::model::{
    NewMetric, NewResource, Resource, ResourceId, ResourceMetric, ResourceType, SeenResource,
    whole_microseconds,
};
use crate::policy::{Action, Properties};

/// How many resources are created at the same time: a back-end that writes one log for all makes them durable together.
const CREATED_AT_ONCE: usize = 16;

/// How many metrics are created together: the indexer makes other changes between such parts.
const METRICS_AT_ONCE: usize = 1000;

/// How much of a complete name is logged, in bytes.
const LOGGED_BYTES_MAX: usize = 4096;

/// New metrics and resources, and the entries of the batch that ask for them.
#[derive(Default)]
struct Plan {
    metrics: Vec<NewMetric>,
    metric_entries: Vec<usize>,
    /// The resources of these metrics, as they were when the rules allowed it.
    seen: BTreeMap<ResourceId, SeenResource>,
    resources: Vec<(NewResource, Vec<usize>)>,
}

impl Intake<'_> {
    /// Creates metrics on resources that exist, and the resources that do not with their metrics.
    pub(super) async fn create_each(
        &self,
        missing: &[usize],
        resources: &HashMap<ResourceId, Resource>,
        work: &mut Work<'_>,
    ) -> Result<Attempt, IntakeError> {
        let plan = self.plan(missing, resources, work).await?;
        if plan.metrics.is_empty() && plan.resources.is_empty() {
            return Ok(Attempt::Nothing);
        }
        let gnocchi = self.access().gnocchi();
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
                Err(error) => return Err(error.into()),
            }
        }
        let created: Vec<_> = stream::iter(plan.resources)
            .map(
                async |(resource, entries)| match gnocchi.create_resource(&resource).await {
                    Ok(_) => Ok((entries, Ok(Attempt::Created))),
                    Err(error) if is_race(&error) => Ok((entries, Ok(Attempt::Raced))),
                    Err(Error::Indexer(IndexerError::Backend(error))) => {
                        Err(Error::Indexer(IndexerError::Backend(error)))
                    }
                    Err(Error::Indexer(error)) => Ok((entries, Err(Refusal::NewResource(error)))),
                    Err(error) => Err(error),
                },
            )
            .buffer_unordered(CREATED_AT_ONCE)
            .try_collect()
            .await?;
        for (entries, created) in created {
            match created {
                Ok(Attempt::Raced) => outcome = Attempt::Raced,
                Ok(_) => log_names(&entries, work),
                Err(refusal) => work.refuse(&entries, refusal),
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
    ) -> Result<Plan, IntakeError> {
        let mut by_resource: BTreeMap<ResourceId, Vec<usize>> = BTreeMap::new();
        for entry in missing {
            let id = work.named(*entry).destination.address.id();
            by_resource.entry(id).or_default().push(*entry);
        }
        self.check_new_metrics(missing.len())?;
        let mut maker = MetricMaker::new(self.access());
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
                None => resource_type.insert(self.find_or_create(work.kind).await?),
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
    ) -> Result<(), IntakeError> {
        let access = self.access();
        let may = access.require_on_resource(Action::UpdateResource, resource);
        if let Err(denied) = may.await {
            work.refuse(&entries, denied.into());
            return Ok(());
        }
        plan.seen.insert(resource.id, SeenResource::of(resource));
        for entry in entries {
            let named = work.named(entry);
            match maker.make(description(named, Existence::There)).await {
                Ok(metric) => {
                    plan.metrics.push(metric);
                    plan.metric_entries.push(entry);
                }
                Err(error) => work.refuse_or_end(&[entry], error)?,
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
    ) -> Result<(), IntakeError> {
        let destination = &work.named(entries[0]).destination;
        if let Err(refusal) = check_attributes(resource_type, destination) {
            work.refuse(&entries, refusal);
            return Ok(());
        }
        if let Err(denied) = self.require_creation(resource_type, destination).await {
            work.refuse(&entries, denied.into());
            return Ok(());
        }
        let mut metrics = BTreeMap::new();
        let mut wanted = Vec::with_capacity(entries.len().min(METRICS_AT_ONCE));
        for entry in entries {
            // The others are created on the resource when it exists. Those that are refused do not count: when all are, nothing is
            // created, and the batch counts as settled.
            if wanted.len() == METRICS_AT_ONCE {
                break;
            }
            let named = work.named(entry);
            // The resource is the one around it.
            match maker.make(description(named, Existence::ToCome)).await {
                Ok(metric) => {
                    metrics.insert(named.name.clone(), ResourceMetric::New(metric));
                    wanted.push(entry);
                }
                Err(error) => work.refuse_or_end(&[entry], error)?,
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let access = self.access();
        let resource = NewResource {
            id: destination.address.id(),
            resource_type: resource_type.name().to_owned(),
            creator: access.caller().creator.clone(),
            original_resource_id: destination.address.original().to_owned(),
            started_at: whole_microseconds(access.gnocchi().clock().now()),
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
        destination: &Arc<Destination>,
    ) -> Result<(), Denied> {
        let access = self.access();
        let mut target = Properties::new()
            .with("resource_type", resource_type.name())
            .with("id", destination.address.id().to_string())
            .with("original_resource_id", destination.address.original())
            .with_maybe("creator", access.caller().creator.clone());
        for (name, value) in &destination.attributes {
            target = target.with_attribute(name, value.as_ref());
        }
        access.require(Action::CreateResource, &target).await
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

fn description(named: &NamedSeries, resource: Existence) -> MetricDescription {
    let address = &named.destination.address;
    MetricDescription {
        archive_policy_name: named.archive_policy_name.clone(),
        resource: match resource {
            Existence::There => Some(address.clone()),
            Existence::ToCome => None,
        },
        original_resource_id: Some(address.original().to_owned()),
        name: Some(named.name.clone()),
        unit: named.unit.clone(),
    }
}

/// Logs the complete names of new metrics whose names end with a digest: only the log has them. Metrics of one series share an entry, as
/// they share all but a few characters of their names.
fn log_names(entries: &[usize], work: &Work<'_>) {
    let mut logged = HashSet::new();
    for entry in entries {
        let named = work.named(*entry);
        let Some(full_name) = &named.full_name else {
            continue;
        };
        if let Some(key) = &full_name.key
            && !logged.insert(Arc::as_ptr(key))
        {
            continue;
        }
        let mut shown = full_name.beginning(LOGGED_BYTES_MAX);
        if shown.len() < full_name.length() {
            shown.push_str("...");
        }
        tracing::info!(
            resource = named.destination.address.original(),
            metric = named.name,
            full_name = shown,
            "the name of a new metric is too long: it ends with a digest, as those of all long names of its series do"
        );
    }
}
