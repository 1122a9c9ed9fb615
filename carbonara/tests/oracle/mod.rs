//! Plain, slow versions of what the engine computes, each the shortest way to say what is meant.

#![expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "small numbers, and equality is meant"
)]

use std::collections::BTreeMap;

use carbonara::{AggregationMethod, Frame, Series, Statistic, Timespan};

/// Points by timestamp in nanoseconds.
pub(crate) type Points = BTreeMap<i64, f64>;

/// Groups points by bucket and takes the statistic of each group: pairs of start of bucket and value.
pub(crate) fn aggregate(
    points: &Points,
    granularity: Timespan,
    method: AggregationMethod,
) -> Vec<(i64, f64)> {
    let granularity_ns = granularity.as_nanosecond();
    let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let mut previous = None;
    for (timestamp_ns, value) in points {
        let start_ns = timestamp_ns / granularity_ns * granularity_ns;
        let measured = if method.of_rate {
            previous.map(|previous| value - previous)
        } else {
            Some(*value)
        };
        groups.entry(start_ns).or_default().extend(measured);
        previous = Some(*value);
    }
    groups
        .into_iter()
        .filter_map(|(start_ns, values)| Some((start_ns, statistic(&values, method.statistic)?)))
        .collect()
}

/// Takes a statistic of values in the order of time; `None` where there is none.
pub(crate) fn statistic(values: &[f64], statistic: Statistic) -> Option<f64> {
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    Some(match statistic {
        Statistic::Sum => sum(values),
        Statistic::Mean => sum(values) / count,
        Statistic::Count => count,
        Statistic::First => values[0],
        Statistic::Last => values[values.len() - 1],
        Statistic::Min => by_size(values)[0],
        Statistic::Max => last_of_the_largest(values),
        Statistic::Std => return deviation(values),
        Statistic::Median => median(values),
        Statistic::Percentile(percentile) => interpolate(values, percentile.percent()),
    })
}

fn sum(values: &[f64]) -> f64 {
    let mut sum = -0.0;
    for value in values {
        sum += value;
    }
    sum
}

/// Numbers by size, zeros of both signs equal and in the order of time, NaN behind all.
fn by_size(values: &[f64]) -> Vec<f64> {
    let (mut numbers, nan): (Vec<f64>, Vec<f64>) = values.iter().partition(|v| !v.is_nan());
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    numbers.extend(nan);
    numbers
}

/// The largest value, the earliest in time of equal ones.
fn last_of_the_largest(values: &[f64]) -> f64 {
    let sorted = by_size(values);
    let largest = sorted[sorted.len() - 1];
    *sorted
        .iter()
        .find(|value| **value == largest)
        .unwrap_or(&largest)
}

/// Sample deviation in two passes, with the correction for a rounded mean.
fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = sum(values) / count;
    let distances: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let squares: Vec<f64> = distances.iter().map(|d| d * d).collect();
    let rest = sum(&distances);
    let total = sum(&squares) - rest * rest / count;
    Some((total / (count - 1.0)).sqrt())
}

/// All values in the order of ranks: -0.0 before 0.0, NaN behind all.
fn ranked(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().map(|value| canonical(*value)).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(values: &[f64]) -> f64 {
    let sorted = ranked(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn interpolate(values: &[f64], percent: u8) -> f64 {
    let sorted = ranked(values);
    let hundredths = (sorted.len() - 1) * usize::from(percent);
    let (low, rest) = (hundredths / 100, hundredths % 100);
    if rest == 0 || sorted[low] == sorted[low + 1] {
        return sorted[low];
    }
    sorted[low] + (sorted[low + 1] - sorted[low]) * (rest as f64 / 100.0)
}

fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

/// Asserts that both are the same: bit by bit, but for deviations, which may differ by a billionth.
pub(crate) fn assert_same(found: &Series, expected: &[(i64, f64)], method: AggregationMethod) {
    let starts: Vec<i64> = expected.iter().map(|(start_ns, _)| *start_ns).collect();
    assert_eq!(found.timestamps_ns(), starts, "buckets of {method}");
    for (found, (start_ns, expected)) in found.values().iter().zip(expected) {
        let same = if method.statistic == Statistic::Std && expected.is_finite() {
            (found - expected).abs() <= 1e-9 * expected.abs()
        } else {
            canonical(*found).to_bits() == canonical(*expected).to_bits()
        };
        assert!(same, "{method} at {start_ns}: {found:?}, not {expected:?}");
    }
}

/// Returns everything of a frame in a form that tells every bit apart.
pub(crate) fn bits(frame: &Frame) -> (i64, Vec<u16>, Vec<i64>, Vec<Vec<u64>>) {
    (
        frame.granularity().as_nanosecond(),
        frame
            .components()
            .iter()
            .map(carbonara::Component::code)
            .collect(),
        frame.buckets().to_vec(),
        frame
            .columns()
            .iter()
            .map(|column| column.iter().map(|value| value.to_bits()).collect())
            .collect(),
    )
}
