//! Measures of many metrics in one request.

use std::sync::Arc;

use axum::extract::State;
use carbonara::Series;
use gnocchi_core::intake::{Destination, Missing, NamedBatch, NamedSeries, UnusableId};
use gnocchi_core::model::{Metric, MetricId};
use gnocchi_core::policy::Action;

use super::accepted;
use super::measures::{append, parse, report_on, reported};
use crate::api::auth::{Authenticated, Extent, require_on_metrics};
use crate::api::measures::{self, BodyError, ResourceMeasures};
use crate::api::middleware::unsent;
use crate::api::request::body::RequestBody;
use crate::api::request::query::Query;
use crate::api::request::schema::Path;
use crate::api::response::error::ApiResult;
use crate::api::response::refusal::unknown;
use crate::api::state::ApiState;

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
    let series: Vec<(Arc<Metric>, Series)> = (metrics.into_iter().flatten())
        .zip(batch.into_iter().map(|(_, series)| series))
        .collect();
    // In batches the resource of a metric grants nothing.
    let metrics = series.iter().map(|(metric, _)| &**metric);
    let action = Action::PostMeasures;
    require_on_metrics(&state, action, &caller, metrics, Extent::Alone).await?;
    append(&state, &caller, series, report).await
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
        named_batch(parsed, creator.as_deref()).map_err(|unusable| {
            let path = Path::Key(&Path::Root, &unusable.original_id);
            BodyError::Invalid(path.invalid_key(unusable.error.to_string()))
        })
    })
    .await?;
    let intake = state.intake(&caller);
    if report {
        unsent::admit_report(state.gnocchi())?;
    }
    let stored = intake.store(batch, missing, reported(report)).await?;
    if report {
        report_on(&stored).await
    } else {
        Ok(accepted())
    }
}

/// Turns the ids of a body into those of its sender.
fn named_batch(
    parsed: Vec<ResourceMeasures>,
    creator: Option<&str>,
) -> Result<NamedBatch, UnusableId> {
    let mut all = Vec::new();
    for ResourceMeasures {
        original_id,
        metrics,
    } in parsed
    {
        let destination = Arc::new(Destination::of(original_id, creator)?);
        all.extend(metrics.into_iter().map(|measures| NamedSeries {
            destination: Arc::clone(&destination),
            name: measures.name,
            series: measures.series,
            archive_policy_name: measures.archive_policy_name,
            unit: measures.unit,
            full_name: None,
            place: 0,
        }));
    }
    Ok(NamedBatch::of(all))
}
