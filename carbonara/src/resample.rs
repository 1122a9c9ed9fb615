//! Grouping the points of a series anew.

use std::fmt;
use std::ops::Range;

use jiff::tz::TimeZone;

use crate::bucket::{runs, start_of_bucket};
use crate::calendar::{CalendarUnit, Clock, LocalSpan, LocalSpanError};
use crate::kernel::{RankScratch, statistic};
use crate::method::Statistic;
use crate::series::Series;
use crate::time::{Timespan, Timestamp};

/// What points are grouped by.
#[derive(Clone, Copy, Debug)]
pub enum ResampleTo<'a> {
    /// Buckets of one length, counted from the epoch.
    Span(Timespan),
    /// Parts and multiples of a day in a time zone.
    Local(LocalSpan, &'a TimeZone),
    /// Units of the calendar in a time zone.
    Calendar(CalendarUnit, &'a TimeZone),
}

/// How long buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// All the same, counted from the epoch.
    Span(Timespan),
    /// A part or a multiple of a day, as clocks show it.
    Local(LocalSpan),
    /// A unit of the calendar.
    Calendar(CalendarUnit),
}

/// Rows whose buckets reach over the border of the buckets that they are grouped into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DividedRow {
    /// How long the buckets of the rows are.
    pub rows: Granularity,
    /// How long the buckets are that they are grouped into.
    pub into: Granularity,
    /// The border.
    pub border: Timestamp,
}

/// How many times as long as a row a bucket is at least, if rows may reach over its borders.
const ROWS_PER_BUCKET_MIN: i64 = 24;

impl Granularity {
    /// Returns the granularity as it is counted in a time zone: spans follow its clocks, unless they always show UTC.
    ///
    /// # Errors
    /// [`LocalSpanError`] for a span that no clock counts.
    pub fn counted_in(self, zone: &TimeZone) -> Result<Self, LocalSpanError> {
        match self {
            Self::Span(span) if !is_utc(zone) => LocalSpan::new(span).map(Self::Local),
            other => Ok(other),
        }
    }

    /// Returns what points are grouped by, given the time zone of the clocks and of the calendar.
    #[must_use]
    pub const fn in_zone(self, zone: &TimeZone) -> ResampleTo<'_> {
        match self {
            Self::Span(span) => ResampleTo::Span(span),
            Self::Local(span) => ResampleTo::Local(span, zone),
            Self::Calendar(unit) => ResampleTo::Calendar(unit, zone),
        }
    }
}

impl From<ResampleTo<'_>> for Granularity {
    fn from(to: ResampleTo<'_>) -> Self {
        match to {
            ResampleTo::Span(span) => Self::Span(span),
            ResampleTo::Local(span, _) => Self::Local(span),
            ResampleTo::Calendar(unit, _) => Self::Calendar(unit),
        }
    }
}

/// Seconds, or the letter of a unit.
impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::Local(span) => span.fmt(f),
            Self::Calendar(unit) => unit.fmt(f),
        }
    }
}

/// Names both granularities and the border, as in RFC 3339.
impl fmt::Display for DividedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let border_ns = i128::from(self.border.as_nanosecond());
        let border = jiff::Timestamp::from_nanosecond(border_ns).unwrap_or(jiff::Timestamp::MAX);
        let length = |granularity| match granularity {
            Granularity::Calendar(unit) => format!("{unit}"),
            span => format!("{span} seconds"),
        };
        write!(
            f,
            "aggregates of {} cannot be divided at {border}, where a bucket of {} begins in this time zone: \
             a finer granularity is needed",
            length(self.rows),
            length(self.into),
        )
    }
}

impl std::error::Error for DividedRow {}

impl<'a> ResampleTo<'a> {
    /// Returns the bucket that holds a timestamp. It ends where the next one starts, or at [`Timestamp::MAX`] when that cannot be
    /// represented.
    #[must_use]
    pub fn bucket(self, at: Timestamp) -> Range<Timestamp> {
        self.buckets().bucket(at)
    }

    fn buckets(self) -> Buckets<'a> {
        match self {
            Self::Span(span) => Buckets::Span(span),
            Self::Local(span, zone) => Buckets::Local(span, Clock::new(zone)),
            Self::Calendar(unit, zone) => Buckets::Calendar(unit, Clock::new(zone)),
        }
    }

    /// Returns the time zone that buckets follow; `None` when they follow UTC.
    fn zone(self) -> Option<&'a TimeZone> {
        match self {
            Self::Span(_) => None,
            Self::Local(_, zone) | Self::Calendar(_, zone) => (!is_utc(zone)).then_some(zone),
        }
    }
}

/// Finds buckets; who asks for one after the other seldom looks the time zone up.
#[derive(Debug)]
enum Buckets<'a> {
    Span(Timespan),
    Local(LocalSpan, Clock<'a>),
    Calendar(CalendarUnit, Clock<'a>),
}

impl Buckets<'_> {
    fn bucket(&mut self, at: Timestamp) -> Range<Timestamp> {
        match self {
            Self::Span(span) => {
                let start = at.floor(*span);
                start..end_of_span(start, *span)
            }
            Self::Local(span, clock) => span.bucket(at, clock),
            Self::Calendar(unit, clock) => unit.bucket(at, clock),
        }
    }
}

fn end_of_span(start: Timestamp, span: Timespan) -> Timestamp {
    start.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Returns whether the clocks of a time zone always show UTC.
fn is_utc(zone: &TimeZone) -> bool {
    let at = jiff::Timestamp::UNIX_EPOCH;
    *zone == TimeZone::UTC
        || (zone.to_offset(at).is_zero()
            && zone.preceding(at).next().is_none()
            && zone.following(at).next().is_none())
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
    of_groups(series, groups(series.timestamps_ns(), to), wanted)
}

/// Does what [`resample`] does for points that are aggregates themselves: rows of buckets that are so long.
///
/// Rows are grouped by the start of their buckets. In a time zone a row must not reach over the end of the bucket that it falls into,
/// because its value cannot be divided: days of UTC are not the days of any other zone. Only a row that begins with the bucket may be longer
/// than it, and rows that are short enough count where they begin: at most a 24th of the bucket, as hours of UTC in a zone that is half an
/// hour off.
///
/// # Errors
/// [`DividedRow`] for the first row that would have to be divided.
pub fn resample_rows(
    series: &Series,
    rows: Granularity,
    to: ResampleTo<'_>,
    wanted: Statistic,
) -> Result<Series, DividedRow> {
    let groups = groups_of_rows(series.timestamps_ns(), rows, to)?;
    Ok(of_groups(series, groups, wanted))
}

fn of_groups(series: &Series, groups: Vec<Group>, wanted: Statistic) -> Series {
    let mut scratch = RankScratch::new();
    let (timestamps_ns, results) = groups
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
    /// Where the next bucket starts; [`Timestamp::MAX`] when that cannot be represented.
    end: Timestamp,
    /// Indices of its points, at least one.
    pub(crate) points: Range<usize>,
}

/// Returns the buckets that hold a row, oldest first, unless a row would have to be divided.
pub(crate) fn groups_of_rows(
    timestamps_ns: &[i64],
    rows: Granularity,
    to: ResampleTo<'_>,
) -> Result<Vec<Group>, DividedRow> {
    let groups = groups(timestamps_ns, to);
    let Some(zone) = to.zone() else {
        return Ok(groups);
    };
    let mut buckets_of_rows = rows.in_zone(zone).buckets();
    for group in &groups {
        // Only the last row of a bucket can reach over its end.
        let last = Timestamp::from_valid_ns(timestamps_ns[group.points.end - 1]);
        let row = buckets_of_rows.bucket(last);
        let row_ns = row.end.since(row.start);
        let reaches_over = group.end.since(last) < row_ns && last != group.start;
        let is_long = group.end.since(group.start) / ROWS_PER_BUCKET_MIN < row_ns;
        if reaches_over && is_long {
            return Err(DividedRow {
                rows,
                into: to.into(),
                border: group.end,
            });
        }
    }
    Ok(groups)
}

/// Returns the buckets that hold a point, oldest first.
pub(crate) fn groups(timestamps_ns: &[i64], to: ResampleTo<'_>) -> Vec<Group> {
    let ResampleTo::Span(granularity) = to else {
        return groups_of_buckets(timestamps_ns, to.buckets());
    };
    runs(timestamps_ns, granularity)
        .map(|run| {
            let start = start_of_bucket(run.bucket, granularity);
            Group {
                start,
                end: end_of_span(start, granularity),
                points: run.points,
            }
        })
        .collect()
}

fn groups_of_buckets(timestamps_ns: &[i64], mut buckets: Buckets<'_>) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut from = 0;
    while let Some(first_ns) = timestamps_ns.get(from) {
        let bucket = buckets.bucket(Timestamp::from_valid_ns(*first_ns));
        let rest = &timestamps_ns[from..];
        // The last bucket of all time has no end; it holds what is left.
        let length = if bucket.end < Timestamp::MAX {
            rest.partition_point(|at_ns| *at_ns < bucket.end.as_nanosecond())
        } else {
            rest.len()
        };
        let to = from + length;
        groups.push(Group {
            start: bucket.start,
            end: bucket.end,
            points: from..to,
        });
        from = to;
    }
    groups
}

#[cfg(test)]
#[path = "resample_tests.rs"]
mod tests;
