//! One aggregate of many metrics: what came before expressions, and what they make of it.

use std::sync::Arc;

use carbonara::expression::{Expression, Outcome, Reference, ResampleMethod};
use carbonara::{AggregationMethod, Series, Timespan, Timestamp};
use jiff::tz::TimeZone;

use super::aggregates::{AggregatesError, AggregatesQuery, Evaluation, Gaps, Plan, Source};
use super::measures::{LevelMeasures, MeasuresQuery, Resample};
use crate::error::Error;
use crate::model::Metric;
use crate::store::Gnocchi;

/// Which aggregates of each metric are taken, and what is computed across them.
#[derive(Debug, Clone)]
pub struct ReaggregationQuery {
    /// The aggregation method of each metric, as text because it may be no method at all.
    pub aggregation: String,
    /// What is computed across the metrics, as text because it counts only where there are several.
    pub reaggregation: String,
    /// One granularity; `None` wants all that the metrics have in common.
    pub granularity: Option<Timespan>,
    /// The first moment; the bucket that holds it is included.
    pub start: Option<Timestamp>,
    /// The end: buckets that begin at or after it are left out.
    pub stop: Option<Timestamp>,
    /// Groups the aggregates of each metric further, before anything is computed across them. Of a single metric, `start` and `stop` then
    /// choose whole buckets of these groups; of several they choose the aggregates that are grouped, as in every expression.
    pub resample: Option<Resample>,
    /// What stands where a metric has no point.
    pub gaps: Gaps,
}

impl Gnocchi {
    /// Computes one aggregate across each group of metrics, coarsest granularity first. A group of one metric gives the measures of
    /// that one as they are; a group of none gives nothing.
    ///
    /// # Errors
    /// [`Error::ResampleWithoutGranularity`]; [`AggregatesError::UnknownAggregation`] and [`AggregatesError::GranularitiesMissing`]
    /// name the first metric that lacks what is asked for; [`AggregatesError::UnknownReaggregation`]; for the rest see
    /// [`aggregates`](Self::aggregates).
    ///
    /// # Panics
    /// When a source of several stands for another reference than the first.
    pub async fn reaggregated(
        &self,
        query: &ReaggregationQuery,
        groups: &[Vec<Source>],
    ) -> Result<Vec<Vec<LevelMeasures>>, AggregatesError> {
        if query.resample.is_some() && query.granularity.is_none() {
            return Err(Error::ResampleWithoutGranularity.into());
        }
        let mut answers = vec![Vec::new(); groups.len()];
        let (mut singles, mut many) = (Vec::new(), Vec::new());
        for (place, group) in groups.iter().enumerate() {
            match group.as_slice() {
                [] => {}
                [only] => singles.push((place, only)),
                _ => many.push((place, group)),
            }
        }
        for (place, levels) in self.measures_of_singles(query, &singles).await? {
            answers[place] = levels;
        }
        let evaluations: Vec<Evaluation> = many
            .iter()
            .map(|(_, sources)| Evaluation {
                sources: (*sources).clone(),
                start: query.start,
                stop: query.stop,
            })
            .collect();
        if evaluations.is_empty() {
            return Ok(answers);
        }
        let outcomes = self
            .aggregates(&query.across(&evaluations)?, &evaluations)
            .await?;
        for ((place, _), outcomes) in many.into_iter().zip(outcomes) {
            answers[place] = outcomes.iter().map(level_of).collect();
        }
        Ok(answers)
    }

    async fn measures_of_singles(
        &self,
        query: &ReaggregationQuery,
        singles: &[(usize, &Source)],
    ) -> Result<Vec<(usize, Vec<LevelMeasures>)>, AggregatesError> {
        let Some((_, first)) = singles.first() else {
            return Ok(Vec::new());
        };
        let Ok(method) = query.aggregation.parse() else {
            return Err(AggregatesError::UnknownAggregation {
                series: Box::new(first.name(&query.aggregation)),
                others: 0,
            });
        };
        let metrics: Vec<&Metric> = singles.iter().map(|(_, source)| &*source.metric).collect();
        let query = MeasuresQuery {
            method,
            granularity: query.granularity,
            start: query.start,
            stop: query.stop,
            resample: query.resample.clone(),
        };
        let measures = self.measures_of_many(&metrics, &query).await?;
        let places = singles.iter().map(|(place, _)| *place);
        Ok(places.zip(measures).collect())
    }
}

impl ReaggregationQuery {
    /// Writes the query as an expression over one reference, which every metric stands for.
    fn across(&self, evaluations: &[Evaluation]) -> Result<AggregatesQuery, AggregatesError> {
        let Ok(reaggregation) = self.reaggregation.parse() else {
            // What the metrics lack is said first.
            let methods = [self.aggregation.as_str()];
            for evaluation in evaluations {
                Plan::of(&evaluation.sources, &methods, self.granularity)?;
            }
            let name = self.reaggregation.clone();
            return Err(AggregatesError::UnknownReaggregation { name });
        };
        let metrics = Expression::Metric(vec![Reference::new("*", self.aggregation.clone())]);
        let (of, time_zone) = match (&self.resample, self.aggregation.parse()) {
            (Some(resample), Ok(method)) => resampled(metrics, method, resample),
            // What is no method is refused before anything is computed.
            _ => (metrics, TimeZone::UTC),
        };
        Ok(AggregatesQuery {
            expression: Arc::new(Expression::Aggregate(reaggregation, Box::new(of))),
            granularity: self.granularity,
            gaps: self.gaps,
            time_zone,
        })
    }
}

/// Groups series further. Rates are differences already: only their statistic is taken, they are not differenced again.
fn resampled(
    of: Expression,
    method: AggregationMethod,
    resample: &Resample,
) -> (Expression, TimeZone) {
    let method = ResampleMethod::from(AggregationMethod {
        of_rate: false,
        ..method
    });
    let of = Expression::Resample {
        method,
        to: resample.granularity(),
        of: Box::new(of),
    };
    (of, resample.time_zone().clone())
}

/// Returns the only column of an aggregated outcome.
fn level_of(outcome: &Outcome) -> LevelMeasures {
    let (timestamps_ns, values) = match outcome.columns.first() {
        Some(_) => outcome
            .points(0)
            .map(|point| (point.timestamp.as_nanosecond(), point.value))
            .unzip(),
        None => Default::default(),
    };
    LevelMeasures {
        granularity: outcome.granularity,
        series: Series::from_points(timestamps_ns, values)
            .expect("the moments of a grid are not negative and have a value each"),
    }
}
