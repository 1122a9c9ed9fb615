//! What a caller may do, and the response when they may not.

use std::collections::HashMap;

use gnocchi_core::model::{GENERIC, Metric, Resource, ResourceId};
use gnocchi_core::policy::{
    Action, Answers, Caller, Enforcer, MetricTarget, RemoteCheck, ResourceAccess, ResourceTarget,
    Target, Tenancy,
};
use http::StatusCode;

use crate::api::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// How many questions to other services one decision may take.
const REMOTE_CHECKS_MAX: usize = 32;

/// Whether the resource of a metric counts when a rule is asked about many metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It counts in every way.
    WithResource,
    /// It can deny access, but not grant it.
    Alone,
}

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
    if may(state, action, caller, target).await? {
        Ok(())
    } else {
        Err(denied_by(action))
    }
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
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.decide(action, caller, target, answers);
    settle(state, decide).await
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
    // Most callers may without a look at the resource, which saves reading it.
    if may_without_resource(&state.enforcer(), action, caller, metric) {
        return Ok(Grounds::Metric);
    }
    let resource = resource_of(state, metric).await?;
    let target = MetricTarget {
        metric,
        resource: resource.as_ref(),
    };
    require(state, action, caller, &target).await?;
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
    let enforcer = state.enforcer();
    let open: Vec<&Metric> = metrics
        .filter(|metric| !may_without_resource(&enforcer, action, caller, metric))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    if extent == Extent::Alone && enforcer.is_monotone(action) {
        return Err(denied());
    }
    let resources = resources_of(state, open.iter().copied()).await?;
    for metric in open {
        let resource = metric.resource_id.and_then(|id| resources.get(&id));
        match extent {
            Extent::WithResource => {
                require(state, action, caller, &MetricTarget { metric, resource }).await?;
            }
            Extent::Alone => require_alone(state, action, caller, metric, resource).await?,
        }
    }
    Ok(())
}

/// Requires that a caller may do something to a metric for its own sake, and that its resource, if it is given, does not forbid it.
///
/// # Errors
/// 403 when they may not.
pub(crate) async fn require_alone(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    metric: &Metric,
    resource: Option<&Resource>,
) -> ApiResult<()> {
    let alone = MetricTarget {
        metric,
        resource: None,
    };
    require(state, action, caller, &alone).await?;
    if resource.is_some() {
        require(state, action, caller, &MetricTarget { metric, resource }).await?;
    }
    Ok(())
}

/// Returns whether a caller may do something to a metric whatever its resource is.
fn may_without_resource(
    enforcer: &Enforcer,
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
    require(state, action, caller, &ResourceTarget(resource)).await
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
    match settle(state, decide).await? {
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
    const INSIGHTS: [Action; 4] = [
        Action::GetResource,
        Action::ListResource,
        Action::SearchResource,
        Action::UpdateResource,
    ];
    if caller.tenancy == Tenancy::Shared {
        return Ok(());
    }
    for action in INSIGHTS {
        if may(state, action, caller, &ResourceTarget(resource)).await? {
            return Ok(());
        }
    }
    Err(denied())
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
    let mut ids: Vec<ResourceId> = metrics.filter_map(|metric| metric.resource_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = state.gnocchi().resources(GENERIC, &ids).await?;
    let found = found.into_iter().flatten();
    Ok(found.map(|resource| (resource.id, resource)).collect())
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
