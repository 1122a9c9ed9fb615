//! Aggregation: every cell of every frame against the plainest computation of it.

use std::collections::{BTreeMap, BTreeSet};

use carbonara::{Component, ComponentKind, ComponentSet, Frame, Timespan};

/// Longest gap between two points, so that some buckets hold many and some none.
const GAP_MAX_NS: i64 = 100;

/// The fused pass gives what a loop over each bucket gives, for any values, levels and components.
pub fn aggregate(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let frames = carbonara::aggregate(
        &input.timestamps_ns,
        &input.values,
        input.previous,
        &input.levels,
        &input.components,
    );
    assert_eq!(frames.len(), input.levels.len());
    for (frame, level) in frames.iter().zip(&input.levels) {
        assert_eq!(frame.granularity(), *level);
        assert_eq!(frame.components(), &input.components);
        check_frame(frame, &input);
    }
}

struct Input {
    timestamps_ns: Vec<i64>,
    values: Vec<f64>,
    previous: Option<f64>,
    levels: Vec<Timespan>,
    components: ComponentSet,
}

impl Input {
    /// Reads what to do from the first bytes, and one point of each nine that follow: a gap and a value.
    fn parse(data: &[u8]) -> Option<Self> {
        let (&[levels, components, previous], points) = data.split_first_chunk::<3>()?;
        let spans: BTreeSet<i64> = [5, 7, 60, 120, 600]
            .into_iter()
            .enumerate()
            .filter_map(bit_of(levels))
            .collect();
        let codes = [1, 2, 3, 4, 5, 6, 7, 8, 101, 150, 199];
        // Bits choose runs of codes, so that one byte reaches them all.
        let chosen = codes
            .into_iter()
            .enumerate()
            .filter(|(index, _)| components >> (index % 7) & 1 == 1);
        let rate = if components & 0x80 == 0 { 0 } else { 0x8000 };
        let components = chosen
            .filter_map(|(_, code)| Component::from_code(code | rate))
            .collect();
        let mut timestamps_ns = Vec::new();
        let mut values = Vec::new();
        let mut last = 0;
        for point in points.as_chunks::<9>().0 {
            let (gap, value) = point.split_first()?;
            last += 1 + i64::from(*gap) % GAP_MAX_NS;
            timestamps_ns.push(last);
            values.push(f64::from_le_bytes(value.try_into().ok()?));
        }
        Some(Self {
            timestamps_ns,
            values,
            previous: (previous != 0).then(|| f64::from(previous)),
            levels: spans
                .into_iter()
                .filter_map(|span| Timespan::from_nanosecond(span).ok())
                .collect(),
            components,
        })
    }
}

/// Keeps the items whose bit is set.
fn bit_of(bits: u8) -> impl Fn((usize, i64)) -> Option<i64> {
    move |(index, item)| (bits >> index & 1 == 1).then_some(item)
}

fn check_frame(frame: &Frame, input: &Input) {
    let step = frame.granularity().as_nanosecond();
    let mut groups: BTreeMap<i64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let mut before = input.previous;
    for (timestamp, &value) in input.timestamps_ns.iter().zip(&input.values) {
        let (values, differences) = groups.entry(timestamp / step).or_default();
        values.push(value);
        differences.extend(before.map(|before| value - before));
        before = Some(value);
    }
    assert!(frame.buckets().iter().eq(groups.keys()));
    for (row, (values, differences)) in groups.values().enumerate() {
        for (component, column) in frame.components().iter().zip(frame.columns()) {
            let group = if component.of_rate {
                differences
            } else {
                values
            };
            check_cell(component.kind, group, column[row]);
        }
    }
}

fn check_cell(kind: ComponentKind, group: &[f64], cell: f64) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        assert_same(cell, 0.0, "an empty group");
        return;
    };
    match kind {
        ComponentKind::Count => assert_same(cell, length(group), "count"),
        ComponentKind::Sum => {
            let sum = group.iter().skip(1).fold(*first, |sum, value| sum + value);
            assert_same(cell, sum, "sum");
        }
        ComponentKind::First => assert_same(cell, *first, "first"),
        ComponentKind::Last => assert_same(cell, *last, "last"),
        ComponentKind::Min => assert_same(cell, smallest(group), "minimum"),
        ComponentKind::Max => assert_same(cell, largest(group), "maximum"),
        ComponentKind::SquaredDeviations => {
            assert_same(cell, squared_deviations(group), "squared deviations");
        }
        ComponentKind::Median => check_quantile(group, 50, cell),
        ComponentKind::Percentile(percentile) => {
            check_quantile(group, percentile.percent().into(), cell);
        }
    }
}

/// The first of the smallest numbers; NaN where there is none.
fn smallest(group: &[f64]) -> f64 {
    let numbers = group.iter().copied().filter(|value| !value.is_nan());
    numbers
        .reduce(|least, value| if value < least { value } else { least })
        .unwrap_or(f64::NAN)
}

/// The first of the largest numbers; NaN where there is a NaN.
fn largest(group: &[f64]) -> f64 {
    if group.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    group
        .iter()
        .copied()
        .reduce(|most, value| if value > most { value } else { most })
        .unwrap_or(f64::NAN)
}

/// Q - D * D / n of the distances from the first value.
fn squared_deviations(group: &[f64]) -> f64 {
    if group.len() < 2 {
        return 0.0;
    }
    let (mut sum, mut squares) = (0.0, 0.0);
    for value in group {
        let distance = value - group[0];
        sum += distance;
        squares += distance * distance;
    }
    let deviations: f64 = squares - sum * sum / length(group);
    if deviations < 0.0 { 0.0 } else { deviations }
}

#[expect(clippy::cast_precision_loss, reason = "inputs are short")]
fn length(group: &[f64]) -> f64 {
    group.len() as f64
}

/// A quantile lies between the two values around its rank, NaN counting as the largest.
fn check_quantile(group: &[f64], percent: usize, cell: f64) {
    let mut sorted = group.to_vec();
    sorted.sort_by(|left, right| {
        left.is_nan().cmp(&right.is_nan()).then_with(|| {
            left.partial_cmp(right)
                .unwrap_or(left.is_nan().cmp(&right.is_nan()))
        })
    });
    let rank = (sorted.len() - 1) * percent;
    let (low, high) = (sorted[rank / 100], sorted[rank.div_ceil(100)]);
    if low.is_nan() || high.is_nan() {
        assert!(cell.is_nan(), "{percent} % touches NaN, not {cell}");
    } else if low.is_finite() && high.is_finite() && (high - low).is_finite() {
        assert!(
            low <= cell && cell <= high,
            "{percent} %: {cell} is not within {low} to {high}"
        );
    }
}

/// Fails unless both are the same number to the bit, or both the canonical NaN.
fn assert_same(cell: f64, expected: f64, what: &str) {
    let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value }.to_bits();
    assert_eq!(
        cell.to_bits(),
        canonical(expected),
        "{what}: {cell} instead of {expected}"
    );
}
