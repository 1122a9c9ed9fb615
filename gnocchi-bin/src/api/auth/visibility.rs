//! What callers see of listings.

use gnocchi_core::policy::{Action, Caller, Visibility, VisibleMetrics, VisibleResources};

use crate::api::error::ApiResult;
use crate::api::state::ApiState;

/// Returns which resources of a type a caller sees when he does something to all of them.
///
/// # Errors
/// 403 when he sees none, whatever there is.
pub(crate) async fn resource_visibility(
    _state: &ApiState,
    _action: Action,
    _caller: &Caller,
    _resource_type: &str,
) -> ApiResult<Visibility<VisibleResources>> {
    Ok(Visibility::Everything)
}

/// Returns which metrics a caller sees.
///
/// # Errors
/// 403 when he sees none, whatever there is.
pub(crate) async fn metric_visibility(
    _state: &ApiState,
    _caller: &Caller,
) -> ApiResult<Visibility<VisibleMetrics>> {
    Ok(Visibility::Everything)
}
