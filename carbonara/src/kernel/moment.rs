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
    #[expect(clippy::cast_precision_loss, reason = "nobody holds 2^53 points")]
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

/// Adds the next values in time to several groups at once; deviations only when `DEVIATIONS`.
///
/// Why several? The groups are those of one point at different granularities. Each sum is a chain of additions that
/// wait for one another; interleaving the chains of four groups costs hardly more than one of them.
pub fn extend_levels<const DEVIATIONS: bool>(values: &[f64], groups: &mut [Moments]) {
    let (fours, rest) = groups.as_chunks_mut::<4>();
    for group in fours {
        extend::<4, DEVIATIONS>(values, group);
    }
    if let Ok(group) = <&mut [Moments; 3]>::try_from(&mut *rest) {
        extend::<3, DEVIATIONS>(values, group);
    } else if let Ok(group) = <&mut [Moments; 2]>::try_from(&mut *rest) {
        extend::<2, DEVIATIONS>(values, group);
    } else if let Ok(group) = <&mut [Moments; 1]>::try_from(rest) {
        extend::<1, DEVIATIONS>(values, group);
    }
}

fn extend<const L: usize, const DEVIATIONS: bool>(values: &[f64], groups: &mut [Moments; L]) {
    let shift = groups.map(|group| group.shift);
    let mut sum = groups.map(|group| group.sum);
    let mut deviations = groups.map(|group| group.deviations);
    let mut squares = groups.map(|group| group.squares);
    for value in values {
        for lane in 0..L {
            sum[lane] += value;
        }
        if DEVIATIONS {
            for lane in 0..L {
                let deviation = value - shift[lane];
                deviations[lane] += deviation;
                squares[lane] += deviation * deviation;
            }
        }
    }
    for (lane, group) in groups.iter_mut().enumerate() {
        group.sum = sum[lane];
        group.deviations = deviations[lane];
        group.squares = squares[lane];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squared_deviations(values: &[f64]) -> f64 {
        let mut group = [Moments::starting_with(values[0])];
        extend_levels::<true>(values, &mut group);
        group[0].squared_deviations(values.len() as u64)
    }

    #[test]
    fn every_number_of_groups_gives_the_same_bits() {
        let values: Vec<f64> = (0..100)
            .map(|index| f64::from(index).sqrt() - 3.0)
            .collect();
        let mut alone = [Moments::starting_with(values[0])];
        extend_levels::<true>(&values, &mut alone);
        for groups in 1..=9 {
            let mut together = vec![Moments::starting_with(values[0]); groups];
            extend_levels::<true>(&values, &mut together);
            for group in together {
                assert_eq!(group.sum.to_bits(), alone[0].sum.to_bits());
                assert_eq!(group.deviations.to_bits(), alone[0].deviations.to_bits());
                assert_eq!(group.squares.to_bits(), alone[0].squares.to_bits());
            }
        }
    }

    #[test]
    fn sums_run_in_the_order_of_time() {
        // Pairwise or in lanes this would be 2 or 0.
        let values = [1e16, 1.0, -1e16, 1.0];
        let mut group = [Moments::starting_with(values[0])];
        extend_levels::<false>(&values, &mut group);
        assert_eq!(group[0].sum().to_bits(), 1.0_f64.to_bits());
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
