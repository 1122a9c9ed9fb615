//! Smallest and largest value.

/// Smallest and largest value of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extrema {
    /// Smallest value; NaN only when there is nothing else. Of equal zeros the earlier.
    pub min: f64,
    /// Largest value; NaN as soon as there is one. Of equal zeros the earlier.
    pub max: f64,
}

impl Extrema {
    /// The extremes of no value at all: those of any group absorb into them unchanged.
    pub(crate) const EMPTY: Self = Self {
        min: f64::NAN,
        max: f64::NEG_INFINITY,
    };

    /// Adds the extremes of values that come later in time.
    pub fn absorb(&mut self, later: Self) {
        if later.min < self.min || self.min.is_nan() {
            self.min = later.min;
        }
        if later.max > self.max || (later.max.is_nan() && !self.max.is_nan()) {
            self.max = later.max;
        }
    }
}

/// Returns the extremes of a group in the order of time, `None` for an empty one.
#[must_use]
pub fn extrema(values: &[f64]) -> Option<Extrema> {
    let has_nan = values
        .iter()
        .fold(false, |has_nan, value| has_nan | value.is_nan());
    if has_nan {
        extrema_in_order(values)
    } else {
        extrema_of_numbers(values)
    }
}

/// Returns the extremes value by value, whatever the values are.
pub(super) fn extrema_in_order(values: &[f64]) -> Option<Extrema> {
    let (first, rest) = values.split_first()?;
    let mut extrema = Extrema {
        min: *first,
        max: *first,
    };
    for value in rest {
        extrema.absorb(Extrema {
            min: *value,
            max: *value,
        });
    }
    Some(extrema)
}

/// Values compared at once.
const LANES: usize = 8;

/// Returns the extremes of values none of which is NaN.
///
/// Why in lanes, when sums may not be? Without NaN the smallest value does not depend on the order, but for the sign of
/// zero; that is looked up afterwards, in the order of time.
fn extrema_of_numbers(values: &[f64]) -> Option<Extrema> {
    let (Some(head), Some(tail)) = (values.first_chunk::<LANES>(), values.last_chunk::<LANES>())
    else {
        return extrema_in_order(values);
    };
    let (mut min, mut max) = (*head, *head);
    for chunk in values.as_chunks::<LANES>().0 {
        narrow(&mut min, &mut max, chunk);
    }
    // What is left over, and some values for the second time.
    narrow(&mut min, &mut max, tail);
    // By halves: a chain of eight comparisons would take longer than most groups.
    for half in [LANES / 2, LANES / 4, LANES / 8] {
        for lane in 0..half {
            min[lane] = smaller(min[lane], min[lane + half]);
            max[lane] = larger(max[lane], max[lane + half]);
        }
    }
    Some(Extrema {
        min: first_equal(values, min[0]),
        max: first_equal(values, max[0]),
    })
}

fn narrow(min: &mut [f64; LANES], max: &mut [f64; LANES], values: &[f64; LANES]) {
    for lane in 0..LANES {
        min[lane] = smaller(min[lane], values[lane]);
        max[lane] = larger(max[lane], values[lane]);
    }
}

/// One instruction; `f64::min` would also look for NaN.
fn smaller(kept: f64, value: f64) -> f64 {
    if value < kept { value } else { kept }
}

fn larger(kept: f64, value: f64) -> f64 {
    if value > kept { value } else { kept }
}

/// Replaces a zero by the first one among the values, which may have the other sign.
pub(super) fn first_equal(values: &[f64], extreme: f64) -> f64 {
    if extreme.abs() > 0.0 {
        return extreme;
    }
    let zero = values.iter().find(|value| value.abs() <= 0.0);
    zero.copied().unwrap_or(extreme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], min: f64, max: f64) {
        let found = extrema(values).expect("not empty");
        let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value }.to_bits();
        assert_eq!(canonical(found.min), canonical(min), "min of {values:?}");
        assert_eq!(canonical(found.max), canonical(max), "max of {values:?}");
        for cut in 1..values.len() {
            let mut parts = extrema(&values[..cut]).expect("not empty");
            parts.absorb(extrema(&values[cut..]).expect("not empty"));
            assert_eq!(
                canonical(parts.min),
                canonical(min),
                "min of {values:?} cut at {cut}"
            );
            assert_eq!(
                canonical(parts.max),
                canonical(max),
                "max of {values:?} cut at {cut}"
            );
        }
    }

    #[test]
    fn nan_is_above_all_numbers() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        check(&[2.0, 1.0, 3.0], 1.0, 3.0);
        check(&[nan], nan, nan);
        check(&[nan, nan], nan, nan);
        check(&[nan, 1.0, 2.0], 1.0, nan);
        check(&[1.0, nan, 2.0], 1.0, nan);
        check(&[1.0, 2.0, -nan], 1.0, nan);
        check(&[inf, nan], inf, nan);
        check(&[-inf, 5.0, inf], -inf, inf);
        check(&[inf, inf], inf, inf);
        check(&[-inf], -inf, -inf);
    }

    #[test]
    fn the_earlier_of_two_zeros_is_kept() {
        check(&[0.0, -0.0], 0.0, 0.0);
        check(&[-0.0, 0.0], -0.0, -0.0);
        check(&[1.0, -0.0, 0.0], -0.0, 1.0);
        check(&[1.0, 0.0, -0.0], 0.0, 1.0);
        check(&[-1.0, -0.0, 0.0], -1.0, -0.0);
        check(&[-1.0, -2.0, 0.0, -3.0, -0.0, -4.0], -4.0, 0.0);
        let mut long = vec![5.0; 40];
        long[17] = -0.0;
        long[18] = 0.0;
        check(&long, -0.0, 5.0);
        for value in &mut long {
            *value = -*value;
        }
        check(&long, -5.0, 0.0);
    }

    #[test]
    fn empty() {
        assert_eq!(extrema(&[]), None);
    }
}
