//! What the intake of named series refuses, as responses.

use std::sync::Arc;

use gnocchi_core::Error;
use gnocchi_core::intake::{Destination, IntakeError, Refusal};
use gnocchi_core::model::{Metric, MetricError, RejectReason, ResourceAddress};
use http::StatusCode;
use serde_json::json;

use crate::api::response::error::{ApiError, Detail, NamedIn};
use crate::api::response::explanation;
use crate::ingest::shortened;

/// The most missing metrics that are named as they were sent.
const NAMED_MAX: usize = 10;

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::UnknownMetrics { missing } => unknown_metrics(&missing),
            IntakeError::UnknownResources { missing, taken } => {
                let unknown = |address: &ResourceAddress| {
                    let (id, original) = (address.id().to_string(), address.original());
                    json!({"resource_id": id, "original_resource_id": original})
                };
                let unknown: Vec<_> = missing.iter().map(unknown).collect();
                let error =
                    Self::bad_data(json!({"cause": "Unknown resources", "detail": unknown}));
                match taken {
                    Some(name) => error.explained(explanation::taken_name(&name)),
                    None => error,
                }
            }
            IntakeError::NoSuchResourceType { name } => {
                Self::not_found(format!("Resource type {name} does not exist"))
            }
            IntakeError::TooManyNewMetrics { limit } => Self::text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "The request would create more metrics than the limit of {limit} ([api] new_metrics_max); send it in several parts"
                ),
            ),
            IntakeError::Unsettled => Self::busy(
                "Metrics of this request are created and deleted at the same time: try again",
            ),
            IntakeError::Refused(refusal) => Self::from(&refusal),
            IntakeError::Store(error) => Self::of(error, NamedIn::Body),
            other => Self::bad_request(other.to_string()),
        }
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => (*denied).into(),
            Refusal::Metric(MetricError::NameMissing) => Self::bad_data(json!({
                "cause": "Attribute value error",
                "detail": "name",
                "reason": "Name cannot be null if resource_id is not null",
            })),
            Refusal::NoArchivePolicyRule { metric_name } => Error::NoArchivePolicyRule {
                metric_name: metric_name.clone(),
            }
            .into(),
            Refusal::ResourceOfAnotherType { resource } => taken_by_another_type(resource),
            Refusal::ResourceOfAnotherCreator { resource } => taken_name(&resource.address),
            Refusal::UnfitResource {
                resource,
                resource_type,
                reason,
            } => Self::bad_request(format!(
                "Resource {} of type {resource_type} cannot be created: {reason}",
                resource.address.original()
            )),
            Refusal::NewResource(error) => Self::of_indexer(error, NamedIn::Body),
            Refusal::Points {
                reason,
                metric,
                resource,
            } => points(*reason, metric, resource),
            // The name or the unit of a metric, and whatever is new.
            other => Self::bad_request(other.to_string()),
        }
    }
}

/// Returns the error for metrics that do not exist, by the names that clients compare.
pub(crate) fn unknown(mut names: Vec<String>) -> ApiError {
    names.sort_unstable();
    ApiError::bad_request(format!("Unknown metrics: {}", names.join(", ")))
}

fn unknown_metrics(missing: &[(Arc<Destination>, String)]) -> ApiError {
    let by_id = missing
        .iter()
        .map(|(destination, name)| format!("{}/{name}", destination.address.id()));
    let as_sent = missing
        .iter()
        .map(|(destination, name)| format!("{}/{name}", destination.address.original()));
    let mut shown: Vec<String> = as_sent.take(NAMED_MAX).collect();
    if missing.len() > NAMED_MAX {
        shown.push(format!("{} more", missing.len() - NAMED_MAX));
    }
    unknown(by_id.collect()).explained(format!(
        "missing, as sent: {}; create_metrics=true creates the metrics that are missing",
        shown.join(", ")
    ))
}

fn taken_by_another_type(resource: &Destination) -> ApiError {
    let id = resource.address.id();
    let error = ApiError {
        status: StatusCode::CONFLICT,
        detail: Detail::Data(json!({"cause": "Resource already exists", "detail": id.to_string()})),
        retry_after_seconds: None,
    };
    error.explained(format!(
        "the resource {} has another type; a resource has one type, so one id cannot be used in two databases",
        shortened(resource.address.original())
    ))
}

fn taken_name(address: &ResourceAddress) -> ApiError {
    let text = format!("Resource {} already exists", address.id());
    ApiError::text(StatusCode::CONFLICT, text)
        .explained(explanation::taken_name(address.original()))
}

fn points(reason: RejectReason, metric: &Metric, resource: &Destination) -> ApiError {
    let name = shortened(metric.name.as_deref().unwrap_or_default());
    let of = shortened(resource.address.original());
    let why = match reason {
        RejectReason::TooLate => format!(
            "older than the back window of archive policy {}",
            metric.archive_policy.name()
        ),
        RejectReason::TooFarAhead => "further in the future than max_future".to_owned(),
        other => other.as_str().to_owned(),
    };
    ApiError::bad_request(format!(
        "measures of the metric {name} of the resource {of} are not stored: {why}"
    ))
}
