//! The running state of one group, for everything that does not depend on the order of values by size.

use super::extrema::{Extrema, extrema};
use super::moment::Moments;

/// The running state of one group of values.
///
/// It can be kept and continued: pushing the values of a group one by one, in slices, or at once gives the same bits.
///
/// # Examples
/// ```
/// use carbonara::kernel::Accumulator;
///
/// let mut accumulator = Accumulator::new();
/// accumulator.push(1.0);
/// accumulator.extend(&[2.0, 6.0]);
/// assert_eq!(accumulator.sum(), 9.0);
/// assert_eq!(accumulator.squared_deviations(), 14.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Accumulator {
    pub(crate) count: u64,
    pub(crate) moments: Moments,
    pub(crate) extent: Extent,
}

/// What the two ends and the two extremes of a group are; meaningless while the count is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) extrema: Extrema,
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Accumulator {
    /// Makes the state of an empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next value in time.
    pub fn push(&mut self, value: f64) {
        self.extend(&[value]);
    }

    /// Adds the next values in time.
    pub fn extend(&mut self, values: &[f64]) {
        let Some(extent) = Extent::of(values) else {
            return;
        };
        if self.count == 0 {
            self.moments = Moments::starting_with(extent.first);
        }
        self.moments.extend(values);
        self.absorb(values.len(), &extent);
    }

    /// Returns the number of values.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum in the order of time; -0.0, the identity of addition, for an empty group.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.moments.sum()
    }

    /// Returns the sum of squared deviations from the mean; zero for fewer than two values.
    ///
    /// See [`Moments::squared_deviations`] for its definition and precision.
    #[must_use]
    pub fn squared_deviations(&self) -> f64 {
        self.moments.squared_deviations(self.count)
    }

    /// Returns the smallest value, ignoring NaN, or `None` for an empty group.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.extent.extrema.min)
    }

    /// Returns the largest value, NaN being larger than all, or `None` for an empty group.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.extent.extrema.max)
    }

    /// Returns the oldest value, or `None` for an empty group.
    #[must_use]
    pub fn first(&self) -> Option<f64> {
        (self.count > 0).then_some(self.extent.first)
    }

    /// Returns the newest value, or `None` for an empty group.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        (self.count > 0).then_some(self.extent.last)
    }

    /// Counts `values` more whose ends and extremes are `later`; their moments are added elsewhere.
    pub(crate) fn absorb(&mut self, values: usize, later: &Extent) {
        if self.count == 0 {
            self.extent = *later;
        } else {
            self.extent.extrema.absorb(later.extrema);
            self.extent.last = later.last;
        }
        self.count += values as u64;
    }
}

impl Extent {
    /// Returns the ends and extremes of a group, `None` when it is empty.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let (first, last) = (*values.first()?, *values.last()?);
        Some(Self {
            extrema: extrema(values)?,
            first,
            last,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(accumulator: &Accumulator) -> (u64, [Option<u64>; 6]) {
        let values = [
            Some(accumulator.sum()),
            Some(accumulator.squared_deviations()),
            accumulator.min(),
            accumulator.max(),
            accumulator.first(),
            accumulator.last(),
        ];
        (
            accumulator.count(),
            values.map(|value| value.map(f64::to_bits)),
        )
    }

    #[test]
    fn continuing_gives_the_same_bits_as_one_pass() {
        let values: Vec<f64> = (0..257)
            .map(|index| f64::from(index * 7919 % 1009).sin() * 1e3 + 1e6)
            .collect();
        let mut whole = Accumulator::new();
        whole.extend(&values);
        for cut in 0..values.len() {
            let mut parts = Accumulator::new();
            parts.extend(&values[..cut]);
            let mut kept = parts;
            kept.extend(&values[cut..]);
            assert_eq!(bits(&kept), bits(&whole));
        }
        let mut single = Accumulator::new();
        for value in &values {
            single.push(*value);
        }
        assert_eq!(bits(&single), bits(&whole));
    }

    #[test]
    fn an_empty_group_has_no_values() {
        let empty = Accumulator::new();
        assert_eq!(empty.count(), 0);
        assert_eq!(
            (empty.min(), empty.max(), empty.first(), empty.last()),
            (None, None, None, None)
        );
        assert_eq!(empty.sum().to_bits(), (-0.0_f64).to_bits());
    }
}
