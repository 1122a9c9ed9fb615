//! An indexer that numbers new metrics instead of giving them random ids, so that what a caller makes has the same ids in two worlds.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::driver::{
    ArchivePolicyIndexer, Indexer, IndexerCounts, MetricFilter, MetricIndexer, MetricWithEnd,
    ResourceIndexer, ResourceQuery, ResourceTypeIndexer,
};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    ArchivePolicy, ArchivePolicyRule, Change, Metric, MetricId, NewMetric, NewResource, Page,
    Resource, ResourceId, ResourceMetric, ResourceType, ResourceTypeChange, ResourceUpdate,
    SeenResource,
};
use gnocchi_core::policy::{Visibility, VisibleResources};
use gnocchi_core::search::Condition;

/// Numbers the metrics of each sender by themselves.
#[derive(Debug)]
pub(super) struct NumberingIndexer {
    inner: Arc<dyn Indexer>,
    numbers: Mutex<HashMap<String, u32>>,
}

/// Returns the id of the metric of a sender that has this number, whether it exists or not.
pub(super) fn metric_id(sender: &str, number: u32) -> MetricId {
    let text = format!("{sender} {number}");
    // The ids of resources are derived from texts in just this way.
    let id = ResourceId::from_original(&text, None).unwrap();
    MetricId::from_u128(id.as_u128())
}

impl NumberingIndexer {
    pub(super) fn new(inner: Arc<dyn Indexer>) -> Self {
        Self {
            inner,
            numbers: Mutex::default(),
        }
    }

    fn numbered(&self, metric: &NewMetric) -> NewMetric {
        let sender = metric.creator.clone().unwrap_or_default();
        let mut numbers = self.numbers.lock().unwrap();
        let number = numbers.entry(sender.clone()).or_default();
        let id = metric_id(&sender, *number);
        *number += 1;
        NewMetric {
            id,
            ..metric.clone()
        }
    }

    fn numbered_all(
        &self,
        metrics: &BTreeMap<String, ResourceMetric>,
    ) -> BTreeMap<String, ResourceMetric> {
        let numbered = |(name, metric): (&String, &ResourceMetric)| {
            let metric = match metric {
                ResourceMetric::New(metric) => ResourceMetric::New(self.numbered(metric)),
                existing => existing.clone(),
            };
            (name.clone(), metric)
        };
        metrics.iter().map(numbered).collect()
    }
}

type Outcome<T> = Result<T, IndexerError>;

#[async_trait]
impl ArchivePolicyIndexer for NumberingIndexer {
    async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Outcome<()> {
        self.inner.create_archive_policy(policy).await
    }

    async fn archive_policy(&self, name: &str) -> Outcome<ArchivePolicy> {
        self.inner.archive_policy(name).await
    }

    async fn archive_policies(&self) -> Outcome<Vec<ArchivePolicy>> {
        self.inner.archive_policies().await
    }

    async fn update_archive_policy(&self, policy: &ArchivePolicy) -> Outcome<()> {
        self.inner.update_archive_policy(policy).await
    }

    async fn delete_archive_policy(&self, name: &str) -> Outcome<()> {
        self.inner.delete_archive_policy(name).await
    }

    async fn create_archive_policy_rule(&self, rule: &ArchivePolicyRule) -> Outcome<()> {
        self.inner.create_archive_policy_rule(rule).await
    }

    async fn archive_policy_rule(&self, name: &str) -> Outcome<ArchivePolicyRule> {
        self.inner.archive_policy_rule(name).await
    }

    async fn archive_policy_rules(&self) -> Outcome<Vec<ArchivePolicyRule>> {
        self.inner.archive_policy_rules().await
    }

    async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Outcome<ArchivePolicyRule> {
        self.inner.rename_archive_policy_rule(name, new_name).await
    }

    async fn delete_archive_policy_rule(&self, name: &str) -> Outcome<()> {
        self.inner.delete_archive_policy_rule(name).await
    }
}

#[async_trait]
impl MetricIndexer for NumberingIndexer {
    async fn create_metrics(
        &self,
        metrics: &[NewMetric],
        seen: &[SeenResource],
    ) -> Outcome<Vec<Metric>> {
        let numbered: Vec<NewMetric> = metrics.iter().map(|metric| self.numbered(metric)).collect();
        self.inner.create_metrics(&numbered, seen).await
    }

    async fn metrics(&self, ids: &[MetricId]) -> Outcome<Vec<Option<Metric>>> {
        self.inner.metrics(ids).await
    }

    async fn metrics_with_ends(&self, ids: &[MetricId]) -> Outcome<Vec<Option<MetricWithEnd>>> {
        self.inner.metrics_with_ends(ids).await
    }

    async fn named_metrics(&self, names: &[(ResourceId, String)]) -> Outcome<Vec<Option<Metric>>> {
        self.inner.named_metrics(names).await
    }

    async fn list_metrics(&self, filter: &MetricFilter, page: &Page) -> Outcome<Vec<Metric>> {
        self.inner.list_metrics(filter, page).await
    }

    async fn delete_metrics(&self, ids: &[MetricId]) -> Outcome<()> {
        self.inner.delete_metrics(ids).await
    }

    async fn deleted_metrics(&self, limit: usize) -> Outcome<Vec<MetricId>> {
        self.inner.deleted_metrics(limit).await
    }

    async fn expunge_metrics(&self, ids: &[MetricId]) -> Outcome<()> {
        self.inner.expunge_metrics(ids).await
    }
}

#[async_trait]
impl ResourceIndexer for NumberingIndexer {
    async fn create_resource(&self, resource: &NewResource, now: Timestamp) -> Outcome<Resource> {
        let resource = NewResource {
            metrics: self.numbered_all(&resource.metrics),
            ..resource.clone()
        };
        self.inner.create_resource(&resource, now).await
    }

    async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Outcome<Vec<Option<Resource>>> {
        self.inner.resources(resource_type, ids).await
    }

    async fn list_resources(&self, query: &ResourceQuery) -> Outcome<Vec<Resource>> {
        self.inner.list_resources(query).await
    }

    async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
        now: Timestamp,
    ) -> Outcome<Resource> {
        let update = ResourceUpdate {
            metrics: match &update.metrics {
                Change::Keep => Change::Keep,
                Change::Set(metrics) => Change::Set(self.numbered_all(metrics)),
            },
            added_metrics: self.numbered_all(&update.added_metrics),
            ..update.clone()
        };
        self.inner
            .update_resource(resource_type, id, &update, now)
            .await
    }

    async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Outcome<Vec<ResourceId>> {
        self.inner.reopen_resources(measured, now).await
    }

    async fn delete_resources(&self, ids: &[ResourceId]) -> Outcome<usize> {
        self.inner.delete_resources(ids).await
    }

    async fn delete_seen_resources(&self, seen: &[SeenResource]) -> Outcome<Vec<ResourceId>> {
        self.inner.delete_seen_resources(seen).await
    }

    async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Outcome<usize> {
        self.inner
            .delete_matching_resources(resource_type, condition, visibility)
            .await
    }
}

#[async_trait]
impl ResourceTypeIndexer for NumberingIndexer {
    async fn create_resource_type(&self, resource_type: &ResourceType) -> Outcome<()> {
        self.inner.create_resource_type(resource_type).await
    }

    async fn resource_type(&self, name: &str) -> Outcome<ResourceType> {
        self.inner.resource_type(name).await
    }

    async fn resource_types(&self) -> Outcome<Vec<ResourceType>> {
        self.inner.resource_types().await
    }

    async fn update_resource_type(&self, change: &ResourceTypeChange) -> Outcome<()> {
        self.inner.update_resource_type(change).await
    }

    async fn delete_resource_type(&self, name: &str) -> Outcome<()> {
        self.inner.delete_resource_type(name).await
    }
}

#[async_trait]
impl Indexer for NumberingIndexer {
    async fn upgrade(&self) -> Outcome<()> {
        self.inner.upgrade().await
    }

    async fn accepts_writes(&self) -> Outcome<()> {
        self.inner.accepts_writes().await
    }

    async fn counts(&self) -> Outcome<IndexerCounts> {
        self.inner.counts().await
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }
}
