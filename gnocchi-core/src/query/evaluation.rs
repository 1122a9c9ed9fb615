//! Computing expressions over stored series, a few groups and one granularity at a time.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use carbonara::align::Alignment;
use carbonara::expression::{EvaluateError, Input, InputColumn, Outcome, evaluate_metered};
use carbonara::{Level, Series, Timespan};
use futures::stream::{self, StreamExt, TryStreamExt};
use hashbrown::HashMap;

use super::aggregates::{AggregatesError, AggregatesQuery, Evaluation, Outcomes, Plan};
use super::meter::BudgetMeter;
use super::overlay::Overlay;
use super::rows::{Period, Reading};
use crate::budget::Budget;
use crate::error::Error;
use crate::model::{Metric, MetricId};
use crate::store::Gnocchi;

/// How many series are read together: groups that have fewer share their reads.
pub(super) const SERIES_PER_BATCH: usize = 1024;

/// How many batches are worked on at once: one is read while the other one is computed.
pub(super) const BATCHES_AT_ONCE: usize = 2;

/// How many points one granularity of one batch may have: a quarter of a gigabyte.
pub(super) const POINTS_READ_MAX: usize = 16 << 20;

/// How many points an answer may have: half a gigabyte.
const POINTS_ANSWERED_MAX: usize = 32 << 20;

/// The memory of a cell, in bytes.
const CELL_BYTES: usize = size_of::<f64>();

/// What is left of the limit of an answer.
#[derive(Debug)]
pub(super) struct AnswerRoom {
    points: AtomicUsize,
}

/// An evaluation whose series can be read.
struct Prepared<'a> {
    evaluation: &'a Evaluation,
    plan: Plan,
}

/// One granularity of one evaluation, ready to be computed.
struct Work {
    granularity: Timespan,
    alignment: Alignment,
    /// The reference of each column, and which reading and which of its methods it is.
    columns: Vec<(usize, usize, usize)>,
}

impl Gnocchi {
    /// Computes an expression over series, once for each evaluation and granularity, coarsest first.
    ///
    /// What is held at once are the series of one granularity of a few evaluations, and the results. Acknowledged measures that
    /// are not folded yet are part of them.
    ///
    /// # Errors
    /// [`AggregatesError`], for the first evaluation that has a reason.
    ///
    /// # Panics
    /// When a source stands for a reference that the expression does not have.
    pub async fn aggregates(
        &self,
        query: &AggregatesQuery,
        evaluations: &[Evaluation],
    ) -> Result<Vec<Outcomes>, AggregatesError> {
        let budget = self.begin();
        let room = AnswerRoom::new();
        let batches = stream::iter(batches(evaluations))
            .map(|batch| self.evaluate_batch(&budget, query, &evaluations[batch], &room))
            .buffered(BATCHES_AT_ONCE);
        budget.run(batches.try_concat()).await
    }

    /// Computes an expression over the series of a few evaluations.
    pub(super) async fn evaluate_batch(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        batch: &[Evaluation],
        room: &AnswerRoom,
    ) -> Result<Vec<Outcomes>, AggregatesError> {
        let references = query.expression.references();
        let methods: Vec<&str> = references.iter().map(|one| one.method.as_str()).collect();
        let mut prepared = Vec::with_capacity(batch.len());
        for evaluation in batch {
            let plan = Plan::of(&evaluation.sources, &methods, query.granularity)?;
            prepared.push(Prepared { evaluation, plan });
        }
        let overlays = self.overlays_of(budget, &prepared).await?;
        let mut outcomes: Vec<Outcomes> = prepared.iter().map(|_| Vec::new()).collect();
        let ranks = prepared
            .iter()
            .map(|one| one.plan.granularities.len())
            .max();
        for rank in 0..ranks.unwrap_or(0) {
            let computed = self
                .evaluate_rank(budget, query, &prepared, rank, &overlays)
                .await?;
            for (place, outcome) in computed {
                room.take(&outcome)?;
                outcomes[place].push(outcome);
            }
        }
        Ok(outcomes)
    }

    /// Reads what is pending of all metrics, each once.
    async fn overlays_of(
        &self,
        budget: &Budget,
        prepared: &[Prepared<'_>],
    ) -> Result<HashMap<MetricId, Overlay>, AggregatesError> {
        let sources = prepared.iter().flat_map(|one| &one.evaluation.sources);
        let metrics: HashMap<MetricId, &Metric> = sources
            .map(|source| (source.metric.id, &*source.metric))
            .collect();
        let (ids, metrics): (Vec<MetricId>, Vec<&Metric>) = metrics.into_iter().unzip();
        let overlays = self.overlays(budget, &metrics).await?;
        Ok(ids.into_iter().zip(overlays).collect())
    }

    /// Computes one granularity of each evaluation that has so many; returns the places of the evaluations too.
    async fn evaluate_rank(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        prepared: &[Prepared<'_>],
        rank: usize,
        overlays: &HashMap<MetricId, Overlay>,
    ) -> Result<Vec<(usize, Outcome)>, AggregatesError> {
        let mut readings = Vec::new();
        let mut works = Vec::new();
        for (place, one) in prepared.iter().enumerate() {
            if let Some(granularity) = one.plan.granularities.get(rank) {
                let evaluation = one.evaluation;
                works.push((
                    place,
                    Work {
                        granularity: *granularity,
                        alignment: query.gaps.alignment(evaluation.start, evaluation.stop),
                        columns: one.plan_readings(*granularity, overlays, &mut readings),
                    },
                ));
            }
        }
        let read = self.read_rows(budget, readings, Some(POINTS_READ_MAX));
        let (series, held) = read.await?;
        // A series costs something too when it is empty.
        let points: usize = series.iter().flatten().map(|one| one.len() + 1).sum();
        let cells = points.saturating_mul(query.expression.parts());
        let query = query.clone();
        let own = budget.clone();
        let evaluate = move || {
            let _held = held;
            let mut series = series;
            let computed = works.into_iter().map(|(place, work)| {
                let outcome = work.compute(&own, &query, &mut series)?;
                Ok((place, outcome))
            });
            computed.collect()
        };
        budget.compute(cells, evaluate).await?
    }
}

impl AnswerRoom {
    pub(super) fn new() -> Self {
        Self {
            points: AtomicUsize::new(POINTS_ANSWERED_MAX),
        }
    }

    fn take(&self, outcome: &Outcome) -> Result<(), AggregatesError> {
        let columns = outcome.columns.iter();
        let points: usize = columns.map(|column| column.values.len()).sum();
        let left = |room: usize| room.checked_sub(points);
        let taken = self
            .points
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::TooManyPoints {
                limit: POINTS_ANSWERED_MAX,
            }
            .into()),
        }
    }
}

impl Prepared<'_> {
    /// Plans the readings of a granularity: one for each metric, however many series it has here.
    fn plan_readings(
        &self,
        granularity: Timespan,
        overlays: &HashMap<MetricId, Overlay>,
        readings: &mut Vec<Reading>,
    ) -> Vec<(usize, usize, usize)> {
        let period = Period {
            start: self.evaluation.start,
            stop: self.evaluation.stop,
        };
        let mut places: HashMap<MetricId, usize> = HashMap::new();
        let mut columns = Vec::with_capacity(self.evaluation.sources.len());
        for (source, method) in self.evaluation.sources.iter().zip(&self.plan.methods) {
            let metric = &source.metric;
            let place = *places.entry(metric.id).or_insert_with(|| {
                let overlay = overlays
                    .get(&metric.id)
                    .expect("every metric has an overlay");
                let level = level(metric, granularity);
                readings.push(Reading::new(metric.id, level, period, overlay, Vec::new()));
                readings.len() - 1
            });
            columns.push((source.reference, place, readings[place].add(*method)));
        }
        columns
    }
}

/// Returns the level of a granularity that was looked for before.
fn level(metric: &Metric, granularity: Timespan) -> Level {
    let mut levels = metric.archive_policy.plan().levels().iter();
    *levels
        .find(|level| level.granularity == granularity)
        .expect("the granularity was looked for in the policy of every metric")
}

impl Work {
    fn compute(
        self,
        budget: &Budget,
        query: &AggregatesQuery,
        series: &mut [Vec<Series>],
    ) -> Result<Outcome, AggregatesError> {
        let columns = self
            .columns
            .into_iter()
            .map(|(reference, reading, method)| InputColumn {
                reference,
                series: std::mem::take(&mut series[reading][method]),
            });
        let input = Input {
            granularity: self.granularity,
            columns: columns.collect(),
            alignment: self.alignment,
            time_zone: &query.time_zone,
        };
        let meter = BudgetMeter::new(budget)?;
        match evaluate_metered(&query.expression, input, &meter) {
            Ok(outcome) => {
                let rows = outcome.timestamps_ns.len();
                budget.keep(CELL_BYTES * rows * (outcome.columns.len() + 1))?;
                Ok(outcome)
            }
            Err(EvaluateError::Interrupted) => Err(meter.reason().into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns which evaluations are read together: as many as share their reads well, at least one.
pub(super) fn batches(evaluations: &[Evaluation]) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut from, mut series) = (0, 0);
    for (place, evaluation) in evaluations.iter().enumerate() {
        let more = evaluation.sources.len().max(1);
        if place > from && series + more > SERIES_PER_BATCH {
            batches.push(from..place);
            (from, series) = (place, 0);
        }
        series += more;
    }
    if from < evaluations.len() {
        batches.push(from..evaluations.len());
    }
    batches
}
