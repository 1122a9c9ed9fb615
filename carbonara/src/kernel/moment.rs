//! Sums and sums of squared deviations.

/// Running sums of one group: of the values, and of their deviations from its first value.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    sum: f64,
    shift: f64,
    deviations: f64,
    squares: f64,
}

impl Moments {
    /// Makes the state of a group before its first value, given what that value will be.
    #[must_use]
    pub const fn starting_with(first: f64) -> Self {
        Self {
            // The identity of addition: -0.0 + x is x for every x, negative zero included.
            sum: -0.0,
            shift: first,
            deviations: 0.0,
            squares: 0.0,
        }
    }

    /// Adds the next values in time.
    pub fn extend(&mut self, values: &[f64]) {
        let Self {
            mut sum,
            shift,
            mut deviations,
            mut squares,
        } = *self;
        for value in values {
            let deviation = value - shift;
            deviations += deviation;
            squares += deviation * deviation;
            sum += value;
        }
        *self = Self {
            sum,
            shift,
            deviations,
            squares,
        };
    }

    /// Returns the sum in the order of time.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// Returns the sum of squared deviations from the mean of the `count` values seen, never negative; zero for fewer than two values.
    ///
    /// It is defined as `Q - D * D / n` with `D` the sum of `x - K`, `Q` the sum of `(x - K) * (x - K)`, both in
    /// the order of time, and `K` the first value of the group.
    ///
    /// Why is this precise enough, when `sum(x * x) - sum(x)^2 / n` is not? `Q` exceeds the result `S` by `n (m - K)^2`
    /// with `m` the mean. `K` is one of the values, so its own squared deviation `(m - K)^2` is part of `S`, more exactly at most `S (n - 1) / n`.
    /// Hence `Q <= n S`: however far from zero the values lie, the subtraction loses at most a factor `n` of
    /// precision, twelve bits for an hour of seconds. With an arbitrary shift (such as zero) there is no limit.
    ///
    /// Why not a mean that is updated with each value? That costs a division a point, and its result depends on the mean at
    /// every step. These sums are independent chains of additions, can be continued later, and give the same bits as one pass.
    ///
    /// NaN when a value is NaN or infinite, or when deviations overflow.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 points do not fit in memory"
    )]
    pub fn squared_deviations(&self, count: u64) -> f64 {
        if count < 2 {
            return 0.0;
        }
        let squared = self.squares - self.deviations * self.deviations / count as f64;
        // Not `max`: that would turn NaN into zero.
        if squared < 0.0 { 0.0 } else { squared }
    }
}

impl Default for Moments {
    fn default() -> Self {
        Self::starting_with(0.0)
    }
}

/// How many groups [`MomentLanes`] advances together.
pub const LANES: usize = 4;

/// The moments of up to [`LANES`] groups that get the same values, those of one point at different granularities.
///
/// Why side by side? Each sum is a chain of additions that wait for one another, so several chains cost hardly more than one.
/// And as columns of this layout, sums of neighbouring groups share a vector register without any of them changing its order.
#[derive(Clone, Copy, Debug, Default)]
pub struct MomentLanes {
    pub(super) sum: [f64; LANES],
    pub(super) shift: [f64; LANES],
    pub(super) deviations: [f64; LANES],
    pub(super) squares: [f64; LANES],
}

/// Which sums are kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only the sum of the values.
    Sums,
    /// Also those of the deviations.
    Deviations,
}

impl MomentLanes {
    /// Returns the moments of one group.
    ///
    /// # Panics
    /// When `lane` is not below [`LANES`].
    #[must_use]
    pub const fn group(&self, lane: usize) -> Moments {
        Moments {
            sum: self.sum[lane],
            shift: self.shift[lane],
            deviations: self.deviations[lane],
            squares: self.squares[lane],
        }
    }

    /// Replaces the moments of one group.
    ///
    /// # Panics
    /// When `lane` is not below [`LANES`].
    pub const fn replace(&mut self, lane: usize, moments: Moments) {
        self.sum[lane] = moments.sum;
        self.shift[lane] = moments.shift;
        self.deviations[lane] = moments.deviations;
        self.squares[lane] = moments.squares;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squared_deviations(values: &[f64]) -> f64 {
        let mut group = Moments::starting_with(values[0]);
        group.extend(values);
        group.squared_deviations(values.len() as u64)
    }

    fn bits(moments: Moments) -> [u64; 3] {
        [moments.sum, moments.deviations, moments.squares].map(f64::to_bits)
    }

    #[test]
    fn groups_side_by_side_give_the_same_bits() {
        let values: Vec<f64> = (0..101)
            .map(|index| f64::from(index).sqrt() - 3.0)
            .collect();
        let mut alone = Moments::starting_with(values[0]);
        alone.extend(&values);
        let mut sum = Moments::starting_with(values[0]);
        for value in &values {
            sum.sum += value;
        }
        assert_eq!(alone.sum.to_bits(), sum.sum.to_bits());
        let mut deep = MomentLanes::default();
        let mut shallow = MomentLanes::default();
        for lane in 0..LANES {
            deep.replace(lane, Moments::starting_with(values[0]));
            shallow.replace(lane, Moments::starting_with(values[0]));
        }
        deep.extend(&values, Depth::Deviations);
        shallow.extend(&values, Depth::Sums);
        for lane in 0..LANES {
            assert_eq!(bits(deep.group(lane)), bits(alone));
            assert_eq!(shallow.group(lane).sum().to_bits(), alone.sum.to_bits());
        }
    }

    #[test]
    fn sums_run_in_the_order_of_time() {
        // Pairwise or in lanes this would be 2 or 0.
        let values = [1e16, 1.0, -1e16, 1.0];
        let mut group = Moments::starting_with(values[0]);
        group.extend(&values);
        assert_eq!(group.sum().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the results are exact")]
    fn deviations() {
        assert_eq!(squared_deviations(&[5.0]), 0.0);
        assert_eq!(squared_deviations(&[f64::NAN]), 0.0);
        assert_eq!(squared_deviations(&[1.0, 3.0]), 2.0);
        assert_eq!(squared_deviations(&[0.1; 7]), 0.0);
        // Far from zero: the textbook formula would have lost everything.
        assert_eq!(squared_deviations(&[1e15 + 1.0, 1e15 + 3.0]), 2.0);
        assert!(squared_deviations(&[1.0, f64::NAN]).is_nan());
        assert!(squared_deviations(&[1.0, f64::INFINITY]).is_nan());
        assert!(squared_deviations(&[f64::INFINITY, 1.0]).is_nan());
    }
}
