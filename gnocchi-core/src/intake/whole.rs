//! Batches of which all is stored or nothing.

use std::sync::Arc;

use super::store::{Attempt, Found, is_race};
use super::{Intake, IntakeError, MetricDescription, MetricMaker, NamedBatch, NamedSeries};
use crate::access::Extent;
use crate::error::{Error, IndexerError};
use crate::model::{GENERIC, Metric, Resource, ResourceAddress, ResourceId, SeenResource};
use crate::policy::{Action, Tenancy};

/// What happens to a batch that names metrics which do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is refused.
    Refused,
    /// They are created, on resources that exist.
    Created,
}

impl Intake<'_> {
    /// Finds the metric of each series of a batch.
    pub(super) async fn whole(
        &self,
        batch: &NamedBatch,
        absent: Absent,
    ) -> Result<Vec<Found>, IntakeError> {
        let attempts = self.attempts();
        loop {
            let found = self.find_metrics(batch).await?;
            let pairs = batch.series.iter().zip(&found);
            let missing: Vec<&NamedSeries> = pairs
                .filter(|(_, metric)| metric.is_none())
                .map(|(named, _)| named)
                .collect();
            // A metric that does not exist is reported before one that the caller may not write to.
            let known = match absent {
                Absent::Refused if !missing.is_empty() => {
                    // Where that would tell which names a resource has, both are refused alike.
                    if self.access().caller().tenancy == Tenancy::Projects {
                        self.require_posts(&found).await?;
                    }
                    self.require_insight(&missing).await?;
                    let missing = missing.into_iter();
                    let named = missing.map(|one| (Arc::clone(&one.destination), one.name.clone()));
                    return Err(IntakeError::UnknownMetrics {
                        missing: named.collect(),
                    });
                }
                Absent::Created => self.known_resources(&missing).await?,
                Absent::Refused => Vec::new(),
            };
            self.require_posts(&found).await?;
            if missing.is_empty() {
                return Ok(found.into_iter().flatten().map(Found::Metric).collect());
            }
            attempts.check()?;
            for resource in &known {
                let action = Action::UpdateResource;
                self.access().require_on_resource(action, resource).await?;
            }
            let seen: Vec<SeenResource> = known.iter().map(SeenResource::of).collect();
            let attempt = self.create_metrics(&missing, &seen).await?;
            attempts.pause_after(attempt).await;
        }
    }

    /// Finds the metrics that exist and are meant.
    async fn find_metrics(
        &self,
        batch: &NamedBatch,
    ) -> Result<Vec<Option<Arc<Metric>>>, IntakeError> {
        let gnocchi = self.access().gnocchi();
        let found = gnocchi.named_metrics(&batch.names).await?;
        let pairs = batch.series.iter().zip(found);
        let meant = |(named, metric): (&NamedSeries, Option<Arc<Metric>>)| {
            let address = &named.destination.address;
            metric.filter(|metric| address.can_mean_metric(metric))
        };
        Ok(pairs.map(meant).collect())
    }

    /// Requires that the caller may send measures to each of these metrics. In batches the resource of a metric grants nothing.
    async fn require_posts(&self, metrics: &[Option<Arc<Metric>>]) -> Result<(), IntakeError> {
        let metrics = metrics.iter().flatten().map(Arc::as_ref);
        let (action, extent) = (Action::PostMeasures, Extent::Alone);
        let access = self.access();
        let required = access.require_on_metrics(action, metrics, extent);
        Ok(required.await?)
    }

    /// Returns the resources of metrics that are missing.
    async fn known_resources(
        &self,
        missing: &[&NamedSeries],
    ) -> Result<Vec<Resource>, IntakeError> {
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
                taken = Some(address.original().to_owned());
            }
            unknown.push((*address).clone());
        }
        if unknown.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        Err(IntakeError::UnknownResources {
            missing: unknown,
            taken,
        })
    }

    async fn resources(
        &self,
        addresses: &[&ResourceAddress],
    ) -> Result<Vec<Option<Resource>>, IntakeError> {
        let ids: Vec<ResourceId> = addresses.iter().map(|address| address.id()).collect();
        Ok(self.access().gnocchi().resources(GENERIC, &ids).await?)
    }

    /// Requires that the caller may learn that these metrics do not exist.
    async fn require_insight(&self, missing: &[&NamedSeries]) -> Result<(), IntakeError> {
        let wanted = addresses(missing);
        let found = self.resources(&wanted).await?;
        let found = wanted.iter().zip(&found);
        let meant = found.filter_map(|(address, found)| {
            let found = found.as_ref()?;
            address.means(found).then_some(found)
        });
        for resource in meant {
            self.access().require_insight(resource).await?;
        }
        Ok(())
    }

    /// Creates metrics on resources that exist, all or none.
    async fn create_metrics(
        &self,
        missing: &[&NamedSeries],
        seen: &[SeenResource],
    ) -> Result<Attempt, IntakeError> {
        self.check_new_metrics(missing.len())?;
        let mut maker = MetricMaker::new(self.access());
        let mut made = Vec::with_capacity(missing.len());
        for named in missing {
            let address = &named.destination.address;
            let description = MetricDescription {
                archive_policy_name: named.archive_policy_name.clone(),
                resource: Some(address.clone()),
                original_resource_id: Some(address.original().to_owned()),
                name: Some(named.name.clone()),
                unit: named.unit.clone(),
            };
            made.push(maker.make(description).await?);
        }
        let created = self.access().gnocchi().create_metrics_on(made, seen).await;
        match created {
            Ok(_) => Ok(Attempt::Created),
            Err(error) if is_race(&error) && !is_about_named_policy(&error, missing) => {
                Ok(Attempt::Raced)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether the archive policy that an error is about was named by the sender, so that a new attempt would not help.
fn is_about_named_policy(error: &Error, missing: &[&NamedSeries]) -> bool {
    let Error::Indexer(IndexerError::NoSuchArchivePolicy { name }) = error else {
        return false;
    };
    let mut named = missing.iter().map(|one| &one.archive_policy_name);
    named.any(|given| given.as_ref() == Some(name))
}

/// Returns the resources of missing metrics in the words of the sender, by id. Of two spellings of one the name counts, which means
/// less.
fn addresses<'a>(missing: &[&'a NamedSeries]) -> Vec<&'a ResourceAddress> {
    let mut addresses: Vec<&ResourceAddress> = (missing.iter())
        .map(|named| &named.destination.address)
        .collect();
    addresses.sort_by_key(|address| (address.id(), !address.is_name()));
    addresses.dedup_by_key(|address| address.id());
    addresses
}
