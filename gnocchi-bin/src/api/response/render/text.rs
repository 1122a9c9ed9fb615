//! Timestamps and durations as text.

use std::fmt::Write;

use carbonara::{Timespan, Timestamp};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_MICROSECOND: i64 = 1000;
const MICROSECONDS_PER_SECOND: i64 = 1_000_000;

/// A day written as `YYYY-MM-DD`.
pub(super) type DateText = [u8; 10];

/// A time of day written as `Thh:mm:ss`.
pub(super) type TimeText = [u8; 9];

/// Writes the date of a day that is so many days after the epoch.
///
/// Days come from a [`Timestamp`], so years have four digits.
pub(super) fn date(days: i64) -> DateText {
    // Years are counted from March, in cycles of 400 years, so that leap days come last. 719468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let cycle = days / 146_097;
    let day_of_cycle = days % 146_097;
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    let [[y1, y2], [y3, y4], [m1, m2], [d1, d2]] =
        [pair(year / 100), pair(year % 100), pair(month), pair(day)];
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]
}

/// Writes a second of a day.
pub(super) fn time(second_of_day: i64) -> TimeText {
    let [[h1, h2], [m1, m2], [s1, s2]] = [
        pair(second_of_day / 3600),
        pair(second_of_day / 60 % 60),
        pair(second_of_day % 60),
    ];
    [b'T', h1, h2, b':', m1, m2, b':', s1, s2]
}

/// Returns the two digits of a number below one hundred.
fn pair(number: i64) -> [u8; 2] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "days, times of day and their parts are below one hundred and not negative"
    )]
    let number = number as u8;
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Writes a timestamp as `YYYY-MM-DDThh:mm:ss[.ffffff]+00:00`; microseconds only when there are some.
#[must_use]
pub fn iso_microseconds(timestamp: Timestamp) -> String {
    let second = timestamp.as_second();
    let mut bytes = Vec::with_capacity(32);
    bytes.extend_from_slice(&date(second / SECONDS_PER_DAY));
    bytes.extend_from_slice(&time(second % SECONDS_PER_DAY));
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    let microsecond =
        timestamp.as_nanosecond() / NANOSECONDS_PER_MICROSECOND % MICROSECONDS_PER_SECOND;
    if microsecond != 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{microsecond:06}");
    }
    text.push_str("+00:00");
    text
}

/// Writes a length of time as archive policies show it: `[N day[s], ]H:MM:SS[.ffffff]`.
#[must_use]
pub fn archive_policy_timespan(span: Timespan) -> String {
    let microseconds = span.as_nanosecond() / NANOSECONDS_PER_MICROSECOND;
    let (seconds, microsecond) = (
        microseconds / MICROSECONDS_PER_SECOND,
        microseconds % MICROSECONDS_PER_SECOND,
    );
    let (days, second_of_day) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    let fraction = if microsecond == 0 {
        String::new()
    } else {
        format!(".{microsecond:06}")
    };
    format!(
        "{days}{}:{:02}:{:02}{fraction}",
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::api::response::render::text::*;

    #[test]
    fn lengths_of_time() {
        let check = |nanoseconds: i64, expected: &str| {
            let span = Timespan::from_nanosecond(nanoseconds).unwrap();
            assert_eq!(archive_policy_timespan(span), expected);
        };
        check(60_000_000_000, "0:01:00");
        check(3_600_000_000, "0:00:03.600000");
        check(86_400_000_000_000, "1 day, 0:00:00");
        check(2 * 86_400_000_000_000, "2 days, 0:00:00");
        check(90_061_000_000_000, "1 day, 1:01:01");
        check(999, "0:00:00");
        check(1_000_000_999, "0:00:01");
    }

    #[test]
    fn timestamps() {
        let check = |nanoseconds: i64, expected: &str| {
            assert_eq!(
                iso_microseconds(Timestamp::from_nanosecond(nanoseconds).unwrap()),
                expected
            );
        };
        check(0, "1970-01-01T00:00:00+00:00");
        check(1_388_714_522_000_000_000, "2014-01-03T02:02:02+00:00");
        check(
            1_388_714_522_123_456_789,
            "2014-01-03T02:02:02.123456+00:00",
        );
        check(1_388_714_522_000_000_789, "2014-01-03T02:02:02+00:00");
        check(i64::MAX, "2262-04-11T23:47:16.854775+00:00");
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_calendar(second in 0_i64..9_223_372_036) {
            let text = iso_microseconds(Timestamp::from_second(second).unwrap());
            let expected = jiff::Timestamp::from_second(second).unwrap();
            prop_assert_eq!(text, format!("{expected}").replace('Z', "+00:00"));
        }
    }
}
