//! Statistics of cells of which some are missing.

use std::fmt;
use std::str::FromStr;

use crate::method::MethodError;

/// What is computed of cells of a grid, those that are NaN being ignored: of the cells of a row, or of a window of rows.
///
/// The text form is that of queries: `mean`, `var`. Without any number the sum and the count are zero and all others NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellStatistic {
    /// Sum divided by count.
    Mean,
    /// Middle number, or the mean of the two middle numbers.
    Median,
    /// Square root of the variance.
    Std,
    /// Smallest number; the first one of zeros of both signs.
    Min,
    /// Largest number; the first one of zeros of both signs.
    Max,
    /// Sum; never -0.0.
    Sum,
    /// Mean of the squared deviations from the mean: the divisor is n, so it is zero for a single number.
    Var,
    /// How many are there.
    Count,
}

impl CellStatistic {
    const NAMED: [(Self, &'static str); 8] = [
        (Self::Mean, "mean"),
        (Self::Median, "median"),
        (Self::Std, "std"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Sum, "sum"),
        (Self::Var, "var"),
        (Self::Count, "count"),
    ];

    /// Iterates over every statistic.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMED.into_iter().map(|(statistic, _)| statistic)
    }
}

impl fmt::Display for CellStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::NAMED
            .iter()
            .find(|(statistic, _)| statistic == self)
            .map_or(Ok(()), |(_, name)| f.write_str(name))
    }
}

impl FromStr for CellStatistic {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        Self::NAMED
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(statistic, _)| *statistic)
            .ok_or(MethodError)
    }
}

/// Returns the smaller of two cells, the first when they are equal; a NaN only when both are.
pub(super) fn smaller(first: f64, second: f64) -> f64 {
    if second < first || first.is_nan() {
        second
    } else {
        first
    }
}

/// Returns the larger of two cells, the first when they are equal; a NaN only when both are.
pub(crate) fn larger(first: f64, second: f64) -> f64 {
    if second > first || first.is_nan() {
        second
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for statistic in CellStatistic::all() {
            assert_eq!(statistic.to_string().parse(), Ok(statistic));
        }
        for other in ["last", "95pct", "rate:mean", "", "Mean"] {
            assert_eq!(other.parse::<CellStatistic>(), Err(MethodError), "{other}");
        }
    }

    #[test]
    fn extremes_ignore_missing_cells() {
        let bits = |value: f64| value.to_bits();
        assert_eq!(bits(smaller(f64::NAN, 2.0)), bits(2.0));
        assert_eq!(bits(smaller(1.0, f64::NAN)), bits(1.0));
        assert_eq!(bits(smaller(0.0, -0.0)), bits(0.0));
        assert_eq!(bits(larger(-0.0, 0.0)), bits(-0.0));
        assert_eq!(
            bits(larger(f64::NAN, f64::NEG_INFINITY)),
            bits(f64::NEG_INFINITY)
        );
        assert!(larger(f64::NAN, f64::NAN).is_nan());
    }
}
