//! Resources and their types.

use super::Gnocchi;
use crate::driver::ResourceQuery;
use crate::error::{Error, IndexerError};
use crate::model::{
    Change, MetricId, NewResource, Resource, ResourceId, ResourceType, ResourceTypeChange,
    ResourceUpdate, SeenResource,
};
use crate::policy::{Visibility, VisibleResources};
use crate::search::Condition;

impl Gnocchi {
    /// Creates a resource with its metrics, all or nothing.
    ///
    /// # Errors
    /// [`IndexerError::ResourceExists`], [`IndexerError::NoSuchResourceType`], [`IndexerError::NoSuchMetric`],
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::ResourceEndsBeforeStart`].
    pub async fn create_resource(&self, resource: &NewResource) -> Result<Resource, Error> {
        let created = self
            .indexer()
            .create_resource(resource, self.clock().now())
            .await?;
        // An attached metric has another name and resource now.
        self.forget_metrics_of(&created);
        Ok(created)
    }

    /// Returns a resource of a type; the generic type finds resources of every type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResource`] when there is none.
    pub async fn resource(&self, resource_type: &str, id: ResourceId) -> Result<Resource, Error> {
        let found = self.resources(resource_type, &[id]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or(Error::Indexer(IndexerError::NoSuchResource { id }))
    }

    /// Returns resources of a type; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Result<Vec<Option<Resource>>, Error> {
        Ok(self.indexer().resources(resource_type, ids).await?)
    }

    /// Lists resources.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`], [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    pub async fn list_resources(&self, query: &ResourceQuery) -> Result<Vec<Resource>, Error> {
        Ok(self.indexer().list_resources(query).await?)
    }

    /// Changes a resource, all or nothing.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResource`], [`IndexerError::NoSuchMetric`], [`IndexerError::NamedMetricExists`],
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::ResourceEndsBeforeStart`],
    /// [`IndexerError::RevisionChanged`] when a resource is not what the update has seen.
    pub async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
    ) -> Result<Resource, Error> {
        let updated = self
            .indexer()
            .update_resource(resource_type, id, update, self.clock().now())
            .await?;
        if update.metrics != Change::Keep {
            // Detached metrics are not listed any more, so which ones changed is not known here.
            self.inner.directory.clear();
        } else if !update.added_metrics.is_empty() || update.ended_at != Change::Keep {
            // Newer measures of these metrics are told from older ones by the end that is known.
            self.forget_metrics_of(&updated);
        }
        Ok(updated)
    }

    /// Deletes resources with their history and their metrics; returns how many there were.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn delete_resources(&self, ids: &[ResourceId]) -> Result<usize, Error> {
        let deleted = self.indexer().delete_resources(ids).await?;
        self.deleted_resources();
        Ok(deleted)
    }

    /// Deletes the resources of a type that match a condition and that the caller may see, with their history and their metrics, all
    /// or none; returns how many there were.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`].
    pub async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Result<usize, Error> {
        let deleted = self
            .indexer()
            .delete_matching_resources(resource_type, condition, visibility)
            .await?;
        if deleted > 0 {
            self.deleted_resources();
        }
        Ok(deleted)
    }

    /// Deletes those of these resources that are still as they were seen, with their history and their metrics; returns which ones, in
    /// the order given.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn delete_seen_resources(
        &self,
        seen: &[SeenResource],
    ) -> Result<Vec<ResourceId>, Error> {
        let deleted = self.indexer().delete_seen_resources(seen).await?;
        if !deleted.is_empty() {
            self.deleted_resources();
        }
        Ok(deleted)
    }

    /// Stores a new resource type.
    ///
    /// # Errors
    /// [`IndexerError::ResourceTypeExists`].
    pub async fn create_resource_type(&self, resource_type: &ResourceType) -> Result<(), Error> {
        Ok(self.indexer().create_resource_type(resource_type).await?)
    }

    /// Returns a resource type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`].
    pub async fn resource_type(&self, name: &str) -> Result<ResourceType, Error> {
        Ok(self.indexer().resource_type(name).await?)
    }

    /// Returns every resource type, by name.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn resource_types(&self) -> Result<Vec<ResourceType>, Error> {
        Ok(self.indexer().resource_types().await?)
    }

    /// Removes a resource type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`], [`IndexerError::ResourceTypeInUse`].
    pub async fn delete_resource_type(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_resource_type(name).await?)
    }

    /// Changes a resource type together with all resources of it.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`],
    /// [`IndexerError::ResourceTypeChanged`] when the type is not what the change was planned for,
    /// [`IndexerError::AttributeTooLong`] when a text that exists is longer than it may become,
    /// [`IndexerError::ResourceTypeChangeTooLarge`] when more would be written than [`Settings::type_change_bytes_max`](crate::Settings::type_change_bytes_max).
    pub async fn update_resource_type(&self, change: &ResourceTypeChange) -> Result<(), Error> {
        let change = change
            .clone()
            .at_most(self.settings().type_change_bytes_max);
        Ok(self.indexer().update_resource_type(&change).await?)
    }

    /// Which metrics went with the resources is not known here.
    fn deleted_resources(&self) {
        self.inner.directory.clear();
        self.inner.processor.call_janitor();
    }

    fn forget_metrics_of(&self, resource: &Resource) {
        let ids: Vec<MetricId> = resource.metrics.values().copied().collect();
        self.inner.directory.forget(&ids);
    }
}
