use async_trait::async_trait;

use super::MemoryIndexer;
use crate::driver::ResourceTypeIndexer;
use crate::error::IndexerError;
use crate::model::{GENERIC, ResourceType};

pub(super) fn no_such_type(name: &str) -> IndexerError {
    IndexerError::NoSuchResourceType {
        name: name.to_owned(),
    }
}

#[async_trait]
impl ResourceTypeIndexer for MemoryIndexer {
    async fn create_resource_type(&self, resource_type: &ResourceType) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        if state.resource_types.contains_key(resource_type.name()) {
            return Err(IndexerError::ResourceTypeExists {
                name: resource_type.name().to_owned(),
            });
        }
        state
            .resource_types
            .insert(resource_type.name().to_owned(), resource_type.clone());
        Ok(())
    }

    async fn resource_type(&self, name: &str) -> Result<ResourceType, IndexerError> {
        self.state
            .lock()
            .resource_types
            .get(name)
            .cloned()
            .ok_or_else(|| no_such_type(name))
    }

    async fn resource_types(&self) -> Result<Vec<ResourceType>, IndexerError> {
        Ok(self.state.lock().resource_types.values().cloned().collect())
    }

    async fn delete_resource_type(&self, name: &str) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        if !state.resource_types.contains_key(name) {
            return Err(no_such_type(name));
        }
        let used = state
            .resources
            .values()
            .chain(state.revisions.values())
            .any(|resource| resource.resource_type == name);
        if used || name == GENERIC {
            return Err(IndexerError::ResourceTypeInUse {
                name: name.to_owned(),
            });
        }
        state.resource_types.remove(name);
        Ok(())
    }
}
