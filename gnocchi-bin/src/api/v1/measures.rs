//! Measures of one metric, and what all ways of sending measures share.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use carbonara::{CalendarUnit, Granularity, Series, Timespan, Timestamp};
use gnocchi_core::intake::{self, Refusal};
use gnocchi_core::model::{Metric, MetricId, RejectReason};
use gnocchi_core::policy::{Action, Caller};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery, Resample};
use gnocchi_core::{AppendOptions, Reported};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{accepted, json_bytes, metric};
use crate::api::aside::{self, Length};
use crate::api::auth::{Authenticated, Grounds, require_on_metric};
use crate::api::measures::{self, BodyError, Context};
use crate::api::middleware::address::Names;
use crate::api::middleware::paid::Paid;
use crate::api::middleware::unsent;
use crate::api::request::body::{Body, RequestBody};
use crate::api::request::body_memory;
use crate::api::request::query::Query;
use crate::api::request::time_zone::{not_local, time_zone};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::explanation;
use crate::api::response::render::{self, Document, LevelRows};
use crate::api::state::ApiState;
use crate::api::timespan;
use crate::ingest::{self, Exceeded};

/// How much JSON with measures is parsed at once, in bytes: it takes about half a millisecond.
const PARSED_AT_ONCE_BYTES: usize = 256 << 10;

/// Of how many metrics a report is rendered at once.
const REPORTED_AT_ONCE: usize = 500;

/// The query parameter that groups aggregates further.
const RESAMPLE: &str = "resample";

/// `GET /v1/metric/{id}/measures`
pub(super) async fn of_metric(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(id): Names<String>,
    query: Query,
) -> ApiResult {
    let metric = metric::find(&state, &id).await?;
    read(&state, &caller, &metric, &query).await
}

/// `POST /v1/metric/{id}/measures`
pub(super) async fn send_to_metric(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(id): Names<String>,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let metric = metric::find(&state, &id).await?;
    send(&state, &caller, &metric, &query, body).await
}

/// Answers with aggregates of a metric.
pub(super) async fn read(
    state: &ApiState,
    caller: &Caller,
    metric: &Metric,
    query: &Query,
) -> ApiResult {
    let paid = Paid::begin(state);
    paid.respond(read_paid(paid.state(), caller, metric, query))
        .await
}

async fn read_paid(state: &ApiState, caller: &Caller, metric: &Metric, query: &Query) -> ApiResult {
    require_on_metric(state, Action::GetMeasures, caller, metric).await?;
    // Every read sees what was acknowledged before, so there is nothing to refresh.
    query.flag("refresh", false)?;
    let query = parse_query(metric, query, state.gnocchi().clock().now())?;
    let levels = state.gnocchi().measures(metric, &query).await?;
    let mut document = Document::new();
    document.measures(levels.into_iter().map(level_rows).collect());
    super::document(state, document)
}

/// Takes measures for a metric.
pub(super) async fn send(
    state: &ApiState,
    caller: &Caller,
    metric: &Metric,
    query: &Query,
    body: RequestBody,
) -> ApiResult {
    let action = Action::PostMeasures;
    let grounds = require_on_metric(state, action, caller, metric).await?;
    let report = query.flag("report", false)?;
    let series = parse(state, body.json_bytes().await?, measures::list).await?;
    // The body may have taken its time.
    let metric = state.gnocchi().metric(metric.id).await?;
    if grounds == Grounds::Resource {
        require_on_metric(state, action, caller, &metric).await?;
    }
    append(state, caller, vec![(metric, series)], report).await
}

/// Parses a body with measures.
pub(super) async fn parse<T: Send + 'static>(
    state: &ApiState,
    body: Body,
    parser: impl FnOnce(&[u8], Context) -> Result<T, BodyError> + Send + 'static,
) -> ApiResult<T> {
    let context = ingest::context(state);
    let held = state.body_memory().hold_columns(body.len()).await?;
    let length = Length::of(body.len(), PARSED_AT_ONCE_BYTES);
    let parsed = body_memory::decode(length, held, move |_| parser(&body, context)).await?;
    parsed.map_err(|error| match error {
        BodyError::Malformed(reason) => ApiError::malformed_body(reason),
        BodyError::Invalid(invalid) => invalid.into(),
        BodyError::TooManyPoints => ingest::too_many(Exceeded::Points, context),
        BodyError::TooManyMetrics => ingest::too_many(Exceeded::Metrics, context),
    })
}

/// Stores series of metrics that were just found, and responds when they are durable, with a report if that is wanted.
pub(super) async fn append(
    state: &ApiState,
    caller: &Caller,
    mut series: Vec<(Arc<Metric>, Series)>,
    report: bool,
) -> ApiResult {
    let mut report = report.then(|| {
        let mut report = Report::default();
        for (metric, series) in &series {
            report.add(metric.id, series.len());
        }
        report
    });
    if report.is_some() {
        unsent::admit_report(state.gnocchi())?;
    }
    series.retain(|(_, series)| !series.is_empty());
    if !series.is_empty() {
        let options = AppendOptions {
            sender: Some(caller),
            reported: reported(report.is_some()),
        };
        let appended = state.gnocchi().append_to(series, options).await?;
        if let Some(report) = &mut report {
            for rejection in &appended.rejected {
                report.reject(rejection.metric, rejection.reason, rejection.points);
            }
        }
    }
    match report {
        Some(report) => report.response().await,
        None => Ok(accepted()),
    }
}

/// Returns which rejections must be known for the response to a request that asks for a report or not.
pub(super) fn reported(report: bool) -> Reported {
    if report {
        Reported::All
    } else {
        Reported::TooFarAhead
    }
}

/// Returns the response to a request that asks for a report on the series that it brought.
pub(super) async fn report_on(stored: &intake::Report) -> ApiResult {
    let mut report = Report::default();
    for verdict in &stored.verdicts {
        let Some(metric) = verdict.metric else {
            continue;
        };
        report.add(metric, verdict.points);
        for refused in &verdict.refused {
            if let Refusal::Points { reason, .. } = &*refused.refusal {
                report.reject(metric, *reason, refused.points);
            }
        }
    }
    report.response().await
}

/// What becomes of the measures of a request, by metric.
#[derive(Default)]
struct Report {
    metrics: BTreeMap<MetricId, Counts>,
}

#[derive(Default)]
struct Counts {
    points: usize,
    rejected: BTreeMap<&'static str, usize>,
}

impl Report {
    fn add(&mut self, metric: MetricId, points: usize) {
        let counts = self.metrics.entry(metric).or_default();
        counts.points += points;
        for reason in [RejectReason::TooLate, RejectReason::TooFarAhead] {
            counts.rejected.entry(reason.as_str()).or_default();
        }
    }

    fn reject(&mut self, metric: MetricId, reason: RejectReason, points: usize) {
        let counts = self.metrics.entry(metric).or_default();
        *counts.rejected.entry(reason.as_str()).or_default() += points;
    }

    async fn response(self) -> ApiResult {
        let length = Length::of(self.metrics.len(), REPORTED_AT_ONCE);
        let bytes = aside::work(length, move || self.render()).await?;
        Ok(json_bytes(StatusCode::ACCEPTED, bytes))
    }

    fn render(&self) -> Vec<u8> {
        let lines = self.metrics.iter().map(|(metric, counts)| {
            let rejected: usize = counts.rejected.values().sum();
            let line = json!({"accepted": counts.points.saturating_sub(rejected), "rejected": counts.rejected});
            (metric.to_string(), line)
        });
        render::to_bytes(&Value::Object(lines.collect::<Map<_, _>>()))
    }
}

fn parse_query(metric: &Metric, query: &Query, now: Timestamp) -> ApiResult<MeasuresQuery> {
    let start = query.timestamp("start", now)?;
    let stop = query.timestamp("stop", now)?;
    let granularity = query.timespan("granularity")?;
    let resample = resample(query)?;
    let aggregation = query.single("aggregation")?.unwrap_or("mean");
    let method = aggregation.parse().map_err(|_| {
        ApiError::unknown_aggregation(metric.id, aggregation, &metric.archive_policy)
    })?;
    Ok(MeasuresQuery {
        method,
        granularity,
        start,
        stop,
        resample,
    })
}

/// Reads how aggregates are grouped further: by a letter of the calendar or by a span, both in the time zone that the query names.
pub(super) fn resample(query: &Query) -> ApiResult<Option<Resample>> {
    let time_zone = time_zone(query)?;
    let Some(text) = query.single(RESAMPLE)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let to = match text.parse::<CalendarUnit>() {
        Ok(unit) => Granularity::Calendar(unit),
        Err(_) => Granularity::Span(timespan::parse(text).map_err(|error| {
            let durations = explanation::timespan(text, error);
            ApiError::bad_request(error.to_string()).explained(format!(
                "{durations}, and the letters of the calendar Y, H, Q, M, W and D"
            ))
        })?),
    };
    let resample = Resample::new(to, time_zone).map_err(|error| not_local(RESAMPLE, error))?;
    Ok(Some(resample))
}

/// Returns the rows of a level as they are listed.
pub(super) fn level_rows(level: LevelMeasures) -> LevelRows {
    LevelRows::new(granularity_label(level.granularity), level.series)
}

/// Returns a granularity as JSON: seconds, or the letter of a calendar unit.
pub(super) fn granularity_label(granularity: Granularity) -> String {
    let seconds = |span: Timespan| format!("{:?}", span.as_second_f64());
    match granularity {
        Granularity::Span(span) => seconds(span),
        Granularity::Local(span) => seconds(span.span()),
        Granularity::Calendar(unit) => format!("\"{unit}\""),
    }
}
