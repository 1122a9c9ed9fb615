//! Computing across the series of resources as they were: each stretch of time counts for the group that a resource belonged to.

use std::collections::BTreeMap;
use std::sync::Arc;

use carbonara::expression::{Outcome, Shape};
use carbonara::resample::Granularity;
use carbonara::{Point, Timespan, Timestamp};
use hashbrown::HashMap;

use super::aggregates::{AggregatesError, AggregatesQuery, Evaluation, FoundMetric, Source};
use super::evaluation::{AnswerRoom, batch_length};
use super::groups::{KeepResources, Patterns, ResourceSelection, properties};
use super::resources::no_such_metric;
use crate::driver::ResourceQuery;
use crate::error::Error;
use crate::model::{AttributeValue, MetricId, Page, Resource, ResourceId, SortKey};
use crate::store::Gnocchi;

/// How many revisions are listed at a time.
const REVISIONS_PER_PAGE: usize = 10_000;

/// How many stretches of time a query may have; each takes some hundred bytes until all are known.
const STRETCHES_MAX: usize = 200_000;

/// The order in which revisions are listed: one resource after the other, each in the order of time. One that ended when it
/// began stands before the one that followed.
const ORDER: [&str; 3] = ["original_resource_id", "revision_start", "revision_end"];

/// What was computed for one group of stretches of time.
#[derive(Debug, Clone)]
pub struct HistoryAggregates {
    /// What the revisions have in common, by name.
    pub properties: Vec<(String, Option<AttributeValue>)>,
    /// The last revision of each resource in the group, if they are wanted.
    pub resources: Vec<Resource>,
    /// A list for each granularity, coarsest first.
    pub levels: Vec<HistoryLevel>,
}

/// Values of one granularity, one resource after the other, each in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryLevel {
    /// The length of the buckets.
    pub granularity: Granularity,
    /// The beginning of each bucket, in nanoseconds since the epoch. A bucket of several resources stands there several times.
    pub timestamps_ns: Vec<i64>,
    /// A value for each bucket.
    pub values: Vec<f64>,
}

/// A part of the time in which a resource did not change.
#[derive(Debug, Clone)]
struct Stretch {
    resource: ResourceId,
    /// `None` since ever.
    start: Option<Timestamp>,
    /// `None` until now and later.
    end: Option<Timestamp>,
    /// The metrics that are looked for: which reference, what name, which metric.
    metrics: Vec<(usize, String, MetricId)>,
}

/// Stretches of resources that agreed in some properties.
#[derive(Debug)]
struct Group {
    properties: Vec<(String, Option<AttributeValue>)>,
    resources: Vec<Resource>,
    stretches: Vec<Stretch>,
}

/// Groups by the text of their properties; what is not set comes first.
type Groups = BTreeMap<Vec<Option<String>>, Group>;

impl Gnocchi {
    /// Computes an expression over each stretch of time in which a resource did not change, and puts the values together by
    /// what the resource was in that stretch.
    ///
    /// A value counts for a stretch as far as the stretch covers its bucket. Measures from before the first revision count for
    /// that one.
    ///
    /// # Errors
    /// [`AggregatesError::NotAggregated`] when the expression leaves series apart, [`AggregatesError::NoSuchMetric`] when there is
    /// nothing in any group, [`Error::TooManySeries`]; for the rest see [`aggregates`](Self::aggregates).
    pub async fn aggregates_with_history(
        &self,
        query: &AggregatesQuery,
        selection: ResourceSelection,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        keep: KeepResources,
    ) -> Result<Vec<HistoryAggregates>, AggregatesError> {
        let references = query.expression.references();
        let patterns = Patterns::of(&references);
        let mut collector = Collector {
            group_by: selection.group_by.clone(),
            patterns,
            keep,
            start,
            stop,
            before: None,
            groups: Groups::new(),
            stretches: 0,
        };
        self.collect_stretches(selection, &mut collector).await?;
        let mut answers = Vec::new();
        let mut room = AnswerRoom::new();
        for mut group in collector.groups.into_values() {
            let stretches = in_order(std::mem::take(&mut group.stretches));
            let levels = self.levels_of(query, &stretches, &mut room).await?;
            if !levels.is_empty() {
                answers.push(HistoryAggregates {
                    properties: group.properties,
                    resources: group.resources,
                    levels,
                });
            }
        }
        if answers.is_empty() {
            return Err(no_such_metric(&references));
        }
        Ok(answers)
    }

    async fn collect_stretches(
        &self,
        selection: ResourceSelection,
        collector: &mut Collector,
    ) -> Result<(), Error> {
        let mut query = ResourceQuery {
            condition: selection.condition,
            visibility: selection.visibility,
            history: true,
            metric_names: match collector.keep {
                KeepResources::Keep => None,
                KeepResources::Drop => Some(collector.patterns.globs().to_vec()),
            },
            page: Page {
                limit: REVISIONS_PER_PAGE,
                marker: None,
                sort: ORDER.map(SortKey::ascending).to_vec(),
            },
            ..ResourceQuery::of_type(selection.resource_type)
        };
        // A property that cannot be grouped by is one that cannot be sorted by.
        self.check_sort_keys(&query, &collector.group_by).await?;
        loop {
            let page = self.list_resources(&query).await?;
            let last_page = page.len() < REVISIONS_PER_PAGE;
            query.page.marker = page
                .last()
                .map(|row| format!("{}@{}", row.id, row.revision.unwrap_or(CURRENT_REVISION)));
            for row in page {
                collector.add(row)?;
            }
            if last_page {
                return Ok(());
            }
        }
    }

    /// Lets the indexer say which of these names are properties.
    async fn check_sort_keys(&self, query: &ResourceQuery, names: &[String]) -> Result<(), Error> {
        let page = Page {
            limit: 1,
            marker: None,
            sort: names.iter().map(SortKey::ascending).collect(),
        };
        let probe = ResourceQuery {
            page,
            ..query.clone()
        };
        self.list_resources(&probe).await.map(|_| ())
    }

    /// Computes the values of the stretches of one group.
    async fn levels_of(
        &self,
        query: &AggregatesQuery,
        stretches: &[Stretch],
        room: &mut AnswerRoom,
    ) -> Result<Vec<HistoryLevel>, AggregatesError> {
        let evaluations = self.evaluations_of(stretches).await?;
        let mut levels: Vec<HistoryLevel> = Vec::new();
        let mut rest: &[Evaluation] = &evaluations;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_length(rest));
            let outcomes = self.evaluate_batch(query, batch, room).await?;
            for (evaluation, outcomes) in batch.iter().zip(outcomes) {
                for outcome in outcomes {
                    add_outcome(&mut levels, evaluation, &outcome)?;
                }
            }
            rest = later;
        }
        levels.retain(|level| !level.values.is_empty());
        levels.sort_by_key(|level| std::cmp::Reverse(span_of(level.granularity)));
        Ok(levels)
    }

    /// Looks the metrics of stretches up; those without any are left out.
    async fn evaluations_of(&self, stretches: &[Stretch]) -> Result<Vec<Evaluation>, Error> {
        let mut ids: Vec<MetricId> = stretches
            .iter()
            .flat_map(|stretch| &stretch.metrics)
            .map(|(_, _, metric)| *metric)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let found = self.metrics(&ids).await?;
        let metrics: HashMap<MetricId, _> = ids.into_iter().zip(found).collect();
        let evaluations = stretches.iter().map(|stretch| {
            let sources = stretch.metrics.iter().filter_map(|(reference, name, id)| {
                let metric = metrics.get(id)?.as_ref()?;
                Some(Source {
                    reference: *reference,
                    metric: Arc::clone(metric),
                    found: Some(FoundMetric {
                        resource: stretch.resource,
                        name: name.clone(),
                    }),
                })
            });
            Evaluation {
                sources: sources.collect(),
                start: stretch.start,
                stop: stretch.end,
            }
        });
        Ok(evaluations
            .filter(|evaluation| !evaluation.sources.is_empty())
            .collect())
    }
}

/// The number of the current revision in markers.
const CURRENT_REVISION: i64 = -1;

/// Turns revisions into stretches and files them.
struct Collector {
    group_by: Vec<String>,
    patterns: Patterns,
    keep: KeepResources,
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
    /// The resource of the last revision that counted.
    before: Option<ResourceId>,
    groups: Groups,
    stretches: usize,
}

impl Collector {
    fn add(&mut self, row: Resource) -> Result<(), Error> {
        let Some((start, end)) = self.window(&row) else {
            return Ok(());
        };
        self.before = Some(row.id);
        let metrics: Vec<_> = self
            .patterns
            .select(&row)
            .map(|(reference, name, metric)| (reference, name.to_owned(), metric))
            .collect();
        if metrics.is_empty() {
            return Ok(());
        }
        self.stretches += 1;
        if self.stretches > STRETCHES_MAX {
            return Err(Error::TooManySeries {
                limit: STRETCHES_MAX,
            });
        }
        let properties = properties(&row, &self.group_by);
        let key = properties
            .iter()
            .map(|(_, value)| value.as_ref().map(text_of))
            .collect();
        let group = self.groups.entry(key).or_insert_with(|| Group {
            properties,
            resources: Vec::new(),
            stretches: Vec::new(),
        });
        group.stretches.push(Stretch {
            resource: row.id,
            start,
            end,
            metrics,
        });
        if self.keep == KeepResources::Keep {
            // Revisions of a resource follow each other.
            group.resources.pop_if(|last| last.id == row.id);
            group.resources.push(row);
        }
        Ok(())
    }

    /// Returns when a revision counts; `None` when that is never.
    fn window(&self, row: &Resource) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let after =
            matches!((self.start, self.stop), (Some(_), Some(stop)) if row.revision_start >= stop);
        let start = if self.before == Some(row.id) {
            Some(
                self.start
                    .map_or(row.revision_start, |start| start.max(row.revision_start)),
            )
        } else {
            self.start
        };
        let end = match (row.revision_end, self.stop) {
            (Some(end), Some(stop)) => Some(end.min(stop)),
            (end, stop) => end.or(stop),
        };
        let empty = matches!((start, end), (Some(start), Some(end)) if start >= end);
        (!after && !empty).then_some((start, end))
    }
}

/// Orders stretches by their beginning; those of one resource that begin together become one.
fn in_order(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    // Stable: resources stay in the order of the listing.
    stretches.sort_by_key(|stretch| stretch.start);
    let mut ordered: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match ordered.last_mut() {
            Some(last) if last.resource == stretch.resource && last.start == stretch.start => {
                last.end = match (last.end, stretch.end) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    _ => None,
                };
            }
            _ => ordered.push(stretch),
        }
    }
    ordered
}

/// Adds the values of one stretch behind those of the ones before.
fn add_outcome(
    levels: &mut Vec<HistoryLevel>,
    evaluation: &Evaluation,
    outcome: &Outcome,
) -> Result<(), AggregatesError> {
    if outcome.shape != Shape::Aggregated {
        return Err(AggregatesError::NotAggregated);
    }
    let own = levels
        .iter()
        .position(|level| level.granularity == outcome.granularity);
    let place = own.unwrap_or_else(|| {
        levels.push(HistoryLevel {
            granularity: outcome.granularity,
            timestamps_ns: Vec::new(),
            values: Vec::new(),
        });
        levels.len() - 1
    });
    let level = &mut levels[place];
    for column in 0..outcome.columns.len() {
        for Point { timestamp, value } in outcome.points(column) {
            let value = match span_of(outcome.granularity) {
                Some(span) => value * covered(evaluation, timestamp, span),
                None => value,
            };
            let timestamp_ns = timestamp.as_nanosecond();
            match level.values.last_mut() {
                // The other part of a bucket in which something changed.
                Some(last) if level.timestamps_ns.last() == Some(&timestamp_ns) => *last += value,
                _ => {
                    level.timestamps_ns.push(timestamp_ns);
                    level.values.push(value);
                }
            }
        }
    }
    Ok(())
}

/// Returns which part of a bucket lies in the time of an evaluation.
fn covered(evaluation: &Evaluation, bucket: Timestamp, span: Timespan) -> f64 {
    let begin_ns = bucket.as_nanosecond();
    let end_ns = begin_ns.saturating_add(span.as_nanosecond());
    let from_ns = evaluation
        .start
        .map_or(begin_ns, |start| start.as_nanosecond().max(begin_ns));
    let to_ns = evaluation
        .stop
        .map_or(end_ns, |stop| stop.as_nanosecond().min(end_ns));
    if from_ns == begin_ns && to_ns == end_ns {
        return 1.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 53 bits"
    )]
    let share = (to_ns - from_ns).max(0) as f64 / span.as_nanosecond() as f64;
    share
}

fn span_of(granularity: Granularity) -> Option<Timespan> {
    match granularity {
        Granularity::Span(span) => Some(span),
        Granularity::Calendar(_) => None,
    }
}

/// Returns a text by which values of one kind are ordered.
fn text_of(value: &AttributeValue) -> String {
    match value {
        AttributeValue::String(text) => text.clone(),
        AttributeValue::Number(number) => number.to_string(),
        AttributeValue::Uuid(uuid) => uuid.to_string(),
        AttributeValue::Bool(truth) => truth.to_string(),
        AttributeValue::Datetime(moment) => format!("{:020}", moment.as_nanosecond()),
    }
}
