//! Metrics that do not exist yet: how callers describe them, and how a description becomes a metric.

use super::{IntakeError, Refusal};
use crate::access::Access;
use crate::error::Error;
use crate::model::{MetricError, NewMetric, ResourceAddress};
use crate::policy::{Action, NewMetricTarget};
use crate::store::PolicyChoice;

/// How many metrics are made before other tasks get their turn.
const MADE_PER_TURN: usize = 64;

/// A metric as a caller describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricDescription {
    /// The name of its archive policy; `None` when the rules choose it.
    pub archive_policy_name: Option<String>,
    /// The resource that it belongs to, unless that is created together with it.
    pub resource: Option<ResourceAddress>,
    /// The id of the resource as the caller wrote it, which rules may compare.
    pub original_resource_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its unit.
    pub unit: Option<String>,
}

/// Makes metrics of descriptions, for one caller and one request.
#[derive(Debug)]
pub struct MetricMaker<'a> {
    access: Access<'a>,
    policies: PolicyChoice<'a>,
    made: usize,
}

impl<'a> MetricMaker<'a> {
    /// Starts for one request.
    #[must_use]
    pub fn new(access: Access<'a>) -> Self {
        Self {
            access,
            policies: PolicyChoice::of(access.gnocchi()),
            made: 0,
        }
    }

    /// Checks that the caller may create a metric, and chooses its archive policy.
    ///
    /// # Errors
    /// [`IntakeError::Refused`] when the caller may not create it, no metric can have its name or unit, or no rule matches;
    /// [`IntakeError::Store`] when the rules cannot be read.
    pub async fn make(&mut self, description: MetricDescription) -> Result<NewMetric, IntakeError> {
        self.made += 1;
        if self.made.is_multiple_of(MADE_PER_TURN) {
            tokio::task::yield_now().await;
        }
        let creator = &self.access.caller().creator;
        let target = NewMetricTarget {
            creator: creator.as_deref(),
            archive_policy_name: description.archive_policy_name.as_deref(),
            name: description.name.as_deref(),
            unit: description.unit.as_deref(),
            resource_id: description.resource.as_ref().map(ResourceAddress::id),
            original_resource_id: description.original_resource_id.as_deref(),
        };
        self.access.require(Action::CreateMetric, &target).await?;
        let MetricDescription {
            archive_policy_name: given,
            resource,
            original_resource_id: _,
            name,
            unit,
        } = description;
        // A name that no metric can have needs no archive policy.
        if let Some(name) = &name {
            check_metric_name(name).map_err(Refusal::from)?;
        }
        let chosen = self.policies.choose(given, name.as_deref()).await;
        let archive_policy_name = chosen.map_err(|error| match error {
            Error::NoArchivePolicyRule { metric_name } => {
                Refusal::NoArchivePolicyRule { metric_name }.into()
            }
            error => IntakeError::from(error),
        })?;
        let resource_id = resource.map(|resource| resource.id());
        NewMetric::new(
            creator.clone(),
            archive_policy_name,
            name,
            unit,
            resource_id,
        )
        .map_err(|error| Refusal::from(error).into())
    }
}

/// Checks that an address can hold the name of a metric.
///
/// # Errors
/// [`MetricError::NameEmpty`] and [`MetricError::SlashInName`].
pub fn check_metric_name(name: &str) -> Result<(), MetricError> {
    match name {
        "" => Err(MetricError::NameEmpty),
        name if name.contains('/') => Err(MetricError::SlashInName),
        _ => Ok(()),
    }
}
