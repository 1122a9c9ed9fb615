//! Appending measures, and the report of what is refused.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;

use carbonara::{Point, Series, TimeError, Timestamp};
use gnocchi_core::model::{Measures, MetricId, RejectReason};

use super::Store;
use super::error::{Error, list};
use super::metric::MetricHandle;

/// What became of measures that were appended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "points may be refused"]
pub struct AppendReport {
    /// How many points are stored. Of points of one metric with equal timestamps only the last one counts.
    pub accepted: usize,
    /// What is refused, and why.
    pub refused: Vec<Refusal>,
}

/// Points of one metric that are refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The metric.
    pub metric: MetricHandle,
    /// Why they are refused.
    pub reason: RefusalReason,
    /// How many points.
    pub points: usize,
}

/// Why points are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// They are older than the back window of the metric.
    TooLate,
    /// They are further ahead of the clock than [`Settings::max_future`](gnocchi_core::Settings::max_future).
    TooFarAhead,
    /// Their metric was deleted.
    MetricDeleted,
    /// Their times cannot be represented as a [`Timestamp`].
    Timestamp(TimeError),
    /// A reason that this version does not know.
    Other,
}

impl From<RejectReason> for RefusalReason {
    fn from(reason: RejectReason) -> Self {
        match reason {
            RejectReason::TooLate => Self::TooLate,
            RejectReason::TooFarAhead => Self::TooFarAhead,
            RejectReason::MetricDeleted => Self::MetricDeleted,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate => f.write_str("older than the back window of the metric"),
            Self::TooFarAhead => f.write_str("too far ahead of the clock"),
            Self::MetricDeleted => f.write_str("the metric was deleted"),
            Self::Timestamp(error) => error.fmt(f),
            Self::Other => f.write_str("refused by the store"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            reason,
            points,
        } = self;
        write!(f, "{points} of {metric} ({reason})")
    }
}

impl AppendReport {
    /// Returns whether nothing is refused.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// Returns how many points are refused.
    #[must_use]
    pub fn points_refused(&self) -> usize {
        self.refused.iter().map(|refusal| refusal.points).sum()
    }
}

/// For example `198 points accepted, 2 refused: 2 of host/cpu (older than the back window of the metric)`.
impl fmt::Display for AppendReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.accepted == 1 {
            "point"
        } else {
            "points"
        };
        write!(f, "{} {noun} accepted", self.accepted)?;
        if self.is_complete() {
            return Ok(());
        }
        let (points, refused) = (self.points_refused(), list(&self.refused));
        write!(f, ", {points} refused: {refused}")
    }
}

/// Measures of a metric that can be appended: `(&metric, time, value)`, `(&metric, point)` or `(&metric, series)`.
///
/// The time is a [`Timestamp`], a `SystemTime` or a `jiff::Timestamp`.
pub trait IntoMeasures {
    /// Adds the measures to those that are appended together.
    fn add_to(self, batch: &mut Batch);
}

impl<M: Borrow<MetricHandle>, T> IntoMeasures for (M, T, f64)
where
    T: TryInto<Timestamp>,
    TimeError: From<T::Error>,
{
    fn add_to(self, batch: &mut Batch) {
        let (metric, time, value) = self;
        match time.try_into() {
            Ok(timestamp) => batch.point(metric.borrow(), timestamp, value),
            Err(error) => batch.refuse(metric.borrow(), error.into()),
        }
    }
}

impl<M: Borrow<MetricHandle>> IntoMeasures for (M, Point) {
    fn add_to(self, batch: &mut Batch) {
        let (metric, point) = self;
        batch.point(metric.borrow(), point.timestamp, point.value);
    }
}

impl<M: Borrow<MetricHandle>> IntoMeasures for (M, Series) {
    fn add_to(self, batch: &mut Batch) {
        let (metric, series) = self;
        let (timestamps_ns, values) = series.into_parts();
        let columns = batch.columns(metric.borrow());
        columns.timestamps_ns.extend(timestamps_ns);
        columns.values.extend(values);
    }
}

/// Measures that are appended together.
#[derive(Debug, Default)]
pub struct Batch {
    columns: Vec<Columns>,
    places: HashMap<MetricId, usize>,
    refused: Vec<Refusal>,
}

/// The points of one metric in the order in which they are given.
#[derive(Debug)]
struct Columns {
    metric: MetricHandle,
    timestamps_ns: Vec<i64>,
    values: Vec<f64>,
}

impl Batch {
    fn point(&mut self, metric: &MetricHandle, timestamp: Timestamp, value: f64) {
        let columns = self.columns(metric);
        columns.timestamps_ns.push(timestamp.as_nanosecond());
        columns.values.push(value);
    }

    fn columns(&mut self, metric: &MetricHandle) -> &mut Columns {
        let last = self.columns.len();
        // Points of one metric often come in a row.
        let is_same = self
            .columns
            .last()
            .is_some_and(|one| one.metric.id() == metric.id());
        let place = if is_same {
            last - 1
        } else {
            *self.places.entry(metric.id()).or_insert(last)
        };
        if place == last {
            self.columns.push(Columns {
                metric: metric.clone(),
                timestamps_ns: Vec::new(),
                values: Vec::new(),
            });
        }
        &mut self.columns[place]
    }

    fn refuse(&mut self, metric: &MetricHandle, error: TimeError) {
        self.refuse_points(metric, RefusalReason::Timestamp(error), 1);
    }

    fn refuse_points(&mut self, metric: &MetricHandle, reason: RefusalReason, points: usize) {
        let same = |one: &&mut Refusal| one.metric == *metric && one.reason == reason;
        match self.refused.iter_mut().find(same) {
            Some(refusal) => refusal.points += points,
            None => self.refused.push(Refusal {
                metric: metric.clone(),
                reason,
                points,
            }),
        }
    }
}

impl Store {
    /// Appends measures of any number of metrics, in any order; returns when they are durable.
    ///
    /// They can be read at once. Points that are refused do not keep the others from being stored: the report says which ones are refused and
    /// why. At an equal timestamp of one metric the point given last wins.
    ///
    /// One call with many points costs much less than many calls with one: every call waits for the disk.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails or [too much is pending](gnocchi_core::error::IncomingError::BacklogFull). Nothing is
    /// acknowledged then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the points, but never a part of them.
    ///
    /// # Examples
    /// ```
    /// use gnocchi_drivers::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// # let store = Store::in_memory().await?;
    /// # let cpu = store.metric("host", "cpu").policy("low").ensure().await?;
    /// # let memory = store.metric("host", "memory").policy("low").ensure().await?;
    /// let now = Timestamp::now();
    /// let report = store.append([(&cpu, now, 0.4), (&memory, now, 2e9)]).await?;
    /// assert!(report.is_complete(), "{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn append<P: IntoMeasures>(
        &self,
        points: impl IntoIterator<Item = P>,
    ) -> Result<AppendReport, Error> {
        let gnocchi = self.gnocchi()?;
        let mut batch = Batch::default();
        for point in points {
            point.add_to(&mut batch);
        }
        let columns = std::mem::take(&mut batch.columns);
        let ids: Vec<MetricId> = columns.iter().map(|one| one.metric.id()).collect();
        let known = gnocchi.metrics(&ids).await?;
        let mut measures = Vec::with_capacity(columns.len());
        let mut handles = HashMap::with_capacity(columns.len());
        for (columns, known) in columns.into_iter().zip(known) {
            let points = columns.values.len();
            let series = Series::from_points(columns.timestamps_ns, columns.values)
                .expect("a `Timestamp` is not before the epoch, and each point has one value");
            if known.is_none() {
                batch.refuse_points(&columns.metric, RefusalReason::MetricDeleted, points);
                continue;
            }
            let metric = columns.metric.id();
            measures.push(Measures { metric, series });
            handles.insert(metric, columns.metric);
        }
        let appended = gnocchi.append(measures).await?;
        for rejection in appended.rejected {
            if let Some(metric) = handles.get(&rejection.metric) {
                batch.refuse_points(metric, rejection.reason.into(), rejection.points);
            }
        }
        Ok(AppendReport {
            accepted: appended.accepted,
            refused: batch.refused,
        })
    }
}
