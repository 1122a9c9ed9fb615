//! The door for measures.

use std::sync::Arc;

use carbonara::{Series, Timestamp};

use crate::error::{Error, IndexerError};
use crate::model::{Measures, MetricId, RejectReason, Rejection};
use crate::store::Gnocchi;
use crate::telemetry;

/// What became of measures at the door.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// How many points are durable now. Those that turn out to be older than the back window are rejected, and counted, when
    /// they are folded: see [`Gnocchi::preview`].
    pub accepted: usize,
    /// What was not taken.
    pub rejected: Vec<Rejection>,
}

impl Gnocchi {
    /// Takes measures and returns when they are durable, all of them or none.
    ///
    /// Points further ahead of the clock than [`Settings::max_future`](crate::Settings::max_future) are left out, counted and
    /// reported: one of them would close the back window on everything real.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchMetric`] when one of the metrics does not exist,
    /// [`IncomingError::BacklogFull`](crate::error::IncomingError::BacklogFull) when too much waits already, or
    /// [`Error::Incoming`] when the driver fails; nothing is acknowledged then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the measures, but never a part of them.
    pub async fn append(&self, measures: Vec<Measures>) -> Result<Appended, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
        let metrics = self.metrics(&ids).await?;
        if let Some((id, _)) = ids
            .iter()
            .zip(&metrics)
            .find(|(_, metric)| metric.is_none())
        {
            return Err(IndexerError::NoSuchMetric { id: *id }.into());
        }
        let (measures, rejected) = self.without_future(measures);
        let accepted = measures.iter().map(|one| one.series.len()).sum();
        if accepted > 0 {
            self.drivers().incoming.append(measures).await?;
        }
        for rejection in &rejected {
            telemetry::rejected(rejection.reason.as_str(), rejection.points);
        }
        Ok(Appended { accepted, rejected })
    }

    /// Cuts off what lies too far ahead of the clock.
    fn without_future(&self, mut measures: Vec<Measures>) -> (Vec<Measures>, Vec<Rejection>) {
        let Some(limit) = self.latest_allowed() else {
            return (measures, Vec::new());
        };
        let mut rejected = Vec::new();
        for one in &mut measures {
            let points = points_after(&one.series, limit);
            if points > 0 {
                rejected.push(Rejection {
                    metric: one.metric,
                    reason: RejectReason::TooFarAhead,
                    points,
                });
                let end = limit
                    .as_nanosecond()
                    .checked_add(1)
                    .and_then(|end| Timestamp::from_nanosecond(end).ok());
                one.series = one
                    .series
                    .slice(Timestamp::EPOCH..end.unwrap_or(Timestamp::MAX))
                    .to_series();
            }
        }
        measures.retain(|one| !one.series.is_empty());
        (measures, rejected)
    }

    fn latest_allowed(&self) -> Option<Timestamp> {
        self.clock().now().checked_add(self.settings().max_future?)
    }

    /// Counts points that an adapter leaves out because its protocol says more than measures can hold, beside those that the
    /// store itself rejects.
    pub fn count_rejected(&self, reason: &'static str, points: usize) {
        telemetry::rejected(reason, points);
    }

    /// Tells what of these measures would not be taken if they were appended now: too far ahead, or older than the back window
    /// of everything that was appended before.
    ///
    /// Exact as long as nobody else appends to the same metrics in between. Unknown metrics are not reported.
    ///
    /// # Errors
    /// [`Error`] when a driver fails.
    pub async fn preview(&self, measures: &[Measures]) -> Result<Vec<Rejection>, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
        let metrics = self.metrics(&ids).await?;
        // Pending measures first: what is folded in between is then seen twice, which does no harm, and never missed.
        let pending = self.drivers().incoming.pending(&ids).await?;
        let known: Vec<&_> = metrics.iter().flatten().map(|metric| &**metric).collect();
        let states = self.inner.processor.states(&known).await?;
        let limit = self.latest_allowed();
        let mut rejections = Vec::new();
        for ((one, metric), pending) in measures.iter().zip(&metrics).zip(&pending) {
            let Some(metric) = metric else { continue };
            let ahead = limit.map_or(0, |limit| points_after(&one.series, limit));
            let window = states.get(&metric.id).map(|state| &state.window);
            let closed = window.and_then(carbonara::Window::first_block);
            let pending =
                newest_of(pending).map(|newest| metric.archive_policy.plan().first_block(newest));
            let late = pending
                .max(closed)
                .map_or(0, |first_block| one.series.index_of(first_block));
            for (reason, points) in [
                (RejectReason::TooFarAhead, ahead),
                (RejectReason::TooLate, late),
            ] {
                if points > 0 {
                    rejections.push(Rejection {
                        metric: metric.id,
                        reason,
                        points,
                    });
                }
            }
        }
        Ok(rejections)
    }
}

fn points_after(series: &Series, limit: Timestamp) -> usize {
    series.len()
        - series
            .timestamps_ns()
            .partition_point(|ns| *ns <= limit.as_nanosecond())
}

/// Returns the timestamp of the newest point of batches.
pub(crate) fn newest_of(batches: &[Arc<Series>]) -> Option<Timestamp> {
    batches
        .iter()
        .filter_map(|batch| batch.last())
        .map(|point| point.timestamp)
        .max()
}
