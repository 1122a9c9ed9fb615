//! Lengths of time as decimal numbers of seconds, to the nanosecond.

use crate::constants::NANOSECONDS_PER_SECOND;
use crate::time::Timespan;

/// Digits of a nanosecond.
const FRACTION_DIGITS: usize = 9;

/// The first double that is too many nanoseconds.
const END_NS: f64 = 9_223_372_036_854_775_808.0;

/// Reads a positive number of seconds; `None` when it is none, or does not fit.
///
/// Plain decimals are exact; digits below a nanosecond are dropped. Numbers with an exponent are rounded to the nanosecond.
pub(super) fn read(text: &str) -> Option<Timespan> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return rounded(text.parse().ok()?);
    }
    let mut nanoseconds = whole
        .parse::<i64>()
        .ok()?
        .checked_mul(NANOSECONDS_PER_SECOND)?;
    let mut unit = NANOSECONDS_PER_SECOND;
    for digit in fraction.bytes().take(FRACTION_DIGITS) {
        unit /= 10;
        nanoseconds = nanoseconds.checked_add(i64::from(digit - b'0') * unit)?;
    }
    Timespan::from_nanosecond(nanoseconds).ok()
}

fn rounded(seconds: f64) -> Option<Timespan> {
    let nanoseconds = (seconds * 1e9).round();
    if !(1.0..END_NS).contains(&nanoseconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
    Timespan::from_nanosecond(nanoseconds as i64).ok()
}

/// Returns the shortest decimal that [`read`] gives back as the same span.
pub(super) fn text(span: Timespan) -> String {
    let nanoseconds = span.as_nanosecond();
    let (whole, fraction) = (
        nanoseconds / NANOSECONDS_PER_SECOND,
        nanoseconds % NANOSECONDS_PER_SECOND,
    );
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:09}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected_ns: Option<i64>) {
        assert_eq!(read(text).map(Timespan::as_nanosecond), expected_ns);
    }

    #[test]
    fn numbers_of_seconds() {
        check("60", Some(60_000_000_000));
        check("60.0", Some(60_000_000_000));
        check("0.5", Some(500_000_000));
        check("3.3333333339", Some(3_333_333_333));
        check(".5", Some(500_000_000));
        check("1e3", Some(1_000_000_000_000));
        check("9223372036.854775807", Some(i64::MAX));
    }

    #[test]
    fn what_is_no_length_of_time() {
        for text in [
            "",
            "0",
            "-1",
            "0.0",
            "nan",
            "inf",
            "1e300",
            "invalid",
            "9223372036.854775808",
            "1e-12",
            "99999999999999999999",
            "60s",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn text_reads_back() {
        for nanoseconds in [1, 10, 500_000_000, 3_333_333_333, 60_000_000_000, i64::MAX] {
            let span = Timespan::from_nanosecond(nanoseconds).expect("positive");
            assert_eq!(read(&text(span)), Some(span));
        }
        assert_eq!(text(Timespan::from_second(60).expect("positive")), "60");
    }
}
