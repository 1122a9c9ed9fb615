//! Arithmetic on the values of a group: slices in, numbers out.
//!
//! # Rules
//! - **Sums run in the order of time**, one addition after the other. Continuing a group with more
//!   points gives the same bits as computing it at once.
//! - A NaN anywhere makes sum, mean and standard deviation NaN. The smallest value ignores NaN (a
//!   group of nothing else gives NaN); the largest value is NaN as soon as one is present, as if NaN were above infinity.
//!   For the same reason percentiles and medians see NaN behind all numbers, and are NaN only where they touch one.
//! - Zeros of both signs are equal for smallest and largest: the earlier in time is kept. Percentiles order -0.0 before 0.0.
//! - Infinities are values like others; their deviations from anything are NaN or infinite, and so is the standard deviation.
//! - [`across`] and [`rolling`] are about cells of a grid, where NaN means that there is nothing: they ignore it.
//! - Which NaN comes out is not specified here; frames hold only the canonical one.

mod accumulator;
mod across;
mod cell;
mod extrema;
#[cfg(test)]
mod levels;
mod moment;
mod rank;
mod rate;
mod rolling;
mod rolling_median;
mod select;
mod statistic;
mod sweep;

pub use accumulator::Accumulator;
pub(crate) use accumulator::Extent;
pub use across::across;
pub use cell::CellStatistic;
pub(crate) use cell::larger;
pub use extrema::{Extrema, extrema};
pub use moment::{Depth, LANES, MomentLanes, Moments};
pub use rank::{Quantile, RankScratch, quantiles};
pub use rate::differences;
pub use rolling::{ORDERED_WINDOW_MAX, rolling};
pub use statistic::statistic;
pub(crate) use sweep::{Segment, Sweep};
