//! Points ahead of the clock.

use std::fmt;
use std::time::Duration;

use carbonara::{Series, Timespan, Timestamp};
use tracing::warn;

use crate::log_limit::LogLimit;
use crate::model::{Measures, MetricId, RejectReason, Rejection};
use crate::store::Gnocchi;
use crate::telemetry;

/// How far ahead of the clock points are usual: clocks differ, and some senders round up to the hour.
const USUAL_SECONDS: i64 = 3600;

/// How often points ahead of the clock are logged: a sender with a wrong clock sends them all the time.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Limits how often points ahead of the clock are logged.
#[derive(Debug)]
pub(crate) struct AheadLog {
    accepted: LogLimit,
    rejected: LogLimit,
}

impl Default for AheadLog {
    fn default() -> Self {
        Self {
            accepted: LogLimit::new(1, LOG_INTERVAL),
            rejected: LogLimit::new(1, LOG_INTERVAL),
        }
    }
}

/// What of measures lies ahead of the clock.
pub(super) struct Future {
    /// Points that were cut off.
    pub(super) rejected: Vec<Rejection>,
    too_far: Ahead,
    /// Points that are still there.
    unusual: Ahead,
}

/// The points of one call that lie behind some limit.
#[derive(Debug, Default)]
struct Ahead {
    points: usize,
    metrics: usize,
    /// The first metric and its newest point.
    first: Option<(MetricId, Timestamp)>,
}

impl Ahead {
    fn add(&mut self, one: &Measures, points: usize) {
        self.points += points;
        self.metrics += 1;
        if let Some(newest) = one.series.last() {
            self.first.get_or_insert((one.metric, newest.timestamp));
        }
    }

    fn log(&self, limit: &LogLimit, sender: Option<&(dyn fmt::Display + Sync)>, what: &str) {
        let Some((metric, newest)) = self.first else {
            return;
        };
        if let Some(not_logged) = limit.pass() {
            let sender = sender.map_or_else(|| "unknown".to_owned(), ToString::to_string);
            let (timestamp, points, metrics) = (readable(newest), self.points, self.metrics);
            warn!(%metric, sender, timestamp, points, metrics, not_logged, "{what}");
        }
    }
}

impl Gnocchi {
    /// Cuts off the points too far ahead of the clock. Series of which nothing is left stay in their place.
    pub(super) fn cut_future(&self, measures: &mut Vec<Measures>) -> Future {
        let now = self.clock().now();
        let usual = Timespan::from_second(USUAL_SECONDS)
            .ok()
            .and_then(|span| now.checked_add(span));
        let allowed = self
            .settings()
            .max_future
            .and_then(|span| now.checked_add(span));
        let mut rejected = Vec::new();
        let (mut too_far, mut unusual) = (Ahead::default(), Ahead::default());
        for one in &mut *measures {
            let points = points_after(&one.series, allowed);
            if points > 0 {
                too_far.add(one, points);
                rejected.push(Rejection {
                    metric: one.metric,
                    reason: RejectReason::TooFarAhead,
                    points,
                });
                let kept = one.series.len() - points;
                let timestamps = one.series.timestamps_ns()[..kept].to_vec();
                one.series = Series::from_points(timestamps, one.series.values()[..kept].to_vec())
                    .expect("a part of a series is a series");
            }
            let points = points_after(&one.series, usual);
            if points > 0 {
                unusual.add(one, points);
            }
        }
        Future {
            rejected,
            too_far,
            unusual,
        }
    }

    /// Counts and logs what was cut off, and what lies unusually far ahead.
    pub(super) fn report_ahead(&self, future: &Future, sender: Option<&(dyn fmt::Display + Sync)>) {
        let log = &self.inner.ahead_log;
        telemetry::rejected(RejectReason::TooFarAhead.as_str(), future.too_far.points);
        future.too_far.log(
            &log.rejected,
            sender,
            "points too far ahead of the clock are rejected (max_future)",
        );
        telemetry::ahead(future.unusual.points);
        future.unusual.log(
            &log.accepted,
            sender,
            "points more than an hour ahead of the clock: real ones may now be too old for the back window",
        );
    }
}

/// Counts the points after a timestamp.
fn points_after(series: &Series, limit: Option<Timestamp>) -> usize {
    match (limit, series.last()) {
        (Some(limit), Some(last)) if last.timestamp > limit => {
            let limit_ns = limit.as_nanosecond();
            let timestamps_ns = series.timestamps_ns();
            timestamps_ns.len() - timestamps_ns.partition_point(|ns| *ns <= limit_ns)
        }
        _ => 0,
    }
}

/// Writes a timestamp as people read it.
fn readable(timestamp: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(timestamp.as_nanosecond()))
        .map_or_else(|_| timestamp.to_string(), |timestamp| timestamp.to_string())
}
