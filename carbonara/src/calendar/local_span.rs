//! [`LocalSpan`]: parts and multiples of a day, as clocks show them.

use std::fmt;
use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::clock::{self, Clock};
use crate::constants::NANOSECONDS_PER_SECOND;
use crate::time::{Timespan, Timestamp};

const NANOSECONDS_PER_DAY: i64 = 86_400 * NANOSECONDS_PER_SECOND;

/// The day from which on days are counted: that of the epoch in UTC.
const FIRST_DAY: Date = date(1970, 1, 1);

/// A span that can be counted by the clocks of a time zone: it divides a day, or is a whole number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalSpan {
    span: Timespan,
}

/// A span that is neither a part nor a multiple of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalSpanError {
    span: Timespan,
}

impl LocalSpan {
    /// Checks that a span can be counted by clocks.
    ///
    /// # Errors
    /// [`LocalSpanError`] when it neither divides a day nor is a whole number of days: nothing then says at which time of the day its
    /// buckets start.
    ///
    /// # Examples
    /// ```
    /// use carbonara::Timespan;
    /// use carbonara::calendar::LocalSpan;
    ///
    /// assert!(LocalSpan::new(Timespan::from_second(6 * 3600)?).is_ok());
    /// assert!(LocalSpan::new(Timespan::from_second(7 * 86_400)?).is_ok());
    /// assert!(LocalSpan::new(Timespan::from_second(7 * 3600)?).is_err());
    /// # Ok::<(), carbonara::TimeError>(())
    /// ```
    pub const fn new(span: Timespan) -> Result<Self, LocalSpanError> {
        let span_ns = span.as_nanosecond();
        if NANOSECONDS_PER_DAY % span_ns == 0 || span_ns % NANOSECONDS_PER_DAY == 0 {
            Ok(Self { span })
        } else {
            Err(LocalSpanError { span })
        }
    }

    /// Returns the span: how long a bucket is while no clock is changed.
    #[must_use]
    pub const fn span(self) -> Timespan {
        self.span
    }

    /// Returns the bucket that holds a timestamp.
    pub(crate) fn bucket(self, at: Timestamp, clock: &mut Clock<'_>) -> Range<Timestamp> {
        let span_ns = self.span.as_nanosecond();
        clock::bucket(if span_ns < NANOSECONDS_PER_DAY {
            part_of_day(span_ns.into(), at.as_nanosecond().into(), clock)
        } else {
            days(span_ns / NANOSECONDS_PER_DAY, at, clock)
        })
    }
}

/// Returns the bucket of several days that holds a timestamp.
fn days(days: i64, at: Timestamp, clock: &Clock<'_>) -> Range<i128> {
    let start = |bucket: i64| {
        let first = FIRST_DAY.checked_add(bucket.saturating_mul(days).days());
        first.ok().and_then(|first| clock.start_of_day(first))
    };
    let today = FIRST_DAY
        .until(clock.date(at))
        .map_or(0, |since| since.get_days());
    let mut bucket = i64::from(today).div_euclid(days);
    let end = |bucket: i64| start(bucket.saturating_add(1)).unwrap_or(i128::MAX);
    // Clocks that are set back over midnight show the day before again.
    while end(bucket) <= i128::from(at.as_nanosecond()) {
        bucket += 1;
    }
    start(bucket).unwrap_or(i128::MIN)..end(bucket)
}

/// Returns the bucket of a part of a day that holds a point in time.
fn part_of_day(span_ns: i128, at_ns: i128, clock: &mut Clock<'_>) -> Range<i128> {
    let floor = |shown_ns: i128| shown_ns - shown_ns.rem_euclid(span_ns);
    let now = clock.period(at_ns);
    let shown_ns = floor(at_ns + now.offset_ns);
    // Clocks that are changed inside of the bucket show it to begin earlier or later than it does.
    let mut period = now;
    let start_ns = loop {
        let start_ns = shown_ns - period.offset_ns;
        if start_ns >= period.from_ns {
            break start_ns;
        }
        let before = clock.period(period.from_ns - 1);
        if floor(period.from_ns - 1 + before.offset_ns) != shown_ns {
            break period.from_ns;
        }
        period = before;
    };
    let mut period = now;
    let end_ns = loop {
        let end_ns = shown_ns + span_ns - period.offset_ns;
        if end_ns < period.until_ns {
            break end_ns;
        }
        let after = clock.period(period.until_ns);
        let shown_after_ns = period.until_ns + after.offset_ns;
        if shown_after_ns == floor(shown_after_ns) || floor(shown_after_ns) != shown_ns {
            break period.until_ns;
        }
        period = after;
    };
    start_ns..end_ns
}

impl fmt::Display for LocalSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span.fmt(f)
    }
}

impl fmt::Display for LocalSpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seconds neither divide a day nor are a whole number of days",
            self.span
        )
    }
}

impl std::error::Error for LocalSpanError {}
