//! Metrics that do not exist yet: how clients describe them.

use gnocchi_core::intake::{IntakeError, MetricDescription};
use gnocchi_core::model::{METRIC_NAME_CHARACTERS_MAX, ResourceAddress, UNIT_CHARACTERS_MAX};
use gnocchi_core::policy::Caller;
use serde_json::Value;

use crate::api::request::schema::{self, Checked, Object, Path};
use crate::api::response::error::ApiResult;
use crate::api::state::ApiState;

/// Reads a description of a metric; ids of resources are those of `caller`.
pub(super) fn description(
    value: &Value,
    path: &Path<'_>,
    caller: &Caller,
) -> Checked<MetricDescription> {
    const KNOWN: [&str; 4] = ["archive_policy_name", "resource_id", "name", "unit"];
    let object = Object::open(value, path, &KNOWN)?;
    let resource = object.optional("resource_id", |value, path| {
        resource_address(value, path, caller)
    })?;
    let original = resource.as_ref().map(ResourceAddress::original);
    Ok(MetricDescription {
        archive_policy_name: object.optional("archive_policy_name", schema::string)?,
        original_resource_id: original.map(ToOwned::to_owned),
        resource,
        name: object.optional("name", schema::string_up_to(METRIC_NAME_CHARACTERS_MAX))?,
        unit: object.optional("unit", schema::string_up_to(UNIT_CHARACTERS_MAX))?,
    })
}

/// Reads the id of a resource as its creator writes it.
pub(super) fn resource_address(
    value: &Value,
    path: &Path<'_>,
    caller: &Caller,
) -> Checked<ResourceAddress> {
    let text = schema::string(value, path)?;
    ResourceAddress::parse(text, caller.creator.as_deref())
        .map_err(|error| path.invalid(error.to_string()))
}

/// Checks that a request may create so many metrics: the indexer makes no other change meanwhile.
///
/// # Errors
/// 413 when they are too many.
pub(super) fn check_new_metrics(state: &ApiState, number: usize) -> ApiResult<()> {
    let limit = state.settings().new_metrics_max;
    if number <= limit {
        return Ok(());
    }
    Err(IntakeError::TooManyNewMetrics { limit }.into())
}
