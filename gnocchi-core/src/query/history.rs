//! Computing across the series of resources as they were: each stretch of time counts for the group that a resource belonged to.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use carbonara::expression::{Outcome, Shape};
use carbonara::{Granularity, Point, Timespan, Timestamp};
use hashbrown::{HashMap, HashSet};
use jiff::tz::TimeZone;

use super::admission::admitted;
use super::aggregates::{AggregatesError, AggregatesQuery, Evaluation, FoundMetric, Source};
use super::evaluation::{AnswerRoom, batches};
use super::groups::{KeepResources, ResourceSelection, changed_meanwhile};
use super::resources::no_such_metric;
use super::selection::Patterns;
use super::stretches::{Begins, Collector, Group, Groups, Stretch, in_order};
use crate::budget::Budget;
use crate::driver::ResourceQuery;
use crate::error::Error;
use crate::model::{AttributeValue, GENERIC, MetricId, Page, Resource, ResourceId, SortKey};
use crate::store::Gnocchi;

/// How many revisions are listed at a time.
const REVISIONS_PER_PAGE: usize = 10_000;

/// The number of the first revision of a resource, once it is a past one.
const FIRST_REVISION: i64 = 1;

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

/// Values of one granularity, one stretch of time after the other in the order of their beginnings, each in the order of time.
///
/// Neighbours with the same timestamp are one value, their sum: mostly they are the parts of a bucket in which a resource changed.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryLevel {
    /// The length of the buckets.
    pub granularity: Granularity,
    /// The beginning of each bucket, in nanoseconds since the epoch. A bucket of several resources stands there several times.
    pub timestamps_ns: Vec<i64>,
    /// A value for each bucket.
    pub values: Vec<f64>,
}

impl Gnocchi {
    /// Computes an expression over each stretch of time in which a resource did not change, and puts the values together by
    /// what the resource was in that stretch.
    ///
    /// A value counts for a stretch as far as the stretch covers its bucket. Measures from before the first revision count for
    /// that one.
    ///
    /// # Errors
    /// [`AggregatesError::NotAggregated`] when the expression leaves series apart, [`AggregatesError::NoSuchMetric`] when there is
    /// nothing in any group, [`AggregatesError::TooManyPatterns`], [`Error::TooManySeries`]; for the rest see [`aggregates`](Self::aggregates).
    pub async fn aggregates_with_history(
        &self,
        query: &AggregatesQuery,
        selection: ResourceSelection,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        keep: KeepResources,
    ) -> Result<Vec<HistoryAggregates>, AggregatesError> {
        let budget = self.begin();
        let computing = self.history_within(&budget, query, selection, start, stop, keep);
        budget.run(computing).await
    }

    async fn history_within(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        selection: ResourceSelection,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        keep: KeepResources,
    ) -> Result<Vec<HistoryAggregates>, AggregatesError> {
        let references = query.expression.references();
        let patterns = Patterns::of(&references)?;
        let mut collector = Collector {
            group_by: selection.group_by.clone(),
            patterns,
            keep,
            start,
            stop,
            groups: Groups::new(),
            stretches: 0,
        };
        self.collect_stretches(budget, selection, &mut collector)
            .await?;
        let mut groups: Vec<Group> = collector.groups.into_values().collect();
        // Groups share their reads, so the stretches of all of them are computed in one row.
        let mut stretches = Vec::new();
        for (place, group) in groups.iter_mut().enumerate() {
            let own = in_order(std::mem::take(&mut group.stretches));
            stretches.extend(own.into_iter().map(|stretch| (place, stretch)));
        }
        let levels = self
            .levels_of(budget, query, &stretches, groups.len())
            .await?;
        let computed = groups.into_iter().zip(levels);
        let answers: Vec<HistoryAggregates> = computed
            .filter(|(_, levels)| !levels.is_empty())
            .map(|(group, levels)| HistoryAggregates {
                properties: group.properties,
                resources: group.resources,
                levels,
            })
            .collect();
        if answers.is_empty() {
            return Err(no_such_metric(&references));
        }
        Ok(answers)
    }

    async fn collect_stretches(
        &self,
        budget: &Budget,
        selection: ResourceSelection,
        collector: &mut Collector,
    ) -> Result<(), Error> {
        let admission = selection.admission;
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
            budget.check()?;
            let page = self.list_resources(&query).await;
            let page = page.map_err(changed_meanwhile)?;
            let last_page = page.len() < REVISIONS_PER_PAGE;
            query.page.marker = page.last().map(Resource::revision_id);
            let first = self.first_revisions(budget, &page).await?;
            let presents = match &admission {
                Some(_) => self.presents_of(&page).await?,
                None => HashMap::new(),
            };
            let (mut listed, held) = collector.patterns.select(budget, page).await?;
            if let Some(admission) = &admission {
                let metrics = self.metrics_found(&listed).await?;
                listed = admitted(&**admission, listed, &metrics, &presents).await;
            }
            for row in listed {
                let begins = if first.contains(&(row.resource.id, row.resource.revision)) {
                    Begins::WithResource
                } else {
                    Begins::WithRevision
                };
                collector.add(row, begins)?;
            }
            held.keep();
            if last_page {
                return Ok(());
            }
        }
    }

    /// Returns which rows are the first revision of their resource, also where the listing leaves earlier ones out.
    async fn first_revisions(
        &self,
        budget: &Budget,
        page: &[Resource],
    ) -> Result<HashSet<(ResourceId, Option<i64>)>, Error> {
        let past = page.iter().filter(|row| row.revision.is_some());
        let mut changed: HashSet<ResourceId> = past.map(|row| row.id).collect();
        // The current one is the first of a resource that was never changed.
        let unsure = page.iter().map(|row| row.id);
        let unsure: Vec<ResourceId> = unsure.filter(|id| !changed.contains(id)).collect();
        self.add_changed(budget, unsure, &mut changed).await?;
        let is_first = |row: &&Resource| match row.revision {
            Some(number) => number == FIRST_REVISION,
            None => !changed.contains(&row.id),
        };
        let first = page.iter().filter(is_first);
        Ok(first.map(|row| (row.id, row.revision)).collect())
    }

    /// Adds those of some resources that have past revisions.
    async fn add_changed(
        &self,
        budget: &Budget,
        ids: Vec<ResourceId>,
        changed: &mut HashSet<ResourceId>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = ResourceQuery {
            ids: Some(ids),
            history: true,
            metric_names: Some(Vec::new()),
            page: Page {
                limit: REVISIONS_PER_PAGE,
                marker: None,
                sort: vec![SortKey::ascending("id")],
            },
            ..ResourceQuery::of_type(GENERIC)
        };
        loop {
            budget.check()?;
            let page = self.list_resources(&query).await;
            let page = page.map_err(changed_meanwhile)?;
            budget.spend(page.len())?;
            let past = page.iter().filter(|row| row.revision.is_some());
            changed.extend(past.map(|row| row.id));
            let Some(last) = page.last().filter(|_| page.len() == REVISIONS_PER_PAGE) else {
                return Ok(());
            };
            query.page.marker = Some(last.revision_id());
        }
    }

    /// Returns what the resources are now that a page has past revisions of.
    async fn presents_of(
        &self,
        page: &[Resource],
    ) -> Result<HashMap<ResourceId, Arc<Resource>>, Error> {
        let past = page.iter().filter(|row| row.revision.is_some());
        let ids: BTreeSet<ResourceId> = past.map(|row| row.id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let found = self.resources(GENERIC, &ids).await?.into_iter().flatten();
        Ok(found
            .map(|resource| (resource.id, Arc::new(resource)))
            .collect())
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

    /// Computes the values of stretches, each of which belongs to one of so many groups.
    async fn levels_of(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        stretches: &[(usize, Stretch)],
        groups: usize,
    ) -> Result<Vec<Vec<HistoryLevel>>, AggregatesError> {
        let (places, evaluations) = self.evaluations_of(stretches).await?;
        let mut levels = vec![Vec::new(); groups];
        let room = AnswerRoom::new();
        for batch in batches(&evaluations) {
            let own = &evaluations[batch.clone()];
            let outcomes = self.evaluate_batch(budget, query, own, &room).await?;
            for ((evaluation, outcomes), place) in own.iter().zip(outcomes).zip(&places[batch]) {
                for outcome in outcomes {
                    add_outcome(&mut levels[*place], evaluation, &query.time_zone, &outcome)?;
                }
            }
        }
        for own in &mut levels {
            own.retain(|level: &HistoryLevel| !level.values.is_empty());
            own.sort_by_key(|level| std::cmp::Reverse(span_of(level.granularity)));
        }
        Ok(levels)
    }

    /// Looks the metrics of stretches up; those without any are left out.
    async fn evaluations_of(
        &self,
        stretches: &[(usize, Stretch)],
    ) -> Result<(Vec<usize>, Vec<Evaluation>), Error> {
        let mut ids: Vec<MetricId> = stretches
            .iter()
            .flat_map(|(_, stretch)| &stretch.metrics)
            .map(|found| found.metric)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let found = self.metrics(&ids).await?;
        let metrics: HashMap<MetricId, _> = ids.into_iter().zip(found).collect();
        let evaluations = stretches.iter().map(|(place, stretch)| {
            let sources = stretch.metrics.iter().filter_map(|found| {
                let metric = metrics.get(&found.metric)?.as_ref()?;
                Some(Source {
                    reference: found.reference,
                    metric: Arc::clone(metric),
                    found: Some(FoundMetric {
                        resource: stretch.resource,
                        name: found.name.clone(),
                    }),
                })
            });
            let evaluation = Evaluation {
                sources: sources.collect(),
                start: stretch.start,
                stop: stretch.end,
            };
            (*place, evaluation)
        });
        Ok(evaluations
            .filter(|(_, evaluation)| !evaluation.sources.is_empty())
            .unzip())
    }
}

/// Adds the values of one stretch behind those of the ones before.
fn add_outcome(
    levels: &mut Vec<HistoryLevel>,
    evaluation: &Evaluation,
    time_zone: &TimeZone,
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
    let buckets = outcome.granularity.in_zone(time_zone);
    for column in 0..outcome.columns.len() {
        for Point { timestamp, value } in outcome.points(column) {
            let value = value * covered(evaluation, timestamp..buckets.bucket(timestamp).end);
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
fn covered(evaluation: &Evaluation, bucket: Range<Timestamp>) -> f64 {
    let (begin_ns, end_ns) = (bucket.start.as_nanosecond(), bucket.end.as_nanosecond());
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
    let share = (to_ns - from_ns).max(0) as f64 / (end_ns - begin_ns) as f64;
    share
}

/// Returns how long buckets are mostly; `None` for units of the calendar.
fn span_of(granularity: Granularity) -> Option<Timespan> {
    match granularity {
        Granularity::Span(span) => Some(span),
        Granularity::Local(span) => Some(span.span()),
        Granularity::Calendar(_) => None,
    }
}
