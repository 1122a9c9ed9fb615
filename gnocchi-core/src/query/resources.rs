//! Computing across the series of resources that fit a search.

use std::collections::BTreeSet;

use carbonara::Timestamp;
use carbonara::expression::{Reference, Shape};
use futures::stream::{self, TryStreamExt};

use super::aggregates::{AggregatesError, AggregatesQuery, Evaluation, Outcomes, Source};
use super::evaluation::{AnswerRoom, BATCHES_AT_ONCE};
use super::groups::{KeepResources, ResourceGroup, ResourceSelection};
use super::selection::Patterns;
use crate::budget::Budget;
use crate::model::{AttributeValue, Resource};
use crate::store::Gnocchi;

/// What was computed for one group of resources.
#[derive(Debug, Clone)]
pub struct GroupAggregates {
    /// What the resources have in common, by name.
    pub properties: Vec<(String, Option<AttributeValue>)>,
    /// The resources that have one of the metrics, if they are wanted.
    pub resources: Vec<Resource>,
    /// The series that columns of the outcomes come from; empty when none comes from a single one.
    pub sources: Vec<Source>,
    /// A result for each granularity, coarsest first.
    pub outcomes: Outcomes,
}

impl Gnocchi {
    /// Computes an expression over the series of resources, once for each group. References of the expression are patterns for
    /// names of metrics.
    ///
    /// Groups are read a few at a time. Those without any of the metrics are left out.
    ///
    /// # Errors
    /// [`AggregatesError::NoSuchMetric`] when no resource has any of the metrics, [`AggregatesError::TooManyPatterns`]; for the rest see
    /// [`aggregates`](Self::aggregates) and [`ResourceGroups::next_batch`](super::ResourceGroups::next_batch).
    pub async fn aggregates_of_resources(
        &self,
        query: &AggregatesQuery,
        selection: ResourceSelection,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        keep: KeepResources,
    ) -> Result<Vec<GroupAggregates>, AggregatesError> {
        let budget = self.begin();
        let computing = self.aggregates_of_groups(&budget, query, selection, start, stop, keep);
        budget.run(computing).await
    }

    async fn aggregates_of_groups(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        selection: ResourceSelection,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        keep: KeepResources,
    ) -> Result<Vec<GroupAggregates>, AggregatesError> {
        let references = query.expression.references();
        let patterns = Patterns::of(&references)?;
        let groups = self.resource_groups(budget.clone(), selection, patterns, keep);
        let room = AnswerRoom::new();
        let batches = stream::try_unfold(groups, async |mut groups| {
            let batch = groups.next_batch().await?;
            Ok((!batch.is_empty()).then_some((batch, groups)))
        });
        let computed = batches
            .map_ok(|batch| self.evaluate_groups(budget, query, batch, start, stop, &room))
            .try_buffered(BATCHES_AT_ONCE);
        let answers: Vec<GroupAggregates> = computed.try_concat().await?;
        if answers.is_empty() {
            return Err(no_such_metric(&references));
        }
        Ok(answers)
    }

    /// Computes an expression over the series of a few groups; those without any are left out.
    async fn evaluate_groups(
        &self,
        budget: &Budget,
        query: &AggregatesQuery,
        mut groups: Vec<ResourceGroup>,
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
        room: &AnswerRoom,
    ) -> Result<Vec<GroupAggregates>, AggregatesError> {
        groups.retain(|group| !group.sources.is_empty());
        let evaluations: Vec<Evaluation> = groups
            .iter_mut()
            .map(|group| Evaluation {
                sources: std::mem::take(&mut group.sources),
                start,
                stop,
            })
            .collect();
        let outcomes = self
            .evaluate_batch(budget, query, &evaluations, room)
            .await?;
        let computed = groups.into_iter().zip(evaluations).zip(outcomes);
        Ok(computed
            .map(|((group, evaluation), outcomes)| {
                GroupAggregates::new(group, evaluation, outcomes)
            })
            .collect())
    }
}

impl GroupAggregates {
    fn new(group: ResourceGroup, evaluation: Evaluation, outcomes: Outcomes) -> Self {
        let apart = outcomes
            .iter()
            .any(|outcome| outcome.shape == Shape::PerSeries);
        Self {
            properties: group.properties,
            resources: group.resources,
            sources: if apart {
                evaluation.sources
            } else {
                Vec::new()
            },
            outcomes,
        }
    }
}

/// Says that no resource has any of the metrics.
pub(super) fn no_such_metric(references: &[&Reference]) -> AggregatesError {
    let names: BTreeSet<&String> = references.iter().map(|reference| &reference.name).collect();
    AggregatesError::NoSuchMetric {
        names: names.into_iter().cloned().collect(),
    }
}
