//! Text and number forms of lengths of time, as clients write them.
//!
//! A number, or a text that is one, counts seconds. Other texts are lists of amounts with units (`1 hour 30 min`), clocks
//! (`1:30:00`), or both (`2 days, 1:30:00`).

use std::fmt;
use std::io::Write;

use carbonara::Timespan;
use carbonara::constants::NANOSECONDS_PER_SECOND;
use winnow::Parser;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, eof, opt, preceded, terminated};
use winnow::error::{ContextError, ErrMode, ModalResult};
use winnow::token::{one_of, take_while};

const MINUTE: i64 = 60 * NANOSECONDS_PER_SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Digits of an amount beyond this many are dropped: they cannot reach a nanosecond, or the amount is out of range anyway.
const FRACTION_DIGITS_MAX: usize = 18;

/// Why a text or number is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimespanError {
    /// It cannot be read, or is too long for 63 bits of nanoseconds.
    Unparsable,
    /// It is zero or negative.
    NotPositive,
}

impl fmt::Display for TimespanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unparsable => "Unable to parse timespan",
            Self::NotPositive => "Timespan must be positive",
        })
    }
}

impl std::error::Error for TimespanError {}

/// Reads a positive length of time from a text.
///
/// # Errors
/// [`TimespanError`] when the text has no known form, or means zero or less.
pub fn parse(text: &str) -> Result<Timespan, TimespanError> {
    positive(signed_nanoseconds(text).ok_or(TimespanError::Unparsable)?)
}

/// Makes a positive length of time of a number of seconds, cut to nanoseconds.
///
/// # Errors
/// [`TimespanError`] when the number is not finite, too large, or cuts to zero or less.
pub fn from_seconds(seconds: f64) -> Result<Timespan, TimespanError> {
    positive(nanoseconds(seconds).ok_or(TimespanError::Unparsable)?)
}

fn positive(nanoseconds: i64) -> Result<Timespan, TimespanError> {
    Timespan::from_nanosecond(nanoseconds).map_err(|_| TimespanError::NotPositive)
}

/// Reads a length of time of either sign; `None` for a text without known form or beyond 63 bits.
pub(crate) fn signed_nanoseconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return nanoseconds(seconds);
    }
    i64::try_from(worded.parse(text.trim()).ok()?).ok()
}

/// Returns a number of seconds as nanoseconds, cut towards zero; `None` when it is not finite or doesn't fit.
///
/// The number is taken as the shortest decimal that reads back as the same double, which is what its writer wrote: the same
/// timestamp written as `1425652437.123` and as text with `.123` gives the same nanosecond.
#[must_use]
pub fn nanoseconds(seconds: f64) -> Option<i64> {
    // Both ends lie inside i64 by far; a finer check follows.
    if !(-1e10..=1e10).contains(&seconds) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked and the fraction is looked at below"
    )]
    let whole = seconds as i64;
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "whole numbers below 2^34 are exact, and only exact equality means that there is no fraction"
    )]
    if whole as f64 == seconds {
        return whole.checked_mul(NANOSECONDS_PER_SECOND);
    }
    if seconds.abs() < 1e-9 {
        return Some(0);
    }
    // Numbers are displayed without exponent. The longest: a zero, a point, eight zeros and the 17 significant digits of a number near 1e-9.
    let mut buffer = [0_u8; 48];
    let mut rest = &mut buffer[..];
    write!(rest, "{}", seconds.abs()).ok()?;
    let unused = rest.len();
    let text = std::str::from_utf8(&buffer[..buffer.len() - unused]).ok()?;
    let amount = decimal.parse(text).ok()?.times(NANOSECONDS_PER_SECOND)?;
    let amount = i64::try_from(amount).ok()?;
    Some(if seconds < 0.0 { -amount } else { amount })
}

/// A decimal number as it is written: `digits` divided by ten to the power of `places`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    places: u32,
}

impl Decimal {
    /// Multiplies and cuts the fraction off.
    fn times(self, factor: i64) -> Option<i128> {
        Some(self.digits.checked_mul(i128::from(factor))? / 10_i128.pow(self.places))
    }
}

fn decimal(input: &mut &str) -> ModalResult<Decimal> {
    (digits0, opt(preceded('.', digits0)))
        .verify_map(|(whole, fraction)| {
            let fraction = fraction.unwrap_or_default();
            let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
            if whole.is_empty() && fraction.is_empty() || whole.len() > FRACTION_DIGITS_MAX {
                return None;
            }
            let places = u32::try_from(fraction.len()).ok()?;
            let whole: i128 = if whole.is_empty() {
                0
            } else {
                whole.parse().ok()?
            };
            let part: i128 = if fraction.is_empty() {
                0
            } else {
                fraction.parse().ok()?
            };
            Some(Decimal {
                digits: whole * 10_i128.pow(places) + part,
                places,
            })
        })
        .parse_next(input)
}

fn digits0<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    take_while(0.., |c: char| c.is_ascii_digit()).parse_next(input)
}

/// An amount and its unit, for example `2 days,`; separators behind it are consumed.
fn amount<'a>(
    names: &'static [&'static str],
    unit: i64,
) -> impl Parser<&'a str, i128, ErrMode<ContextError>> {
    (
        terminated(decimal, multispace0),
        move |input: &mut &'a str| unit_name(names, input),
        multispace0,
        opt((one_of([',', '/']), multispace0)),
    )
        .verify_map(move |(number, ..)| number.times(unit))
}

/// One of the names of a unit. They stand in the order of length: `m` must not take the head of `minutes`.
fn unit_name<'a>(names: &[&'static str], input: &mut &'a str) -> ModalResult<&'a str> {
    let nothing = Err(ErrMode::Backtrack(ContextError::new()));
    names.iter().fold(nothing, |found, name| {
        found.or_else(|_| Caseless(*name).parse_next(input))
    })
}

const WEEKS: &[&str] = &["weeks", "week", "wks", "wk", "w"];
const DAYS: &[&str] = &["days", "day", "dys", "dy", "d"];
const HOURS: &[&str] = &["hours", "hour", "hrs", "hr", "h"];
const MINUTES: &[&str] = &["minutes", "minute", "mins", "min", "m"];
const SECONDS: &[&str] = &["seconds", "second", "secs", "sec", "s"];

/// The whole text: a sign, then amounts with units, a clock, or weeks and days before a clock.
fn worded(input: &mut &str) -> ModalResult<i128> {
    let sign = terminated(opt(one_of(['+', '-'])), multispace0).parse_next(input)?;
    let value = alt((terminated(units, eof), terminated(clock, eof))).parse_next(input)?;
    Ok(if sign == Some('-') { -value } else { value })
}

fn units(input: &mut &str) -> ModalResult<i128> {
    (
        opt(amount(WEEKS, WEEK)),
        opt(amount(DAYS, DAY)),
        opt(amount(HOURS, HOUR)),
        opt(amount(MINUTES, MINUTE)),
        opt(amount(SECONDS, NANOSECONDS_PER_SECOND)),
    )
        .verify_map(|(weeks, days, hours, minutes, seconds)| {
            let parts = [weeks, days, hours, minutes, seconds];
            parts
                .iter()
                .any(Option::is_some)
                .then(|| parts.into_iter().flatten().sum())
        })
        .parse_next(input)
}

fn clock(input: &mut &str) -> ModalResult<i128> {
    alt((
        // 2 weeks, 1 day, 13:05:00.25
        terminated(
            (
                opt(amount(WEEKS, WEEK)),
                opt(amount(DAYS, DAY)),
                number(HOUR, 1, FRACTION_DIGITS_MAX),
                preceded(':', number(MINUTE, 2, 2)),
                preceded(':', seconds),
            )
                .map(|(weeks, days, hours, minutes, seconds)| {
                    weeks.unwrap_or(0) + days.unwrap_or(0) + hours + minutes + seconds
                }),
            eof,
        ),
        // 1:13:05:00
        terminated(
            (
                number(DAY, 1, FRACTION_DIGITS_MAX),
                preceded(':', number(HOUR, 2, 2)),
                preceded(':', number(MINUTE, 2, 2)),
                preceded(':', seconds),
            )
                .map(|(days, hours, minutes, seconds)| days + hours + minutes + seconds),
            eof,
        ),
        // 5:00 and :30
        terminated(
            (opt(number(MINUTE, 1, 2)), preceded(':', seconds))
                .map(|(minutes, seconds)| minutes.unwrap_or(0) + seconds),
            eof,
        ),
    ))
    .parse_next(input)
}

/// A whole number of so many digits, times its unit.
fn number<'a>(
    unit: i64,
    digits_min: usize,
    digits_max: usize,
) -> impl Parser<&'a str, i128, ErrMode<ContextError>> {
    take_while(digits_min..=digits_max, |c: char| c.is_ascii_digit())
        .verify_map(move |digits: &str| Some(digits.parse::<i128>().ok()? * i128::from(unit)))
}

/// Two digits and maybe a fraction.
fn seconds(input: &mut &str) -> ModalResult<i128> {
    (
        take_while(2..=2, |c: char| c.is_ascii_digit()),
        opt(preceded('.', take_while(1.., |c: char| c.is_ascii_digit()))),
    )
        .take()
        .and_then(decimal)
        .verify_map(|decimal| decimal.times(NANOSECONDS_PER_SECOND))
        .parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms() {
        let check = |text: &str, expected: Result<i64, TimespanError>| {
            assert_eq!(
                parse(text).map(Timespan::as_nanosecond),
                expected,
                "{text:?}"
            );
        };
        check("60", Ok(MINUTE));
        check("0.5", Ok(NANOSECONDS_PER_SECOND / 2));
        check("1e3", Ok(1000 * NANOSECONDS_PER_SECOND));
        check("1 second", Ok(NANOSECONDS_PER_SECOND));
        check("5 second", Ok(5 * NANOSECONDS_PER_SECOND));
        check("10s", Ok(10 * NANOSECONDS_PER_SECOND));
        check("7S", Ok(7 * NANOSECONDS_PER_SECOND));
        check("1 hour", Ok(HOUR));
        check("2 hour 3 mins", Ok(2 * HOUR + 3 * MINUTE));
        check(
            "1w2d3h4m5s",
            Ok(WEEK + 2 * DAY + 3 * HOUR + 4 * MINUTE + 5 * NANOSECONDS_PER_SECOND),
        );
        check("1 week, 2 days / 3 hrs", Ok(WEEK + 2 * DAY + 3 * HOUR));
        check("1.5 hours", Ok(HOUR + HOUR / 2));
        check(".25 min", Ok(15 * NANOSECONDS_PER_SECOND));
        check("0:01:00", Ok(MINUTE));
        check("0:00:03.600000", Ok(3_600_000_000));
        check("2 days, 0:00:00", Ok(2 * DAY));
        check(
            "1 day, 1:02:03",
            Ok(DAY + HOUR + 2 * MINUTE + 3 * NANOSECONDS_PER_SECOND),
        );
        check(
            "1:01:01:01",
            Ok(DAY + HOUR + MINUTE + NANOSECONDS_PER_SECOND),
        );
        check("5:30", Ok(5 * MINUTE + 30 * NANOSECONDS_PER_SECOND));
        check(":30", Ok(30 * NANOSECONDS_PER_SECOND));
        check("+1 hour", Ok(HOUR));
        check("9223372036.8", Ok(9_223_372_036_800_000_000));
    }

    #[test]
    fn what_is_no_length_of_time() {
        let check = |text: &str, expected: TimespanError| {
            assert_eq!(parse(text), Err(expected), "{text:?}");
        };
        for text in [
            "",
            " ",
            "foobar",
            "1 shenanigan",
            "1 hour ago",
            "1 month",
            "3 minutes 1 hour",
            "1:2:3",
            "1::2",
            "nan",
            "inf",
            "1e300",
            "99999999999999999999 weeks",
            "106752 days",
            "--1 s",
            "1 hour 5",
            "5 5 min",
            "☃",
        ] {
            check(text, TimespanError::Unparsable);
        }
        for text in ["0", "-1", "0.0000000001", "-5 minutes", "0 s", "0:00:00"] {
            check(text, TimespanError::NotPositive);
        }
    }

    #[test]
    fn numbers_are_the_decimals_they_look_like() {
        let check = |seconds: f64, expected: Option<i64>| {
            assert_eq!(nanoseconds(seconds), expected, "{seconds}");
        };
        check(1_425_652_437.123, Some(1_425_652_437_123_000_000));
        check(1_425_652_437.0, Some(1_425_652_437_000_000_000));
        check(0.29, Some(290_000_000));
        check(-0.29, Some(-290_000_000));
        check(1.000_000_000_9, Some(1_000_000_000));
        check(1e-9, Some(1));
        check(1e-300, Some(0));
        check(9_223_372_036.0, Some(9_223_372_036_000_000_000));
        check(9_223_372_037.0, None);
        check(1e300, None);
        check(f64::NAN, None);
        check(f64::INFINITY, None);
    }

    #[test]
    fn from_seconds_wants_more_than_zero() {
        assert_eq!(from_seconds(0.0), Err(TimespanError::NotPositive));
        assert_eq!(from_seconds(-1.0), Err(TimespanError::NotPositive));
        assert_eq!(from_seconds(f64::NAN), Err(TimespanError::Unparsable));
        assert_eq!(
            from_seconds(1.5).map(Timespan::as_nanosecond),
            Ok(1_500_000_000)
        );
    }
}
