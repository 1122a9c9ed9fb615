//! Measures of many metrics in one request.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, Measures, Metric, MetricId, ResourceId};
use gnocchi_core::policy::{Action, Caller, MetricTarget};
use serde_json::{Value, json};

use super::creation::{MetricDescription, MetricMaker};
use super::measures::{append, parse};
use crate::api::auth::{Authenticated, require};
use crate::api::body::RequestBody;
use crate::api::error::{ApiError, ApiResult, NamedIn};
use crate::api::measures::{self, BodyError, NamedMeasures, ResourceMeasures};
use crate::api::query::Query;
use crate::api::schema::{Invalid, Path};
use crate::api::state::ApiState;

/// The pause before missing metrics are looked for again because somebody else creates them at the same time.
const PAUSE: Duration = Duration::from_millis(5);

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
    let unknown = ids
        .iter()
        .zip(&metrics)
        .filter(|(_, metric)| metric.is_none())
        .map(|(id, _)| id.to_string());
    refuse_unknown(unknown.collect())?;
    require_posts(&state, &caller, &metrics).await?;
    let measures = batch
        .into_iter()
        .map(|(metric, series)| Measures { metric, series })
        .collect();
    append(&state, measures, report).await
}

/// `POST /v1/batch/resources/metrics/measures`
pub(super) async fn by_resource(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let report = query.flag("report", false)?;
    let create_metrics = query.flag("create_metrics", false)?;
    let creator = caller.creator.clone();
    let batch = parse(&state, body.json_bytes().await?, move |bytes, context| {
        let parsed = measures::by_resource(bytes, context)?;
        Batch::of(parsed, creator.as_deref()).map_err(BodyError::Invalid)
    })
    .await?;
    let metrics = state.gnocchi().named_metrics(&batch.names).await?;
    require_posts(&state, &caller, &metrics).await?;
    let metrics = if create_metrics {
        create_missing(&state, &caller, &batch, metrics).await?
    } else {
        let names = batch.names.iter().zip(&metrics);
        let unknown = names.filter(|(_, metric)| metric.is_none());
        refuse_unknown(
            unknown
                .map(|((resource, name), _)| format!("{resource}/{name}"))
                .collect(),
        )?;
        metrics.into_iter().flatten().collect()
    };
    let measures = batch.measures.into_iter().zip(metrics);
    let measures = measures.map(|(named, metric)| Measures {
        metric: metric.id,
        series: named.measures.series,
    });
    append(&state, measures.collect(), report).await
}

/// Measures by resource and name, each pair once.
struct Batch {
    /// The resource and the name of each metric.
    names: Vec<(ResourceId, String)>,
    /// What came for each of `names`.
    measures: Vec<Named>,
}

/// Measures of one metric of one resource.
struct Named {
    resource: ResourceId,
    original_id: Arc<str>,
    measures: NamedMeasures,
}

impl Batch {
    /// Turns the ids of a body into those of its sender, and puts together what is meant for one metric.
    fn of(parsed: Vec<ResourceMeasures>, creator: Option<&str>) -> Result<Self, Invalid> {
        let mut all = Vec::new();
        for ResourceMeasures {
            original_id,
            metrics,
        } in parsed
        {
            let resource = ResourceId::from_original(&original_id, creator).map_err(|error| {
                Path::Key(&Path::Root, &original_id).invalid_key(error.to_string())
            })?;
            let original_id: Arc<str> = original_id.into();
            all.extend(metrics.into_iter().map(|measures| Named {
                resource,
                original_id: Arc::clone(&original_id),
                measures,
            }));
        }
        let key = |named: &Named| (named.resource, named.measures.name.clone());
        let measures = measures::unite(all, key, |named, mut later| {
            let own = &mut named.measures;
            for Named { measures, .. } in &mut later {
                own.archive_policy_name = (measures.archive_policy_name.take())
                    .or_else(|| own.archive_policy_name.take());
                own.unit = measures.unit.take().or_else(|| own.unit.take());
            }
            let later = later.into_iter().map(|named| named.measures.series);
            own.series = measures::put_together(mem::take(&mut own.series), later);
        });
        Ok(Self {
            names: measures.iter().map(key).collect(),
            measures,
        })
    }
}

/// Creates the metrics that are missing, all or none, and returns one for each entry of the batch.
async fn create_missing(
    state: &ApiState,
    caller: &Caller,
    batch: &Batch,
    mut metrics: Vec<Option<Arc<Metric>>>,
) -> ApiResult<Vec<Arc<Metric>>> {
    let started = Instant::now();
    loop {
        let missing: Vec<&Named> = batch
            .measures
            .iter()
            .zip(&metrics)
            .filter(|(_, metric)| metric.is_none())
            .map(|(named, _)| named)
            .collect();
        if missing.is_empty() {
            return Ok(metrics.into_iter().flatten().collect());
        }
        if started.elapsed() > state.settings().operation_timeout {
            let text =
                "Metrics of this request are created and deleted at the same time: try again";
            return Err(ApiError::busy(text));
        }
        refuse_unknown_resources(state, &missing).await?;
        let mut maker = MetricMaker::new(state, caller);
        let mut made = Vec::with_capacity(missing.len());
        for named in missing {
            let description = MetricDescription {
                archive_policy_name: named.measures.archive_policy_name.clone(),
                resource_id: Some(named.resource),
                original_resource_id: Some(named.original_id.to_string()),
                name: Some(named.measures.name.clone()),
                unit: named.measures.unit.clone(),
            };
            made.push(maker.make(description).await?);
        }
        match state.gnocchi().create_metrics(made).await {
            Ok(_) => {}
            // Somebody else has just created one of them, which is as good.
            Err(Error::Indexer(IndexerError::NamedMetricExists { .. })) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(ApiError::of(error, NamedIn::Body)),
        }
        metrics = state.gnocchi().named_metrics(&batch.names).await?;
        require_posts(state, caller, &metrics).await?;
    }
}

async fn refuse_unknown_resources(state: &ApiState, missing: &[&Named]) -> ApiResult<()> {
    let wanted: BTreeMap<ResourceId, &str> = missing
        .iter()
        .map(|named| (named.resource, &*named.original_id))
        .collect();
    let ids: Vec<ResourceId> = wanted.keys().copied().collect();
    let found: BTreeSet<ResourceId> = state
        .gnocchi()
        .resources(GENERIC, &ids)
        .await?
        .into_iter()
        .flatten()
        .map(|resource| resource.id)
        .collect();
    let unknown: Vec<Value> = wanted
        .iter()
        .filter(|(id, _)| !found.contains(id))
        .map(|(id, original)| json!({"resource_id": id.to_string(), "original_resource_id": original}))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ApiError::bad_data(
            json!({"cause": "Unknown resources", "detail": unknown}),
        ))
    }
}

/// The resource of a metric doesn't count here: rules about it never let anybody send measures in batches.
async fn require_posts(
    state: &ApiState,
    caller: &Caller,
    metrics: &[Option<Arc<Metric>>],
) -> ApiResult<()> {
    for metric in metrics.iter().flatten() {
        let target = MetricTarget {
            metric,
            resource: None,
        };
        require(state, Action::PostMeasures, caller, &target).await?;
    }
    Ok(())
}

/// Refuses a batch that names metrics that do not exist.
fn refuse_unknown(mut unknown: Vec<String>) -> ApiResult<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    unknown.sort_unstable();
    Err(ApiError::bad_request(format!(
        "Unknown metrics: {}",
        unknown.join(", ")
    )))
}
