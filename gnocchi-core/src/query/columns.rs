//! Several aggregation methods of many metrics, read together.

use std::sync::Arc;

use carbonara::{AggregationMethod, Level, Series, Timespan, Timestamp};

use super::evaluation::POINTS_READ_MAX;
use super::rows::{Period, Reading};
use crate::budget::Budget;
use crate::error::Error;
use crate::model::Metric;
use crate::store::Gnocchi;

/// One granularity of one metric, and the aggregation methods that are read of it.
#[derive(Debug, Clone)]
pub struct ColumnsQuery {
    /// The metric.
    pub metric: Arc<Metric>,
    /// One granularity of its archive policy.
    pub granularity: Timespan,
    /// Aggregation methods of its archive policy.
    pub methods: Vec<AggregationMethod>,
}

impl ColumnsQuery {
    /// Returns the level of the archive policy that holds what is asked for.
    fn level(&self) -> Result<Level, Error> {
        let policy = &self.metric.archive_policy;
        let kept = policy.aggregation_methods();
        if let Some(method) = self.methods.iter().find(|method| !kept.contains(method)) {
            return Err(Error::UnknownAggregation {
                metric: self.metric.id,
                method: *method,
                archive_policy: Arc::clone(policy),
            });
        }
        let mut levels = policy.plan().levels().iter();
        let found = levels.find(|level| level.granularity == self.granularity);
        match (found, self.methods.first()) {
            (Some(level), _) => Ok(*level),
            (None, Some(method)) => Err(Error::UnknownGranularity {
                metric: self.metric.id,
                method: *method,
                granularity: self.granularity,
                archive_policy: Arc::clone(policy),
            }),
            // Nothing is read without a method.
            (None, None) => Ok(Level {
                granularity: self.granularity,
                timespan: None,
            }),
        }
    }
}

impl Gnocchi {
    /// Returns one series per method for each query, in the order given; an empty series where there is nothing.
    ///
    /// All methods of a metric are computed from one state of it, and what is stored of it is read once. Measures that are acknowledged
    /// but not folded yet are included. `start` is the earliest timestamp, and the bucket that holds it is included; buckets that begin at
    /// or after `stop` are not.
    ///
    /// # Errors
    /// [`Error::UnknownAggregation`], [`Error::UnknownGranularity`] when the archive policy does not keep what is asked for,
    /// [`Error::TooManyPoints`] for more than one query may hold, [`Error::Damaged`] when stored data does not decode,
    /// [`Error::Budget`], or the failure of a driver.
    pub async fn columns(
        &self,
        queries: &[ColumnsQuery],
        start: Option<Timestamp>,
        stop: Option<Timestamp>,
    ) -> Result<Vec<Vec<Series>>, Error> {
        let budget = self.begin();
        let reading = self.columns_within(&budget, queries, Period { start, stop });
        budget.run(reading).await
    }

    async fn columns_within(
        &self,
        budget: &Budget,
        queries: &[ColumnsQuery],
        period: Period,
    ) -> Result<Vec<Vec<Series>>, Error> {
        let levels = queries.iter().map(ColumnsQuery::level);
        let levels = levels.collect::<Result<Vec<Level>, Error>>()?;
        let metrics: Vec<&Metric> = queries.iter().map(|query| &*query.metric).collect();
        let overlays = self.overlays(budget, &metrics).await?;
        let readings = queries.iter().zip(levels).zip(&overlays);
        let readings = readings.map(|((query, level), overlay)| {
            let methods = query.methods.clone();
            Reading::new(query.metric.id, level, period, overlay, methods)
        });
        let readings: Vec<Reading> = readings.collect();
        drop(overlays);
        // One metric has as many points as its archive policy keeps.
        let points_max = (queries.len() > 1).then_some(POINTS_READ_MAX);
        let (read, held) = self.read_rows(budget, readings, points_max).await?;
        held.keep();
        Ok(read)
    }
}
