//! Lists of `[timestamp, granularity, value]`, rendered straight into bytes.

use carbonara::Series;

use super::text::{DateText, date, time};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// What stands between two rows.
const SEPARATOR: &[u8] = b", ";

/// A row is about 50 bytes long.
const BYTES_PER_ROW: usize = 56;

/// Points that are listed under one granularity.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The granularity as JSON: a number of seconds, or a letter in quotes.
    pub granularity: &'a str,
    /// The points, oldest first.
    pub series: &'a Series,
}

/// Renders points as rows of timestamp, granularity and value, in the order given.
///
/// Timestamps are cut to seconds. NaN and infinities are the bare tokens `NaN`, `Infinity` and `-Infinity`.
#[must_use]
pub fn measures(levels: &[Rows<'_>]) -> Vec<u8> {
    let points: usize = levels.iter().map(|rows| rows.series.len()).sum();
    let mut bytes = Vec::with_capacity(2 + points * BYTES_PER_ROW);
    bytes.push(b'[');
    for rows in levels {
        let mut head = RowHead::new(rows.granularity);
        for (timestamp_ns, value) in rows.series.timestamps_ns().iter().zip(rows.series.values()) {
            let separator = if bytes.len() == 1 { SEPARATOR.len() } else { 0 };
            bytes.extend_from_slice(&head.at(*timestamp_ns / NANOSECONDS_PER_SECOND)[separator..]);
            write_float(&mut bytes, *value);
            bytes.push(b']');
        }
    }
    bytes.push(b']');
    bytes
}

/// Renders a number as measures show it.
pub(crate) fn write_float(bytes: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        super::json::write(bytes, &value);
    } else if value.is_nan() {
        bytes.extend_from_slice(b"NaN");
    } else if value > 0.0 {
        bytes.extend_from_slice(b"Infinity");
    } else {
        bytes.extend_from_slice(b"-Infinity");
    }
}

/// What stands between two values: the separator, and the beginning of a row up to its value.
///
/// Why is this fast? All rows of a granularity have the same text but for the moment, so a row costs one copy; and neighbours mostly share
/// the day, whose digits are then left alone.
#[derive(Debug)]
struct RowHead {
    text: Vec<u8>,
    days: i64,
}

impl RowHead {
    fn new(granularity: &str) -> Self {
        let mut text = Vec::with_capacity(BYTES_PER_ROW);
        text.extend_from_slice(SEPARATOR);
        text.extend_from_slice(b"[\"");
        text.extend_from_slice(&date(0));
        text.extend_from_slice(&time(0));
        text.extend_from_slice(b"+00:00\", ");
        text.extend_from_slice(granularity.as_bytes());
        text.extend_from_slice(b", ");
        Self { text, days: 0 }
    }

    fn at(&mut self, second: i64) -> &[u8] {
        const DATE: usize = SEPARATOR.len() + 2;
        const TIME: usize = DATE + size_of::<DateText>();
        let days = second / SECONDS_PER_DAY;
        if days != self.days {
            self.days = days;
            self.text[DATE..TIME].copy_from_slice(&date(days));
        }
        let time = time(second % SECONDS_PER_DAY);
        self.text[TIME..TIME + time.len()].copy_from_slice(&time);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(timestamps_ns: &[i64], values: &[f64]) -> String {
        let series = Series::from_points(timestamps_ns.to_vec(), values.to_vec()).unwrap();
        String::from_utf8(measures(&[Rows {
            granularity: "60.0",
            series: &series,
        }]))
        .unwrap()
    }

    #[test]
    fn rows() {
        assert_eq!(render(&[], &[]), "[]");
        assert_eq!(
            render(
                &[1_425_652_437_900_000_000, 1_425_652_440_000_000_000],
                &[43.1, 12.0]
            ),
            r#"[["2015-03-06T14:33:57+00:00", 60.0, 43.1], ["2015-03-06T14:34:00+00:00", 60.0, 12.0]]"#
        );
        assert_eq!(
            render(&[86_400_000_000_000], &[-0.0]),
            r#"[["1970-01-02T00:00:00+00:00", 60.0, -0.0]]"#
        );
    }

    #[test]
    fn numbers_that_json_lacks() {
        let text = render(&[1, 2, 3], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        for token in [" NaN]", " Infinity]", " -Infinity]"] {
            assert_eq!(text.matches(token).count(), 1, "{text}");
        }
    }

    #[test]
    fn several_granularities_stand_in_the_order_given() {
        let coarse = Series::from_points(vec![0], vec![1.0]).unwrap();
        let fine = Series::from_points(vec![0], vec![2.0]).unwrap();
        let levels = [
            Rows {
                granularity: "\"M\"",
                series: &coarse,
            },
            Rows {
                granularity: "0.5",
                series: &fine,
            },
        ];
        let text = String::from_utf8(measures(&levels)).unwrap();
        assert_eq!(
            text,
            r#"[["1970-01-01T00:00:00+00:00", "M", 1.0], ["1970-01-01T00:00:00+00:00", 0.5, 2.0]]"#
        );
    }
}
