//! The type of resources that are created on demand.

use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{AttributeKind, AttributeValue, GENERIC, Resource, ResourceType};
use gnocchi_core::policy::{Action, Caller, Properties};

use super::named::Destination;
use crate::api::auth::require;
use crate::api::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// The type of resources that are created on demand.
#[derive(Debug, Clone)]
pub(crate) enum ResourceKind {
    /// A type of this name that must exist; its senders call it a database.
    Database(String),
    /// A type that is created when it does not exist.
    Created(ResourceType),
}

impl ResourceKind {
    fn name(&self) -> &str {
        match self {
            Self::Database(name) => name,
            Self::Created(resource_type) => resource_type.name(),
        }
    }

    /// Returns whether a resource counts as one of this type. The generic type holds all.
    pub(super) fn holds(&self, resource: &Resource) -> bool {
        [GENERIC, resource.resource_type.as_str()].contains(&self.name())
    }

    /// Returns the type.
    ///
    /// # Errors
    /// 404 when it must exist and doesn't, 403 when it doesn't and the caller may not create it.
    pub(super) async fn find_or_create(
        &self,
        state: &ApiState,
        caller: &Caller,
    ) -> ApiResult<ResourceType> {
        let found = state.gnocchi().resource_type(self.name()).await;
        match (self, found) {
            (
                Self::Created(resource_type),
                Err(Error::Indexer(IndexerError::NoSuchResourceType { .. })),
            ) => {
                create_type(state, caller, resource_type).await?;
                // Another request may have created it differently.
                Ok(state.gnocchi().resource_type(self.name()).await?)
            }
            // Senders look for these words, and create it then.
            (
                Self::Database(name),
                Err(Error::Indexer(IndexerError::NoSuchResourceType { .. })),
            ) => Err(ApiError::not_found(format!(
                "database not found: \"{name}\""
            ))),
            (Self::Created(_) | Self::Database(_), found) => Ok(found?),
        }
    }
}

/// Creates a type of resources unless it exists.
///
/// # Errors
/// 403 when the caller may not create types, whether it exists or not.
pub(super) async fn create_type(
    state: &ApiState,
    caller: &Caller,
    resource_type: &ResourceType,
) -> ApiResult<()> {
    let target = Properties::of_resource_type(resource_type, "creating");
    require(state, Action::CreateResourceType, caller, &target).await?;
    match state.gnocchi().create_resource_type(resource_type).await {
        Ok(()) | Err(Error::Indexer(IndexerError::ResourceTypeExists { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Checks that a type takes the attributes of a new resource.
///
/// # Errors
/// 400 with the name of the attribute that it does not take, or misses.
pub(super) fn check_attributes(
    resource_type: &ResourceType,
    destination: &Destination,
) -> ApiResult<()> {
    let refuse = |what: String| {
        let (type_name, id) = (resource_type.name(), destination.address.original());
        Err(ApiError::bad_request(format!(
            "Resource {id} of type {type_name} cannot be created: {what}"
        )))
    };
    for (name, attribute) in resource_type.attributes() {
        if attribute.required && !destination.attributes.contains_key(name) {
            return refuse(format!("attribute {name} is required"));
        }
    }
    for (name, value) in &destination.attributes {
        let Some(attribute) = resource_type.attributes().get(name) else {
            return refuse(format!("the type has no attribute {name}"));
        };
        let fits = match (attribute.kind, value) {
            (
                AttributeKind::String {
                    min_length,
                    max_length,
                },
                Some(AttributeValue::String(text)),
            ) => {
                let length = text.chars().count();
                (min_length as usize..=max_length as usize).contains(&length)
            }
            _ => false,
        };
        if !fits {
            return refuse(format!("its value for attribute {name} is not valid"));
        }
    }
    Ok(())
}
