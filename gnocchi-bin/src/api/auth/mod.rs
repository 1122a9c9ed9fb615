//! Who calls, and what he may do.

mod basic;
mod visibility;

use axum::extract::FromRequestParts;
use gnocchi_core::model::{GENERIC, Metric, Resource};
use gnocchi_core::policy::{Action, Caller, MetricTarget, ResourceTarget, Target};
use http::StatusCode;
use http::request::Parts;

pub(crate) use visibility::{metric_visibility, resource_visibility};

use super::error::{ApiError, ApiResult};
use super::settings::AuthMode;
use super::state::ApiState;

/// A caller who said who he is.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(pub Caller);

impl FromRequestParts<ApiState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = match state.settings().auth_mode {
            AuthMode::Basic => basic::caller(&parts.headers),
        };
        caller
            .map(Self)
            .ok_or_else(|| ApiError::empty(StatusCode::UNAUTHORIZED))
    }
}

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
    if state.enforcer().allows(action, caller, target) {
        Ok(())
    } else {
        Err(ApiError::empty(StatusCode::FORBIDDEN))
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
    let enforcer = state.enforcer();
    if enforcer.is_monotone(action)
        && enforcer.allows(
            action,
            caller,
            &MetricTarget {
                metric,
                resource: None,
            },
        )
    {
        return Ok(());
    }
    let resource = resource_of(state, metric).await?;
    require(
        state,
        action,
        caller,
        &MetricTarget {
            metric,
            resource: resource.as_ref(),
        },
    )
    .await
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
