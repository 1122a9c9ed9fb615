//! What a caller sees of a listing.

use gnocchi_core::policy::{Action, Answers, Caller, Visibility, VisibleMetrics, VisibleResources};
use http::StatusCode;

use super::require::settle;
use crate::api::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// Decides which resources of a type a caller sees in a listing that belongs to `action`: list, search or delete resources.
/// Callers that are bare names see all.
///
/// # Errors
/// 403 when he may not do it at all.
pub(crate) async fn resource_visibility(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    resource_type: &str,
) -> ApiResult<Visibility<VisibleResources>> {
    let enforcer = state.enforcer();
    let decide =
        |answers: &Answers| enforcer.visible_resources(action, caller, resource_type, answers);
    settle(state, decide).await?.ok_or_else(insufficient)
}

/// Decides which metrics a caller sees in a listing. Callers that are bare names see all.
///
/// # Errors
/// 403 when he may not list at all.
pub(crate) async fn metric_visibility(
    state: &ApiState,
    caller: &Caller,
) -> ApiResult<Visibility<VisibleMetrics>> {
    let enforcer = state.enforcer();
    let decide = |answers: &Answers| enforcer.visible_metrics(caller, answers);
    settle(state, decide).await?.ok_or_else(insufficient)
}

fn insufficient() -> ApiError {
    ApiError::text(StatusCode::FORBIDDEN, "Insufficient privileges")
}
