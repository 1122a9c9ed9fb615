//! A body in the line protocol.

use std::borrow::Cow;
use std::collections::HashMap;

use carbonara::{TimeError, Timestamp};
use gnocchi_core::model::METRIC_NAME_CHARACTERS_MAX;

use super::line::{self, Line};
use super::name::Name;
use crate::api::ingest::collector::Collector;
use crate::api::ingest::{Arrivals, Exceeded, without_slashes};
use crate::api::measures::Context;

/// How many fields of a series are compared one by one. The names of further ones are put together and looked up, since lines may
/// have any number of fields, in any order.
const FIELDS_COMPARED_MAX: usize = 32;

/// The unit that timestamps count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanosecond,
    /// Microseconds.
    Microsecond,
    /// Milliseconds.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
}

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The tag that holds the id of the resource.
    pub resource_tag: &'a str,
    /// The unit of timestamps.
    pub precision: Precision,
    /// The time of lines that tell none, and limits.
    pub context: Context,
}

/// Why a body cannot be taken. Lines are counted from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// A line is none of this protocol.
    Line {
        /// Which one.
        number: usize,
    },
    /// The time of a line cannot be stored.
    Time {
        /// Which one.
        number: usize,
        /// Why not.
        error: TimeError,
    },
    /// A line would make a name that is too long.
    NameTooLong {
        /// Which one.
        number: usize,
    },
    /// A line does not say which resource it belongs to.
    NoResource {
        /// The tag that would.
        tag: String,
    },
    /// There is too much.
    Exceeded(Exceeded),
}

impl Precision {
    /// Finds a unit by the name that senders use.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "" | "n" | "ns" => Some(Self::Nanosecond),
            "u" | "us" | "µ" | "µs" => Some(Self::Microsecond),
            "ms" => Some(Self::Millisecond),
            "s" => Some(Self::Second),
            "m" => Some(Self::Minute),
            "h" => Some(Self::Hour),
            _ => None,
        }
    }

    fn timestamp(self, units: i64) -> Result<Timestamp, TimeError> {
        let nanoseconds = match self {
            Self::Nanosecond => 1,
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
        };
        match units.checked_mul(nanoseconds) {
            Some(nanosecond) => Timestamp::from_nanosecond(nanosecond),
            None if units < 0 => Err(TimeError::BeforeEpoch),
            None => Err(TimeError::OutOfRange),
        }
    }
}

/// Reads a body. Lines without a number and strings bring nothing, and the last value at a time wins.
///
/// # Errors
/// [`WriteError`] for the first line that cannot be taken.
pub fn parse(body: &[u8], options: WriteOptions<'_>) -> Result<Arrivals, WriteError> {
    let text = std::str::from_utf8(body).map_err(|error| WriteError::Line {
        number: line_number(&body[..error.valid_up_to()]),
    })?;
    let mut reader = Reader {
        options,
        collector: Collector::new(options.context),
        places: HashMap::new(),
        series: Vec::new(),
        newest: None,
    };
    let mut rest = text;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let read = &text[..text.len() - rest.len()];
        let line = line::line(&mut rest, &mut fields).map_err(|_| Fault::Line);
        let taken = line.and_then(|line| match line {
            Some(line) => reader.take(line, &fields),
            None => Ok(()),
        });
        taken.map_err(|fault| fault.at(read.as_bytes(), options))?;
    }
    Ok(reader.collector.finish())
}

/// Returns the number of the line that begins after some text.
fn line_number(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}

/// What is wrong with a line.
enum Fault {
    Line,
    Time(TimeError),
    NameTooLong,
    NoResource,
    Exceeded(Exceeded),
}

impl Fault {
    fn at(self, text_before: &[u8], options: WriteOptions<'_>) -> WriteError {
        let number = line_number(text_before);
        match self {
            Self::Line => WriteError::Line { number },
            Self::Time(error) => WriteError::Time { number, error },
            Self::NameTooLong => WriteError::NameTooLong { number },
            Self::NoResource => WriteError::NoResource {
                tag: options.resource_tag.to_owned(),
            },
            Self::Exceeded(exceeded) => WriteError::Exceeded(exceeded),
        }
    }
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Reads lines. What says which series a line belongs to is looked at once for each spelling of it.
struct Reader<'a> {
    options: WriteOptions<'a>,
    collector: Collector,
    places: HashMap<&'a str, usize>,
    series: Vec<Series<'a>>,
    /// The series of the last line, because the next one is often of the same.
    newest: Option<(&'a str, usize)>,
}

/// The metrics that one measurement has for one set of tags.
struct Series<'a> {
    resource: usize,
    /// What stands before the field in the name of a metric.
    prefix: String,
    /// What stands behind it.
    suffix: String,
    /// Fields, and the places of their metrics: the first ones that came, then those that stood there last.
    fields: Vec<(Name<'a>, usize)>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, line: Line<'a>, fields: &[(Name<'a>, f64)]) -> Result<(), Fault> {
        let place = self.place(line.series)?;
        let precision = self.options.precision;
        let timestamp = match line.timestamp {
            Some(units) => precision.timestamp(units).map_err(Fault::Time)?,
            None => self.options.context.now,
        };
        let series = &mut self.series[place];
        for (index, (field, value)) in fields.iter().enumerate() {
            let metric = series.metric(index, *field, &mut self.collector)?;
            self.collector.push(metric, timestamp, *value)?;
        }
        Ok(())
    }

    fn place(&mut self, written: &'a str) -> Result<usize, Fault> {
        if let Some((newest, place)) = self.newest
            && newest == written
        {
            return Ok(place);
        }
        let place = match self.places.get(written) {
            Some(place) => *place,
            None => self.add(written)?,
        };
        self.newest = Some((written, place));
        Ok(place)
    }

    fn add(&mut self, written: &'a str) -> Result<usize, Fault> {
        // A series takes memory even when its fields are all strings, and each spelling of it is one.
        if self.series.len() >= self.options.context.metrics_max {
            return Err(Exceeded::Metrics.into());
        }
        let (measurement, tags) = line::series(&mut &*written).map_err(|_| Fault::Line)?;
        let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = tags
            .into_iter()
            .map(|(name, value)| (name.text(), value.text()))
            .collect();
        tags.sort_unstable();
        if tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Fault::Line);
        }
        let mut resource = None;
        let mut suffix = String::new();
        for (name, value) in tags {
            if name == self.options.resource_tag {
                resource = Some(self.collector.resource(&value));
                continue;
            }
            suffix.push(if suffix.is_empty() { '@' } else { ',' });
            suffix.extend([&name, "=", &value]);
        }
        self.places.insert(written, self.series.len());
        self.series.push(Series {
            resource: resource.ok_or(Fault::NoResource)?,
            prefix: measurement.text().into_owned() + ".",
            suffix,
            fields: Vec::new(),
        });
        Ok(self.series.len() - 1)
    }
}

impl<'a> Series<'a> {
    /// Finds the metric of a field, which mostly stands where it stood in the line before.
    fn metric(
        &mut self,
        index: usize,
        field: Name<'a>,
        collector: &mut Collector,
    ) -> Result<usize, Fault> {
        if let Some((known, metric)) = self.fields.get(index)
            && *known == field
        {
            return Ok(*metric);
        }
        let mut compared = self.fields.iter().take(FIELDS_COMPARED_MAX);
        if let Some((_, metric)) = compared.find(|(known, _)| *known == field) {
            return Ok(*metric);
        }
        let name = [&self.prefix, &*field.text(), &self.suffix].concat();
        // A text has at least as many bytes as characters.
        if name.len() > METRIC_NAME_CHARACTERS_MAX
            && name.chars().count() > METRIC_NAME_CHARACTERS_MAX
        {
            return Err(Fault::NameTooLong);
        }
        let metric = collector.metric(self.resource, without_slashes(name))?;
        if self.fields.len() < FIELDS_COMPARED_MAX || index >= self.fields.len() {
            self.fields.push((field, metric));
        } else if index >= FIELDS_COMPARED_MAX {
            self.fields[index] = (field, metric);
        }
        Ok(metric)
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
