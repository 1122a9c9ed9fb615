//! Why series are not stored.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::Destination;
use crate::access::{AccessError, Denied};
use crate::error::{Error, IndexerError};
use crate::model::{Metric, MetricError, RejectReason, ResourceAddress};

/// Why a series, or some of its points, cannot be stored. The rest of its batch can be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The access rules do not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No metric can have this name or unit.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// No archive policy is named and no rule matches the name of the new metric.
    #[error("no archive policy rule matches the metric name {}", metric_name.as_deref().unwrap_or("None"))]
    NoArchivePolicyRule {
        /// The name.
        metric_name: Option<String>,
    },
    /// The resource exists and has another type.
    #[error("resource {} has another type", resource.address.original())]
    ResourceOfAnotherType {
        /// The resource as the sender names it.
        resource: Arc<Destination>,
    },
    /// The id of the name is taken by a resource that has another name or creator.
    #[error("the id of resource {} is taken", resource.address.original())]
    ResourceOfAnotherCreator {
        /// The resource as the sender names it.
        resource: Arc<Destination>,
    },
    /// The resource type does not take a new resource with these attributes.
    #[error("resource {} of type {resource_type} cannot be created: {reason}", resource.address.original())]
    UnfitResource {
        /// The resource as the sender names it.
        resource: Arc<Destination>,
        /// The name of the type.
        resource_type: String,
        /// What does not fit.
        reason: UnfitReason,
    },
    /// The indexer refuses the new resource.
    #[error(transparent)]
    NewResource(IndexerError),
    /// The store does not take these points of a metric.
    #[error("points of metric {} {reason}", metric.id)]
    Points {
        /// Why.
        reason: RejectReason,
        /// The metric.
        metric: Arc<Metric>,
        /// Its resource as the sender names it.
        resource: Arc<Destination>,
    },
}

/// Which attribute of a new resource does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfitReason {
    /// This attribute is required.
    Required(String),
    /// The type does not have this attribute.
    Unknown(String),
    /// The value of this attribute is not valid.
    Value(String),
}

impl fmt::Display for UnfitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required(name) => write!(f, "attribute {name} is required"),
            Self::Unknown(name) => write!(f, "the type has no attribute {name}"),
            Self::Value(name) => write!(f, "its value for attribute {name} is not valid"),
        }
    }
}

/// Why nothing of a batch is stored. Metrics and resources that were created on the way remain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// Metrics do not exist, and none is to be created.
    #[error("{} metrics do not exist", missing.len())]
    UnknownMetrics {
        /// The resource and the name of each.
        missing: Vec<(Arc<Destination>, String)>,
    },
    /// Resources do not exist, and none is to be created.
    #[error("{} resources do not exist", missing.len())]
    UnknownResources {
        /// The resources as the sender names them, by id.
        missing: Vec<ResourceAddress>,
        /// One of them whose id is taken by a resource that has another name or creator.
        taken: Option<String>,
    },
    /// The type of the resources does not exist.
    #[error("resource type {name} does not exist")]
    NoSuchResourceType {
        /// Its name.
        name: String,
    },
    /// The batch would create too many metrics.
    #[error("the batch would create more than {limit} metrics")]
    TooManyNewMetrics {
        /// How many it may create.
        limit: usize,
    },
    /// Other callers created and deleted the same metrics or resources for too long.
    #[error("metrics of the batch are created and deleted at the same time")]
    Unsettled,
    /// One series, or the resource type, is refused, and with it the batch.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<Denied> for IntakeError {
    fn from(denied: Denied) -> Self {
        Self::Refused(denied.into())
    }
}

impl From<AccessError> for IntakeError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Denied(denied) => denied.into(),
            AccessError::Store(error) => error.into(),
        }
    }
}
