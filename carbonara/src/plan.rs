//! [`AggregationPlan`]: what an archive policy asks of the engine.

use std::fmt;

use crate::constants::{LEVELS_MAX, RAW_BLOCK_SPAN_MAX_NS, RAW_BLOCK_WINDOWS_MAX};
use crate::method::{AggregationMethod, ComponentSet};
use crate::time::{Timespan, Timestamp};

/// One granularity of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    /// Length of a bucket.
    pub granularity: Timespan,
    /// How long a bucket is kept, counted back from the newest one; forever when `None`.
    pub timespan: Option<Timespan>,
}

/// What is computed for the metrics of one archive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregationPlan {
    levels: Vec<Level>,
    granularities: Vec<Timespan>,
    components: ComponentSet,
    back_window: u32,
}

/// Why levels are not a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no level.
    NoLevel,
    /// There are more than [`LEVELS_MAX`] levels.
    TooManyLevels,
    /// Two levels have the same granularity.
    GranularityTwice,
}

impl Level {
    /// Returns the first bucket that is kept when the newest point lies at `newest`: buckets that start after the start of the
    /// newest one minus the timespan; `None` when all are kept.
    #[must_use]
    pub fn first_kept_bucket(&self, newest: Timestamp) -> Option<i64> {
        // The timespan in buckets, rounded up.
        let kept = (self.timespan?.as_nanosecond() - 1) / self.granularity.as_nanosecond() + 1;
        Some((newest.bucket(self.granularity) - (kept - 1)).max(0))
    }
}

impl AggregationPlan {
    /// Makes a plan; levels may come in any order.
    ///
    /// `back_window` is the number of whole buckets of the coarsest granularity, before the newest one, in which late points are still accepted.
    ///
    /// # Errors
    /// [`PlanError`] when there is no level, too many, or one granularity twice.
    pub fn new(
        mut levels: Vec<Level>,
        methods: &[AggregationMethod],
        back_window: u32,
    ) -> Result<Self, PlanError> {
        if levels.is_empty() {
            return Err(PlanError::NoLevel);
        }
        if levels.len() > LEVELS_MAX {
            return Err(PlanError::TooManyLevels);
        }
        levels.sort_unstable_by_key(|level| level.granularity);
        let granularities: Vec<Timespan> = levels.iter().map(|level| level.granularity).collect();
        if granularities.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(PlanError::GranularityTwice);
        }
        Ok(Self {
            levels,
            granularities,
            components: ComponentSet::for_methods(methods),
            back_window,
        })
    }

    /// Returns the levels, finest first.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Returns the granularities, finest first.
    #[must_use]
    pub fn granularities(&self) -> &[Timespan] {
        &self.granularities
    }

    /// Returns the columns that every frame of this plan has.
    #[must_use]
    pub const fn components(&self) -> &ComponentSet {
        &self.components
    }

    /// Returns the back window as it was given.
    #[must_use]
    pub const fn back_window(&self) -> u32 {
        self.back_window
    }

    /// Returns the coarsest granularity, the unit of the back window.
    #[must_use]
    pub fn coarsest(&self) -> Timespan {
        self.granularities[self.granularities.len() - 1]
    }

    /// Returns the back window, one more when a method needs differences.
    #[must_use]
    pub fn effective_back_window(&self) -> u32 {
        self.back_window
            .saturating_add(u32::from(self.needs_differences()))
    }

    /// Returns whether a method needs differences between neighbouring points.
    #[must_use]
    pub fn needs_differences(&self) -> bool {
        self.components.has_rate()
    }

    /// Returns whether a method needs all values of a bucket at once.
    #[must_use]
    pub fn needs_values(&self) -> bool {
        self.components.has_order_statistic()
    }

    /// Returns the oldest moment at which a point is still accepted when the newest point lies at `last`.
    ///
    /// It is the start of a bucket of the coarsest granularity.
    #[must_use]
    pub fn first_block(&self, last: Timestamp) -> Timestamp {
        let coarsest = self.coarsest();
        let start = last.floor(coarsest);
        match self.effective_back_window() {
            0 => start,
            blocks => coarsest
                .checked_mul(i64::from(blocks))
                .map_or(Timestamp::EPOCH, |span| start.saturating_sub(span)),
        }
    }

    /// Returns from where on the raw points are needed to compute every bucket that a point at or after `first_block` can fall into.
    ///
    /// Earlier than `first_block` when a granularity does not divide the coarsest one.
    #[must_use]
    pub fn raw_start(&self, first_block: Timestamp) -> Timestamp {
        self.granularities
            .iter()
            .map(|granularity| first_block.floor(*granularity))
            .min()
            .unwrap_or(first_block)
    }

    /// Returns the first moment, at or after `complete_from`, from which on no bucket of any granularity reaches back before it.
    pub(crate) fn first_whole_buckets(&self, complete_from: Timestamp) -> Timestamp {
        let ceil = |granularity: &Timespan| {
            let floor = complete_from.floor(*granularity);
            if floor == complete_from {
                floor
            } else {
                floor.checked_add(*granularity).unwrap_or(Timestamp::MAX)
            }
        };
        self.granularities
            .iter()
            .map(ceil)
            .max()
            .unwrap_or(complete_from)
    }

    /// Returns how much time one stored block of raw points covers.
    ///
    /// The coarsest granularity when that is an hour or more, otherwise the largest multiple of it within an hour and
    /// within [`RAW_BLOCK_WINDOWS_MAX`] of them.
    #[must_use]
    pub fn raw_block_span(&self) -> Timespan {
        let coarsest = self.coarsest();
        let blocks =
            (RAW_BLOCK_SPAN_MAX_NS / coarsest.as_nanosecond()).clamp(1, RAW_BLOCK_WINDOWS_MAX);
        // More than one only when the product is at most an hour.
        coarsest.checked_mul(blocks).unwrap_or(coarsest)
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLevel => f.write_str("a plan needs a granularity"),
            Self::TooManyLevels => write!(f, "a plan has at most {LEVELS_MAX} granularities"),
            Self::GranularityTwice => f.write_str("a granularity occurs more than once in a plan"),
        }
    }
}

impl std::error::Error for PlanError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("not before the epoch")
    }

    fn plan(granularities: &[i64], method: &str, back_window: u32) -> AggregationPlan {
        let levels = granularities
            .iter()
            .map(|second| Level {
                granularity: Timespan::from_second(*second).expect("positive"),
                timespan: None,
            })
            .collect();
        let methods = [method.parse().expect("a method")];
        AggregationPlan::new(levels, &methods, back_window).expect("a plan")
    }

    #[test]
    fn levels_are_sorted_and_checked() {
        let sorted = plan(&[3600, 1, 60], "mean", 0);
        assert_eq!(
            sorted.coarsest().as_second_f64().to_bits(),
            3600.0_f64.to_bits()
        );
        assert!(sorted.granularities().is_sorted());
        assert_eq!(
            AggregationPlan::new(Vec::new(), &[], 0),
            Err(PlanError::NoLevel)
        );
        let level = sorted.levels()[0];
        assert_eq!(
            AggregationPlan::new(vec![level, level], &[], 0),
            Err(PlanError::GranularityTwice)
        );
        assert_eq!(
            AggregationPlan::new(vec![level; LEVELS_MAX + 1], &[], 0),
            Err(PlanError::TooManyLevels)
        );
    }

    #[test]
    fn the_back_window_counts_coarsest_buckets() {
        let check = |method: &str, back_window, last, expected| {
            let plan = plan(&[60, 3600], method, back_window);
            assert_eq!(plan.first_block(second(last)), second(expected));
        };
        check("mean", 0, 7300, 7200);
        check("mean", 1, 7300, 3600);
        check("mean", 9, 7300, 0);
        check("mean", u32::MAX, 7300, 0);
        check("rate:mean", 0, 7300, 3600);
        check("rate:mean", u32::MAX, 7300, 0);
    }

    #[test]
    fn raw_points_reach_back_to_whole_buckets() {
        let plan = plan(&[7, 60], "sum", 0);
        let first_block = plan.first_block(second(125));
        assert_eq!(first_block, second(120));
        assert_eq!(plan.raw_start(first_block), second(119));
    }

    #[test]
    fn raw_blocks() {
        let check = |coarsest, expected| {
            let span = plan(&[coarsest], "mean", 0).raw_block_span();
            assert_eq!(span, Timespan::from_second(expected).expect("positive"));
        };
        check(86400, 86400);
        check(3600, 3600);
        check(1800, 3600);
        check(1000, 3000);
        check(60, 3600);
        check(7, 420);
        check(1, 60);
    }

    #[test]
    fn needs() {
        assert!(plan(&[60], "rate:95pct", 0).needs_values());
        assert!(plan(&[60], "rate:95pct", 0).needs_differences());
        assert!(!plan(&[60], "std", 0).needs_values());
        assert!(!plan(&[60], "std", 0).needs_differences());
    }
}
