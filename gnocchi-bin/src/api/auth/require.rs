//! What a caller may do, and the response when they may not.

use std::collections::HashMap;

use gnocchi_core::access::{AccessError, Denied, Extent};
use gnocchi_core::model::{GENERIC, Metric, Resource, ResourceId};
use gnocchi_core::policy::{Action, Answers, Caller, MetricTarget, ResourceAccess, Target};
use http::StatusCode;

use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// What makes that a caller may do something to a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grounds {
    /// What never changes of a metric.
    Metric,
    /// Its resource as it is now.
    Resource,
}

/// Requires that a caller may do something.
///
/// # Errors
/// 403 when they may not.
pub(crate) async fn require(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    target: &(impl Target + Sync + ?Sized),
) -> ApiResult<()> {
    Ok(state.access(caller).require(action, target).await?)
}

/// Returns whether a caller may do something.
///
/// # Errors
/// 403 when the rule asks too many other services.
pub(crate) async fn may(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    target: &(impl Target + Sync + ?Sized),
) -> ApiResult<bool> {
    Ok(state.access(caller).may(action, target).await?)
}

/// Requires that a caller may do something to a metric, whose resource counts too, and returns what made it so.
///
/// # Errors
/// 403 when they may not; what the store says when the resource cannot be read.
pub(crate) async fn require_on_metric(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    metric: &Metric,
) -> ApiResult<Grounds> {
    // Most callers may without their resource being read.
    let access = state.access(caller);
    if access.may_without_resource(action, metric) {
        return Ok(Grounds::Metric);
    }
    let resource = resource_of(state, metric).await?;
    let target = MetricTarget {
        metric,
        resource: resource.as_ref(),
    };
    access.require(action, &target).await?;
    Ok(Grounds::Resource)
}

/// Requires that a caller may do something to each of some metrics. Resources that the decision needs are read together.
///
/// # Errors
/// 403 when there is one to which they may not; what the store says when the resources cannot be read.
pub(crate) async fn require_on_metrics(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    metrics: impl Iterator<Item = &Metric> + Send,
    extent: Extent,
) -> ApiResult<()> {
    let access = state.access(caller);
    Ok(access.require_on_metrics(action, metrics, extent).await?)
}

/// Requires that a caller may do something to a resource.
///
/// # Errors
/// 403 when they may not.
pub(crate) async fn require_on_resource(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    resource: &Resource,
) -> ApiResult<()> {
    let access = state.access(caller);
    Ok(access.require_on_resource(action, resource).await?)
}

/// Requires that a caller may see a resource, its history and the list of its metrics.
///
/// # Errors
/// 404 when they may see others but not this one, which they must not learn of; 403 when they may see none.
pub(crate) async fn require_get_resource(
    state: &ApiState,
    caller: &Caller,
    resource: &Resource,
) -> ApiResult<()> {
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.access_to_resource(caller, resource, answers);
    match state.access(caller).settle(decide).await? {
        ResourceAccess::Allowed => Ok(()),
        ResourceAccess::Hidden => Err(ApiError::not_found(format!(
            "Resource {} does not exist",
            resource.id
        ))),
        ResourceAccess::Denied => Err(denied()),
    }
}

/// Requires that a caller may learn which names of metrics a resource has not: for the names that it has the response is 403
/// already, so anything else would tell them apart. Bare names list all metrics anyway.
///
/// # Errors
/// 403 when no rule lets the caller see or change the resource.
pub(crate) async fn require_insight(
    state: &ApiState,
    caller: &Caller,
    resource: &Resource,
) -> ApiResult<()> {
    Ok(state.access(caller).require_insight(resource).await?)
}

/// Returns the resource that a metric belongs to.
///
/// # Errors
/// What the store says when the resource cannot be read.
pub(crate) async fn resource_of(state: &ApiState, metric: &Metric) -> ApiResult<Option<Resource>> {
    let Some(id) = metric.resource_id else {
        return Ok(None);
    };
    let found = state.gnocchi().resources(GENERIC, &[id]).await?;
    Ok(found.into_iter().flatten().next())
}

/// Reads the resources that metrics belong to, all in one call.
///
/// # Errors
/// What the store says when the resources cannot be read.
pub(crate) async fn resources_of(
    state: &ApiState,
    metrics: impl Iterator<Item = &Metric>,
) -> ApiResult<HashMap<ResourceId, Resource>> {
    Ok(gnocchi_core::access::resources_of(state.gnocchi(), metrics).await?)
}

/// Makes the refusal of what a caller may not do to metrics and resources. It is the same for all of them: a rule that refuses only
/// what exists would tell that it exists.
pub(crate) fn denied() -> ApiError {
    ApiError::text(
        StatusCode::FORBIDDEN,
        "The access rules do not allow this request",
    )
}

/// Makes the refusal of an action, with the rule where that is about what belongs to no tenant.
fn denied_by(action: Action) -> ApiError {
    use Action as A;
    let is_shared = matches!(
        action,
        A::GetStatus
            | A::CreateResourceType
            | A::GetResourceType
            | A::UpdateResourceType
            | A::DeleteResourceType
            | A::ListResourceType
            | A::CreateArchivePolicy
            | A::GetArchivePolicy
            | A::UpdateArchivePolicy
            | A::DeleteArchivePolicy
            | A::ListArchivePolicy
            | A::CreateArchivePolicyRule
            | A::GetArchivePolicyRule
            | A::UpdateArchivePolicyRule
            | A::DeleteArchivePolicyRule
            | A::ListArchivePolicyRule
    );
    if !is_shared {
        return denied();
    }
    let text = format!(
        "The access rule \"{}\" does not allow this request",
        action.name()
    );
    ApiError::text(StatusCode::FORBIDDEN, text)
}

impl From<Denied> for ApiError {
    fn from(refusal: Denied) -> Self {
        match refusal {
            Denied::ByRule { action } => denied_by(action),
            Denied::TooManyChecks => denied(),
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Denied(refusal) => refusal.into(),
            AccessError::Store(error) => error.into(),
        }
    }
}
