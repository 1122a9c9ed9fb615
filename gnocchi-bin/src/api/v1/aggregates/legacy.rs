//! The deprecated calls: one aggregate across metrics, as a bare list.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use carbonara::Timespan;
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{Glob, Metric, MetricId};
use gnocchi_core::policy::{Action, Caller};
use gnocchi_core::query::{
    AggregatesError, ReaggregationQuery, ResourceSelection, Revisions, SeriesName, Source,
};
use serde_json::{Value, json};

use super::admission::Admitted;
use super::by_resources::group_by;
use super::parameters::{Parameters, UnlessSaid};
use super::refusal;
use super::view;
use crate::api::auth::{Authenticated, Extent, denied, require_on_metrics};
use crate::api::middleware::address::Names;
use crate::api::middleware::paid::Paid;
use crate::api::request::body::RequestBody;
use crate::api::request::filter::{self, Rows};
use crate::api::request::query::Query;
use crate::api::request::schema::{self, Path, listed, shown_text};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::explanation;
use crate::api::response::render::Document;
use crate::api::state::ApiState;
use crate::api::v1::document;
use crate::api::v1::measures::resample;

/// What is said of an entry of a list that is no id of a metric.
const NO_ID: &str = "not a valid value";

/// `GET /v1/aggregation/metric`
pub(in crate::api::v1) async fn across_metrics(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> ApiResult {
    let named = query.all("metric").filter(|text| !text.is_empty());
    let ids = named.enumerate().map(|(place, text)| {
        text.parse().map_err(|_| {
            ApiError::bad_request(format!("Invalid input: {NO_ID} @ data[{place}]"))
                .explained(format!("{} is not a UUID of a metric", shown_text(text)))
        })
    });
    let ids = ids.collect::<ApiResult<Vec<MetricId>>>()?;
    aggregate_metrics(&state, &caller, &query, each_once(ids)).await
}

/// `POST /v1/aggregation/metric`
pub(in crate::api::v1) async fn across_metrics_of_body(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let ids = schema::list(&*body.json().await?, &Path::Root, 0, |value, path| {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| path.invalid(NO_ID).sent(value, "the UUID of a metric"))
    })?;
    aggregate_metrics(&state, &caller, &query, each_once(ids)).await
}

/// Drops ids that stand there again; the others keep their order, in which reasons name them.
fn each_once(mut ids: Vec<MetricId>) -> Vec<MetricId> {
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    ids
}

/// `POST /v1/aggregation/resource/{type}/metric/{name}`
pub(in crate::api::v1) async fn across_resources(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, metric_name)): Names<(String, String)>,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let resource_type = state.gnocchi().resource_type(&type_name).await?;
    let admitted = Admitted::of(&state, &caller, &type_name).await?;
    let filter = filter::of_request(body, &query).await?;
    let condition = filter::bind(
        &state,
        filter.as_ref(),
        &caller,
        &resource_type,
        Rows::Current,
    )?;
    let asked = parse(&state, &query)?;
    let paid = Paid::begin(&state);
    let selection = ResourceSelection {
        resource_type: type_name,
        condition,
        visibility: admitted.visibility.clone(),
        admission: admitted.admission(),
        group_by: group_by(&query),
    };
    let computing = across_selection(paid.state(), &admitted, selection, &metric_name, &asked);
    paid.respond(computing).await
}

/// Answers with one aggregate across the metrics of this name of each group.
async fn across_selection(
    state: &ApiState,
    admitted: &Admitted,
    selection: ResourceSelection,
    metric_name: &str,
    asked: &ReaggregationQuery,
) -> ApiResult {
    let grouped = !selection.group_by.is_empty();
    let references = json!([[metric_name, asked.aggregation]]);
    let gnocchi = state.gnocchi();
    let mut groups = gnocchi.named_metric_groups(selection.clone(), metric_name);
    let mut answer = Document::new();
    let (mut written, mut series) = (0, 0);
    if grouped {
        answer.text("[");
    }
    loop {
        let mut batch = groups.next_batch().await.map_err(bad_group)?;
        if batch.is_empty() {
            break;
        }
        let sources: Vec<Vec<Source>> = batch
            .iter_mut()
            .map(|group| std::mem::take(&mut group.sources))
            .collect();
        series += sources.iter().map(Vec::len).sum::<usize>();
        let computed = gnocchi.reaggregated(asked, &sources).await;
        let computed = computed.map_err(|error| refused(error, &references))?;
        for (group, levels) in batch.into_iter().zip(computed) {
            if grouped {
                view::begin_group(&mut answer, written, &group.properties);
            }
            view::level_list(&mut answer, levels);
            if grouped {
                answer.text("}");
            }
            written += 1;
        }
    }
    if series == 0 {
        let names = vec![Glob::literal(metric_name)];
        let is_refused = admitted.is_refused(state, selection, names, Revisions::Current);
        if is_refused.await? {
            return Err(denied());
        }
    }
    match (grouped, written) {
        (true, _) => drop(answer.text("]")),
        (false, 0) => drop(answer.text("[]")),
        (false, _) => {}
    }
    document(state, answer)
}

/// Answers with one aggregate across metrics.
///
/// What is missing comes before what is wrong with the parameters, and both before what is forbidden: which of several metrics stands
/// first makes no difference.
async fn aggregate_metrics(
    state: &ApiState,
    caller: &Caller,
    query: &Query,
    ids: Vec<MetricId>,
) -> ApiResult {
    let paid = Paid::begin(state);
    let computing = aggregate_metrics_paid(paid.state(), caller, query, ids);
    paid.respond(computing).await
}

async fn aggregate_metrics_paid(
    state: &ApiState,
    caller: &Caller,
    query: &Query,
    ids: Vec<MetricId>,
) -> ApiResult {
    let found = state.gnocchi().metrics(&ids).await?;
    let pairs = ids.iter().zip(found);
    let metrics =
        pairs.map(|(id, metric)| metric.ok_or_else(|| ApiError::no_such_metric(&id.to_string())));
    let metrics: Vec<Arc<Metric>> = metrics.collect::<ApiResult<_>>()?;
    let asked = parse(state, query)?;
    let all = metrics.iter().map(Arc::as_ref);
    require_on_metrics(state, Action::GetMetric, caller, all, Extent::Alone).await?;
    let sources: Vec<Source> = metrics
        .into_iter()
        .map(|metric| Source {
            reference: 0,
            metric,
            found: None,
        })
        .collect();
    let references: Value = sources
        .iter()
        .map(|source| json!([source.metric.id.to_string(), asked.aggregation]))
        .collect();
    let computed = state.gnocchi().reaggregated(&asked, &[sources]).await;
    let computed = computed.map_err(|error| refused(error, &references))?;
    let mut answer = Document::new();
    for levels in computed {
        view::level_list(&mut answer, levels);
    }
    document(state, answer)
}

fn parse(state: &ApiState, query: &Query) -> ApiResult<ReaggregationQuery> {
    let now = state.gnocchi().clock().now();
    let parameters = Parameters::parse(query, now, UnlessSaid::FullOverlap)?;
    // Every read sees what was acknowledged before, so there is nothing to refresh.
    query.flag("refresh", false)?;
    let aggregation = query.single("aggregation")?.unwrap_or("mean");
    let reaggregation = query.single("reaggregation")?.unwrap_or(aggregation);
    Ok(ReaggregationQuery {
        aggregation: aggregation.to_owned(),
        reaggregation: reaggregation.to_owned(),
        granularity: parameters.granularity,
        start: parameters.start,
        stop: parameters.stop,
        resample: resample(query)?,
        gaps: parameters.gaps,
    })
}

/// Says why nothing was computed, in the words of these calls.
fn refused(error: AggregatesError, references: &Value) -> ApiError {
    let lacks = |series: &SeriesName, granularity: Timespan| {
        let policy = &series.metric.archive_policy;
        ApiError::unknown_granularity(series.metric.id, &series.method, granularity, policy)
    };
    match &error {
        AggregatesError::UnknownAggregation { series, others: 0 } => {
            let policy = &series.metric.archive_policy;
            ApiError::unknown_aggregation(series.metric.id, &series.method, policy)
        }
        AggregatesError::UnknownAggregation { series, .. } => {
            let definition = series.metric.archive_policy.definition();
            match definition.first() {
                // The granularity is any one that there is: what is missing is the method.
                Some(first) => lacks(series, first.granularity()).explained(
                    explanation::aggregation(&series.method, &series.metric.archive_policy),
                ),
                None => refusal::of(error, references),
            }
        }
        AggregatesError::GranularitiesMissing {
            series,
            granularity,
        } => match series.first() {
            Some(first) => lacks(first, *granularity),
            None => refusal::of(error, references),
        },
        _ => refusal::of(error, references),
    }
}

/// Says that resources cannot be grouped that way.
fn bad_group(error: Error) -> ApiError {
    match error {
        Error::Indexer(IndexerError::InvalidSortKey { key, known }) => {
            let known = listed("attributes", &key, known.iter().map(String::as_str));
            ApiError::bad_request("Invalid groupby attribute")
                .explained(format!("{} is not an attribute; {known}", shown_text(&key)))
        }
        other => other.into(),
    }
}
