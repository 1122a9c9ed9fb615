//! The parser for bodies as nearly every client writes them.
//!
//! It knows objects of exactly a timestamp (ISO 8601 or a number) and a value (a number), and gives up at anything else:
//! escapes, other keys, texts as values, errors. `None` only means that the complete parser has to look.

use carbonara::{Series, Timestamp};
use gnocchi_core::model::MetricId;

use super::number::Number;
use super::{Columns, Context, NamedMeasures, ResourceMeasures};
use crate::api::timestamp::IsoReader;

/// The first guess at the length of a list.
const POINTS_GUESSED: usize = 16;

/// The longest list for which room is set aside before it has been read. Growing costs little from here on, and room for every
/// list of a body that ends up short would cost a lot.
const POINTS_GUESSED_MAX: usize = 4096;

/// The length of the shortest measure, `{"value":1,"timestamp":1}`, in bytes, less one for good measure: so many points at most
/// follow.
const MEASURE_BYTES_MIN: usize = 24;

pub(super) fn list(body: &[u8], context: Context) -> Option<Series> {
    let mut scanner = Scanner::new(body, context);
    let series = scanner.measures()?;
    scanner.end()?;
    Some(series)
}

pub(super) fn by_metric(body: &[u8], context: Context) -> Option<Vec<(MetricId, Series)>> {
    let mut scanner = Scanner::new(body, context);
    let mut metrics = Vec::new();
    scanner.object(|scanner, key| {
        scanner.count_metric()?;
        let metric = key.parse().ok()?;
        metrics.push((metric, scanner.measures()?));
        Some(())
    })?;
    scanner.end()?;
    Some(metrics)
}

pub(super) fn by_resource(body: &[u8], context: Context) -> Option<Vec<ResourceMeasures>> {
    let mut scanner = Scanner::new(body, context);
    let mut resources = Vec::new();
    scanner.object(|scanner, key| {
        if key.contains('/') || key.len() > RESOURCE_ID_BYTES_MAX {
            return None;
        }
        let mut metrics = Vec::new();
        scanner.object(|scanner, name| {
            scanner.count_metric()?;
            metrics.push(NamedMeasures {
                name: name.to_owned(),
                archive_policy_name: None,
                unit: None,
                series: scanner.measures()?,
            });
            Some(())
        })?;
        if metrics.is_empty() {
            scanner.count_metric()?;
        }
        resources.push(ResourceMeasures {
            original_id: key.to_owned(),
            metrics,
        });
        Some(())
    })?;
    scanner.end()?;
    Some(resources)
}

/// Longer ids of resources are left to the complete parser, which knows the limit.
const RESOURCE_ID_BYTES_MAX: usize = 128;

/// The length of `YYYY-MM-DDThh:mm:ss`.
const PLAIN_TIMESTAMP_BYTES: usize = 19;

/// How the timestamps of a list are written; they do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    AsText,
    AsNumber,
}

#[derive(Debug)]
struct Scanner<'a> {
    rest: &'a [u8],
    points_left: usize,
    metrics_left: usize,
    /// The length of the list before: lists of one body are mostly of one length.
    points_guessed: usize,
    iso: IsoReader,
}

impl<'a> Scanner<'a> {
    fn new(body: &'a [u8], context: Context) -> Self {
        Self {
            rest: body,
            points_left: context.points_max,
            metrics_left: context.metrics_max,
            points_guessed: POINTS_GUESSED,
            iso: IsoReader::default(),
        }
    }

    /// Counts a metric, or a resource without any; the complete parser says what it means that there are too many.
    fn count_metric(&mut self) -> Option<()> {
        self.metrics_left = self.metrics_left.checked_sub(1)?;
        Some(())
    }

    /// Reads a list of measures.
    fn measures(&mut self) -> Option<Series> {
        Some(self.columns()?.into_series())
    }

    fn columns(&mut self) -> Option<Columns> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.rest = &self.rest[1..];
            return Some(Columns::default());
        }
        let guess = self.points_guessed.min(POINTS_GUESSED_MAX);
        let mut columns = Columns::with_capacity(guess.min(self.rest.len() / MEASURE_BYTES_MIN));
        let mut written = None;
        loop {
            self.points_left = self.points_left.checked_sub(1)?;
            let style = self.measure(&mut columns)?;
            if written.is_some_and(|before| before != style) {
                return None;
            }
            written = Some(style);
            if self.either(b',', b']')? == b']' {
                break;
            }
        }
        self.points_guessed = columns.values.len();
        columns.give_back();
        Some(columns)
    }

    /// Reads one measure: an object of exactly the two members, in either order.
    fn measure(&mut self, columns: &mut Columns) -> Option<Written> {
        self.expect(b'{')?;
        let (mut timestamp, mut value) = (None, None);
        self.member(&mut timestamp, &mut value)?;
        self.expect(b',')?;
        self.member(&mut timestamp, &mut value)?;
        self.expect(b'}')?;
        let ((timestamp, written), value) = (timestamp?, value?);
        columns.push(timestamp, value);
        Some(written)
    }

    /// Reads one member of a measure.
    fn member(
        &mut self,
        timestamp: &mut Option<(Timestamp, Written)>,
        value: &mut Option<f64>,
    ) -> Option<()> {
        self.peek()?;
        if let Some(rest) = self.rest.strip_prefix(b"\"timestamp\"") {
            self.rest = rest;
            self.expect(b':')?;
            *timestamp = Some(self.timestamp()?);
        } else {
            self.rest = self.rest.strip_prefix(b"\"value\"")?;
            self.expect(b':')?;
            self.peek()?;
            *value = Some(self.number()?.to_f64()?);
        }
        Some(())
    }

    fn timestamp(&mut self) -> Option<(Timestamp, Written)> {
        if self.peek()? != b'"' {
            return Some((self.number()?.to_timestamp()?, Written::AsNumber));
        }
        // Without fraction and zone the end is where it mostly is. The reader refuses whatever is no part of a date.
        let text = if self.rest.get(PLAIN_TIMESTAMP_BYTES + 1) == Some(&b'"') {
            let text = &self.rest[1..=PLAIN_TIMESTAMP_BYTES];
            self.rest = &self.rest[PLAIN_TIMESTAMP_BYTES + 2..];
            text
        } else {
            self.text()?
        };
        Some((self.iso.read(text).ok()?, Written::AsText))
    }

    /// Reads an object and hands each key to `member`, which reads the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.rest = &self.rest[1..];
            return Some(());
        }
        loop {
            let key = std::str::from_utf8(self.text()?).ok()?;
            self.expect(b':')?;
            member(self, key)?;
            if self.either(b',', b'}')? == b'}' {
                return Some(());
            }
        }
    }

    /// Reads a text without escapes, in ASCII.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let length = self
            .rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x80..))?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    fn number(&mut self) -> Option<Number<'a>> {
        let (number, length) = Number::scan(self.rest)?;
        self.rest = &self.rest[length..];
        Some(number)
    }

    /// Skips white space and returns what follows.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest.first()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.rest = &self.rest[1..],
                other => return Some(*other),
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.rest = &self.rest[1..])
    }

    fn either(&mut self, one: u8, other: u8) -> Option<u8> {
        let found = self.peek()?;
        self.rest = &self.rest[1..];
        (found == one || found == other).then_some(found)
    }

    /// Makes sure that nothing follows.
    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::COLUMN_SLACK_MAX;
    use super::*;

    #[test]
    fn a_long_list_sets_no_room_aside_for_the_short_ones_after_it() {
        let context = Context {
            now: Timestamp::from_second(0).unwrap(),
            points_max: 1_000_000,
            metrics_max: 1000,
        };
        let long = vec![r#"{"timestamp":1,"value":1}"#; 100_000].join(",");
        let short = r#"{"timestamp":1,"value":1}"#;
        let body = format!(
            "[{long}] [] [{short}] [{long}] [{short}]{}",
            " ".repeat(1_000_000)
        );
        let mut scanner = Scanner::new(body.as_bytes(), context);
        let mut rooms = || scanner.columns().unwrap().values.capacity();
        assert!(rooms() >= 100_000);
        assert_eq!(rooms(), 0);
        assert!(rooms() <= COLUMN_SLACK_MAX);
        assert!(rooms() >= 100_000);
        assert!(rooms() <= COLUMN_SLACK_MAX);
    }
}
