//! Changes that go through only if nobody else came first.

use carbonara::Timestamp;

use crate::error::Error;
use crate::model::{ResourceId, ResourceTypeChange};
use crate::store::Gnocchi;

impl Gnocchi {
    /// Deletes a resource with its history and its metrics, if its current revision began at `revision_start`.
    ///
    /// # Errors
    /// [`NoSuchResource`](crate::error::IndexerError::NoSuchResource) when there is none,
    /// [`RevisionChanged`](crate::error::IndexerError::RevisionChanged) when it has another revision.
    pub async fn delete_unchanged_resource(
        &self,
        id: ResourceId,
        revision_start: Timestamp,
    ) -> Result<(), Error> {
        self.indexer()
            .delete_unchanged_resource(id, revision_start)
            .await?;
        self.inner.directory.clear();
        self.inner.processor.notice_deletion();
        Ok(())
    }

    /// Changes a resource type together with all resources of it.
    ///
    /// # Errors
    /// [`NoSuchResourceType`](crate::error::IndexerError::NoSuchResourceType),
    /// [`ResourceTypeChanged`](crate::error::IndexerError::ResourceTypeChanged) when the type is not what the change was planned for,
    /// [`AttributeTooLong`](crate::error::IndexerError::AttributeTooLong) when a text that exists is longer than it may become.
    pub async fn update_resource_type(&self, change: &ResourceTypeChange) -> Result<(), Error> {
        Ok(self.indexer().update_resource_type(change).await?)
    }
}
