//! What waits to be processed, and who processes it.

use axum::extract::State;
use gnocchi_core::driver::BacklogDetails;
use gnocchi_core::policy::{Action, NoTarget};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::ok;
use crate::api::auth::{Authenticated, require};
use crate::api::request::query::Query;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// `GET /v1/status`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> ApiResult {
    require(&state, Action::GetStatus, &caller, &NoTarget).await?;
    let details = if query.flag("details", true)? {
        BacklogDetails::PerMetric
    } else {
        BacklogDetails::Summary
    };
    let backlog = state.gnocchi().backlog(details).await.map_err(|error| {
        tracing::warn!(%error, "cannot list the backlog");
        ApiError::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Unable to generate status. Please retry.",
        )
    })?;
    let mut storage = json!({"summary": {"metrics": backlog.metrics, "measures": backlog.batches}});
    if details == BacklogDetails::PerMetric {
        let per_metric: Map<String, Value> = backlog
            .per_metric
            .iter()
            .map(|line| (line.metric.to_string(), line.batches.into()))
            .collect();
        storage["measures_to_process"] = Value::Object(per_metric);
    }
    let members = state.gnocchi().processing_status().await?;
    let processors = members.as_ref().map(|members| {
        members
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
    });
    let statistics: Map<String, Value> = members
        .iter()
        .flatten()
        .map(|(name, counters)| (name.clone(), json!(counters)))
        .collect();
    Ok(ok(
        &json!({"storage": storage, "metricd": {"processors": processors, "statistics": statistics}}),
    ))
}
