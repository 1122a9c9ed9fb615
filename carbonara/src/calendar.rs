//! Years, halves, quarters, months and weeks in a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

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
}

/// A text that is no letter of a calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarUnitError;

impl CalendarUnit {
    const ALL: [Self; 5] = [
        Self::Year,
        Self::Half,
        Self::Quarter,
        Self::Month,
        Self::Week,
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
        }
    }

    fn length(self) -> Span {
        match self {
            Self::Year => 1.year(),
            Self::Half => 6.months(),
            Self::Quarter => 3.months(),
            Self::Month => 1.month(),
            Self::Week => 1.week(),
        }
    }
}

/// Returns the start, at midnight in `zone`, of the unit that holds a moment; the epoch when it started before.
///
/// Where a change of the clock skips midnight, the unit starts with the first moment of that day.
#[must_use]
pub fn floor(timestamp: Timestamp, unit: CalendarUnit, zone: &TimeZone) -> Timestamp {
    start_of_day(unit.first_day(date_of(timestamp, zone)), zone)
}

/// Returns the start of the next unit after the one that holds a moment; [`Timestamp::MAX`] when that cannot be represented.
#[must_use]
pub fn next(timestamp: Timestamp, unit: CalendarUnit, zone: &TimeZone) -> Timestamp {
    let first_day = unit.first_day(date_of(timestamp, zone));
    match first_day.checked_add(unit.length()) {
        Ok(first_day) => start_of_day(first_day, zone),
        Err(_) => Timestamp::MAX,
    }
}

fn date_of(timestamp: Timestamp, zone: &TimeZone) -> Date {
    // Every 64-bit number of nanoseconds lies in jiff's range of ten thousand years.
    let moment = jiff::Timestamp::from_nanosecond(i128::from(timestamp.as_nanosecond()))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(moment).date()
}

fn start_of_day(date: Date, zone: &TimeZone) -> Timestamp {
    let Ok(start) = date.to_zoned(zone.clone()) else {
        return Timestamp::MAX;
    };
    let start_ns = start.timestamp().as_nanosecond().max(0);
    i64::try_from(start_ns).map_or(Timestamp::MAX, Timestamp::from_valid_ns)
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

    fn moment(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().expect("a moment");
        Timestamp::from_second(at.as_second()).expect("not before the epoch")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone of the bundled database")
    }

    fn check(unit: &str, zone_name: &str, at: &str, start: &str, end: &str) {
        let unit: CalendarUnit = unit.parse().expect("a letter");
        let zone = zone(zone_name);
        assert_eq!(floor(moment(at), unit, &zone), moment(start), "start");
        assert_eq!(next(moment(at), unit, &zone), moment(end), "end");
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
        check(
            "W",
            "America/Sao_Paulo",
            "2018-11-05T12:00:00Z",
            "2018-11-04T03:00:00Z",
            "2018-11-11T02:00:00Z",
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
        for text in ["", "y", "YY", "D"] {
            assert_eq!(text.parse::<CalendarUnit>(), Err(CalendarUnitError));
        }
    }
}
