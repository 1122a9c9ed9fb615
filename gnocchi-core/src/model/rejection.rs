//! Measures that are not taken.

use std::fmt;

use super::MetricId;

/// Why a measure is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// It is older than the back window of its metric.
    TooLate,
    /// It lies further in the future than the store allows.
    TooFarAhead,
    /// Its metric was deleted before it was folded.
    MetricDeleted,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::TooLate, Self::TooFarAhead, Self::MetricDeleted];

    /// Returns the name that counters and reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLate => "too_late",
            Self::TooFarAhead => "too_far_ahead",
            Self::MetricDeleted => "metric_deleted",
        }
    }
}

/// What a sender is told: the text goes after "they".
impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLate => "are older than the back window of the metric",
            Self::TooFarAhead => "are further ahead of the clock of the server than it allows",
            Self::MetricDeleted => "belong to a metric that was deleted",
        })
    }
}

/// Measures of one metric that are not taken, for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// The metric.
    pub metric: MetricId,
    /// Why.
    pub reason: RejectReason,
    /// How many points.
    pub points: usize,
}
