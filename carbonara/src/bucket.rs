//! Buckets over sorted timestamps: runs of points that share a bucket number.

use std::ops::Range;

use crate::time::{Timespan, Timestamp};

/// The points of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Number of the bucket: its start divided by the granularity.
    pub bucket: i64,
    /// Indices of its points.
    pub points: Range<usize>,
}

/// Iterates over the buckets that hold a point, oldest first.
///
/// Costs one division a run, not one a point. Exact for every granularity.
///
/// # Panics
/// In debug builds when timestamps are not ascending.
///
/// # Examples
/// ```
/// use carbonara::Timespan;
/// use carbonara::bucket::runs;
///
/// let granularity = Timespan::from_nanosecond(10)?;
/// let buckets: Vec<_> = runs(&[3, 9, 25], granularity).map(|run| (run.bucket, run.points)).collect();
/// assert_eq!(buckets, [(0, 0..2), (2, 2..3)]);
/// # Ok::<(), carbonara::TimeError>(())
/// ```
pub fn runs(timestamps_ns: &[i64], granularity: Timespan) -> impl Iterator<Item = Run> + '_ {
    debug_assert!(timestamps_ns.is_sorted(), "timestamps are not ascending");
    let mut from = 0;
    let mut length = 1;
    std::iter::from_fn(move || {
        let first = *timestamps_ns.get(from)?;
        let bucket = first / granularity.as_nanosecond();
        let to = end_of_run(
            timestamps_ns,
            from,
            last_of_bucket(bucket, granularity),
            length,
        );
        let points = from..to;
        (from, length) = (to, points.len());
        Some(Run { bucket, points })
    })
}

/// Returns the last nanosecond of a bucket, or the last of all time for the bucket that holds it.
pub(crate) fn last_of_bucket(bucket: i64, granularity: Timespan) -> i64 {
    let granularity_ns = granularity.as_nanosecond();
    (bucket * granularity_ns).saturating_add(granularity_ns - 1)
}

/// Returns the index of the first point after `last_ns`, given that the point at `from` is not after it.
///
/// `expected` is the likely length of the run: regular series have runs of one length, and two
/// comparisons confirm the guess. Otherwise the search gallops from the start.
pub(crate) fn end_of_run(
    timestamps_ns: &[i64],
    from: usize,
    last_ns: i64,
    expected: usize,
) -> usize {
    debug_assert!(timestamps_ns[from] <= last_ns, "the run is empty");
    let rest = &timestamps_ns[from..];
    if let (Some(inside), Some(outside)) = (rest.get(expected.wrapping_sub(1)), rest.get(expected))
        && *inside <= last_ns
        && *outside > last_ns
    {
        return from + expected;
    }
    let mut step = 1;
    while rest.get(step).is_some_and(|at| *at <= last_ns) {
        step *= 2;
    }
    // The end lies after step / 2 (seen inside, or the first point) and at most at `step`.
    let low = step / 2;
    let high = step.min(rest.len());
    from + low + rest[low..high].partition_point(|at| *at <= last_ns)
}

/// Returns the start of a bucket.
pub(crate) fn start_of_bucket(bucket: i64, granularity: Timespan) -> Timestamp {
    Timestamp::from_valid_ns(bucket * granularity.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timestamps_ns: &[i64], granularity_ns: i64) {
        let granularity = Timespan::from_nanosecond(granularity_ns).expect("positive");
        let mut seen = Vec::new();
        for run in runs(timestamps_ns, granularity) {
            assert_eq!(run.points.start, seen.len());
            assert!(!run.points.is_empty());
            seen.extend(run.points.map(|_| run.bucket));
        }
        let expected: Vec<i64> = timestamps_ns.iter().map(|at| at / granularity_ns).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_point_is_in_the_run_of_its_bucket() {
        check(&[], 10);
        check(&[0], 10);
        check(&[0, 9, 10, 11, 19, 20, 50, 51, 52, 53, 54, 55, 56], 10);
        check(&[1, 2, 3, 4], 1);
        check(&[0, i64::MAX - 1, i64::MAX], i64::MAX);
        check(&[i64::MAX - 1, i64::MAX], 7);
        check(&[5, i64::MAX], 2);
    }

    #[test]
    fn regular_and_irregular_runs_alternate() {
        let mut timestamps_ns: Vec<i64> = (0..100).collect();
        timestamps_ns.extend((100..400).step_by(7));
        timestamps_ns.extend(400..420);
        for granularity_ns in [1, 3, 10, 60, 1000] {
            check(&timestamps_ns, granularity_ns);
        }
    }

    #[test]
    fn borders_of_buckets() {
        let granularity = Timespan::from_nanosecond(10).expect("positive");
        assert_eq!(last_of_bucket(0, granularity), 9);
        assert_eq!(last_of_bucket(i64::MAX / 10, granularity), i64::MAX);
        assert_eq!(start_of_bucket(3, granularity).as_nanosecond(), 30);
    }
}
