//! Rows of `[timestamp, granularity, value]`, rendered straight into bytes.

use std::io::Write;
use std::sync::Arc;

use carbonara::Series;

use crate::api::response::render::text::{DateText, TimeText, date, time};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
const NANOSECONDS_PER_MICROSECOND: i64 = 1000;

/// What stands between two rows.
const SEPARATOR: &[u8] = b", ";

/// How long a row mostly is.
pub(super) const ROW_BYTES: usize = 56;

/// The longest row: separator, timestamp with nanoseconds, granularity and value are 2 + 40 + 26 + 26 bytes with their brackets.
pub(super) const ROW_BYTES_MAX: usize = 128;

/// Points that are listed under one granularity.
///
/// Several of them can share one column of timestamps, so that results over the same timestamps hold them once.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelRows {
    /// The granularity as JSON: a number of seconds, or a letter in quotes.
    pub granularity: String,
    /// The timestamps in nanoseconds since the epoch, oldest first.
    pub timestamps_ns: Arc<Vec<i64>>,
    /// A value for each timestamp.
    pub values: Vec<f64>,
}

impl LevelRows {
    /// Lists the points of a series.
    #[must_use]
    pub fn new(granularity: String, series: Series) -> Self {
        let (timestamps_ns, values) = series.into_parts();
        Self {
            granularity,
            timestamps_ns: Arc::new(timestamps_ns),
            values,
        }
    }

    /// Returns how many points there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len().min(self.timestamps_ns.len())
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes a list of rows piece by piece.
///
/// NaN and infinities are the bare tokens `NaN`, `Infinity` and `-Infinity`. A timestamp has a fraction only when it is not a whole
/// second, which only granularities with a fraction have.
#[derive(Debug)]
pub(super) struct RowWriter {
    levels: std::vec::IntoIter<LevelRows>,
    current: Option<Cursor>,
    /// How much of the separator the next row leaves out: all of it when it is the first.
    left_out: usize,
    begun: bool,
}

/// Where the writer is within the rows of one granularity.
#[derive(Debug)]
struct Cursor {
    rows: LevelRows,
    next: usize,
    head: RowHead,
}

/// Whether there is more to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Finished,
}

impl RowWriter {
    pub(super) fn new(levels: Vec<LevelRows>) -> Self {
        Self {
            levels: levels.into_iter(),
            current: None,
            left_out: SEPARATOR.len(),
            begun: false,
        }
    }

    /// Writes rows until `bytes` holds `bytes_max` or nearly so, or the list is finished.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>, bytes_max: usize) -> Progress {
        if !self.begun {
            bytes.push(b'[');
            self.begun = true;
        }
        loop {
            if let Some(cursor) = &mut self.current
                && cursor.write(bytes, bytes_max, &mut self.left_out) == Progress::More
            {
                return Progress::More;
            }
            self.current = self.levels.next().map(Cursor::new);
            if self.current.is_none() {
                bytes.push(b']');
                return Progress::Finished;
            }
        }
    }
}

impl Cursor {
    fn new(rows: LevelRows) -> Self {
        Self {
            head: RowHead::new(&rows.granularity),
            rows,
            next: 0,
        }
    }

    fn write(&mut self, bytes: &mut Vec<u8>, bytes_max: usize, left_out: &mut usize) -> Progress {
        let end = self.rows.len();
        let timestamps = &self.rows.timestamps_ns[self.next..end];
        let values = &self.rows.values[self.next..end];
        for (timestamp_ns, value) in timestamps.iter().zip(values) {
            if bytes.len() + ROW_BYTES_MAX > bytes_max {
                return Progress::More;
            }
            self.head.write(bytes, *timestamp_ns, *left_out);
            write_float(bytes, *value);
            bytes.push(b']');
            *left_out = 0;
            self.next += 1;
        }
        Progress::Finished
    }
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
/// Why is this fast? All rows of a granularity have the same text but for the timestamp, so a row costs one copy; and neighbours mostly share
/// the day, whose digits are then left alone.
#[derive(Debug)]
struct RowHead {
    text: Vec<u8>,
    days: i64,
}

impl RowHead {
    const DATE: usize = SEPARATOR.len() + 2;
    const TIME: usize = Self::DATE + size_of::<DateText>();
    const ZONE: usize = Self::TIME + size_of::<TimeText>();

    fn new(granularity: &str) -> Self {
        let mut text = Vec::with_capacity(ROW_BYTES);
        text.extend_from_slice(SEPARATOR);
        text.extend_from_slice(b"[\"");
        text.extend_from_slice(&date(0));
        text.extend_from_slice(&time(0));
        text.extend_from_slice(b"+00:00\", ");
        text.extend_from_slice(granularity.as_bytes());
        text.extend_from_slice(b", ");
        Self { text, days: 0 }
    }

    /// Writes the head of a row, without its first `left_out` bytes.
    fn write(&mut self, bytes: &mut Vec<u8>, timestamp_ns: i64, left_out: usize) {
        let second = timestamp_ns.div_euclid(NANOSECONDS_PER_SECOND);
        let fraction_ns = timestamp_ns.rem_euclid(NANOSECONDS_PER_SECOND);
        let days = second.div_euclid(SECONDS_PER_DAY);
        if days != self.days {
            self.days = days;
            self.text[Self::DATE..Self::TIME].copy_from_slice(&date(days));
        }
        self.text[Self::TIME..Self::ZONE]
            .copy_from_slice(&time(second.rem_euclid(SECONDS_PER_DAY)));
        if fraction_ns == 0 {
            bytes.extend_from_slice(&self.text[left_out..]);
            return;
        }
        bytes.extend_from_slice(&self.text[left_out..Self::ZONE]);
        // Writing to memory cannot fail.
        let _ = if fraction_ns % NANOSECONDS_PER_MICROSECOND == 0 {
            write!(bytes, ".{:06}", fraction_ns / NANOSECONDS_PER_MICROSECOND)
        } else {
            write!(bytes, ".{fraction_ns:09}")
        };
        bytes.extend_from_slice(&self.text[Self::ZONE..]);
    }
}

#[cfg(test)]
mod tests {
    use crate::api::response::render::rows::*;

    fn rows(granularity: &str, timestamps_ns: &[i64], values: &[f64]) -> LevelRows {
        let series = Series::from_points(timestamps_ns.to_vec(), values.to_vec()).unwrap();
        LevelRows::new(granularity.to_owned(), series)
    }

    fn render(levels: Vec<LevelRows>) -> String {
        let mut bytes = Vec::new();
        let progress = RowWriter::new(levels).write(&mut bytes, usize::MAX);
        assert_eq!(progress, Progress::Finished);
        String::from_utf8(bytes).unwrap()
    }

    fn render_one(timestamps_ns: &[i64], values: &[f64]) -> String {
        render(vec![rows("60.0", timestamps_ns, values)])
    }

    #[test]
    fn rows_of_one_granularity() {
        assert_eq!(render_one(&[], &[]), "[]");
        assert_eq!(
            render_one(
                &[1_425_652_437_000_000_000, 1_425_652_440_000_000_000],
                &[43.1, 12.0]
            ),
            r#"[["2015-03-06T14:33:57+00:00", 60.0, 43.1], ["2015-03-06T14:34:00+00:00", 60.0, 12.0]]"#
        );
        assert_eq!(
            render_one(&[86_400_000_000_000], &[-0.0]),
            r#"[["1970-01-02T00:00:00+00:00", 60.0, -0.0]]"#
        );
    }

    #[test]
    fn timestamps_between_seconds_show_where() {
        let check = |timestamp_ns: i64, expected: &str| {
            let text = render(vec![rows("0.5", &[timestamp_ns], &[1.0])]);
            assert_eq!(text, format!(r#"[["{expected}+00:00", 0.5, 1.0]]"#));
        };
        check(500_000_000, "1970-01-01T00:00:00.500000");
        check(1_425_652_437_000_001_000, "2015-03-06T14:33:57.000001");
        check(1, "1970-01-01T00:00:00.000000001");
        check(i64::MAX, "2262-04-11T23:47:16.854775807");
    }

    #[test]
    fn numbers_that_json_lacks() {
        let text = render_one(&[1, 2, 3], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        for token in [" NaN]", " Infinity]", " -Infinity]"] {
            assert_eq!(text.matches(token).count(), 1, "{text}");
        }
    }

    #[test]
    fn several_granularities_stand_in_the_order_given() {
        let text = render(vec![
            rows("1.0", &[], &[]),
            rows("\"M\"", &[0], &[1.0]),
            rows("0.5", &[0], &[2.0]),
            rows("60.0", &[], &[]),
        ]);
        assert_eq!(
            text,
            r#"[["1970-01-01T00:00:00+00:00", "M", 1.0], ["1970-01-01T00:00:00+00:00", 0.5, 2.0]]"#
        );
    }

    #[test]
    fn the_longest_row_is_as_long_as_is_said() {
        let longest = render(vec![rows(
            "9223372036.854775",
            &[i64::MAX - 1, i64::MAX],
            &[-f64::MIN_POSITIVE / 3.0; 2],
        )]);
        assert!(longest.len() / 2 <= ROW_BYTES_MAX, "{longest}");
    }
}
