//! Grouping the points of a series anew.

use std::fmt;
use std::ops::Range;

use jiff::tz::TimeZone;

use crate::bucket::{runs, start_of_bucket};
use crate::calendar::{self, CalendarUnit};
use crate::kernel::{RankScratch, statistic};
use crate::method::Statistic;
use crate::series::Series;
use crate::time::{Timespan, Timestamp};

/// What points are grouped by.
#[derive(Clone, Copy, Debug)]
pub enum ResampleTo<'a> {
    /// Buckets of one length, counted from the epoch.
    Span(Timespan),
    /// Units of the calendar in a time zone.
    Calendar(CalendarUnit, &'a TimeZone),
}

/// How long buckets are: all the same, or a unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// All the same.
    Span(Timespan),
    /// A unit of the calendar.
    Calendar(CalendarUnit),
}

impl Granularity {
    /// Says in which time zone the calendar hangs.
    #[must_use]
    pub const fn in_zone(self, zone: &TimeZone) -> ResampleTo<'_> {
        match self {
            Self::Span(span) => ResampleTo::Span(span),
            Self::Calendar(unit) => ResampleTo::Calendar(unit, zone),
        }
    }
}

/// Seconds, or the letter of a unit.
impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::Calendar(unit) => unit.fmt(f),
        }
    }
}

/// Groups the points of a series and takes one statistic of each group, stamped with its start.
///
/// The values are taken as they are: the mean of means is not weighted. A standard deviation is absent for a group
/// of a single point.
///
/// # Examples
/// ```
/// use carbonara::{ResampleTo, Series, Statistic, Timespan, resample};
///
/// let series = Series::from_points(vec![1, 5, 12], vec![2.0, 4.0, 9.0])?;
/// let by_ten = resample(&series, ResampleTo::Span(Timespan::from_nanosecond(10)?), Statistic::Mean);
/// assert_eq!((by_ten.timestamps_ns(), by_ten.values()), (&[0, 10][..], &[3.0, 9.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn resample(series: &Series, to: ResampleTo<'_>, wanted: Statistic) -> Series {
    let mut scratch = RankScratch::new();
    let (timestamps_ns, results) = groups(series.timestamps_ns(), to)
        .into_iter()
        .filter_map(|group| {
            let result = statistic(&series.values()[group.points], wanted, &mut scratch)?;
            Some((group.start.as_nanosecond(), result))
        })
        .unzip();
    Series::from_sorted(timestamps_ns, results)
}

/// The points of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Where the bucket starts.
    pub(crate) start: Timestamp,
    /// Indices of its points, at least one.
    pub(crate) points: Range<usize>,
}

/// Returns the buckets that hold a point, oldest first.
pub(crate) fn groups(timestamps_ns: &[i64], to: ResampleTo<'_>) -> Vec<Group> {
    match to {
        ResampleTo::Span(granularity) => runs(timestamps_ns, granularity)
            .map(|run| Group {
                start: start_of_bucket(run.bucket, granularity),
                points: run.points,
            })
            .collect(),
        ResampleTo::Calendar(unit, zone) => calendar_groups(timestamps_ns, unit, zone),
    }
}

fn calendar_groups(timestamps_ns: &[i64], unit: CalendarUnit, zone: &TimeZone) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut from = 0;
    while let Some(first_ns) = timestamps_ns.get(from) {
        let first = Timestamp::from_valid_ns(*first_ns);
        let next = calendar::next(first, unit, zone);
        let before = timestamps_ns.partition_point(|at_ns| *at_ns < next.as_nanosecond());
        // The last unit of all time has no end; it holds what is left.
        let to = if before > from && next < Timestamp::MAX {
            before
        } else {
            timestamps_ns.len()
        };
        groups.push(Group {
            start: calendar::floor(first, unit, zone),
            points: from..to,
        });
        from = to;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(&str, f64)]) -> Series {
        let (timestamps_ns, values) = points
            .iter()
            .map(|(at, value)| {
                let at: jiff::Timestamp = at.parse().expect("a moment");
                (at.as_second() * 1_000_000_000, *value)
            })
            .unzip();
        Series::from_points(timestamps_ns, values).expect("valid points")
    }

    fn check(points: &[(&str, f64)], to: ResampleTo<'_>, name: &str, expected: &[(&str, f64)]) {
        let wanted = name.parse().expect("a statistic");
        assert_eq!(resample(&series(points), to, wanted), series(expected));
    }

    #[test]
    fn by_span() {
        let points = [
            ("2015-03-06T14:33:00Z", 1.0),
            ("2015-03-06T14:34:00Z", 4.0),
            ("2015-03-06T15:01:00Z", 6.0),
        ];
        let hour = ResampleTo::Span(Timespan::from_second(3600).expect("positive"));
        check(
            &points,
            hour,
            "mean",
            &[("2015-03-06T14:00:00Z", 2.5), ("2015-03-06T15:00:00Z", 6.0)],
        );
        check(
            &points,
            hour,
            "std",
            &[("2015-03-06T14:00:00Z", 4.5_f64.sqrt())],
        );
        check(&[], hour, "mean", &[]);
    }

    #[test]
    fn by_calendar() {
        let points = [
            ("2014-12-31T23:00:00Z", 1.0),
            ("2015-01-01T00:00:00Z", 2.0),
            ("2015-01-31T22:59:59Z", 4.0),
            ("2015-01-31T23:00:00Z", 8.0),
            ("2015-08-01T00:00:00Z", 16.0),
        ];
        check(
            &points,
            ResampleTo::Calendar(CalendarUnit::Month, &TimeZone::UTC),
            "sum",
            &[
                ("2014-12-01T00:00:00Z", 1.0),
                ("2015-01-01T00:00:00Z", 14.0),
                ("2015-08-01T00:00:00Z", 16.0),
            ],
        );
        let paris = TimeZone::get("Europe/Paris").expect("a zone of the bundled database");
        check(
            &points,
            ResampleTo::Calendar(CalendarUnit::Month, &paris),
            "max",
            &[
                ("2014-12-31T23:00:00Z", 4.0),
                ("2015-01-31T23:00:00Z", 8.0),
                ("2015-07-31T22:00:00Z", 16.0),
            ],
        );
    }

    #[test]
    fn the_last_year_holds_all_that_is_left() {
        let ends =
            Series::from_points(vec![i64::MAX - 1, i64::MAX], vec![1.0, 2.0]).expect("valid");
        let by_year = ResampleTo::Calendar(CalendarUnit::Year, &TimeZone::UTC);
        assert_eq!(resample(&ends, by_year, Statistic::Count).values(), [2.0]);
    }
}
