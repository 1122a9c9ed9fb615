//! An indexer that can be made to fail, and counts its calls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::driver::{
    ArchivePolicyIndexer, Indexer, IndexerCounts, MetricFilter, MetricIndexer, MetricWithEnd,
    ResourceIndexer, ResourceQuery, ResourceTypeIndexer,
};
use gnocchi_core::error::{BackendError, BackendErrorKind, IndexerError};
use gnocchi_core::memory::MemoryIndexer;
use gnocchi_core::model::{
    ArchivePolicy, ArchivePolicyRule, Attribute, AttributeKind, Metric, MetricId, NewMetric,
    NewResource, Page, Resource, ResourceId, ResourceType, ResourceTypeChange, ResourceUpdate,
    SeenResource,
};
use gnocchi_core::policy::{Visibility, VisibleResources};
use gnocchi_core::search::Condition;

/// Works until it is told how to fail. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailingIndexer {
    inner: Arc<MemoryIndexer>,
    failure: Arc<Mutex<Option<BackendErrorKind>>>,
    tells_old_types: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    replacement: Arc<Mutex<Option<NewResource>>>,
}

impl FailingIndexer {
    /// Returns how many calls there were so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Makes every call fail from now on.
    pub(crate) fn fail(&self, kind: BackendErrorKind) {
        *self.failure.lock().unwrap() = Some(kind);
    }

    /// Answers from now on with a state of resource types that another process has changed meanwhile.
    pub(crate) fn outdate_types(&self) {
        self.tells_old_types.store(true, Ordering::Relaxed);
    }

    /// Lets another process delete the resource with this id, and make this one in its place, just before the next call that writes.
    pub(crate) fn replace_before_next_write(&self, replacement: NewResource) {
        *self.replacement.lock().unwrap() = Some(replacement);
    }

    /// Returns whether there was such a call.
    pub(crate) fn has_replaced(&self) -> bool {
        self.replacement.lock().unwrap().is_none()
    }

    /// Begins a call that writes.
    async fn writing(&self) -> Result<&MemoryIndexer, IndexerError> {
        let inner = self.working()?;
        let replacement = self.replacement.lock().unwrap().take();
        if let Some(replacement) = replacement {
            inner.delete_resources(&[replacement.id]).await?;
            // At the same time as the first one, so that only its creator and its name tell it from that.
            inner
                .create_resource(&replacement, replacement.started_at)
                .await?;
        }
        Ok(inner)
    }

    fn working(&self) -> Result<&MemoryIndexer, IndexerError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match *self.failure.lock().unwrap() {
            None => Ok(&self.inner),
            Some(kind) => Err(BackendError::new("failing", "do anything", kind).into()),
        }
    }
}

type Outcome<T> = Result<T, IndexerError>;

#[async_trait]
impl ArchivePolicyIndexer for FailingIndexer {
    async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Outcome<()> {
        self.working()?.create_archive_policy(policy).await
    }

    async fn archive_policy(&self, name: &str) -> Outcome<ArchivePolicy> {
        self.working()?.archive_policy(name).await
    }

    async fn archive_policies(&self) -> Outcome<Vec<ArchivePolicy>> {
        self.working()?.archive_policies().await
    }

    async fn update_archive_policy(&self, policy: &ArchivePolicy) -> Outcome<()> {
        self.working()?.update_archive_policy(policy).await
    }

    async fn delete_archive_policy(&self, name: &str) -> Outcome<()> {
        self.working()?.delete_archive_policy(name).await
    }

    async fn create_archive_policy_rule(&self, rule: &ArchivePolicyRule) -> Outcome<()> {
        self.working()?.create_archive_policy_rule(rule).await
    }

    async fn archive_policy_rule(&self, name: &str) -> Outcome<ArchivePolicyRule> {
        self.working()?.archive_policy_rule(name).await
    }

    async fn archive_policy_rules(&self) -> Outcome<Vec<ArchivePolicyRule>> {
        self.working()?.archive_policy_rules().await
    }

    async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Outcome<ArchivePolicyRule> {
        let inner = self.working()?;
        inner.rename_archive_policy_rule(name, new_name).await
    }

    async fn delete_archive_policy_rule(&self, name: &str) -> Outcome<()> {
        self.working()?.delete_archive_policy_rule(name).await
    }
}

#[async_trait]
impl MetricIndexer for FailingIndexer {
    async fn create_metrics(
        &self,
        metrics: &[NewMetric],
        seen: &[SeenResource],
    ) -> Outcome<Vec<Metric>> {
        self.writing().await?.create_metrics(metrics, seen).await
    }

    async fn metrics(&self, ids: &[MetricId]) -> Outcome<Vec<Option<Metric>>> {
        self.working()?.metrics(ids).await
    }

    async fn metrics_with_ends(&self, ids: &[MetricId]) -> Outcome<Vec<Option<MetricWithEnd>>> {
        self.working()?.metrics_with_ends(ids).await
    }

    async fn named_metrics(&self, names: &[(ResourceId, String)]) -> Outcome<Vec<Option<Metric>>> {
        self.working()?.named_metrics(names).await
    }

    async fn list_metrics(&self, filter: &MetricFilter, page: &Page) -> Outcome<Vec<Metric>> {
        self.working()?.list_metrics(filter, page).await
    }

    async fn delete_metrics(&self, ids: &[MetricId]) -> Outcome<()> {
        self.working()?.delete_metrics(ids).await
    }

    async fn deleted_metrics(&self, limit: usize) -> Outcome<Vec<MetricId>> {
        self.working()?.deleted_metrics(limit).await
    }

    async fn expunge_metrics(&self, ids: &[MetricId]) -> Outcome<()> {
        self.working()?.expunge_metrics(ids).await
    }
}

#[async_trait]
impl ResourceIndexer for FailingIndexer {
    async fn create_resource(&self, resource: &NewResource, now: Timestamp) -> Outcome<Resource> {
        self.writing().await?.create_resource(resource, now).await
    }

    async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Outcome<Vec<Option<Resource>>> {
        self.working()?.resources(resource_type, ids).await
    }

    async fn list_resources(&self, query: &ResourceQuery) -> Outcome<Vec<Resource>> {
        self.working()?.list_resources(query).await
    }

    async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
        now: Timestamp,
    ) -> Outcome<Resource> {
        let inner = self.writing().await?;
        inner.update_resource(resource_type, id, update, now).await
    }

    async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Outcome<Vec<ResourceId>> {
        self.working()?.reopen_resources(measured, now).await
    }

    async fn delete_resources(&self, ids: &[ResourceId]) -> Outcome<usize> {
        self.writing().await?.delete_resources(ids).await
    }

    async fn delete_seen_resources(&self, seen: &[SeenResource]) -> Outcome<Vec<ResourceId>> {
        self.writing().await?.delete_seen_resources(seen).await
    }

    async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Outcome<usize> {
        let inner = self.writing().await?;
        inner
            .delete_matching_resources(resource_type, condition, visibility)
            .await
    }
}

#[async_trait]
impl ResourceTypeIndexer for FailingIndexer {
    async fn create_resource_type(&self, resource_type: &ResourceType) -> Outcome<()> {
        self.working()?.create_resource_type(resource_type).await
    }

    async fn resource_type(&self, name: &str) -> Outcome<ResourceType> {
        let current = self.working()?.resource_type(name).await?;
        if !self.tells_old_types.load(Ordering::Relaxed) {
            return Ok(current);
        }
        let old = Attribute {
            kind: AttributeKind::Bool,
            required: false,
        };
        Ok(ResourceType::new(name, [("old".to_owned(), old)].into()).unwrap())
    }

    async fn resource_types(&self) -> Outcome<Vec<ResourceType>> {
        self.working()?.resource_types().await
    }

    async fn update_resource_type(&self, change: &ResourceTypeChange) -> Outcome<()> {
        self.working()?.update_resource_type(change).await
    }

    async fn delete_resource_type(&self, name: &str) -> Outcome<()> {
        self.working()?.delete_resource_type(name).await
    }
}

#[async_trait]
impl Indexer for FailingIndexer {
    async fn upgrade(&self) -> Outcome<()> {
        self.working()?.upgrade().await
    }

    async fn accepts_writes(&self) -> Outcome<()> {
        self.working()?.accepts_writes().await
    }

    async fn counts(&self) -> Outcome<IndexerCounts> {
        self.working()?.counts().await
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }
}
