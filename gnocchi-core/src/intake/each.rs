//! Batches whose series are stored or refused independently.
//!
//! Senders discard a request that is refused, and retry one that fails indefinitely. So a metric or resource that cannot be used must not
//! affect the others: it is refused, and the rest of the batch is stored. Only failures of the whole batch abort it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::store::{Attempt, Found};
use super::{Intake, IntakeError, NamedBatch, NamedSeries, Refusal, ResourceKind};
use crate::model::{GENERIC, Metric, MetricId, Resource, ResourceId};
use crate::policy::Action;

/// A batch while its metrics are found or created.
pub(super) struct Work<'a> {
    pub(super) kind: &'a ResourceKind,
    batch: &'a NamedBatch,
    /// Why entries of the batch are left out.
    refused: Vec<Option<Arc<Refusal>>>,
}

/// The metrics and resources that exist.
struct Existing {
    /// One entry for each series of the batch.
    metrics: Vec<Option<Arc<Metric>>>,
    resources: HashMap<ResourceId, Resource>,
}

impl Intake<'_> {
    /// Finds or creates the metric of each series of a batch.
    pub(super) async fn each(
        &self,
        batch: &NamedBatch,
        kind: &ResourceKind,
    ) -> Result<Vec<Found>, IntakeError> {
        let attempts = self.attempts();
        let mut work = Work {
            kind,
            batch,
            refused: vec![None; batch.names.len()],
        };
        loop {
            let existing = self.find_each(&mut work).await?;
            let missing = work.missing(&existing.metrics);
            let attempt = if missing.is_empty() {
                Attempt::Nothing
            } else {
                self.create_each(&missing, &existing.resources, &mut work)
                    .await?
            };
            if attempt == Attempt::Nothing {
                self.check_posts(&existing, &mut work).await?;
                return work.found(existing.metrics);
            }
            attempts.check()?;
            attempts.pause_after(attempt).await;
        }
    }

    /// Finds resources and metrics. An id that is taken by another type is a conflict, whatever its metrics.
    async fn find_each(&self, work: &mut Work<'_>) -> Result<Existing, IntakeError> {
        let batch = work.batch;
        let ids: BTreeSet<ResourceId> = batch.names.iter().map(|(id, _)| *id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let gnocchi = self.access().gnocchi();
        let mut resources = HashMap::with_capacity(ids.len());
        let mut conflicts = HashSet::new();
        for resource in (gnocchi.resources(GENERIC, &ids).await?.into_iter()).flatten() {
            if work.kind.holds(&resource) {
                resources.insert(resource.id, resource);
                continue;
            }
            conflicts.insert(resource.id);
        }
        if !conflicts.is_empty() {
            // A type that does not exist is the better reason.
            self.find_or_create(work.kind).await?;
        }
        for (entry, (id, _)) in batch.names.iter().enumerate() {
            let resource = &work.named(entry).destination;
            if conflicts.contains(id) {
                let resource = Arc::clone(resource);
                work.refuse(&[entry], Refusal::ResourceOfAnotherType { resource });
            } else if (resources.get(id)).is_some_and(|found| !resource.address.means(found)) {
                let resource = Arc::clone(resource);
                work.refuse(&[entry], Refusal::ResourceOfAnotherCreator { resource });
            }
        }
        let ids: Vec<Option<MetricId>> = (batch.names.iter().zip(&work.refused))
            .map(|((id, name), refused)| {
                let resource = resources.get(id).filter(|_| refused.is_none())?;
                resource.metrics.get(name).copied()
            })
            .collect();
        let known: Vec<MetricId> = ids.iter().flatten().copied().collect();
        let mut known = gnocchi.metrics(&known).await?.into_iter();
        let metrics = ids.iter().map(|id| id.and_then(|_| known.next().flatten()));
        Ok(Existing {
            metrics: metrics.collect(),
            resources,
        })
    }

    /// Leaves out the metrics that the caller may not send measures to.
    async fn check_posts(
        &self,
        existing: &Existing,
        work: &mut Work<'_>,
    ) -> Result<(), IntakeError> {
        // As in batches, the resource of a metric can deny access, but not grant it.
        let can_forbid = !self.access().is_monotone(Action::PostMeasures);
        for (entry, metric) in existing.metrics.iter().enumerate() {
            let Some(metric) = metric else { continue };
            // Refused before another request created it.
            if work.refused[entry].is_some() {
                continue;
            }
            let resource = metric.resource_id.filter(|_| can_forbid);
            let resource = resource.and_then(|id| existing.resources.get(&id));
            let access = self.access();
            let may = access.require_alone(Action::PostMeasures, metric, resource);
            if let Err(denied) = may.await {
                work.refuse(&[entry], denied.into());
            }
        }
        Ok(())
    }
}

impl<'a> Work<'a> {
    pub(super) fn named(&self, entry: usize) -> &'a NamedSeries {
        &self.batch.series[entry]
    }

    /// Returns the entries that have no metric and are not left out.
    fn missing(&self, metrics: &[Option<Arc<Metric>>]) -> Vec<usize> {
        let entries = metrics.iter().zip(&self.refused).enumerate();
        entries
            .filter(|(_, (metric, refused))| metric.is_none() && refused.is_none())
            .map(|(entry, _)| entry)
            .collect()
    }

    /// Leaves entries out. The first refusal of an entry stays.
    pub(super) fn refuse(&mut self, entries: &[usize], refusal: Refusal) {
        let refusal = Arc::new(refusal);
        for entry in entries {
            self.refused[*entry].get_or_insert_with(|| Arc::clone(&refusal));
        }
    }

    /// Leaves entries out because of an error that concerns only them.
    ///
    /// # Errors
    /// The error when it concerns the whole batch.
    pub(super) fn refuse_or_end(
        &mut self,
        entries: &[usize],
        error: IntakeError,
    ) -> Result<(), IntakeError> {
        match error {
            IntakeError::Refused(refusal) => {
                self.refuse(entries, refusal);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Returns what was found for each entry.
    ///
    /// # Errors
    /// [`IntakeError::Unsettled`] when an entry has no metric and is not refused: no measure is left out silently.
    fn found(self, metrics: Vec<Option<Arc<Metric>>>) -> Result<Vec<Found>, IntakeError> {
        let entries = metrics.into_iter().zip(self.refused);
        entries
            .map(|(metric, refused)| match (refused, metric) {
                (Some(refusal), _) => Ok(Found::Refused(refusal)),
                (None, Some(metric)) => Ok(Found::Metric(metric)),
                (None, None) => Err(IntakeError::Unsettled),
            })
            .collect()
    }
}
