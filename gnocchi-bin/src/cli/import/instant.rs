//! Timestamps as CSV files have them.

use carbonara::Timestamp;
use clap::ValueEnum;

use crate::api::timestamp::{TimestampError, parse_iso};

/// What a plain number counts, since the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum EpochUnit {
    /// Seconds.
    #[default]
    #[value(name = "s")]
    Seconds,
    /// Milliseconds.
    #[value(name = "ms")]
    Milliseconds,
    /// Microseconds.
    #[value(name = "us")]
    Microseconds,
    /// Nanoseconds.
    #[value(name = "ns")]
    Nanoseconds,
}

impl EpochUnit {
    /// Returns the power of ten that one unit has in nanoseconds.
    fn digits(self) -> usize {
        match self {
            Self::Seconds => 9,
            Self::Milliseconds => 6,
            Self::Microseconds => 3,
            Self::Nanoseconds => 0,
        }
    }
}

/// Reads a timestamp: ISO 8601, or a number of units since 1970 with decimals, exactly.
pub(super) fn parse(text: &str, unit: EpochUnit) -> Result<Timestamp, &'static str> {
    const UNREADABLE: &str = "the timestamp is neither ISO 8601 nor a number";
    const OUT_OF_RANGE: &str = "the timestamp is after the year 2262; see --epoch-unit";
    const BEFORE_EPOCH: &str = "the timestamp is before 1970";
    if text.is_empty() {
        return Err("the timestamp is missing");
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return parse_iso(text.as_bytes()).map_err(|error| match error {
            TimestampError::BeforeEpoch => BEFORE_EPOCH,
            TimestampError::Unparsable => UNREADABLE,
        });
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(UNREADABLE);
    }
    let digits = unit.digits();
    let fraction = &fraction[..fraction.len().min(digits)];
    let nanoseconds: i64 = format!("{whole}{fraction:0<digits$}")
        .parse()
        .map_err(|_| OUT_OF_RANGE)?;
    if text.starts_with('-') && nanoseconds > 0 {
        return Err(BEFORE_EPOCH);
    }
    Timestamp::from_nanosecond(nanoseconds).map_err(|_| OUT_OF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_many_forms() {
        let check = |text: &str, unit: EpochUnit, expected: i64| {
            assert_eq!(
                parse(text, unit).map(Timestamp::as_nanosecond),
                Ok(expected),
                "{text}"
            );
        };
        let second = EpochUnit::Seconds;
        check("2015-03-06 14:33:57", second, 1_425_652_437_000_000_000);
        check("2015-03-06T14:33:57Z", second, 1_425_652_437_000_000_000);
        check(
            "2015-03-06T16:33:57.5+02:00",
            second,
            1_425_652_437_500_000_000,
        );
        check("2015-03-06", second, 1_425_600_000_000_000_000);
        check("1425652437", second, 1_425_652_437_000_000_000);
        check("1425652437.123456789", second, 1_425_652_437_123_456_789);
        check("1425652437.1234567891", second, 1_425_652_437_123_456_789);
        check("0", second, 0);
        check(
            "1425652437123",
            EpochUnit::Milliseconds,
            1_425_652_437_123_000_000,
        );
        check(
            "1425652437123.5",
            EpochUnit::Milliseconds,
            1_425_652_437_123_500_000,
        );
        check(
            "1425652437123456",
            EpochUnit::Microseconds,
            1_425_652_437_123_456_000,
        );
        check(
            "1425652437123456789",
            EpochUnit::Nanoseconds,
            1_425_652_437_123_456_789,
        );
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        let check = |text: &str, expected: &str| {
            let problem = parse(text, EpochUnit::Seconds).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        };
        check("", "missing");
        check("yesterday", "neither");
        check("2015-13-01", "neither");
        check("1.2.3", "neither");
        check(".5", "neither");
        check("-1", "before 1970");
        check("1969-12-31T23:59:59", "before 1970");
        check("1425652437123", "--epoch-unit");
        check("99999999999999999999999", "--epoch-unit");
    }
}
