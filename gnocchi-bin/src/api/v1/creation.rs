//! Metrics that do not exist yet: how clients describe them, and how a description becomes a metric.

use gnocchi_core::Error;
use gnocchi_core::model::{
    ArchivePolicyRule, METRIC_NAME_CHARACTERS_MAX, MetricError, NewMetric, ResourceAddress,
    UNIT_CHARACTERS_MAX, match_rule,
};
use gnocchi_core::policy::{Action, Caller, NewMetricTarget};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::auth::require;
use crate::api::error::{ApiError, ApiResult};
use crate::api::schema::{self, Checked, Object, Path};
use crate::api::state::ApiState;

/// A metric as a client describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MetricDescription {
    pub(crate) archive_policy_name: Option<String>,
    pub(crate) resource: Option<ResourceAddress>,
    /// The id of the resource as the client wrote it.
    pub(crate) original_resource_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) unit: Option<String>,
}

impl MetricDescription {
    /// Reads a description; ids of resources are those of `caller`.
    pub(super) fn parse(value: &Value, path: &Path<'_>, caller: &Caller) -> Checked<Self> {
        const KNOWN: [&str; 4] = ["archive_policy_name", "resource_id", "name", "unit"];
        let object = Object::open(value, path, &KNOWN)?;
        let resource = object.optional("resource_id", |value, path| {
            resource_address(value, path, caller)
        })?;
        let original = resource.as_ref().map(ResourceAddress::original);
        Ok(Self {
            archive_policy_name: object.optional("archive_policy_name", schema::string)?,
            original_resource_id: original.map(ToOwned::to_owned),
            resource,
            name: object.optional("name", schema::string_up_to(METRIC_NAME_CHARACTERS_MAX))?,
            unit: object.optional("unit", schema::string_up_to(UNIT_CHARACTERS_MAX))?,
        })
    }
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

/// Makes metrics of descriptions, for one caller and one request.
#[derive(Debug)]
pub(crate) struct MetricMaker<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    /// Read when the first description names no archive policy.
    rules: Option<Vec<ArchivePolicyRule>>,
    made: usize,
}

/// How many metrics are made before other requests get their turn.
const MADE_PER_TURN: usize = 64;

/// Checks that a request may create so many metrics: the indexer makes no other change meanwhile.
///
/// # Errors
/// 413 when they are too many.
pub(crate) fn check_new_metrics(state: &ApiState, number: usize) -> ApiResult<()> {
    let limit = state.settings().new_metrics_max;
    if number <= limit {
        return Ok(());
    }
    Err(ApiError::text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The request would create more metrics than the limit of {limit} ([api] new_metrics_max); send it in several parts"
        ),
    ))
}

impl<'a> MetricMaker<'a> {
    pub(crate) fn new(state: &'a ApiState, caller: &'a Caller) -> Self {
        Self {
            state,
            caller,
            rules: None,
            made: 0,
        }
    }

    /// Checks that the caller may create a metric, and chooses its archive policy.
    pub(crate) async fn make(&mut self, description: MetricDescription) -> ApiResult<NewMetric> {
        self.made += 1;
        if self.made.is_multiple_of(MADE_PER_TURN) {
            tokio::task::yield_now().await;
        }
        let target = NewMetricTarget {
            creator: self.caller.creator.as_deref(),
            archive_policy_name: description.archive_policy_name.as_deref(),
            name: description.name.as_deref(),
            unit: description.unit.as_deref(),
            resource_id: description.resource.as_ref().map(ResourceAddress::id),
            original_resource_id: description.original_resource_id.as_deref(),
        };
        require(self.state, Action::CreateMetric, self.caller, &target).await?;
        let MetricDescription {
            archive_policy_name,
            resource,
            original_resource_id: _,
            name,
            unit,
        } = description;
        // What cannot be a name needs no archive policy.
        if let Some(name) = &name {
            check_name(name)?;
        }
        let archive_policy_name = match archive_policy_name {
            Some(given) => given,
            None => self.choose(name.as_deref()).await?,
        };
        NewMetric::new(
            self.caller.creator.clone(),
            archive_policy_name,
            name,
            unit,
            resource.map(|resource| resource.id()),
        )
        .map_err(|error| refuse(&error))
    }

    async fn choose(&mut self, name: Option<&str>) -> ApiResult<String> {
        let rules = match &mut self.rules {
            Some(rules) => rules,
            unread => unread.insert(self.state.gnocchi().archive_policy_rules().await?),
        };
        match match_rule(rules, name) {
            Some(rule) => Ok(rule.archive_policy_name.clone()),
            None => Err(Error::NoArchivePolicyRule {
                metric_name: name.map(ToOwned::to_owned),
            }
            .into()),
        }
    }
}

/// Checks that an address can hold the name of a metric.
pub(super) fn check_name(name: &str) -> ApiResult<()> {
    match name {
        "" => Err(refuse(&MetricError::NameEmpty)),
        name if name.contains('/') => Err(refuse(&MetricError::SlashInName)),
        _ => Ok(()),
    }
}

fn refuse(error: &MetricError) -> ApiError {
    match error {
        MetricError::NameMissing => ApiError::bad_data(json!({
            "cause": "Attribute value error",
            "detail": "name",
            "reason": "Name cannot be null if resource_id is not null",
        })),
        other => ApiError::bad_request(other.to_string()),
    }
}
