//! Grouping the points of a series anew.

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
    let mut groups = Groups {
        values: series.values(),
        wanted,
        scratch: RankScratch::new(),
        timestamps_ns: Vec::new(),
        results: Vec::new(),
    };
    match to {
        ResampleTo::Span(granularity) => {
            for run in runs(series.timestamps_ns(), granularity) {
                groups.add(start_of_bucket(run.bucket, granularity), run.points);
            }
        }
        ResampleTo::Calendar(unit, zone) => {
            let mut from = 0;
            while let Some(first_ns) = series.timestamps_ns().get(from) {
                let first = Timestamp::from_valid_ns(*first_ns);
                let next = calendar::next(first, unit, zone);
                // The last unit of all time has no end; it holds what is left.
                let to = match series.index_of(next) {
                    to if to > from && next < Timestamp::MAX => to,
                    _ => series.len(),
                };
                groups.add(calendar::floor(first, unit, zone), from..to);
                from = to;
            }
        }
    }
    Series::from_sorted(groups.timestamps_ns, groups.results)
}

struct Groups<'a> {
    values: &'a [f64],
    wanted: Statistic,
    scratch: RankScratch,
    timestamps_ns: Vec<i64>,
    results: Vec<f64>,
}

impl Groups<'_> {
    fn add(&mut self, start: Timestamp, points: Range<usize>) {
        if let Some(result) = statistic(&self.values[points], self.wanted, &mut self.scratch) {
            self.timestamps_ns.push(start.as_nanosecond());
            self.results.push(result);
        }
    }
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
