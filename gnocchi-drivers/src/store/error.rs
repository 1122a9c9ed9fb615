//! Why a call to a [`Store`](super::Store) failed.

use std::fmt;

use carbonara::{AggregationMethod, TimeError, Timespan};
use gnocchi_core::error::{BackendError, IndexerError};
use gnocchi_core::model::{ArchivePolicyError, MetricError, ResourceIdError};
use thiserror::Error;

use super::method::MethodNameError;
use super::policy::PolicyDifference;
use super::runtime::RuntimeError;

/// Why a call to a store failed.
///
/// Its `Debug` form is the message with all causes, because that is what a program prints whose `main` returns an error.
#[derive(Error)]
#[non_exhaustive]
pub enum Error {
    /// The call runs where the store cannot work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The directory cannot be opened.
    #[cfg(all(feature = "embedded", feature = "sqlite"))]
    #[error(transparent)]
    Open(Box<crate::embedded::StoreError>),
    /// No snapshot of the store can be taken.
    #[cfg(all(feature = "embedded", feature = "sqlite"))]
    #[error("cannot take a snapshot of the store in {}", path.display())]
    Snapshot {
        /// The directory of the store.
        path: std::path::PathBuf,
        /// Why; it may name files of the copy.
        source: Box<crate::embedded::StoreError>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The text names no aggregation method.
    #[error(transparent)]
    Method(#[from] MethodNameError),
    /// An archive policy cannot exist as described.
    #[error("archive policy {policy} cannot be used")]
    Policy {
        /// Its name.
        policy: String,
        /// What is wrong with it.
        source: ArchivePolicyError,
    },
    /// A granularity or a retention of an archive policy is not a duration that can be used.
    #[error("the {part} of archive policy {policy} cannot be used")]
    PolicyTime {
        /// The name of the policy.
        policy: String,
        /// Which duration.
        part: String,
        /// What is wrong with it.
        source: TimeError,
    },
    /// There is an archive policy of that name, and it is not the same.
    #[error("archive policy {policy} exists and differs: {}", list(differences))]
    PolicyDiffers {
        /// Its name.
        policy: String,
        /// What differs; at least one.
        differences: Vec<PolicyDifference>,
    },
    /// The name of a resource cannot be used.
    #[error("the resource name {name:?} cannot be used")]
    ResourceName {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: ResourceIdError,
    },
    /// The name or the unit of a metric cannot be used.
    #[error("metric {name:?} of resource {resource} cannot be created")]
    Metric {
        /// The name of the resource.
        resource: String,
        /// The name of the metric.
        name: String,
        /// What is wrong with it.
        source: MetricError,
    },
    /// The id that belongs to this name is used by a resource of another creator or of another name.
    #[error("the id of resource {name} belongs to a resource of another creator or name")]
    ResourceTaken {
        /// The name.
        name: String,
    },
    /// The metric exists with another archive policy.
    #[error("metric {metric} exists with another archive policy: got {got}; expected {expected}")]
    MetricPolicyDiffers {
        /// Resource and name of the metric.
        metric: String,
        /// The archive policy that it has.
        got: String,
        /// The archive policy that was asked for.
        expected: String,
    },
    /// Others create and delete the same metrics all the time.
    #[error("cannot create metrics: others created or deleted them {attempts} times meanwhile")]
    Unsettled {
        /// How often it was tried.
        attempts: usize,
    },
    /// The metric was deleted, or belongs to another store.
    #[error("metric {metric} does not exist")]
    NoSuchMetric {
        /// Resource and name of the metric.
        metric: String,
    },
    /// The archive policy of the metric does not keep this granularity.
    #[error(
        "cannot read metric {metric}: got a granularity of {got} s; expected one of {} s",
        list(expected)
    )]
    Granularity {
        /// Resource and name of the metric.
        metric: String,
        /// What was asked for.
        got: Timespan,
        /// What its archive policy keeps, finest first.
        expected: Vec<Timespan>,
    },
    /// The archive policy of the metric does not keep this aggregation method.
    #[error(
        "cannot read metric {metric}: got the aggregation method {got}; expected one of {}",
        list(expected)
    )]
    MethodNotKept {
        /// Resource and name of the metric.
        metric: String,
        /// What was asked for.
        got: AggregationMethod,
        /// What its archive policy keeps.
        expected: Vec<AggregationMethod>,
    },
    /// The granularity or the range of a query is not a time that can be used.
    #[error("the {part} of the query cannot be used")]
    QueryTime {
        /// Which time.
        part: &'static str,
        /// What is wrong with it.
        source: TimeError,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] gnocchi_core::Error),
    /// The background processing of the store ended with a panic.
    #[error("the background processing of the store panicked")]
    Processing,
}

impl Error {
    /// Returns the failure of the back-end, if that is the cause; its [kind](BackendError::kind) says whether the same call may succeed
    /// later.
    #[must_use]
    pub fn backend(&self) -> Option<&BackendError> {
        match self {
            Self::Store(error) => error.backend(),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl From<IndexerError> for Error {
    fn from(error: IndexerError) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(all(feature = "embedded", feature = "sqlite"))]
impl From<crate::embedded::StoreError> for Error {
    fn from(error: crate::embedded::StoreError) -> Self {
        Self::Open(Box::new(error))
    }
}

/// Lists values, separated by commas.
pub(super) fn list<T: fmt::Display>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_with_an_error_prints_its_causes() {
        let error = Error::QueryTime {
            part: "granularity",
            source: TimeError::NotPositive,
        };
        let expected = "the granularity of the query cannot be used: timespan is not positive";
        assert_eq!(format!("{error:?}"), expected);
        assert_eq!(format!("{:?}", Error::Closed), "the store is closed");
    }
}
