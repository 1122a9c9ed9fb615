//! One statistic of one group.

use super::accumulator::Accumulator;
use super::extrema::extrema;
use super::rank::{Quantile, RankScratch, quantiles};
use crate::method::Statistic;

/// Returns a statistic of the values of a group in the order of time.
///
/// `None` for an empty group, and for the standard deviation of a single value.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 points do not fit in memory"
)]
pub fn statistic(values: &[f64], wanted: Statistic, scratch: &mut RankScratch) -> Option<f64> {
    let (first, last) = (values.first()?, values.last()?);
    let count = values.len() as f64;
    let mut quantile = |wanted| {
        let mut result = [0.0];
        quantiles(values, &[wanted], scratch, &mut result);
        result[0]
    };
    Some(match wanted {
        Statistic::Mean => accumulate(values).sum() / count,
        Statistic::Sum => accumulate(values).sum(),
        Statistic::Last => *last,
        Statistic::Max => extrema(values)?.max,
        Statistic::Min => extrema(values)?.min,
        Statistic::Std if values.len() < 2 => return None,
        Statistic::Std => (accumulate(values).squared_deviations() / (count - 1.0)).sqrt(),
        Statistic::Median => quantile(Quantile::Median),
        Statistic::First => *first,
        Statistic::Count => count,
        Statistic::Percentile(percentile) => quantile(Quantile::Percentile(percentile)),
    })
}

fn accumulate(values: &[f64]) -> Accumulator {
    let mut accumulator = Accumulator::new();
    accumulator.extend(values);
    accumulator
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], name: &str, expected: Option<f64>) {
        let wanted = name.parse().expect("a statistic");
        let found = statistic(values, wanted, &mut RankScratch::new());
        assert_eq!(found, expected, "{name} of {values:?}");
    }

    #[test]
    fn each_statistic() {
        let values = [3.0, 1.0, 8.0];
        check(&values, "mean", Some(4.0));
        check(&values, "sum", Some(12.0));
        check(&values, "last", Some(8.0));
        check(&values, "max", Some(8.0));
        check(&values, "min", Some(1.0));
        check(&values, "std", Some(13.0_f64.sqrt()));
        check(&values, "median", Some(3.0));
        check(&values, "first", Some(3.0));
        check(&values, "count", Some(3.0));
        check(&values, "75pct", Some(5.5));
    }

    #[test]
    fn absent_statistics() {
        check(&[1.0], "std", None);
        check(&[], "count", None);
        check(&[], "mean", None);
    }
}
