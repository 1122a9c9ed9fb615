use carbonara::Timestamp;
use proptest::prelude::*;

use super::*;

/// 2015-03-06T14:33:57Z.
const NOW_SECONDS: i64 = 1_425_652_437;

fn now() -> Timestamp {
    Timestamp::from_second(NOW_SECONDS).unwrap()
}

fn check(text: &str, expected: Result<i64, TimestampError>) {
    assert_eq!(
        parse(text, now()).map(Timestamp::as_nanosecond),
        expected,
        "{text:?}"
    );
}

fn seconds(text: &str, expected: i64) {
    check(text, Ok(expected * NANOSECONDS_PER_SECOND));
}

#[test]
fn iso_8601() {
    seconds("2015-03-06T14:33:57", NOW_SECONDS);
    seconds("2015-03-06 14:33:57", NOW_SECONDS);
    seconds("2015-03-06T14:33:57Z", NOW_SECONDS);
    seconds("2015-03-06T14:33:57+00:00", NOW_SECONDS);
    seconds("2015-03-06T16:33:57+02:00", NOW_SECONDS);
    seconds("2015-03-06T09:03:57-0530", NOW_SECONDS);
    seconds("2015-03-06T15:33:57+01", NOW_SECONDS);
    seconds("2015-03-06T14:33", NOW_SECONDS - 57);
    seconds("2015-03-06T14:33Z", NOW_SECONDS - 57);
    seconds("2015-03-06T16:33+02:00", NOW_SECONDS - 57);
    seconds("2015-03-06T14", NOW_SECONDS - 57 - 33 * 60);
    seconds("2015-03-06", 1_425_600_000);
    seconds("2015-03", 1_425_168_000);
    seconds("1970-01-01", 0);
    seconds("2000-02-29T00:00:00", 951_782_400);
    check("2015-03-06T14:33:57.5", Ok(1_425_652_437_500_000_000));
    check("2015-03-06T14:33:57.000001Z", Ok(1_425_652_437_000_001_000));
    check(
        "2015-03-06T14:33:57.1234567899+00:00",
        Ok(1_425_652_437_123_456_789),
    );
    check("2262-04-11T23:47:16.854775807", Ok(i64::MAX));
}

#[test]
fn what_lies_after_the_range() {
    for text in [
        "1e300",
        "9300000000",
        "2262-04-11T23:47:16.854775808",
        "9999-12-31T00:00:00",
        "9999-12-31",
        "15000 weeks",
    ] {
        check(text, Err(TimestampError::AfterRange));
    }
}

#[test]
fn what_is_no_moment() {
    for text in [
        "",
        " ",
        "NaT",
        "nan",
        "inf",
        "foobar",
        "1915-100-06T14:33:57",
        "2015-13-01",
        "2015-00-01",
        "2015-02-29",
        "2015-03-32",
        "2015-03-06T24:00:00",
        "2015-03-06T14:60:00",
        "2015-03-06T14:33:60",
        "2015-03-06T14:33:57.",
        "2015-03-06t14:33:57",
        "2015-03-06T14:33:57 Z",
        "2015-03-06T14:33:57+2:00",
        "2015-3-6",
        "20150306T143357",
        "2015-W10-5",
        "300000-01-01T00:00:00",
        "1 hour ago",
        "2015-03-06T",
        "2015-03-06T14:3",
        "２015-03-06",
        "2015-03-0６",
    ] {
        check(text, Err(TimestampError::Unparsable));
    }
    for text in [
        "1915-03-06T14:33:57",
        "0001-01-01T00:00:00",
        "1969-12-31T23:59:59",
        "1970-01-01T00:00:00+01:00",
        "-1",
        "-3000 weeks",
        "-1e300",
    ] {
        check(text, Err(TimestampError::BeforeEpoch));
    }
}

#[test]
fn numbers_count_seconds() {
    seconds("1425652437", NOW_SECONDS);
    seconds("1425652437.0", NOW_SECONDS);
    seconds("2015", 2015);
    seconds(" 12 ", 12);
    check("1425652437.25", Ok(1_425_652_437_250_000_000));
    assert_eq!(from_seconds(f64::NAN), Err(TimestampError::Unparsable));
    assert_eq!(from_seconds(-0.5), Err(TimestampError::BeforeEpoch));
    assert_eq!(
        from_seconds(0.5).map(Timestamp::as_nanosecond),
        Ok(500_000_000)
    );
}

#[test]
fn relative_to_now() {
    seconds("now", NOW_SECONDS);
    seconds("today", 1_425_600_000);
    seconds("-5 minutes", NOW_SECONDS - 300);
    seconds("5 minutes", NOW_SECONDS + 300);
    seconds("1 hour", NOW_SECONDS + 3600);
}

#[test]
fn the_style_is_told() {
    let style = |text: &str| parse_styled(text, now()).unwrap().1;
    assert_eq!(style("2015-03-06"), Style::Calendar);
    assert_eq!(style("now"), Style::Calendar);
    assert_eq!(style("1425652437"), Style::Number);
    assert_eq!(style("-5 minutes"), Style::Relative);
}

proptest! {
    #[test]
    fn agrees_with_an_independent_calendar(second in 0_i64..9_223_372_036, nanosecond in 0_i32..1_000_000_000) {
        let timestamp = jiff::Timestamp::new(second, nanosecond).unwrap();
        let text = format!("{timestamp:.9}");
        let expected = second * NANOSECONDS_PER_SECOND + i64::from(nanosecond);
        prop_assert_eq!(parse_iso(text.as_bytes()).unwrap().as_nanosecond(), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text, now());
    }

    #[test]
    fn no_text_that_looks_like_a_date_panics(text in "[0-9]{4}-[0-9TZ:+ .-]{0,30}") {
        let _ = parse(&text, now());
    }
}
