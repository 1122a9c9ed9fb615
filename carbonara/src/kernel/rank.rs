//! Medians and percentiles by selection.

use fearless_simd::Level;

use super::select::{SelectScratch, select};
use crate::method::Percentile;

/// An order statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// The middle value, or the mean of the two middle values.
    Median,
    /// A percentile with linear interpolation.
    Percentile(Percentile),
}

/// Memory that [`quantiles`] uses again from group to group.
#[derive(Clone, Debug, Default)]
pub struct RankScratch {
    keys: Vec<u64>,
    ranks: Vec<usize>,
    selected: Vec<f64>,
    select: SelectScratch,
}

/// Below this many keys a part is sorted rather than divided further.
const SORTED_PART_KEYS: usize = 24;

impl RankScratch {
    /// Makes empty scratch memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Computes several order statistics of one group from one partial ordering; `results` has one place for each.
///
/// The rank of percentile p among n values is `(n - 1) * p / 100`. An exact rank gives that value; otherwise the result is
/// `low + (high - low) * fraction` of the two neighbours, and `low` itself when they are equal. NaN stands behind all numbers, -0.0 before 0.0.
/// The results of an empty group are NaN.
///
/// # Panics
/// When `results` is shorter than `wanted`.
pub fn quantiles(
    values: &[f64],
    wanted: &[Quantile],
    scratch: &mut RankScratch,
    results: &mut [f64],
) {
    let results = &mut results[..wanted.len()];
    if values.is_empty() {
        results.fill(f64::NAN);
        return;
    }
    scratch.ranks.clear();
    for quantile in wanted {
        let place = quantile.place(values.len());
        scratch.ranks.push(place.low);
        if place.numerator > 0 {
            scratch.ranks.push(place.low + 1);
        }
    }
    scratch.ranks.sort_unstable();
    scratch.ranks.dedup();
    let RankScratch {
        keys,
        ranks,
        selected,
        select: memory,
    } = scratch;
    if !select(Level::new(), values, ranks, memory, selected) {
        keys.clear();
        keys.extend(values.iter().copied().map(key_of));
        order(keys, 0, ranks);
        selected.clear();
        selected.extend(ranks.iter().map(|rank| value_of(keys[*rank])));
    }
    let value_at = |rank| {
        let index = ranks.partition_point(|other| *other < rank);
        selected[index]
    };
    for (result, quantile) in results.iter_mut().zip(wanted) {
        let place = quantile.place(values.len());
        let low = value_at(place.low);
        *result = if place.numerator == 0 {
            low
        } else {
            quantile.between(place, low, value_at(place.low + 1))
        };
    }
}

/// Where a quantile lies: `numerator` hundredths after the value of rank `low`.
#[derive(Clone, Copy)]
struct Place {
    low: usize,
    numerator: u8,
}

impl Quantile {
    fn place(self, values: usize) -> Place {
        let percent = match self {
            Self::Median => 50,
            Self::Percentile(percentile) => percentile.percent(),
        };
        // In whole numbers, so no rank is missed by rounding. In parts, so nothing overflows.
        let steps = values - 1;
        let rest = steps % 100 * usize::from(percent);
        Place {
            low: steps / 100 * usize::from(percent) + rest / 100,
            #[expect(clippy::cast_possible_truncation, reason = "below 100")]
            numerator: (rest % 100) as u8,
        }
    }

    fn between(self, place: Place, low: f64, high: f64) -> f64 {
        match self {
            // The rank of a median lies on a value or half-way between two.
            Self::Median => f64::midpoint(low, high),
            Self::Percentile(_) => {
                let distance = high - low;
                // Between two equal infinities the distance is NaN, not zero.
                if distance > 0.0 {
                    low + distance * (f64::from(place.numerator) / 100.0)
                } else if high.is_nan() {
                    high
                } else {
                    low
                }
            }
        }
    }
}

/// Moves to each of `ranks` (ascending) the key that a full sort would put there; `keys` starts at rank `offset`.
fn order(keys: &mut [u64], offset: usize, ranks: &[usize]) {
    if ranks.is_empty() {
        return;
    }
    if keys.len() <= SORTED_PART_KEYS {
        keys.sort_unstable();
        return;
    }
    let middle = ranks.len() / 2;
    let rank = ranks[middle];
    let (below, _, above) = keys.select_nth_unstable(rank - offset);
    order(below, offset, &ranks[..middle]);
    order(above, rank + 1, &ranks[middle + 1..]);
}

const SIGN_BIT: u64 = 1 << 63;

/// Maps a value to an integer of the same order: negative numbers, -0.0, 0.0, positive numbers, every NaN.
fn key_of(value: f64) -> u64 {
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = value.to_bits();
    if bits & SIGN_BIT == 0 {
        bits | SIGN_BIT
    } else {
        !bits
    }
}

fn value_of(key: u64) -> f64 {
    // `u64::MAX` maps to a NaN by itself.
    f64::from_bits(if key & SIGN_BIT == 0 {
        !key
    } else {
        key & !SIGN_BIT
    })
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
