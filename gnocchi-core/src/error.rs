//! Errors of the four contracts.
//!
//! Domain outcomes are variants that carry their data; everything else that can go wrong in a back-end is one
//! [`BackendError`], whose [kind](BackendErrorKind) decides what a caller does next.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use carbonara::codec::DecodeError;
use carbonara::{AggregationMethod, DividedRow, Timespan};

use crate::budget::BudgetError;
use crate::model::{ArchivePolicy, ArchivePolicyError, MetricId, ResourceId};

/// What kind of failure a back-end met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// It cannot be reached or is shutting down; retrying later may succeed.
    Unavailable,
    /// It did not respond in time; the work may have been done.
    Timeout,
    /// Another writer changed the same thing; retrying may succeed.
    Conflict,
    /// It refuses this client.
    Denied,
    /// It has no room left; nothing was stored. Reads work.
    Full,
    /// It is read-only and refuses writes until that changes; nothing was stored. Reads work.
    ReadOnly,
    /// What it holds cannot be decoded.
    Corrupt,
    /// It is set up in a way that cannot work.
    Config,
    /// Anything else.
    Unexpected,
}

impl BackendErrorKind {
    /// Returns whether the same call may succeed later without any intervention.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::Conflict)
    }
}

impl fmt::Display for BackendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timed out",
            Self::Conflict => "conflicting change",
            Self::Denied => "access denied",
            Self::Full => "no space left",
            Self::ReadOnly => "read-only",
            Self::Corrupt => "damaged data",
            Self::Config => "wrong configuration",
            Self::Unexpected => "unexpected failure",
        })
    }
}

/// A failure of a back-end: which driver, doing what, of what kind, and why.
#[derive(Debug, Error)]
#[error("{driver} cannot {operation}: {kind}")]
pub struct BackendError {
    driver: &'static str,
    operation: String,
    kind: BackendErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl BackendError {
    /// Describes a failure; `operation` reads on from "cannot", for example "read block 7 of metric ...".
    pub fn new(driver: &'static str, operation: impl Into<String>, kind: BackendErrorKind) -> Self {
        Self {
            driver,
            operation: operation.into(),
            kind,
            source: None,
        }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the name of the driver.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        self.driver
    }

    /// Returns what was attempted.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Returns what kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> BackendErrorKind {
        self.kind
    }
}

/// Why measures could not be taken or handed over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IncomingError {
    /// Too many measures are pending; nothing of this call was stored.
    #[error("the backlog of {pending_bytes} bytes has reached its limit of {limit_bytes}")]
    BacklogFull {
        /// How much is pending.
        pending_bytes: usize,
        /// How much may be pending.
        limit_bytes: usize,
    },
    /// The back-end failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why aggregates could not be stored or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another member with a newer lease owns the sack; nothing of this commit was stored.
    #[error("the lease {fence} of this writer is older than {current}")]
    StaleFence {
        /// The fencing number of the refused writer.
        fence: u64,
        /// The newest fencing number seen.
        current: u64,
    },
    /// The back-end failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why the indexer refused or failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IndexerError {
    /// There is no such archive policy.
    #[error("archive policy {name} does not exist")]
    NoSuchArchivePolicy {
        /// Its name.
        name: String,
    },
    /// The name is taken.
    #[error("archive policy {name} already exists")]
    ArchivePolicyExists {
        /// The name.
        name: String,
    },
    /// Metrics or rules refer to it.
    #[error("archive policy {name} is still in use")]
    ArchivePolicyInUse {
        /// Its name.
        name: String,
    },
    /// There is no such rule.
    #[error("archive policy rule {name} does not exist")]
    NoSuchArchivePolicyRule {
        /// Its name.
        name: String,
    },
    /// The name is taken.
    #[error("archive policy rule {name} already exists")]
    ArchivePolicyRuleExists {
        /// The name.
        name: String,
    },
    /// There is no such resource type.
    #[error("resource type {name} does not exist")]
    NoSuchResourceType {
        /// Its name.
        name: String,
    },
    /// The name is taken.
    #[error("resource type {name} already exists")]
    ResourceTypeExists {
        /// The name.
        name: String,
    },
    /// Resources or their history are of this type.
    #[error("resource type {name} is still in use")]
    ResourceTypeInUse {
        /// Its name.
        name: String,
    },
    /// There is no such resource, or not of the wanted type.
    #[error("resource {id} does not exist")]
    NoSuchResource {
        /// Its id.
        id: ResourceId,
    },
    /// The id is taken, in whatever type.
    #[error("resource {id} already exists")]
    ResourceExists {
        /// The id.
        id: ResourceId,
    },
    /// What has this id is another resource, or another revision of it, than the one that was seen.
    #[error("resource {id} was changed at the same time")]
    RevisionChanged {
        /// Its id.
        id: ResourceId,
    },
    /// The resource type is not any more what the change was planned for.
    #[error("resource type {name} was changed at the same time")]
    ResourceTypeChanged {
        /// Its name.
        name: String,
    },
    /// A change of a resource type would keep all other changes waiting for too long; nothing was changed.
    #[error(
        "the change of resource type {name} would write {bytes} bytes into {resources} resources and revisions, more than {limit_bytes}"
    )]
    ResourceTypeChangeTooLarge {
        /// The name of the type.
        name: String,
        /// How many resources and past revisions there are.
        resources: u64,
        /// How much would be written, in bytes.
        bytes: u64,
        /// How much may be written, in bytes.
        limit_bytes: u64,
    },
    /// A resource, or its history, has a text that would be too long.
    #[error("attribute {attribute} of resource {id} is longer than {max_length} characters")]
    AttributeTooLong {
        /// The attribute.
        attribute: String,
        /// The resource.
        id: ResourceId,
        /// How long it may be.
        max_length: u32,
    },
    /// A resource would end before it starts.
    #[error("resource {id} cannot end before it starts")]
    ResourceEndsBeforeStart {
        /// Its id.
        id: ResourceId,
    },
    /// There is no such active metric.
    #[error("metric {id} does not exist")]
    NoSuchMetric {
        /// Its id.
        id: MetricId,
    },
    /// The id of a new metric is taken.
    #[error("metric {id} already exists")]
    MetricExists {
        /// Its id.
        id: MetricId,
    },
    /// The resource has an active metric of this name.
    #[error("named metric {name} already exists")]
    NamedMetricExists {
        /// The name.
        name: String,
    },
    /// The listing has no item with this identifier.
    #[error("invalid marker {marker}")]
    InvalidMarker {
        /// The marker.
        marker: String,
    },
    /// The listed type has no such property to sort by.
    #[error("invalid sort key {key}")]
    InvalidSortKey {
        /// The key.
        key: String,
        /// The properties that the listing can be sorted by.
        known: Vec<String>,
    },
    /// The back-end failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why leases or groups could not be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoordinationError {
    /// This coordinator keeps no groups.
    #[error("this coordinator has no groups")]
    NoGroups,
    /// The back-end failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl IncomingError {
    /// Returns the failure of the back-end, if that is what it is.
    #[must_use]
    pub fn backend(&self) -> Option<&BackendError> {
        if let Self::Backend(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl Error {
    /// Returns the failure of the back-end, if that is what it is.
    #[must_use]
    pub fn backend(&self) -> Option<&BackendError> {
        match self {
            Self::Incoming(IncomingError::Backend(error))
            | Self::Storage(StorageError::Backend(error))
            | Self::Indexer(IndexerError::Backend(error))
            | Self::Coordination(CoordinationError::Backend(error)) => Some(error),
            _ => None,
        }
    }
}

impl StorageError {
    /// Returns the failure of the back-end, if that is what it is.
    #[must_use]
    pub fn backend(&self) -> Option<&BackendError> {
        if let Self::Backend(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

/// Why the store could not do what it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Measures could not be taken.
    #[error(transparent)]
    Incoming(#[from] IncomingError),
    /// Aggregates could not be stored or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The indexer refused or failed.
    #[error(transparent)]
    Indexer(#[from] IndexerError),
    /// Leases or groups failed.
    #[error(transparent)]
    Coordination(#[from] CoordinationError),
    /// An archive policy cannot change that way.
    #[error("archive policy {name} does not support change")]
    ArchivePolicyChange {
        /// Its name.
        name: String,
        /// What doesn't fit.
        source: ArchivePolicyError,
    },
    /// No archive policy was named and no rule matches.
    #[error("no archive policy name specified and no archive policy rule found matching the metric name {}", metric_name.as_deref().unwrap_or("None"))]
    NoArchivePolicyRule {
        /// The name of the metric, if it has one.
        metric_name: Option<String>,
    },
    /// The archive policy of the metric doesn't keep this method.
    #[error("metric {metric} has no aggregation {method}")]
    UnknownAggregation {
        /// The metric.
        metric: MetricId,
        /// The method.
        method: AggregationMethod,
        /// The archive policy of the metric, which says what is kept.
        archive_policy: Arc<ArchivePolicy>,
    },
    /// The archive policy of the metric doesn't keep this granularity.
    #[error("metric {metric} has no granularity of {} s", granularity.as_second_f64())]
    UnknownGranularity {
        /// The metric.
        metric: MetricId,
        /// The method that was asked for with it.
        method: AggregationMethod,
        /// The granularity.
        granularity: Timespan,
        /// The archive policy of the metric, which says what is kept.
        archive_policy: Arc<ArchivePolicy>,
    },
    /// Resampling starts from one granularity and none is given.
    #[error("a granularity must be specified to resample")]
    ResampleWithoutGranularity,
    /// Aggregates would have to be divided to resample them in a time zone.
    #[error(transparent)]
    DividedRow(#[from] DividedRow),
    /// The query took as much as it may.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// More points would be held at once than a query may hold.
    #[error("the query needs more than {limit} points at once")]
    TooManyPoints {
        /// How many it may hold.
        limit: usize,
    },
    /// More series would be looked at than a query may look at.
    #[error("the query needs more than {limit} series")]
    TooManySeries {
        /// How many it may look at.
        limit: usize,
    },
    /// Stored data does not decode.
    #[error("{place} of metric {metric} is damaged")]
    Damaged {
        /// The metric.
        metric: MetricId,
        /// Which block of what.
        place: String,
        /// What is wrong with it.
        source: DecodeError,
    },
}
