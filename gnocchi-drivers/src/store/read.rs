//! Requests for aggregates.

use std::future::IntoFuture;
use std::ops::{Bound, RangeBounds};

use carbonara::{AggregationMethod, Level, TimeError, Timespan, Timestamp};
use futures::future::BoxFuture;
use gnocchi_core::Gnocchi;
use gnocchi_core::model::{Metric, MetricId};
use gnocchi_core::query::ColumnsQuery;

use super::Store;
use super::error::Error;
use super::method::IntoMethod;
use super::metric::MetricHandle;
use super::rows::{MetricRows, Rows};

/// A request for aggregates of metrics; made by [`Store::read`] and sent with `.await`.
///
/// Without [`methods`](Self::methods), all methods of the archive policy of each metric are read. Without [`every`](Self::every), it is the
/// finest granularity that is kept as long as the range reaches back, or the coarsest when the range has no start. Without
/// [`last`](Self::last) or [`range`](Self::range), everything that is kept.
#[derive(Debug)]
#[must_use = "a request does nothing until it is awaited"]
pub struct ReadRequest {
    gnocchi: Result<Gnocchi, Error>,
    metrics: Vec<MetricHandle>,
    methods: Vec<AggregationMethod>,
    granularity: Option<Timespan>,
    last: Option<Timespan>,
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
}

impl ReadRequest {
    pub(super) fn new<'m>(
        gnocchi: Result<Gnocchi, Error>,
        metrics: impl IntoIterator<Item = &'m MetricHandle>,
    ) -> Self {
        Self {
            gnocchi,
            metrics: metrics.into_iter().cloned().collect(),
            methods: Vec::new(),
            granularity: None,
            last: None,
            start: None,
            stop: None,
        }
    }

    /// Sets which aggregates are read; a method that is given twice is read once.
    pub fn methods<M: IntoMethod>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        for method in methods {
            match method.into_method() {
                Ok(method) if self.methods.contains(&method) => {}
                Ok(method) => self.methods.push(method),
                Err(error) => self.fail(error.into()),
            }
        }
        self
    }

    /// Sets the granularity: how much time each row covers.
    pub fn every<G>(mut self, granularity: G) -> Self
    where
        G: TryInto<Timespan>,
        TimeError: From<G::Error>,
    {
        match granularity.try_into() {
            Ok(granularity) => self.granularity = Some(granularity),
            Err(error) => self.fail_time("granularity", error.into()),
        }
        self
    }

    /// Reads from that long ago until now. The bucket that holds the start is included.
    pub fn last<D>(mut self, duration: D) -> Self
    where
        D: TryInto<Timespan>,
        TimeError: From<D::Error>,
    {
        match duration.try_into() {
            Ok(duration) => self.last = Some(duration),
            Err(error) => self.fail_time("duration", error.into()),
        }
        self
    }

    /// Reads a range of time: `start..stop`, `start..` or `..stop`. The bucket that holds the start is included; buckets that begin at or
    /// after the end are not.
    pub fn range(mut self, range: impl RangeBounds<Timestamp>) -> Self {
        let after = |timestamp: &Timestamp| {
            let next = timestamp.as_nanosecond().checked_add(1)?;
            Timestamp::from_nanosecond(next).ok()
        };
        self.last = None;
        self.start = match range.start_bound() {
            Bound::Included(start) => Some(*start),
            Bound::Excluded(start) => after(start).or(Some(Timestamp::MAX)),
            Bound::Unbounded => None,
        };
        self.stop = match range.end_bound() {
            Bound::Included(stop) => after(stop),
            Bound::Excluded(stop) => Some(*stop),
            Bound::Unbounded => None,
        };
        self
    }

    /// Remembers the first failure.
    fn fail(&mut self, error: Error) {
        if self.gnocchi.is_ok() {
            self.gnocchi = Err(error);
        }
    }

    fn fail_time(&mut self, part: &'static str, source: TimeError) {
        self.fail(Error::QueryTime { part, source });
    }

    /// Reads the aggregates; the same as `.await`.
    ///
    /// # Errors
    /// [`Error::NoSuchMetric`], [`Error::Granularity`], [`Error::MethodNotKept`] when a metric or an aggregate of it does not exist,
    /// [`Error::Method`], [`Error::QueryTime`] when the request cannot be understood, [`Error::Store`] when the query is too large or the store
    /// fails.
    pub async fn send(self) -> Result<Rows, Error> {
        let gnocchi = self.gnocchi?;
        let now = gnocchi.clock().now();
        let start = match self.last {
            Some(duration) => Some(now.saturating_sub(duration)),
            None => self.start,
        };
        let ids: Vec<MetricId> = self.metrics.iter().map(MetricHandle::id).collect();
        let known = gnocchi.metrics(&ids).await?;
        let mut queries = Vec::with_capacity(self.metrics.len());
        for (handle, metric) in self.metrics.iter().zip(known) {
            let metric = metric.ok_or_else(|| Error::NoSuchMetric {
                metric: handle.to_string(),
            })?;
            let methods = methods_of(handle, &metric, &self.methods)?;
            let granularity = match self.granularity {
                Some(granularity) => kept_granularity(handle, &metric, granularity)?,
                None => suitable_granularity(&metric, start, now),
            };
            queries.push(ColumnsQuery {
                metric,
                granularity,
                methods,
            });
        }
        let read = gnocchi.columns(&queries, start, self.stop).await?;
        let tables = self.metrics.into_iter().zip(queries).zip(read);
        Ok(Rows::new(
            tables
                .map(|((metric, query), columns)| {
                    MetricRows::new(metric, query.granularity, query.methods, columns)
                })
                .collect(),
        ))
    }
}

impl IntoFuture for ReadRequest {
    type Output = Result<Rows, Error>;
    type IntoFuture = BoxFuture<'static, Result<Rows, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Returns the methods to read of a metric.
fn methods_of(
    handle: &MetricHandle,
    metric: &Metric,
    wanted: &[AggregationMethod],
) -> Result<Vec<AggregationMethod>, Error> {
    let kept = metric.archive_policy.aggregation_methods();
    if let Some(missing) = wanted.iter().find(|method| !kept.contains(method)) {
        return Err(Error::MethodNotKept {
            metric: handle.to_string(),
            got: *missing,
            expected: kept.to_vec(),
        });
    }
    Ok(if wanted.is_empty() { kept } else { wanted }.to_vec())
}

/// Checks that a granularity is kept of a metric.
fn kept_granularity(
    handle: &MetricHandle,
    metric: &Metric,
    granularity: Timespan,
) -> Result<Timespan, Error> {
    let kept = metric.archive_policy.plan().levels().iter();
    let kept: Vec<Timespan> = kept.map(|level| level.granularity).collect();
    if kept.contains(&granularity) {
        return Ok(granularity);
    }
    Err(Error::Granularity {
        metric: handle.to_string(),
        got: granularity,
        expected: kept,
    })
}

/// Returns the finest granularity that is kept since `start`, or the coarsest one.
fn suitable_granularity(metric: &Metric, start: Option<Timestamp>, now: Timestamp) -> Timespan {
    let levels = metric.archive_policy.plan().levels();
    let reaches = |level: &&Level| match (level.timespan, start) {
        (Some(timespan), Some(start)) => now.saturating_sub(timespan) <= start,
        (Some(_), None) => false,
        (None, _) => start.is_some(),
    };
    let level = levels.iter().find(reaches).or(levels.last());
    level.map_or(Timespan::SECOND, |level| level.granularity)
}

impl Store {
    /// Begins a request for aggregates of metrics, which `.await` sends.
    ///
    /// All measures that were acknowledged are included, whether they are folded already or not.
    ///
    /// # Examples
    /// ```
    /// use gnocchi_drivers::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// # let store = Store::in_memory().await?;
    /// # let cpu = store.metric("host", "cpu").policy("medium").ensure().await?;
    /// # let memory = store.metric("host", "memory").policy("medium").ensure().await?;
    /// # let report = store.append([(&cpu, Timestamp::now(), 0.4)]).await?;
    /// // One hour of minutes of two metrics.
    /// let rows = store.read([&cpu, &memory]).methods(["mean", "max"]).every(MINUTE).last(HOUR).await?;
    /// for row in &rows {
    ///     println!("{} {} {:?}", row.metric(), row.timestamp(), row.value("mean"));
    /// }
    /// # assert_eq!(rows.of(&cpu).map(|rows| rows.len()), Some(1));
    /// # assert_eq!(rows.of(&memory).map(|rows| rows.len()), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn read<'m>(&self, metrics: impl IntoIterator<Item = &'m MetricHandle>) -> ReadRequest {
        ReadRequest::new(self.gnocchi(), metrics)
    }
}
