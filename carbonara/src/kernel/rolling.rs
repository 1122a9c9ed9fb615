//! Statistics of windows that move over the rows of a column.

use std::num::NonZeroUsize;

use super::cell::{CellStatistic, larger, smaller};
use super::rolling_median::rolling_median;

/// Rows up to which a window is summed one value after the other.
///
/// Windows of queries are mostly an hour of minutes or a day of hours. Beyond, adding each window anew would make the cost the product of rows and
/// window.
pub const ORDERED_WINDOW_MAX: usize = 64;

/// Rows whose sums are worked on together, so that they stay in the processor's first cache.
const ROWS_PER_BLOCK: usize = 1024;

/// Computes a statistic of each `window` consecutive values, ignoring those that are NaN.
///
/// Result i is that of the values from i on, so there are `window - 1` results fewer than values, and none when there are fewer values
/// than the window is long.
///
/// Costs `O(n)` for windows up to [`ORDERED_WINDOW_MAX`], and `O(n log window)` otherwise (`O(n log n)` for medians).
///
/// Sums of windows up to [`ORDERED_WINDOW_MAX`] run in the order of time, from 0.0 on. A longer window is the sum of pieces whose lengths are powers of two,
/// the shortest first, each the sum of its two halves. Either way a sum depends on the values of its window and on nothing else.
///
/// Why not one running sum, to which a value is added and from which another is subtracted? What is lost in rounding while a large value passes
/// by, or the NaN that two infinities leave, would stay in all later results.
///
/// # Examples
/// ```
/// use std::num::NonZeroUsize;
/// use carbonara::kernel::{CellStatistic, rolling};
///
/// let two = NonZeroUsize::new(2).ok_or("not zero")?;
/// assert_eq!(rolling(&[1.0, 3.0, f64::NAN], two, CellStatistic::Mean), [2.0, 3.0]);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn rolling(values: &[f64], window: NonZeroUsize, statistic: CellStatistic) -> Vec<f64> {
    let window = window.get();
    if values.len() < window {
        return Vec::new();
    }
    match statistic {
        CellStatistic::Sum => sums(values, window),
        CellStatistic::Count => counts(values, window),
        CellStatistic::Mean => {
            let mut means = sums(values, window);
            for (mean, count) in means.iter_mut().zip(counts(values, window)) {
                *mean /= count;
            }
            means
        }
        CellStatistic::Min => joined(values.to_vec(), window, smaller),
        CellStatistic::Max => joined(values.to_vec(), window, larger),
        CellStatistic::Var => variances(values, window).collect(),
        CellStatistic::Std => variances(values, window).map(f64::sqrt).collect(),
        CellStatistic::Median => rolling_median(values, window),
    }
}

fn sums(values: &[f64], window: usize) -> Vec<f64> {
    // Adding 0.0 turns -0.0 into 0.0, so that a missing value changes no bit.
    let present = |value: &f64| if value.is_nan() { 0.0 } else { value + 0.0 };
    let values: Vec<f64> = values.iter().map(present).collect();
    if window > ORDERED_WINDOW_MAX {
        return joined(values, window, |earlier, later| earlier + later);
    }
    let mut sums = vec![0.0; values.len() - window + 1];
    for (block, sums) in sums.chunks_mut(ROWS_PER_BLOCK).enumerate() {
        let values = &values[block * ROWS_PER_BLOCK..];
        // All sums take their next value at once: several share a vector register, and each adds in the order of time.
        for offset in 0..window {
            for (sum, value) in sums.iter_mut().zip(&values[offset..]) {
                *sum += value;
            }
        }
    }
    sums
}

/// Counts numbers: exactly, so a running count is fine here.
fn counts(values: &[f64], window: usize) -> Vec<f64> {
    let present = |value: &f64| if value.is_nan() { 0.0 } else { 1.0 };
    let mut count: f64 = values[..window].iter().map(present).sum();
    let mut counts = Vec::with_capacity(values.len() - window + 1);
    counts.push(count);
    counts.extend(values.iter().zip(&values[window..]).map(|(old, new)| {
        count += present(new) - present(old);
        count
    }));
    counts
}

fn variances(values: &[f64], window: usize) -> impl Iterator<Item = f64> {
    let spreads = values.iter().copied().map(Spread::of).collect();
    joined(spreads, window, Spread::join)
        .into_iter()
        .map(|spread| spread.squares / spread.count)
}

/// Number, mean and sum of squared deviations of some values.
///
/// The mean is kept as its distance from the first value. Why? Far from zero the mean itself has few digits left for what makes the values
/// differ; distances between neighbouring values have all of them, so two spreads join without loss.
#[derive(Clone, Copy, Debug)]
struct Spread {
    count: f64,
    first: f64,
    mean_from_first: f64,
    squares: f64,
}

impl Spread {
    fn of(value: f64) -> Self {
        Self {
            count: if value.is_nan() { 0.0 } else { 1.0 },
            first: value,
            mean_from_first: 0.0,
            // An infinity has no distance from any mean.
            squares: if value.is_infinite() { f64::NAN } else { 0.0 },
        }
    }

    fn join(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let share = other.count / count;
        let distance = (other.first - self.first) + (other.mean_from_first - self.mean_from_first);
        Self {
            count,
            first: self.first,
            mean_from_first: self.mean_from_first + distance * share,
            squares: self.squares + other.squares + distance * distance * self.count * share,
        }
    }
}

/// Joins each `window` neighbouring states, in their order.
///
/// Pieces of one state are joined to pieces of two, those to pieces of four, and so on; a window is put together of those pieces whose
/// lengths are the powers of two that it is the sum of.
fn joined<S: Copy>(states: Vec<S>, window: usize, join: impl Fn(S, S) -> S) -> Vec<S> {
    let rows = states.len() - window + 1;
    let mut pieces = states;
    let mut length = 1;
    let mut windows: Option<Vec<S>> = None;
    let mut covered = 0;
    loop {
        if window & length != 0 {
            windows = Some(match windows {
                None => pieces[..rows].to_vec(),
                Some(windows) => pairs(&windows, &pieces[covered..], &join),
            });
            covered += length;
        }
        if covered == window {
            return windows.unwrap_or_default();
        }
        pieces = pairs(&pieces, &pieces[length..], &join);
        length *= 2;
    }
}

fn pairs<S: Copy>(earlier: &[S], later: &[S], join: impl Fn(S, S) -> S) -> Vec<S> {
    earlier
        .iter()
        .zip(later)
        .map(|(earlier, later)| join(*earlier, *later))
        .collect()
}

#[cfg(test)]
#[path = "rolling_tests.rs"]
mod tests;
