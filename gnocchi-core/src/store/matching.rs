//! What is done to all resources that match.

use super::Gnocchi;
use crate::error::Error;
use crate::policy::{Visibility, VisibleResources};
use crate::search::Condition;

impl Gnocchi {
    /// Deletes the resources of a type that match a condition and that the caller may see, with their history and their metrics, all
    /// or none; returns how many there were.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`](crate::error::IndexerError::NoSuchResourceType).
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
            self.inner.directory.clear();
            self.inner.processor.notice_deletion();
        }
        Ok(deleted)
    }
}
