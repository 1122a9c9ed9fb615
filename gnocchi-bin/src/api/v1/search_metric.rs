//! Searching points by their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use carbonara::{Timespan, Timestamp};
use gnocchi_core::Error;
use gnocchi_core::budget::Budget;
use gnocchi_core::model::{Metric, MetricId};
use gnocchi_core::policy::{Action, Caller};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery, Predicate};
use serde_json::json;

use super::aggregates::level_list;
use super::document;
use super::metric;
use super::value_predicate::{self, WellFormed};
use crate::api::aside::{self, Length};
use crate::api::auth::{Authenticated, Extent, require_on_metrics};
use crate::api::middleware::paid::Paid;
use crate::api::request::body::RequestBody;
use crate::api::request::query::{Query, timespan_of};
use crate::api::request::schema::shown_text;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::explanation;
use crate::api::response::render::Document;
use crate::api::state::ApiState;
use crate::api::timestamp;

/// How many metrics are searched together.
const METRICS_AT_ONCE: usize = 64;

/// The most points of one answer.
const POINTS_ANSWERED_MAX: usize = 16 << 20;

/// How many values are looked at at once: it takes about half a millisecond.
const VALUES_AT_ONCE: usize = 65_536;

/// Which points are searched.
struct Search {
    aggregation: String,
    /// Coarsest first; none means all that a metric has.
    granularities: Vec<Timespan>,
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
}

/// `POST /v1/search/metric`
pub(super) async fn search(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    metrics(&state, &caller, &query).await?;
    let Some(body) = body.optional_json().await? else {
        return Err(ApiError::bad_request("No query specified in body")
            .explained("the body is a condition such as {\">\": 50}"));
    };
    // The body may have taken its time.
    let metrics = self::metrics(&state, &caller, &query).await?;
    let condition = value_predicate::parse(&body)?;
    let paid = Paid::begin(&state);
    paid.respond(search_paid(paid.state(), &query, &metrics, condition))
        .await
}

async fn search_paid(
    state: &ApiState,
    query: &Query,
    metrics: &[Arc<Metric>],
    condition: WellFormed,
) -> ApiResult {
    let search = Search::parse(query, state.gnocchi().clock().now())?;
    let predicate = Arc::new(condition.usable()?);
    let mut found = Vec::with_capacity(metrics.len());
    let mut answered = 0;
    for chunk in metrics.chunks(METRICS_AT_ONCE) {
        let read = search.read(state, chunk).await?;
        let points = points_of(&read);
        let predicate = Arc::clone(&predicate);
        let budget = state.gnocchi().budget().cloned();
        let select = move || select(read, &predicate, budget.as_ref());
        let selected = aside::work(Length::of(points, VALUES_AT_ONCE), select).await??;
        answered += points_of(&selected);
        if answered > POINTS_ANSWERED_MAX {
            let limit = POINTS_ANSWERED_MAX;
            return Err(Error::TooManyPoints { limit }.into());
        }
        found.extend(selected);
    }
    document(state, answer(metrics, found))
}

/// Finds the metrics that are named; those that do not exist are left out.
async fn metrics(state: &ApiState, caller: &Caller, query: &Query) -> ApiResult<Vec<Arc<Metric>>> {
    let mut ids: Vec<MetricId> = Vec::new();
    for (place, text) in query.all("metric_id").enumerate() {
        let id = text.parse().map_err(|_| {
            ApiError::bad_request(format!("Invalid input: not a valid value @ data[{place}]"))
                .explained(format!("{} is not a UUID of a metric", shown_text(text)))
        })?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        return Err(ApiError::argument(
            "metric_id",
            "must be given at least once",
        ));
    }
    let found = state.gnocchi().metrics(&ids).await?;
    let metrics: Vec<Arc<Metric>> = found.into_iter().flatten().collect();
    let all = metrics.iter().map(Arc::as_ref);
    require_on_metrics(state, Action::SearchMetric, caller, all, Extent::Alone).await?;
    Ok(metrics)
}

impl Search {
    fn parse(query: &Query, now: Timestamp) -> ApiResult<Self> {
        let timestamp = |name: &str| {
            let Some(text) = query.single(name)? else {
                return Ok(None);
            };
            timestamp::parse(text, now).map(Some).map_err(|error| {
                ApiError::bad_request(format!("Invalid value for {name}"))
                    .explained(explanation::timestamp(text, error))
            })
        };
        let (start, stop) = (timestamp("start")?, timestamp("stop")?);
        let mut granularities = BTreeSet::new();
        for text in query.all("granularity") {
            granularities.insert(timespan_of("granularity", text)?);
        }
        Ok(Self {
            aggregation: query.single("aggregation")?.unwrap_or("mean").to_owned(),
            granularities: granularities.into_iter().rev().collect(),
            start,
            stop,
        })
    }

    /// Reads the points of metrics, for each one coarsest granularity first.
    async fn read(
        &self,
        state: &ApiState,
        metrics: &[Arc<Metric>],
    ) -> ApiResult<Vec<Vec<LevelMeasures>>> {
        for metric in metrics {
            self.check(metric)?;
        }
        let Ok(method) = self.aggregation.parse() else {
            return Ok(Vec::new());
        };
        let metrics: Vec<&Metric> = metrics.iter().map(Arc::as_ref).collect();
        let asked: Vec<Option<Timespan>> = match self.granularities.as_slice() {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        };
        let mut read = vec![Vec::new(); metrics.len()];
        for granularity in asked {
            let query = MeasuresQuery {
                method,
                granularity,
                start: self.start,
                stop: self.stop,
                resample: None,
            };
            let levels = state.gnocchi().measures_of_many(&metrics, &query).await?;
            for (own, levels) in read.iter_mut().zip(levels) {
                own.extend(levels);
            }
        }
        Ok(read)
    }

    /// Insists that a metric keeps what is asked for.
    fn check(&self, metric: &Metric) -> ApiResult<()> {
        let policy = &metric.archive_policy;
        let levels = policy.plan().levels();
        let mut asked = self.granularities.iter();
        let missing = asked.find(|granularity| {
            levels
                .iter()
                .all(|level| level.granularity != **granularity)
        });
        if let Some(missing) = missing {
            let detail = json!({
                "granularity": missing.as_second_f64(),
                "aggregation_method": self.aggregation,
            });
            return Err(ApiError::bad_data(
                json!({"cause": "Aggregation does not exist", "detail": detail}),
            )
            .explained(explanation::granularities(policy)));
        }
        let mut methods = policy.aggregation_methods().iter();
        if methods.any(|method| method.to_string() == self.aggregation) {
            return Ok(());
        }
        let detail = json!({"metric": metric::listed(metric)});
        Err(
            ApiError::bad_data(json!({"cause": "Metric does not exist", "detail": detail}))
                .explained(explanation::aggregation(&self.aggregation, policy)),
        )
    }
}

fn points_of(read: &[Vec<LevelMeasures>]) -> usize {
    let levels = read.iter().flatten();
    levels.map(|level| level.series.len()).sum()
}

/// Keeps the points that match a condition.
fn select(
    mut read: Vec<Vec<LevelMeasures>>,
    predicate: &Predicate,
    budget: Option<&Budget>,
) -> Result<Vec<Vec<LevelMeasures>>, Error> {
    for level in read.iter_mut().flatten() {
        if let Some(budget) = budget {
            budget.spend(level.series.len())?;
        }
        level.series = predicate.select(&level.series);
    }
    Ok(read)
}

fn answer(metrics: &[Arc<Metric>], found: Vec<Vec<LevelMeasures>>) -> Document {
    let mut answer = Document::new();
    answer.text("{");
    for (index, (metric, levels)) in metrics.iter().zip(found).enumerate() {
        if index > 0 {
            answer.text(", ");
        }
        answer.key(&metric.id.to_string());
        level_list(&mut answer, levels);
    }
    answer.text("}");
    answer
}
