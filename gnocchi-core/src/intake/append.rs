//! Measures of metrics that are known by id.

use std::fmt;
use std::sync::Arc;

use carbonara::Series;

use crate::error::{Error, IndexerError};
use crate::model::{Measures, Metric, MetricId, Rejection};
use crate::store::Gnocchi;
use crate::telemetry;

/// What became of measures that were appended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// How many points are taken: they are durable, and nothing in `rejected` is among them.
    pub accepted: usize,
    /// What is not taken; see [`Reported`] for what is among it.
    pub rejected: Vec<Rejection>,
}

/// How measures are appended.
#[derive(Clone, Copy, Default)]
pub struct AppendOptions<'a> {
    /// Who sends them, as the log should name them.
    pub sender: Option<&'a (dyn fmt::Display + Sync)>,
    /// Which rejections are reported.
    pub reported: Reported,
}

/// Which rejections an append reports. All of them are counted, whether they are reported or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reported {
    /// All of them.
    #[default]
    All,
    /// Only points too far ahead of the clock, for callers who do not look at the rest: it saves a look at the open window of each
    /// metric. Points older than the back window count as accepted.
    TooFarAhead,
}

impl fmt::Debug for AppendOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendOptions")
            .field("sender", &self.sender.map(ToString::to_string))
            .field("reported", &self.reported)
            .finish()
    }
}

impl Gnocchi {
    /// Takes measures and returns when they are durable, all of them or none, with what is rejected.
    ///
    /// The same as [`append_with`](Self::append_with) the default options.
    ///
    /// # Errors
    /// As [`append_with`](Self::append_with).
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the measures, but never a part of them.
    pub async fn append(&self, measures: Vec<Measures>) -> Result<Appended, Error> {
        self.append_with(measures, AppendOptions::default()).await
    }

    /// Takes measures and returns when they are durable, all of them or none.
    ///
    /// Points further ahead of the clock than [`Settings::max_future`](crate::Settings::max_future) are rejected and not stored: one of them
    /// would close the back window on everything real. Other points more than an hour ahead are taken; both are counted, and
    /// logged now and then with the metric and the sender.
    ///
    /// Points older than the back window of everything that came before are rejected when they are folded.
    ///
    /// # What the report promises
    /// - A point that is reported as rejected never shows in an aggregate.
    /// - Every other point is folded, with two exceptions. Another append to the same metric that runs at the same time may get in
    ///   between, and its newer points close the back window on some of these. And the metric may be deleted. Appends that wait for
    ///   each other are always reported exactly.
    /// - Points before the oldest kept bucket of a granularity are accepted, though that granularity does not show them.
    ///
    /// With [`Reported::All`] the open window of each metric is looked at; one that is not in memory is read from storage.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchMetric`] when one of the metrics does not exist,
    /// [`IncomingError::BacklogFull`](crate::error::IncomingError::BacklogFull) when too much waits already, or
    /// [`Error::Incoming`] when the driver fails; nothing is acknowledged then. [`Error::Storage`] when an open window cannot be read;
    /// nothing is stored then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the measures, but never a part of them.
    pub async fn append_with(
        &self,
        measures: Vec<Measures>,
        options: AppendOptions<'_>,
    ) -> Result<Appended, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
        let metrics = self.metrics(&ids).await?;
        let missing = ids.iter().zip(&metrics).find(|(_, found)| found.is_none());
        if let Some((id, _)) = missing {
            return Err(IndexerError::NoSuchMetric { id: *id }.into());
        }
        self.append_found(measures, metrics, options).await
    }

    /// As [`append_with`](Self::append_with) for metrics that the caller has just found, which are not looked up again. Points of a metric
    /// that was deleted in between are dropped when they are folded, and counted.
    ///
    /// # Errors
    /// As [`append_with`](Self::append_with), except for metrics that do not exist.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the measures, but never a part of them.
    pub async fn append_to(
        &self,
        series: Vec<(Arc<Metric>, Series)>,
        options: AppendOptions<'_>,
    ) -> Result<Appended, Error> {
        let mut measures = Vec::with_capacity(series.len());
        let mut metrics = Vec::with_capacity(series.len());
        for (metric, series) in series {
            measures.push(Measures {
                metric: metric.id,
                series,
            });
            metrics.push(Some(metric));
        }
        self.append_found(measures, metrics, options).await
    }

    /// Appends measures, one for each metric.
    async fn append_found(
        &self,
        mut measures: Vec<Measures>,
        metrics: Vec<Option<Arc<Metric>>>,
        options: AppendOptions<'_>,
    ) -> Result<Appended, Error> {
        let future = self.cut_future(&mut measures);
        let stored: usize = measures.iter().map(|one| one.series.len()).sum();
        let late = match options.reported {
            Reported::All => self.late(&measures, &metrics).await?,
            Reported::TooFarAhead => Vec::new(),
        };
        // Only now: until here each of them stands beside its metric.
        measures.retain(|one| !one.series.is_empty());
        if stored > 0 {
            self.drivers().incoming.append(measures).await?;
        }
        self.report_ahead(&future, options.sender);
        // Late points are counted when they are folded.
        let late_points: usize = late.iter().map(|rejection| rejection.points).sum();
        let mut rejected = future.rejected;
        rejected.extend(late);
        Ok(Appended {
            accepted: stored - late_points,
            rejected,
        })
    }

    /// Counts points that an adapter leaves out because its protocol says more than measures can hold, beside those that the
    /// store itself rejects.
    pub fn count_rejected(&self, reason: &'static str, points: usize) {
        telemetry::rejected(reason, points);
    }

    /// Returns what of these measures would be rejected if they were appended now, as [`append`](Self::append) reports it. Unknown
    /// metrics are not reported.
    ///
    /// # Errors
    /// [`Error`] when a driver fails.
    pub async fn preview(&self, measures: &[Measures]) -> Result<Vec<Rejection>, Error> {
        let mut measures = measures.to_vec();
        let mut rejections = self.cut_future(&mut measures).rejected;
        let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
        let metrics = self.metrics(&ids).await?;
        rejections.extend(self.late(&measures, &metrics).await?);
        Ok(rejections)
    }
}
