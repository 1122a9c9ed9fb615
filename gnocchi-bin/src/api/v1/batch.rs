//! Measures of many metrics in one request.

use axum::extract::State;
use gnocchi_core::model::{Measures, MetricId};

use super::measures::{append, parse};
use crate::api::auth::Authenticated;
use crate::api::body::RequestBody;
use crate::api::error::ApiResult;
use crate::api::measures::{self, BodyError};
use crate::api::query::Query;
use crate::api::schema::Path;
use crate::api::state::ApiState;
use crate::ingest::{Missing, NamedBatch, OnDemand, require_posts, unknown};

/// `POST /v1/batch/metrics/measures`
pub(super) async fn by_metric(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let report = query.flag("report", false)?;
    let batch = parse(&state, body.json_bytes().await?, measures::by_metric).await?;
    let ids: Vec<MetricId> = batch.iter().map(|(id, _)| *id).collect();
    let metrics = state.gnocchi().metrics(&ids).await?;
    let missing = ids
        .iter()
        .zip(&metrics)
        .filter(|(_, metric)| metric.is_none())
        .map(|(id, _)| id.to_string());
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        return Err(unknown(missing));
    }
    require_posts(&state, &caller, &metrics).await?;
    let measures = batch
        .into_iter()
        .map(|(metric, series)| Measures { metric, series })
        .collect();
    append(&state, &caller, measures, report, |id| {
        unknown(vec![id.to_string()])
    })
    .await
}

/// `POST /v1/batch/resources/metrics/measures`
pub(super) async fn by_resource(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let report = query.flag("report", false)?;
    let missing = if query.flag("create_metrics", false)? {
        Missing::CreateMetrics
    } else {
        Missing::Refuse
    };
    let creator = caller.creator.clone();
    let batch = parse(&state, body.json_bytes().await?, move |bytes, context| {
        let parsed = measures::by_resource(bytes, context)?;
        NamedBatch::of_json(parsed, creator.as_deref()).map_err(|unusable| {
            let path = Path::Key(&Path::Root, &unusable.original_id);
            BodyError::Invalid(path.invalid_key(unusable.error.to_string()))
        })
    })
    .await?;
    let on_demand = OnDemand {
        state: &state,
        caller: &caller,
        missing,
    };
    let (measures, names) = on_demand.measures(batch).await?;
    let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
    let unknown_by_name = |id| {
        let place = ids.iter().position(|known| *known == id);
        let name = place.map(|place| format!("{}/{}", names[place].0, names[place].1));
        unknown(name.into_iter().collect())
    };
    append(&state, &caller, measures, report, unknown_by_name).await
}
