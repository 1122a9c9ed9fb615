//! Years, halves, quarters, months, weeks and days in a time zone.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::clock::{self, Clock};
use crate::time::Timestamp;

/// A unit of the calendar; its length differs from one to the next.
///
/// The text form is its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CalendarUnit {
    /// `Y`: starts on 1 January.
    Year,
    /// `H`: starts on 1 January and 1 July.
    Half,
    /// `Q`: starts on the first of January, April, July and October.
    Quarter,
    /// `M`: starts on the first.
    Month,
    /// `W`: starts on Sunday.
    Week,
    /// `D`.
    Day,
}

/// A text that is no letter of a calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarUnitError;

impl CalendarUnit {
    /// Every unit, the longest first.
    pub const ALL: [Self; 6] = [
        Self::Year,
        Self::Half,
        Self::Quarter,
        Self::Month,
        Self::Week,
        Self::Day,
    ];

    /// Returns the letter of the unit.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Year => 'Y',
            Self::Half => 'H',
            Self::Quarter => 'Q',
            Self::Month => 'M',
            Self::Week => 'W',
            Self::Day => 'D',
        }
    }

    /// Returns the first day of the unit that holds `date`.
    fn first_day(self, date: Date) -> Date {
        let first_of_month = |month: i8| {
            // Every month has a first day, in the same year.
            Date::new(date.year(), month, 1).unwrap_or(date)
        };
        match self {
            Self::Year => first_of_month(1),
            Self::Half => first_of_month((date.month() - 1) / 6 * 6 + 1),
            Self::Quarter => first_of_month((date.month() - 1) / 3 * 3 + 1),
            Self::Month => date.first_of_month(),
            Self::Week => {
                let days = date.weekday().since(Weekday::Sunday);
                date.saturating_sub(i64::from(days).days())
            }
            Self::Day => date,
        }
    }

    fn length(self) -> Span {
        match self {
            Self::Year => 1.year(),
            Self::Half => 6.months(),
            Self::Quarter => 3.months(),
            Self::Month => 1.month(),
            Self::Week => 1.week(),
            Self::Day => 1.day(),
        }
    }

    /// Returns the unit that holds a timestamp.
    pub(crate) fn bucket(self, at: Timestamp, clock: &Clock<'_>) -> Range<Timestamp> {
        let mut first_day = self.first_day(clock.date(at));
        loop {
            let next = first_day.checked_add(self.length()).ok();
            let end = next.and_then(|next| Some((next, clock.start_of_day(next)?)));
            let start = clock.start_of_day(first_day).unwrap_or(i128::MIN);
            match end {
                // Clocks that are set back over midnight show the day before again.
                Some((next, end)) if end <= i128::from(at.as_nanosecond()) => first_day = next,
                Some((_, end)) => return clock::bucket(start..end),
                None => return clock::bucket(start..i128::MAX),
            }
        }
    }
}

/// Returns the start of the unit that holds a timestamp; the epoch when it started before.
#[must_use]
pub fn floor(timestamp: Timestamp, unit: CalendarUnit, zone: &TimeZone) -> Timestamp {
    unit.bucket(timestamp, &Clock::new(zone)).start
}

/// Returns the start of the unit after the one that holds a timestamp; [`Timestamp::MAX`] when that cannot be represented.
#[must_use]
pub fn next(timestamp: Timestamp, unit: CalendarUnit, zone: &TimeZone) -> Timestamp {
    unit.bucket(timestamp, &Clock::new(zone)).end
}

impl fmt::Display for CalendarUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.letter())
    }
}

impl FromStr for CalendarUnit {
    type Err = CalendarUnitError;

    fn from_str(text: &str) -> Result<Self, CalendarUnitError> {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Self::ALL
                .into_iter()
                .find(|unit| unit.letter() == letter)
                .ok_or(CalendarUnitError),
            _ => Err(CalendarUnitError),
        }
    }
}

impl fmt::Display for CalendarUnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a letter of a calendar unit")
    }
}

impl std::error::Error for CalendarUnitError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().expect("a timestamp");
        Timestamp::from_second(at.as_second()).expect("not before the epoch")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone of the bundled database")
    }

    fn check(unit: &str, zone_name: &str, at: &str, start: &str, end: &str) {
        let unit: CalendarUnit = unit.parse().expect("a letter");
        let zone = zone(zone_name);
        assert_eq!(floor(timestamp(at), unit, &zone), timestamp(start), "start");
        assert_eq!(next(timestamp(at), unit, &zone), timestamp(end), "end");
    }

    #[test]
    fn units_in_utc() {
        let check = |unit, start, end| {
            let at = "2015-03-06T14:33:57Z";
            check(unit, "UTC", at, start, end);
        };
        check("Y", "2015-01-01T00:00:00Z", "2016-01-01T00:00:00Z");
        check("H", "2015-01-01T00:00:00Z", "2015-07-01T00:00:00Z");
        check("Q", "2015-01-01T00:00:00Z", "2015-04-01T00:00:00Z");
        check("M", "2015-03-01T00:00:00Z", "2015-04-01T00:00:00Z");
        check("W", "2015-03-01T00:00:00Z", "2015-03-08T00:00:00Z");
        check("D", "2015-03-06T00:00:00Z", "2015-03-07T00:00:00Z");
    }

    #[test]
    fn borders_belong_to_what_they_start() {
        let check = |unit, at, start, end| check(unit, "UTC", at, start, end);
        check(
            "H",
            "2015-07-01T00:00:00Z",
            "2015-07-01T00:00:00Z",
            "2016-01-01T00:00:00Z",
        );
        check(
            "H",
            "2015-06-30T23:59:59Z",
            "2015-01-01T00:00:00Z",
            "2015-07-01T00:00:00Z",
        );
        check(
            "Q",
            "2015-12-31T23:59:59Z",
            "2015-10-01T00:00:00Z",
            "2016-01-01T00:00:00Z",
        );
        check(
            "W",
            "2015-03-07T23:59:59Z",
            "2015-03-01T00:00:00Z",
            "2015-03-08T00:00:00Z",
        );
        check(
            "W",
            "2015-03-08T00:00:00Z",
            "2015-03-08T00:00:00Z",
            "2015-03-15T00:00:00Z",
        );
        check(
            "M",
            "2016-02-29T12:00:00Z",
            "2016-02-01T00:00:00Z",
            "2016-03-01T00:00:00Z",
        );
    }

    #[test]
    fn zones_move_midnight() {
        // The last hour of February in UTC is March in Paris.
        check(
            "M",
            "Europe/Paris",
            "2015-02-28T23:30:00Z",
            "2015-02-28T23:00:00Z",
            "2015-03-31T22:00:00Z",
        );
        // Clocks went forward within this week: it has 167 hours.
        check(
            "W",
            "America/New_York",
            "2015-03-10T12:00:00Z",
            "2015-03-08T05:00:00Z",
            "2015-03-15T04:00:00Z",
        );
        // Midnight of 4 November 2018 did not exist in Sao Paulo; the day began at one o'clock.
        for (unit, end) in [("W", "2018-11-11T02:00:00Z"), ("D", "2018-11-05T02:00:00Z")] {
            check(
                unit,
                "America/Sao_Paulo",
                "2018-11-04T12:00:00Z",
                "2018-11-04T03:00:00Z",
                end,
            );
        }
        // The day of the change has 23 hours.
        check(
            "D",
            "Europe/Brussels",
            "2025-03-30T21:59:59Z",
            "2025-03-29T23:00:00Z",
            "2025-03-30T22:00:00Z",
        );
    }

    #[test]
    fn a_day_that_began_does_not_end_when_clocks_are_set_back() {
        // At one minute past midnight clocks in Newfoundland went back to 23:01 of the day before.
        let check = |at, start, end| check("D", "America/St_Johns", at, start, end);
        check(
            "2010-11-07T02:29:59Z",
            "2010-11-06T02:30:00Z",
            "2010-11-07T02:30:00Z",
        );
        check(
            "2010-11-07T02:30:00Z",
            "2010-11-07T02:30:00Z",
            "2010-11-08T03:30:00Z",
        );
        check(
            "2010-11-07T03:00:00Z",
            "2010-11-07T02:30:00Z",
            "2010-11-08T03:30:00Z",
        );
        check(
            "2010-11-08T03:29:59Z",
            "2010-11-07T02:30:00Z",
            "2010-11-08T03:30:00Z",
        );
    }

    #[test]
    fn ends_of_time() {
        let utc = TimeZone::UTC;
        let early = Timestamp::from_second(5).expect("valid");
        // 1 January 1970 was a Thursday.
        assert_eq!(floor(early, CalendarUnit::Week, &utc), Timestamp::EPOCH);
        assert_eq!(
            next(Timestamp::MAX, CalendarUnit::Year, &utc),
            Timestamp::MAX
        );
        assert!(floor(Timestamp::MAX, CalendarUnit::Year, &utc) < Timestamp::MAX);
        assert_eq!(
            floor(Timestamp::EPOCH, CalendarUnit::Year, &zone("Asia/Tokyo")),
            Timestamp::EPOCH
        );
    }

    #[test]
    fn letters() {
        for unit in CalendarUnit::ALL {
            assert_eq!(unit.to_string().parse(), Ok(unit));
        }
        for text in ["", "y", "YY", "d", "T"] {
            assert_eq!(text.parse::<CalendarUnit>(), Err(CalendarUnitError));
        }
    }
}
