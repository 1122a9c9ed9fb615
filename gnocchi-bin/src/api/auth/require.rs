//! What a caller may do, and the answer when he may not.

use std::sync::Arc;

use gnocchi_core::model::{GENERIC, Metric, Resource};
use gnocchi_core::policy::{
    Action, Answers, Caller, Enforcer, MetricTarget, RemoteCheck, ResourceAccess, ResourceTarget,
    Target,
};
use http::StatusCode;

use crate::api::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// How many questions to other services one decision may take.
const REMOTE_CHECKS_MAX: usize = 32;

/// Insists that a caller may do something.
///
/// # Errors
/// 403 when he may not.
pub(crate) async fn require(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    target: &(impl Target + Sync + ?Sized),
) -> ApiResult<()> {
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.decide(action, caller, target, answers);
    if settle(state, decide).await? {
        Ok(())
    } else {
        Err(denied())
    }
}

/// Insists that a caller may do something to a metric, whose resource counts too.
///
/// # Errors
/// 403 when he may not; what the store says when the resource cannot be read.
pub(crate) async fn require_on_metric(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    metric: &Metric,
) -> ApiResult<()> {
    // Most callers may without a look at the resource, which saves reading it.
    if may_without_resource(&state.enforcer(), action, caller, metric) {
        return Ok(());
    }
    let resource = resource_of(state, metric).await?;
    let target = MetricTarget {
        metric,
        resource: resource.as_ref(),
    };
    require(state, action, caller, &target).await
}

fn may_without_resource(
    enforcer: &Arc<Enforcer>,
    action: Action,
    caller: &Caller,
    metric: &Metric,
) -> bool {
    let target = MetricTarget {
        metric,
        resource: None,
    };
    enforcer.is_monotone(action) && enforcer.allows(action, caller, &target)
}

/// Insists that a caller may do something to a resource.
///
/// # Errors
/// 403 when he may not.
pub(crate) async fn require_on_resource(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    resource: &Resource,
) -> ApiResult<()> {
    require(state, action, caller, &ResourceTarget(resource)).await
}

/// Insists that a caller may see a resource, its history and the list of its metrics. Callers that are bare names see all.
///
/// # Errors
/// 404 when he may see others but not this one, which he must not learn of; 403 when he may see none.
pub(crate) async fn require_get_resource(
    state: &ApiState,
    caller: &Caller,
    resource: &Resource,
) -> ApiResult<()> {
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.access_to_resource(caller, resource, answers);
    match settle(state, decide).await? {
        ResourceAccess::Allowed => Ok(()),
        ResourceAccess::Hidden => Err(ApiError::not_found(format!(
            "Resource {} does not exist",
            resource.id
        ))),
        ResourceAccess::Denied => Err(denied()),
    }
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

/// Makes a decision, asking other services as far as it takes.
pub(super) async fn settle<T>(
    state: &ApiState,
    decide: impl Fn(&Answers) -> Result<T, Box<RemoteCheck>>,
) -> ApiResult<T> {
    let mut answers = Answers::default();
    loop {
        match decide(&answers) {
            Ok(decided) => return Ok(decided),
            Err(_) if answers.len() >= REMOTE_CHECKS_MAX => {
                tracing::warn!(REMOTE_CHECKS_MAX, "a rule asks too many services: denied");
                return Err(denied());
            }
            Err(check) => {
                let allowed = state.remote_checker().allows(&check).await;
                answers.add(*check, allowed);
            }
        }
    }
}

fn denied() -> ApiError {
    ApiError::empty(StatusCode::FORBIDDEN)
}
