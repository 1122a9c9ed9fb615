//! What a caller sees of a listing, and reaches by one call.

use gnocchi_core::policy::{Action, Answers, Caller, Sight, VisibleMetrics, VisibleResources};
use http::StatusCode;

use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// Decides which resources of a type a caller sees when they list or search them. Callers that are bare names see all.
///
/// # Errors
/// 403 when they may not do it at all.
pub(crate) async fn resource_sight(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    resource_type: &str,
) -> ApiResult<Sight<VisibleResources>> {
    let enforcer = state.enforcer();
    let decide =
        |answers: &Answers| enforcer.visible_resources(action, caller, resource_type, answers);
    state
        .access(caller)
        .settle(decide)
        .await?
        .ok_or_else(insufficient)
}

/// Decides which resources of a type a caller may delete by one call, or compute with.
///
/// # Errors
/// 403 when they may not do it at all.
pub(crate) async fn resource_reach(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    resource_type: &str,
) -> ApiResult<Sight<VisibleResources>> {
    let enforcer = state.enforcer();
    let decide =
        |answers: &Answers| enforcer.reachable_resources(action, caller, resource_type, answers);
    state
        .access(caller)
        .settle(decide)
        .await?
        .ok_or_else(insufficient)
}

/// Decides which metrics a caller sees in a listing. Callers that are bare names see all.
///
/// # Errors
/// 403 when they may not list at all.
pub(crate) async fn metric_sight(
    state: &ApiState,
    caller: &Caller,
) -> ApiResult<Sight<VisibleMetrics>> {
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.visible_metrics(caller, answers);
    state
        .access(caller)
        .settle(decide)
        .await?
        .ok_or_else(insufficient)
}

fn insufficient() -> ApiError {
    ApiError::text(StatusCode::FORBIDDEN, "Insufficient privileges")
}
