//! The type of resources that are created with their first measure.

use std::sync::Arc;

use super::error::{IntakeError, Refusal, UnfitReason};
use super::{Destination, Intake};
use crate::error::{Error, IndexerError};
use crate::model::{GENERIC, Resource, ResourceType};
use crate::policy::{Action, Properties};

/// The type of resources that are created with their first measure.
#[derive(Debug, Clone)]
pub enum ResourceKind {
    /// A type of this name, which must exist.
    Existing(String),
    /// A type that is created when it does not exist.
    OnDemand(ResourceType),
}

impl ResourceKind {
    fn name(&self) -> &str {
        match self {
            Self::Existing(name) => name,
            Self::OnDemand(resource_type) => resource_type.name(),
        }
    }

    /// Returns whether a resource counts as one of this type. The generic type holds all.
    pub(super) fn holds(&self, resource: &Resource) -> bool {
        [GENERIC, resource.resource_type.as_str()].contains(&self.name())
    }
}

impl Intake<'_> {
    /// Creates a resource type unless it exists.
    ///
    /// # Errors
    /// [`Refusal::Denied`] when the caller may not create types, whether it exists or not.
    pub async fn create_resource_type(
        &self,
        resource_type: &ResourceType,
    ) -> Result<(), IntakeError> {
        let target = Properties::of_resource_type(resource_type, "creating");
        let access = self.access();
        access.require(Action::CreateResourceType, &target).await?;
        let created = access.gnocchi().create_resource_type(resource_type).await;
        match created {
            Ok(()) | Err(Error::Indexer(IndexerError::ResourceTypeExists { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the type.
    ///
    /// # Errors
    /// [`IntakeError::NoSuchResourceType`] when it must exist and does not, [`Refusal::Denied`] when it does not and the caller may not
    /// create it.
    pub(super) async fn find_or_create(
        &self,
        kind: &ResourceKind,
    ) -> Result<ResourceType, IntakeError> {
        let gnocchi = self.access().gnocchi();
        match (kind, gnocchi.resource_type(kind.name()).await) {
            (
                ResourceKind::OnDemand(resource_type),
                Err(Error::Indexer(IndexerError::NoSuchResourceType { .. })),
            ) => {
                self.create_resource_type(resource_type).await?;
                // Another request may have created it differently.
                Ok(gnocchi.resource_type(kind.name()).await?)
            }
            (
                ResourceKind::Existing(name),
                Err(Error::Indexer(IndexerError::NoSuchResourceType { .. })),
            ) => Err(IntakeError::NoSuchResourceType { name: name.clone() }),
            (ResourceKind::OnDemand(_) | ResourceKind::Existing(_), found) => Ok(found?),
        }
    }
}

/// Checks that a type takes the attributes of a new resource.
///
/// # Errors
/// [`Refusal::UnfitResource`] with the name of the attribute that it does not take, or misses.
pub(super) fn check_attributes(
    resource_type: &ResourceType,
    destination: &Arc<Destination>,
) -> Result<(), Refusal> {
    let refuse = |reason| {
        Err(Refusal::UnfitResource {
            resource: Arc::clone(destination),
            resource_type: resource_type.name().to_owned(),
            reason,
        })
    };
    for (name, attribute) in resource_type.attributes() {
        if attribute.required && !destination.attributes.contains_key(name) {
            return refuse(UnfitReason::Required(name.clone()));
        }
    }
    for (name, value) in &destination.attributes {
        let Some(attribute) = resource_type.attributes().get(name) else {
            return refuse(UnfitReason::Unknown(name.clone()));
        };
        if !attribute.takes(value.as_ref()) {
            return refuse(UnfitReason::Value(name.clone()));
        }
    }
    Ok(())
}
