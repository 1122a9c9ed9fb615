//! Times as clients write them: no panic for any text, and what is read, printed again and read again is the same.

use carbonara::Timestamp;
use gnocchi_server::api::response::render;
use gnocchi_server::api::{timespan, timestamp};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
const NANOSECONDS_PER_MICROSECOND: i64 = 1_000;

/// Moments, in any form.
pub fn timestamp(data: &[u8]) {
    let _ = timestamp::parse_iso(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let now = Timestamp::from_second(1_433_599_200).expect("after the epoch");
    let Ok(moment) = timestamp::parse(text, now) else {
        return;
    };
    // Answers show microseconds.
    let nanosecond = moment.as_nanosecond();
    let shown = nanosecond - nanosecond % NANOSECONDS_PER_MICROSECOND;
    let again = timestamp::parse(&render::iso_microseconds(moment), now).expect("our own text");
    assert_eq!(again.as_nanosecond(), shown, "{text}");
}

/// Lengths of time, in any form.
pub fn timespan(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(span) = timespan::parse(text) else {
        return;
    };
    let nanoseconds = span.as_nanosecond();
    let (seconds, fraction) = (
        nanoseconds / NANOSECONDS_PER_SECOND,
        nanoseconds % NANOSECONDS_PER_SECOND,
    );
    let printed = format!("{seconds}.{fraction:09} seconds");
    assert_eq!(timespan::parse(&printed), Ok(span), "{text}");
}
