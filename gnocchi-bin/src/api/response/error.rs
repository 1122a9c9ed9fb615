//! Errors as clients see them: a status and a description, made of core errors in one place.

use std::error::Error as StdError;

use axum::response::{IntoResponse, Response};
use carbonara::Timespan;
use gnocchi_core::Error;
use gnocchi_core::budget::BudgetError;
use gnocchi_core::error::{
    BackendError, BackendErrorKind, CoordinationError, IncomingError, IndexerError, StorageError,
};
use gnocchi_core::model::{ArchivePolicy, MetricId};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::request::schema::{Invalid, listed};
use crate::api::response::explanation;
use crate::causes::with_causes;

/// After how long a client should try again when there is no room, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// After how many seconds a client should retry when the disk is full or read-only, which an operator must fix first.
const RETRY_AFTER_FULL_SECONDS: u32 = 10;

/// What is said of failures that do not pass by themselves. What exactly failed is told the log only: it names files and
/// addresses that are no business of clients.
const PERMANENT: &str = "The store has a permanent fault, whose cause is in the log of the server; trying again helps only after an \
                         administrator has repaired it";

/// The key of what is said for people, beside what clients compare.
pub(in crate::api) const EXPLANATION: &str = "explanation";

/// What is said beside the status.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Nothing, because there is nothing at this address.
    Nothing,
    /// Nothing beyond the status.
    Empty,
    /// As [`Nothing`](Self::Nothing), and what people want to know beside it.
    NothingExplained(Box<str>),
    /// As [`Empty`](Self::Empty), and what people want to know beside it.
    EmptyExplained(Box<str>),
    /// A sentence.
    Text(String),
    /// A sentence that clients compare as a whole, and what people want to know beside it.
    Explained {
        /// The sentence.
        text: Box<str>,
        /// What was sent, and what is allowed.
        explanation: Box<str>,
    },
    /// Cause, reason and place.
    Data(Value),
}

/// An answer that is an error.
///
/// It becomes a response without body; the middleware in `edge` writes the body in the format that the client prefers.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// What is said beside it.
    pub detail: Detail,
    /// When the same request may succeed, in seconds.
    pub retry_after_seconds: Option<u32>,
}

/// Where the client named the thing that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedIn {
    /// In the address: what is missing is not found, what exists is a conflict.
    Address,
    /// In the body: what is missing makes the request a bad one.
    Body,
}

/// The outcome of a handler.
pub type ApiResult<T = Response> = Result<T, ApiError>;

impl ApiError {
    /// Makes an error that says nothing beyond its status.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            detail: Detail::Empty,
            retry_after_seconds: None,
        }
    }

    /// Makes an error with a sentence.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            detail: Detail::Text(text.into()),
            retry_after_seconds: None,
        }
    }

    /// Makes a bad request with a sentence.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, text)
    }

    /// Makes a bad request with structured data.
    #[must_use]
    pub fn bad_data(data: Value) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: Detail::Data(data),
            retry_after_seconds: None,
        }
    }

    /// Says, for people, what was sent and what is allowed, beside the texts that clients compare. The last explanation counts.
    #[must_use]
    pub fn explained(mut self, explanation: impl Into<String>) -> Self {
        let explanation = explanation.into();
        self.detail = match self.detail {
            Detail::Data(Value::Object(mut data)) => {
                data.insert(EXPLANATION.to_owned(), explanation.into());
                Detail::Data(Value::Object(data))
            }
            Detail::Text(text) => Detail::Explained {
                text: text.into(),
                explanation: explanation.into(),
            },
            Detail::Explained { text, .. } => Detail::Explained {
                text,
                explanation: explanation.into(),
            },
            Detail::Nothing | Detail::NothingExplained(_) => {
                Detail::NothingExplained(explanation.into())
            }
            Detail::Empty | Detail::EmptyExplained(_) => Detail::EmptyExplained(explanation.into()),
            other @ Detail::Data(_) => other,
        };
        self
    }

    /// Says that a query parameter cannot be used.
    pub fn argument(name: &str, reason: impl Into<String>) -> Self {
        Self::bad_data(
            json!({"cause": "Argument value error", "detail": name, "reason": reason.into()}),
        )
    }

    /// Says that a body is no JSON.
    pub fn malformed_body(reason: impl Into<String>) -> Self {
        Self::bad_data(
            json!({"cause": "Unable to decode body", "reason": reason.into(), "detail": []}),
        )
    }

    /// Says that there is nothing at this address.
    #[must_use]
    pub fn no_such_address() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail: Detail::Nothing,
            retry_after_seconds: None,
        }
    }

    /// Says that a named thing does not exist.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::text(StatusCode::NOT_FOUND, text)
    }

    /// Says that a metric does not exist, as named in the address.
    #[must_use]
    pub fn no_such_metric(name: &str) -> Self {
        Self::not_found(format!("Metric {name} does not exist"))
    }

    /// Says that the archive policy of a metric doesn't keep a method.
    #[must_use]
    pub fn unknown_aggregation(metric: MetricId, method: &str, policy: &ArchivePolicy) -> Self {
        let detail = json!({"metric": metric.to_string(), "aggregation_method": method});
        let error = Self {
            status: StatusCode::NOT_FOUND,
            detail: Detail::Data(
                json!({"cause": "Aggregation method does not exist for this metric", "detail": detail}),
            ),
            retry_after_seconds: None,
        };
        error.explained(explanation::aggregation(method, policy))
    }

    /// Says that the archive policy of a metric doesn't keep a granularity.
    #[must_use]
    pub fn unknown_granularity(
        metric: MetricId,
        method: &str,
        granularity: Timespan,
        policy: &ArchivePolicy,
    ) -> Self {
        let text = format!(
            "Aggregation method '{method}' at granularity '{:?}' for metric {metric} does not exist",
            granularity.as_second_f64()
        );
        Self::not_found(text).explained(explanation::granularities(policy))
    }

    /// Turns an error of the store into an answer.
    #[must_use]
    pub fn of(error: Error, named_in: NamedIn) -> Self {
        match error {
            Error::Incoming(IncomingError::BacklogFull {
                pending_bytes,
                limit_bytes,
            }) => Self::busy(format!(
                "{pending_bytes} bytes of measures are pending and the limit is {limit_bytes} (max_pending_bytes): try again later"
            )),
            Error::Incoming(IncomingError::Backend(error))
            | Error::Storage(StorageError::Backend(error))
            | Error::Indexer(IndexerError::Backend(error))
            | Error::Coordination(CoordinationError::Backend(error)) => Self::of_backend(&error),
            Error::Storage(StorageError::StaleFence { .. }) => {
                Self::unavailable("another process took over this part of the store: try again")
            }
            Error::Indexer(error) => Self::of_indexer(&error, named_in),
            Error::Coordination(CoordinationError::NoGroups) => {
                Self::unavailable("the coordinator keeps no groups")
            }
            Error::ArchivePolicyChange { name, source } => Self::bad_request(format!(
                "Archive policy {name} does not support change: {source}"
            )),
            Error::NoArchivePolicyRule { metric_name } => Self::bad_request(format!(
                "No archive policy name specified and no archive policy rule found matching the metric name {}",
                metric_name.as_deref().unwrap_or("None")
            ))
            .explained("name one with archive_policy_name, or create a rule whose pattern matches the name"),
            Error::UnknownAggregation {
                metric,
                method,
                archive_policy,
            } => Self::unknown_aggregation(metric, &method.to_string(), &archive_policy),
            Error::UnknownGranularity {
                metric,
                method,
                granularity,
                archive_policy,
            } => {
                let method = method.to_string();
                Self::unknown_granularity(metric, &method, granularity, &archive_policy)
            }
            Error::ResampleWithoutGranularity => {
                Self::bad_request("A granularity must be specified to resample")
                    .explained("resample groups the aggregates of one granularity; name it with granularity=")
            }
            Error::DividedRow(divided) => Self::argument("timezone", divided.to_string()),
            Error::Budget(error) => Self::of_budget(error),
            Error::TooManyPoints { limit } => Self::too_large(format!(
                "More than {limit} points are needed at once: ask for a shorter range of time, a coarser granularity or fewer metrics"
            )),
            Error::TooManySeries { limit } => Self::too_large(format!(
                "More than {limit} series are needed at once: ask for fewer metrics"
            )),
            // Damaged data, and whatever is new.
            other => {
                log(&other);
                Self::unavailable(PERMANENT)
            }
        }
    }

    /// Makes the error of a query that would take too much by itself.
    pub(crate) fn too_large(text: impl Into<String>) -> Self {
        Self::text(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// Makes the error of a query that exceeded a limit; it names the limit and the option that sets it.
    fn of_budget(error: BudgetError) -> Self {
        let narrower = "ask for a shorter range of time, a coarser granularity or fewer metrics";
        match error {
            BudgetError::TooManyCells { limit } => Self::too_large(format!(
                "The query computes more than {limit} cells ([api] query_cells_max): {narrower}"
            )),
            BudgetError::TooMuchMemory { limit_bytes } => Self::too_large(format!(
                "The query needs more memory than the {limit_bytes} bytes that all queries may hold together ([api] query_memory_bytes): {narrower}"
            )),
            BudgetError::MemoryHeld { limit_bytes } => Self::busy(format!(
                "Other requests hold the memory that this one needs; all of them may hold {limit_bytes} bytes ([api] query_memory_bytes): try again later"
            )),
            BudgetError::QueueFull { limit } => Self::busy(format!(
                "{limit} large queries are waiting already ([api] query_queue): try again later"
            )),
            BudgetError::QueueTimeout {
                concurrency,
                waited,
            } => Self::busy(format!(
                "{concurrency} large queries ([api] query_concurrency) were running for the {} seconds that this one waited ([api] operation_timeout): try again later",
                waited.as_secs()
            )),
            BudgetError::Timeout { limit } => Self::text(
                StatusCode::GATEWAY_TIMEOUT,
                format!(
                    "The query took longer than {} seconds ([api] query_timeout): {narrower}",
                    limit.as_secs()
                ),
            ),
            other => Self::busy(format!("The query was ended: {other}")),
        }
    }

    /// Turns an error of the indexer into a response.
    pub(crate) fn of_indexer(error: &IndexerError, named_in: NamedIn) -> Self {
        let missing = |what: &str, name: &str| {
            let status = match named_in {
                NamedIn::Address => StatusCode::NOT_FOUND,
                NamedIn::Body => StatusCode::BAD_REQUEST,
            };
            Self::text(status, format!("{what} {name} does not exist"))
        };
        let exists = |what: &str, name: &str| {
            Self::text(
                StatusCode::CONFLICT,
                format!("{what} {name} already exists"),
            )
        };
        let in_use =
            |what: &str, name: &str| Self::bad_request(format!("{what} {name} is still in use"));
        match error {
            IndexerError::NoSuchArchivePolicy { name } => missing("Archive policy", name),
            IndexerError::ArchivePolicyExists { name } => exists("Archive policy", name),
            IndexerError::ArchivePolicyInUse { name } => in_use("Archive policy", name),
            IndexerError::NoSuchArchivePolicyRule { name } => missing("Archive policy rule", name),
            IndexerError::ArchivePolicyRuleExists { name } => exists("Archive policy rule", name),
            // The type of a resource always stands in the address.
            IndexerError::NoSuchResourceType { name } => {
                Self::not_found(format!("Resource type {name} does not exist"))
            }
            IndexerError::ResourceTypeExists { name } => exists("Resource type", name),
            IndexerError::ResourceTypeInUse { name } => in_use("Resource type", name),
            IndexerError::NoSuchResource { id } => missing("Resource", &id.to_string()),
            IndexerError::ResourceExists { id } => exists("Resource", &id.to_string()),
            IndexerError::ResourceEndsBeforeStart { .. } => {
                Self::bad_request("Start timestamp cannot be after end timestamp")
            }
            // Handlers try again; this is for what does not.
            IndexerError::RevisionChanged { id } => Self::busy(format!(
                "Resource {id} is changed by other requests at the same time: try again"
            )),
            IndexerError::ResourceTypeChanged { name } => Self::text(
                StatusCode::CONFLICT,
                format!(
                    "Resource type {name} was changed by another request at the same time: try again"
                ),
            ),
            IndexerError::ResourceTypeChangeTooLarge {
                name,
                resources,
                bytes,
                limit_bytes,
            } => Self::too_large(format!(
                "The change of resource type {name} would write about {bytes} bytes into {resources} resources and revisions, and the limit is {limit_bytes} ([api] type_change_bytes_max): change fewer attributes, or fill in shorter values"
            )),
            IndexerError::AttributeTooLong {
                attribute,
                id,
                max_length,
            } => Self::bad_request(format!(
                "Invalid input: Resource attribute {attribute} of resource {id} is longer than max_length {max_length}"
            )),
            IndexerError::NoSuchMetric { id } => missing("Metric", &id.to_string()),
            IndexerError::MetricExists { id } => exists("Metric", &id.to_string()),
            IndexerError::NamedMetricExists { name } => match named_in {
                NamedIn::Address => exists("Named metric", name),
                NamedIn::Body => {
                    Self::bad_data(json!({"cause": "Named metric already exists", "detail": name}))
                }
            },
            IndexerError::InvalidMarker { marker } => {
                Self::bad_request(format!("Invalid pagination: `Invalid marker: `{marker}''")).explained(
                    "the marker is the identifier of the last item of the page before (in history id@revision), as in its Link header, and the item still exists",
                )
            }
            IndexerError::InvalidSortKey { key, known } => Self::bad_request(format!(
                "Invalid pagination: `Sort key supplied is invalid: {key}'"
            ))
            .explained(listed("attributes", key, known.iter().map(String::as_str))),
            IndexerError::Backend(error) => Self::of_backend(error),
            other => {
                log(other);
                Self::unavailable(PERMANENT)
            }
        }
    }

    fn of_backend(error: &BackendError) -> Self {
        let kind = error.kind();
        // Every write meets a full disk, and the driver has logged it when the first one did.
        if !matches!(kind, BackendErrorKind::Full | BackendErrorKind::ReadOnly) {
            log(error);
        }
        let later = Some(RETRY_AFTER_FULL_SECONDS);
        match kind {
            BackendErrorKind::Full => Self {
                retry_after_seconds: later,
                ..Self::text(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The disk of the server is full; nothing of this request was stored",
                )
            },
            BackendErrorKind::ReadOnly => Self {
                retry_after_seconds: later,
                ..Self::unavailable(
                    "The disk of the server is read-only; nothing of this request was stored",
                )
            },
            BackendErrorKind::Unavailable
            | BackendErrorKind::Timeout
            | BackendErrorKind::Conflict => Self::busy(format!(
                "The store of the server is not working ({kind}): try again later"
            )),
            _ => Self::unavailable(PERMANENT),
        }
    }

    /// Says that the server has too much to do for this just now.
    pub(crate) fn busy(text: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(RETRY_AFTER_SECONDS),
            ..Self::unavailable(text)
        }
    }

    fn unavailable(text: impl Into<String>) -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

/// Logs a failure with everything that led to it.
fn log(error: &(dyn StdError + 'static)) {
    tracing::error!(error = with_causes(error), "request failed");
}

/// The thing that is missing or in the way stands in the address.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::of(error, NamedIn::Address)
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        let error = Self::bad_data(json!({
            "cause": "Invalid input",
            "reason": invalid.to_string(),
            "detail": invalid.detail(),
        }));
        match invalid.into_explanation() {
            Some(explanation) => error.explained(explanation),
            None => error,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
