use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::order::{Key, page};
use super::state::{MemoryIndexer, State, StoredMetric};
use crate::driver::{MetricFilter, MetricIndexer, MetricWithEnd};
use crate::error::IndexerError;
use crate::model::{
    METRIC_SORT_KEYS, Metric, MetricId, MetricStatus, NewMetric, Page, ResourceId, SeenResource,
};
use crate::policy::{Visibility, VisibleMetrics};

impl State {
    /// Checks that metrics can be created on resources that exist or are `assumed` to, ignoring the names of `leaving` metrics.
    pub(super) fn check_new_metrics<'a>(
        &self,
        metrics: impl IntoIterator<Item = &'a NewMetric>,
        assumed: Option<ResourceId>,
        leaving: &BTreeSet<MetricId>,
    ) -> Result<(), IndexerError> {
        let taken = self
            .metrics
            .values()
            .filter(|stored| !leaving.contains(&stored.described.id));
        let mut names: BTreeSet<(ResourceId, &str)> = taken
            .filter_map(|stored| place(&stored.described))
            .collect();
        let mut ids = BTreeSet::new();
        for metric in metrics {
            if !self
                .archive_policies
                .contains_key(&metric.archive_policy_name)
            {
                return Err(IndexerError::NoSuchArchivePolicy {
                    name: metric.archive_policy_name.clone(),
                });
            }
            if let Some(id) = metric.resource_id
                && assumed != Some(id)
                && !self.resources.contains_key(&id)
            {
                return Err(IndexerError::NoSuchResource { id });
            }
            if let Some((resource, name)) = place(metric)
                && !names.insert((resource, name))
            {
                return Err(IndexerError::NamedMetricExists {
                    name: name.to_owned(),
                });
            }
            if self.metrics.contains_key(&metric.id) || !ids.insert(metric.id) {
                return Err(IndexerError::MetricExists { id: metric.id });
            }
        }
        Ok(())
    }

    /// Checks that the resources of metrics are what was seen.
    fn check_seen(&self, metrics: &[NewMetric], seen: &[SeenResource]) -> Result<(), IndexerError> {
        let wanted: BTreeSet<_> = metrics.iter().filter_map(|new| new.resource_id).collect();
        let changed = seen.iter().find(|seen| {
            let resource = self.resources.get(&seen.id);
            wanted.contains(&seen.id) && resource.is_some_and(|resource| !seen.is(resource))
        });
        match changed {
            Some(seen) => Err(IndexerError::RevisionChanged { id: seen.id }),
            None => Ok(()),
        }
    }

    /// Gives a metric that was checked the creator of its resource.
    fn owned(&self, metric: &NewMetric) -> NewMetric {
        let resource = metric.resource_id.and_then(|id| self.resources.get(&id));
        let creator = resource.map_or(&metric.creator, |resource| &resource.creator);
        NewMetric {
            creator: creator.clone(),
            ..metric.clone()
        }
    }

    /// Stores metrics that were checked.
    pub(super) fn insert_metrics(&mut self, metrics: impl IntoIterator<Item = NewMetric>) {
        for described in metrics {
            self.metrics.insert(
                described.id,
                StoredMetric {
                    described,
                    status: MetricStatus::Active,
                },
            );
        }
    }

    /// Marks a metric as deleted and detaches it.
    pub(super) fn delete_metric(&mut self, id: MetricId) {
        if let Some(metric) = self.metrics.get_mut(&id) {
            metric.status = MetricStatus::Deleted;
            metric.described.resource_id = None;
        }
    }

    pub(super) fn active_metric(&self, id: MetricId) -> Option<&StoredMetric> {
        self.metrics
            .get(&id)
            .filter(|metric| metric.status == MetricStatus::Active)
    }

    fn can_see(&self, visibility: &Visibility<VisibleMetrics>, metric: &Metric) -> bool {
        let Visibility::Only(visible) = visibility else {
            return true;
        };
        let of_creator = visible
            .creator_project
            .as_ref()
            .is_some_and(|project| project.has(metric.creator.as_deref()));
        let resource = metric.resource_id.and_then(|id| self.resources.get(&id));
        let of_resource = match (&visible.of_resources, resource) {
            (Some(visible), Some(resource)) => visible.condition().matches(resource),
            _ => false,
        };
        of_creator || of_resource
    }

    fn complete(&self, stored: &StoredMetric) -> Metric {
        let NewMetric {
            id,
            creator,
            name,
            unit,
            resource_id,
            archive_policy_name,
        } = stored.described.clone();
        let policy = &self.archive_policies[&archive_policy_name];
        Metric {
            id,
            creator,
            name,
            unit,
            resource_id,
            archive_policy: Arc::new(policy.clone()),
            status: stored.status,
        }
    }
}

/// Returns the resource of a metric and its name there.
fn place(metric: &NewMetric) -> Option<(ResourceId, &str)> {
    Some((metric.resource_id?, metric.name.as_deref()?))
}

fn key(metric: &Metric, name: &str) -> Key {
    match name {
        "id" => Key::Id(metric.id.as_u128()),
        "name" => metric.name.as_deref().into(),
        "unit" => metric.unit.as_deref().into(),
        "creator" => metric.creator.as_deref().into(),
        "archive_policy_name" => Key::Text(metric.archive_policy.name().to_owned()),
        "resource_id" => metric
            .resource_id
            .map_or(Key::Null, |id| Key::Id(id.as_u128())),
        "status" => Key::Bool(metric.status == MetricStatus::Deleted),
        other => unreachable!("{other} is not among the sort keys of metrics"),
    }
}

fn fits(metric: &Metric, filter: &MetricFilter) -> bool {
    fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
        wanted.is_none() || wanted == found
    }
    metric.status == filter.status.unwrap_or(MetricStatus::Active)
        && filter
            .ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&metric.id))
        && same(filter.name.as_ref(), metric.name.as_ref())
        && same(filter.unit.as_ref(), metric.unit.as_ref())
        && filter
            .creators
            .iter()
            .all(|creator| metric.creator.as_ref() == Some(creator))
        && filter
            .archive_policy_name
            .as_ref()
            .is_none_or(|name| name == metric.archive_policy.name())
        && same(filter.resource_id.as_ref(), metric.resource_id.as_ref())
}

#[async_trait]
impl MetricIndexer for MemoryIndexer {
    async fn create_metrics(
        &self,
        metrics: &[NewMetric],
        seen: &[SeenResource],
    ) -> Result<Vec<Metric>, IndexerError> {
        let mut state = self.state.lock();
        state.check_seen(metrics, seen)?;
        state.check_new_metrics(metrics, None, &BTreeSet::new())?;
        let owned: Vec<NewMetric> = metrics.iter().map(|metric| state.owned(metric)).collect();
        state.insert_metrics(owned);
        Ok(metrics
            .iter()
            .map(|metric| state.complete(&state.metrics[&metric.id]))
            .collect())
    }

    async fn metrics(&self, ids: &[MetricId]) -> Result<Vec<Option<Metric>>, IndexerError> {
        let state = self.state.lock();
        Ok(ids
            .iter()
            .map(|id| {
                state
                    .active_metric(*id)
                    .map(|metric| state.complete(metric))
            })
            .collect())
    }

    async fn metrics_with_ends(
        &self,
        ids: &[MetricId],
    ) -> Result<Vec<Option<MetricWithEnd>>, IndexerError> {
        let state = self.state.lock();
        let find = |id: &MetricId| {
            let stored = state.active_metric(*id)?;
            let resource = stored.described.resource_id;
            let resource = resource.and_then(|id| state.resources.get(&id));
            Some(MetricWithEnd {
                metric: state.complete(stored),
                resource_ended_at: resource.and_then(|resource| resource.ended_at),
            })
        };
        Ok(ids.iter().map(find).collect())
    }

    async fn named_metrics(
        &self,
        names: &[(ResourceId, String)],
    ) -> Result<Vec<Option<Metric>>, IndexerError> {
        let state = self.state.lock();
        let find = |(resource, name): &(ResourceId, String)| {
            let mut active = state
                .metrics
                .values()
                .filter(|metric| metric.status == MetricStatus::Active);
            active.find(|metric| place(&metric.described) == Some((*resource, name)))
        };
        Ok(names
            .iter()
            .map(|name| find(name).map(|metric| state.complete(metric)))
            .collect())
    }

    async fn list_metrics(
        &self,
        filter: &MetricFilter,
        listed: &Page,
    ) -> Result<Vec<Metric>, IndexerError> {
        if let Some(sort) = listed
            .sort
            .iter()
            .find(|sort| !METRIC_SORT_KEYS.contains(&sort.key.as_str()))
        {
            return Err(IndexerError::InvalidSortKey {
                key: sort.key.clone(),
                known: METRIC_SORT_KEYS.map(ToOwned::to_owned).to_vec(),
            });
        }
        let state = self.state.lock();
        let metrics = state
            .metrics
            .values()
            .map(|stored| state.complete(stored))
            .filter(|metric| fits(metric, filter) && state.can_see(&filter.visibility, metric));
        let order = listed.total_order(&[], &["id"]);
        let is_last = listed.marker.as_ref().map(|marker| {
            let id = marker.parse::<MetricId>();
            move |metric: &Metric| id.as_ref() == Ok(&metric.id)
        });
        page(metrics.collect(), &order, listed.limit, key, is_last)
            .ok_or_else(|| listed.invalid_marker())
    }

    async fn delete_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        for id in ids {
            state.delete_metric(*id);
        }
        Ok(())
    }

    async fn deleted_metrics(&self, limit: usize) -> Result<Vec<MetricId>, IndexerError> {
        let state = self.state.lock();
        let deleted = state
            .metrics
            .values()
            .filter(|metric| metric.status == MetricStatus::Deleted);
        Ok(deleted
            .take(limit)
            .map(|metric| metric.described.id)
            .collect())
    }

    async fn expunge_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        for id in ids {
            if state.active_metric(*id).is_none() {
                state.metrics.remove(id);
            }
        }
        Ok(())
    }
}
