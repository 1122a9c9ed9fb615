//! The aggregates of one metric.

use std::sync::Arc;

use carbonara::{
    AggregationMethod, Granularity, Level, LocalSpanError, ResampleTo, Series, Timespan, Timestamp,
    resample_rows,
};
use jiff::tz::TimeZone;

use super::evaluation::POINTS_READ_MAX;
use super::rows::{Period, Reading};
use crate::budget::Budget;
use crate::error::Error;
use crate::model::Metric;
use crate::store::Gnocchi;

/// Which aggregates are wanted.
#[derive(Debug, Clone)]
pub struct MeasuresQuery {
    /// The aggregation method.
    pub method: AggregationMethod,
    /// One granularity of the archive policy; `None` wants all.
    pub granularity: Option<Timespan>,
    /// The first moment; the bucket that holds it is included.
    pub start: Option<Timestamp>,
    /// The end: buckets that begin at or after it are left out.
    pub stop: Option<Timestamp>,
    /// Groups the stored aggregates of the granularity further. `start` and `stop` then choose whole buckets of these groups.
    pub resample: Option<Resample>,
}

/// How stored aggregates are grouped further.
#[derive(Debug, Clone)]
pub struct Resample {
    to: Granularity,
    time_zone: TimeZone,
}

impl Resample {
    /// Groups by the calendar, or by a span, of a time zone.
    ///
    /// # Errors
    /// [`LocalSpanError`] for a span that the clocks of the time zone do not count.
    pub fn new(to: Granularity, time_zone: TimeZone) -> Result<Self, LocalSpanError> {
        Ok(Self {
            to: to.counted_in(&time_zone)?,
            time_zone,
        })
    }

    /// Returns how long the groups are.
    pub(super) const fn granularity(&self) -> Granularity {
        self.to
    }

    /// Returns the time zone whose clocks and calendar the groups follow.
    pub(super) const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    fn target(&self) -> ResampleTo<'_> {
        self.to.in_zone(&self.time_zone)
    }

    /// Widens a time to the groups that begin before its end, down to the one that holds its start, so that none is computed from
    /// a part of its points.
    fn whole_groups(&self, period: Period) -> Period {
        let last = |stop: Timestamp| Timestamp::from_nanosecond(stop.as_nanosecond() - 1);
        Period {
            start: period.start.map(|start| self.target().bucket(start).start),
            stop: period.stop.map(|stop| match last(stop) {
                Ok(last) => self.target().bucket(last).end,
                // Nothing begins before the epoch.
                Err(_) => stop,
            }),
        }
    }
}

/// The aggregates of one granularity.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelMeasures {
    /// The length of the buckets.
    pub granularity: Granularity,
    /// A value for the beginning of each bucket.
    pub series: Series,
}

impl Gnocchi {
    /// Returns aggregates of a metric, coarsest granularity first; an empty series where there is nothing.
    ///
    /// Measures that are acknowledged but not folded yet are part of the answer: they are folded in memory over what is stored,
    /// without any lock.
    ///
    /// # Errors
    /// [`Error::UnknownAggregation`], [`Error::UnknownGranularity`] when the archive policy doesn't keep what is asked for,
    /// [`Error::ResampleWithoutGranularity`], [`Error::DividedRow`] when the granularity is too coarse for the time zone of a
    /// resampling, [`Error::Damaged`] when stored data doesn't decode, [`Error::Budget`], or a driver's failure.
    pub async fn measures(
        &self,
        metric: &Metric,
        query: &MeasuresQuery,
    ) -> Result<Vec<LevelMeasures>, Error> {
        let mut answers = self.measures_of_many(&[metric], query).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Returns aggregates of many metrics, in the order asked, each as [`measures`](Self::measures) does.
    ///
    /// Storage is read in chunks: beside the answer, what is held of each metric are its pending measures.
    ///
    /// # Errors
    /// As [`measures`](Self::measures), for the first metric that has a reason; [`Error::TooManyPoints`] for more than one query may hold.
    pub async fn measures_of_many(
        &self,
        metrics: &[&Metric],
        query: &MeasuresQuery,
    ) -> Result<Vec<Vec<LevelMeasures>>, Error> {
        let budget = self.begin();
        budget
            .run(self.measures_within(&budget, metrics, query))
            .await
    }

    async fn measures_within(
        &self,
        budget: &Budget,
        metrics: &[&Metric],
        query: &MeasuresQuery,
    ) -> Result<Vec<Vec<LevelMeasures>>, Error> {
        let mut levels = Vec::with_capacity(metrics.len());
        for metric in metrics {
            levels.push(wanted_levels(metric, query)?);
        }
        let overlays = self.overlays(budget, metrics).await?;
        let period = query.period();
        let mut readings = Vec::new();
        for ((metric, levels), overlay) in metrics.iter().zip(&levels).zip(&overlays) {
            readings.extend(
                levels.iter().map(|level| {
                    Reading::new(metric.id, *level, period, overlay, vec![query.method])
                }),
            );
        }
        drop(overlays);
        // One metric has as many points as its archive policy keeps.
        let points_max = (metrics.len() > 1).then_some(POINTS_READ_MAX);
        let (read, held) = self.read_rows(budget, readings, points_max).await?;
        held.keep();
        let resampled = match query.resample {
            Some(_) => read.iter().flatten().map(Series::len).sum(),
            None => 0,
        };
        let query = query.clone();
        let own = budget.clone();
        let finish = move || finish_all(&own, &levels, read, &query);
        budget.compute(resampled, finish).await?
    }
}

impl MeasuresQuery {
    /// Returns the time of the stored aggregates that are needed.
    fn period(&self) -> Period {
        let asked = Period {
            start: self.start,
            stop: self.stop,
        };
        match &self.resample {
            Some(resample) => resample.whole_groups(asked),
            None => asked,
        }
    }
}

/// Returns the levels that a query asks for, coarsest first.
fn wanted_levels(metric: &Metric, query: &MeasuresQuery) -> Result<Vec<Level>, Error> {
    let policy = &metric.archive_policy;
    if !policy.aggregation_methods().contains(&query.method) {
        return Err(Error::UnknownAggregation {
            metric: metric.id,
            method: query.method,
            archive_policy: Arc::clone(policy),
        });
    }
    if query.resample.is_some() && query.granularity.is_none() {
        return Err(Error::ResampleWithoutGranularity);
    }
    let levels = policy.plan().levels();
    match query.granularity {
        None => Ok(levels.iter().rev().copied().collect()),
        Some(granularity) => match levels.iter().find(|level| level.granularity == granularity) {
            Some(level) => Ok(vec![*level]),
            None => Err(Error::UnknownGranularity {
                metric: metric.id,
                method: query.method,
                granularity,
                archive_policy: Arc::clone(policy),
            }),
        },
    }
}

/// Gives each metric its series, resampled as the query says.
fn finish_all(
    budget: &Budget,
    levels: &[Vec<Level>],
    read: Vec<Vec<Series>>,
    query: &MeasuresQuery,
) -> Result<Vec<Vec<LevelMeasures>>, Error> {
    let mut read = read.into_iter().flatten();
    let mut answer = |levels: &Vec<Level>| {
        let own = levels.iter().zip(read.by_ref());
        own.map(|(level, series)| {
            budget.spend(series.len())?;
            finish(level, series, query)
        })
        .collect()
    };
    levels.iter().map(&mut answer).collect()
}

/// Applies the resampling of a query.
fn finish(level: &Level, series: Series, query: &MeasuresQuery) -> Result<LevelMeasures, Error> {
    let stored = Granularity::Span(level.granularity);
    Ok(match &query.resample {
        None => LevelMeasures {
            granularity: stored,
            series,
        },
        Some(resample) => LevelMeasures {
            granularity: resample.to,
            series: resample_rows(&series, stored, resample.target(), query.method.statistic)?,
        },
    })
}
