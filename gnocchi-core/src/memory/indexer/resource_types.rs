use async_trait::async_trait;

use super::state::MemoryIndexer;
use crate::driver::ResourceTypeIndexer;
use crate::error::IndexerError;
use crate::model::{AttributeValue, GENERIC, Resource, ResourceType, ResourceTypeChange};

/// Returns the first resource that has a text that would be too long.
fn check_lengths(resources: &[&Resource], change: &ResourceTypeChange) -> Result<(), IndexerError> {
    for (attribute, max_length) in change.shortened() {
        let too_long = |resource: &&Resource| match resource.attributes.get(attribute) {
            Some(Some(AttributeValue::String(text))) => text.chars().count() > max_length as usize,
            _ => false,
        };
        if let Some(resource) = resources.iter().copied().find(too_long) {
            return Err(IndexerError::AttributeTooLong {
                attribute: attribute.to_owned(),
                id: resource.id,
                max_length,
            });
        }
    }
    Ok(())
}

fn apply(resource: &mut Resource, change: &ResourceTypeChange) {
    let mut before = std::mem::take(&mut resource.attributes);
    for name in change.after().attributes().keys() {
        let kept = before.remove(name).flatten();
        let value = kept.or_else(|| {
            change
                .fills()
                .get(name)
                .cloned()
                .map(AttributeValue::stored)
        });
        resource.attributes.insert(name.clone(), value);
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
        self.state.lock().resource_type(name).cloned()
    }

    async fn resource_types(&self) -> Result<Vec<ResourceType>, IndexerError> {
        Ok(self.state.lock().resource_types.values().cloned().collect())
    }

    async fn update_resource_type(&self, change: &ResourceTypeChange) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let name = change.before().name();
        if state.resource_type(name)? != change.before() {
            return Err(IndexerError::ResourceTypeChanged {
                name: name.to_owned(),
            });
        }
        let resources = state.resources.values().chain(state.revisions.values());
        let resources = resources.filter(|resource| resource.resource_type == name);
        let resources: Vec<_> = resources.collect();
        change.check_size(resources.len() as u64)?;
        check_lengths(&resources, change)?;
        state
            .resource_types
            .insert(name.to_owned(), change.after().clone());
        let resources = state.resources.values_mut();
        for resource in resources.chain(state.revisions.values_mut()) {
            if resource.resource_type == name {
                apply(resource, change);
            }
        }
        Ok(())
    }

    async fn delete_resource_type(&self, name: &str) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        state.resource_type(name)?;
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
