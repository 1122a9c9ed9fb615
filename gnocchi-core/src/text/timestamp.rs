//! Text and number forms of timestamps, as clients write them.
//!
//! A number, or a text that is one, counts seconds since the epoch. Other texts are ISO 8601 in the extended format, `now`,
//! `today`, or a signed length of time that is added to now.

use std::fmt;

use carbonara::Timestamp;
use carbonara::constants::NANOSECONDS_PER_SECOND;

use super::timespan;

const SECONDS_PER_DAY: i64 = 86_400;

/// Why a text or number is not a timestamp that can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimestampError {
    /// It cannot be read.
    Unparsable,
    /// It lies after the year 2262.
    AfterRange,
    /// It lies before 1970.
    BeforeEpoch,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unparsable | Self::AfterRange => "Unable to convert timestamps",
            Self::BeforeEpoch => "Timestamp must be after Epoch",
        })
    }
}

impl std::error::Error for TimestampError {}

/// How a timestamp is written. Within one list of measures all timestamps are written the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Seconds since the epoch.
    Number,
    /// ISO 8601, `now` or `today`.
    Calendar,
    /// A length of time added to now.
    Relative,
}

/// Reads a timestamp from a text in any form; `now` is what relative forms count from.
///
/// # Errors
/// [`TimestampError`] when the text has no known form or means a timestamp that cannot be stored.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, TimestampError> {
    parse_styled(text, now).map(|(timestamp, _)| timestamp)
}

/// Reads a timestamp and returns how it was written as well.
///
/// # Errors
/// As [`parse`].
pub fn parse_styled(text: &str, now: Timestamp) -> Result<(Timestamp, Style), TimestampError> {
    // A text that looks like a date is never a number or a length of time, so the most frequent form is tried first.
    if looks_like_a_date(text.as_bytes()) {
        return parse_iso(text.as_bytes()).map(|timestamp| (timestamp, Style::Calendar));
    }
    match text {
        "now" => return Ok((now, Style::Calendar)),
        "today" => {
            let midnight = now.as_second() / SECONDS_PER_DAY * SECONDS_PER_DAY;
            let midnight =
                Timestamp::from_second(midnight).map_err(|_| TimestampError::Unparsable)?;
            return Ok((midnight, Style::Calendar));
        }
        _ => {}
    }
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return from_seconds(seconds).map(|timestamp| (timestamp, Style::Number));
    }
    let distance = timespan::signed_nanoseconds(text).ok_or(TimestampError::Unparsable)?;
    let timestamp = now
        .as_nanosecond()
        .checked_add(distance)
        .ok_or(TimestampError::AfterRange)?;
    let timestamp =
        Timestamp::from_nanosecond(timestamp).map_err(|_| TimestampError::BeforeEpoch)?;
    Ok((timestamp, Style::Relative))
}

/// Makes a timestamp of a number of seconds since the epoch, cut to nanoseconds.
///
/// # Errors
/// [`TimestampError`] when the number is not finite, negative, or after the year 2262.
pub fn from_seconds(seconds: f64) -> Result<Timestamp, TimestampError> {
    match timespan::nanoseconds(seconds) {
        Some(nanoseconds) => {
            Timestamp::from_nanosecond(nanoseconds).map_err(|_| TimestampError::BeforeEpoch)
        }
        None if seconds < 0.0 && seconds.is_finite() => Err(TimestampError::BeforeEpoch),
        None if seconds.is_finite() => Err(TimestampError::AfterRange),
        None => Err(TimestampError::Unparsable),
    }
}

fn looks_like_a_date(text: &[u8]) -> bool {
    text.len() >= 7 && text[4] == b'-' && text[..4].iter().all(u8::is_ascii_digit)
}

/// Reads a timestamp in the extended format of ISO 8601: `YYYY-MM[-DD[(T| )hh[:mm[:ss[.f]]][zone]]]`; no zone means UTC.
///
/// Digits of the fraction after the ninth are dropped.
///
/// # Errors
/// [`TimestampError`] when the text has another form or means a timestamp that cannot be stored.
pub fn parse_iso(text: &[u8]) -> Result<Timestamp, TimestampError> {
    IsoReader::default().read(text)
}

/// Reads many timestamps, of which neighbours mostly share the day.
#[derive(Debug, Clone)]
pub struct IsoReader {
    /// The last date that was read, and its distance from the epoch.
    date: [u8; 10],
    days: i64,
}

impl Default for IsoReader {
    fn default() -> Self {
        Self {
            date: *b"1970-01-01",
            days: 0,
        }
    }
}

impl IsoReader {
    /// Reads a timestamp; see [`parse_iso`].
    ///
    /// # Errors
    /// As [`parse_iso`].
    #[inline]
    pub fn read(&mut self, text: &[u8]) -> Result<Timestamp, TimestampError> {
        let (seconds, nanosecond) = self.parts(text).ok_or(TimestampError::Unparsable)?;
        if seconds < 0 {
            return Err(TimestampError::BeforeEpoch);
        }
        seconds
            .checked_mul(NANOSECONDS_PER_SECOND)
            .and_then(|whole| whole.checked_add(nanosecond))
            .and_then(|total| Timestamp::from_nanosecond(total).ok())
            .ok_or(TimestampError::AfterRange)
    }

    /// Returns whole seconds since the epoch and the nanoseconds on top.
    fn parts(&mut self, text: &[u8]) -> Option<(i64, i64)> {
        // Why is this fast? Nearly all timestamps begin with these 19 characters at fixed places, so one look at the length
        // and one at all digits together do.
        let Some((
            &[
                d0,
                d1,
                d2,
                d3,
                d4,
                d5,
                d6,
                d7,
                d8,
                d9,
                separator,
                h1,
                h2,
                b':',
                m1,
                m2,
                b':',
                s1,
                s2,
            ],
            tail,
        )) = text.split_first_chunk::<19>()
        else {
            return short_iso_parts(text);
        };
        let date = [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9];
        if date != self.date {
            (self.days, self.date) = (date_days(&date)?, date);
        }
        let digits = [h1, h2, m1, m2, s1, s2].map(|digit| digit.wrapping_sub(b'0'));
        let are_digits = digits.iter().all(|digit| *digit < 10);
        let [hour, minute, second] =
            [0, 2, 4].map(|at| i64::from(digits[at]) * 10 + i64::from(digits[at + 1]));
        let is_separator = separator == b'T' || separator == b' ';
        if !are_digits || !is_separator || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = self.days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        if tail.is_empty() {
            return Some((seconds, 0));
        }
        let (nanosecond, zone) = fraction(tail)?;
        Some((seconds - offset_seconds(zone)?, nanosecond))
    }
}

/// Reads the forms that leave out the seconds or more.
fn short_iso_parts(text: &[u8]) -> Option<(i64, i64)> {
    let Some((head, tail)) = text.split_first_chunk::<10>() else {
        // YYYY-MM
        let month: &[u8; 7] = text.try_into().ok()?;
        let mut first = *b"0000-00-01";
        first[..7].copy_from_slice(month);
        return Some((date_days(&first)? * SECONDS_PER_DAY, 0));
    };
    let midnight = date_days(head)? * SECONDS_PER_DAY;
    let Some((separator, time)) = tail.split_first() else {
        return Some((midnight, 0));
    };
    if *separator != b'T' && *separator != b' ' {
        return None;
    }
    let (hour, rest) = time.split_first_chunk::<2>()?;
    let (minute, zone) = match rest.split_first_chunk::<3>() {
        Some(([b':', tens, units], zone)) => (pair(*tens, *units)?, zone),
        _ => (0, rest),
    };
    let seconds = time_seconds(pair(hour[0], hour[1])?, minute, 0)?;
    Some((midnight + seconds - offset_seconds(zone)?, 0))
}

/// Returns the days from the epoch to the date that `text` begins with.
fn date_days(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = text else {
        return None;
    };
    let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
    let month = pair(m1, m2)?;
    let day = pair(d1, d2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Counting years from March puts the leap day last, so that the day of the year follows from the month by one formula.
    let shifted_month = (month + 9) % 12;
    let shifted_year = year - i64::from(month <= 2);
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = 365 * shifted_year + shifted_year.div_euclid(4) - shifted_year.div_euclid(100)
        + shifted_year.div_euclid(400)
        + day_of_year;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    Some(days - 719_468)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn time_seconds(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Returns the nanoseconds of a leading `.fraction` and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let length = digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .count();
    if length == 0 {
        return None;
    }
    let kept = &digits[..length.min(9)];
    let mut nanosecond = kept
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(*digit - b'0'));
    for _ in kept.len()..9 {
        nanosecond *= 10;
    }
    Some((nanosecond, &digits[length..]))
}

/// Returns how far the zone at the end of a timestamp is ahead of UTC.
fn offset_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *zone {
        [] | [b'Z'] => return Some(0),
        [sign, h1, h2] => (sign, pair(h1, h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            (sign, pair(h1, h2)?, pair(m1, m2)?)
        }
        _ => return None,
    };
    let seconds = time_seconds(hours, minutes, 0)?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Returns the number that two digits make.
fn pair(tens: u8, units: u8) -> Option<i64> {
    let (tens, units) = (tens.wrapping_sub(b'0'), units.wrapping_sub(b'0'));
    (tens < 10 && units < 10).then(|| i64::from(tens) * 10 + i64::from(units))
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
