//! What becomes of the series of a batch.

use std::sync::Arc;

use super::Refusal;
use crate::model::MetricId;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Report {
    /// A verdict for each series of the batch.
    pub verdicts: Vec<Verdict>,
}

/// What became of one series.
#[derive(Debug)]
pub struct Verdict {
    /// Where in the request it stands first, as its receiver counts.
    pub place: usize,
    /// The metric that it belongs to; `None` when it is refused as a whole.
    pub metric: Option<MetricId>,
    /// How many points it had, those at one timestamp counted once.
    pub points: usize,
    /// Which of them are not stored, and why.
    pub refused: Vec<Refused>,
}

/// Points of a series that are not stored, for one reason.
#[derive(Debug)]
pub struct Refused {
    /// How many points.
    pub points: usize,
    /// Why; series that are refused together share it.
    pub refusal: Arc<Refusal>,
}

impl Report {
    /// Returns how many points are stored: they are durable.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.verdicts.iter().map(Verdict::stored).sum()
    }
}

impl Verdict {
    /// Returns how many points are stored.
    #[must_use]
    pub fn stored(&self) -> usize {
        let refused: usize = self.refused.iter().map(|refused| refused.points).sum();
        self.points.saturating_sub(refused)
    }
}
