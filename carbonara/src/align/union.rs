//! The sorted union of timestamps.

use std::borrow::Cow;

use crate::series::Series;

/// Returns the distinct timestamps of all series, ascending, or `None` when all series have the same ones.
///
/// Costs `O(n log d)` comparisons for n timestamps in d lists that differ. A list that repeats the one before it, which is the
/// rule when policies are alike, costs one comparison of memory.
pub(super) fn union(series: &[Series]) -> Option<Vec<i64>> {
    let mut lists: Vec<Cow<'_, [i64]>> = Vec::new();
    for one in series {
        let timestamps_ns = one.timestamps_ns();
        if lists.last().is_none_or(|last| **last != *timestamps_ns) {
            lists.push(Cow::Borrowed(timestamps_ns));
        }
    }
    if lists.len() < 2 {
        return None;
    }
    // Neighbours are merged, in rounds: each timestamp takes part in log2(lists) merges, and fewer when lists have many in common.
    while lists.len() > 1 {
        let mut rest = lists.into_iter();
        let mut merged = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(left) = rest.next() {
            merged.push(match rest.next() {
                Some(right) => Cow::Owned(merge(&left, &right)),
                None => left,
            });
        }
        lists = merged;
    }
    lists.pop().map(Cow::into_owned)
}

/// Merges two ascending lists; what is in both is there once.
///
/// Whole runs are copied: of what both have, then of what only one has. Lists of one granularity are alike but for gaps, so
/// runs are long, and where one ends is the only place that a processor cannot foresee.
fn merge(left: &[i64], right: &[i64]) -> Vec<i64> {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left, right);
    while let (Some(left_ns), Some(right_ns)) = (left.first(), right.first()) {
        let own = run(left, |_, at_ns| at_ns < right_ns);
        let other = run(right, |_, at_ns| at_ns < left_ns);
        let common = if own == 0 && other == 0 {
            run(left, |index, at_ns| right.get(index) == Some(at_ns))
        } else {
            0
        };
        merged.extend_from_slice(&left[..own + common]);
        merged.extend_from_slice(&right[..other]);
        left = &left[own + common..];
        right = &right[other + common..];
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}

/// Returns how many of the first timestamps are as wanted.
fn run(timestamps_ns: &[i64], is_wanted: impl Fn(usize, &i64) -> bool) -> usize {
    let mut indexed = timestamps_ns.iter().enumerate();
    indexed
        .position(|(index, at_ns)| !is_wanted(index, at_ns))
        .unwrap_or(timestamps_ns.len())
}

/// Puts the values of a series on the rows of a union that contains its timestamps; other rows get `blank`.
pub(super) fn scatter(series: &Series, union_ns: &[i64], blank: f64) -> Vec<f64> {
    let (mut timestamps_ns, mut values) = (series.timestamps_ns(), series.values());
    let mut rows_ns = union_ns;
    let mut column = Vec::with_capacity(union_ns.len());
    while let Some(next_ns) = timestamps_ns.first() {
        let gap = run(rows_ns, |_, at_ns| at_ns != next_ns);
        rows_ns = &rows_ns[gap..];
        column.resize(column.len() + gap, blank);
        let present = run(timestamps_ns, |index, at_ns| {
            rows_ns.get(index) == Some(at_ns)
        });
        debug_assert!(present > 0, "a timestamp is not in the union");
        column.extend_from_slice(&values[..present]);
        rows_ns = &rows_ns[present..];
        timestamps_ns = &timestamps_ns[present..];
        values = &values[present..];
    }
    column.resize(union_ns.len(), blank);
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(timestamps_ns: &[i64]) -> Series {
        let values = timestamps_ns.iter().map(|_| 1.0).collect();
        Series::from_points(timestamps_ns.to_vec(), values).expect("valid points")
    }

    #[track_caller]
    fn check(lists: &[&[i64]], expected: Option<&[i64]>) {
        let series: Vec<Series> = lists.iter().map(|list| series(list)).collect();
        assert_eq!(union(&series).as_deref(), expected);
    }

    #[test]
    fn lists_that_are_alike_need_no_union() {
        check(&[], None);
        check(&[&[]], None);
        check(&[&[1, 2], &[1, 2], &[1, 2]], None);
    }

    #[test]
    fn distinct_timestamps_ascend() {
        check(&[&[1, 3], &[2, 3, 4]], Some(&[1, 2, 3, 4]));
        check(&[&[5], &[], &[1], &[5], &[3]], Some(&[1, 3, 5]));
        check(&[&[], &[7, 9]], Some(&[7, 9]));
    }

    #[test]
    fn values_keep_their_moment() {
        let series = Series::from_points(vec![2, 5], vec![20.0, 50.0]).expect("valid points");
        assert_eq!(
            scatter(&series, &[1, 2, 3, 5, 6], -1.0),
            [-1.0, 20.0, -1.0, 50.0, -1.0]
        );
        assert_eq!(scatter(&Series::new(), &[1], 0.5), [0.5]);
    }
}
