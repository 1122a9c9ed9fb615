//! A body in the line protocol.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use carbonara::{TimeError, Timestamp};
use gnocchi_core::intake::SeriesKey;
use gnocchi_core::model::{METRIC_NAME_CHARACTERS_MAX, ResourceId, ResourceIdError, is_storable};
use gnocchi_core::text::epoch::WrongUnit;

use super::parse::{self, Diagnosis, Line, Lines, Name, Piece, Precision, diagnose};
use crate::api::measures::Context;
use crate::ingest::collector::Collector;
use crate::ingest::identity::{self, Room, push_text, push_value};
use crate::ingest::{Arrivals, Exceeded, Reason, Rejected, shortened};

/// How many fields of a series are compared one by one. The names of further ones are put together and looked up, since lines may
/// have any number of fields, in any order.
const FIELDS_COMPARED_MAX: usize = 32;

/// The longest name of a metric. Names of existing deployments were limited in characters.
const ROOM: Room = Room::Characters(METRIC_NAME_CHARACTERS_MAX);

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The tag that holds the id of the resource.
    pub resource_tag: &'a str,
    /// The unit of timestamps.
    pub precision: Precision,
    /// The timestamp of lines without one, and limits.
    pub context: Context,
}

/// What a body brings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// What is to be stored.
    pub arrivals: Arrivals,
    /// What is not. A line that cannot be read counts as one measure, any other as many as it has.
    pub rejected: Rejected<LineError>,
}

/// Why a line is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// Which line, counted from one.
    pub number: usize,
    /// What is wrong with it.
    pub fault: LineFault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFault {
    /// It does not follow the protocol.
    Unparsable(Diagnosis),
    /// It is not UTF-8.
    NotUtf8,
    /// It holds U+0000.
    Nul,
    /// A tag occurs more than once.
    DuplicateTag {
        /// Its name.
        tag: String,
    },
    /// Its timestamp cannot be stored.
    Time {
        /// The timestamp as it is written.
        units: i64,
        /// What is wrong with it.
        error: TimeError,
    },
    /// Its timestamp was probably meant in another unit.
    Unit {
        /// The timestamp as it is written.
        units: i64,
        /// The unit that is expected, and the one that was meant.
        wrong: WrongUnit,
    },
    /// No tag says which resource it belongs to.
    NoResource {
        /// The tag that would.
        tag: String,
    },
    /// The resource cannot have this id.
    Resource {
        /// The value of the tag.
        id: String,
        /// What is wrong with it.
        error: ResourceIdError,
    },
}

impl LineFault {
    /// Returns what it is counted as.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unparsable(_) => Reason::UnparsableLine,
            Self::NotUtf8 => Reason::NotUtf8,
            Self::Nul => Reason::Nul,
            Self::DuplicateTag { .. } => Reason::DuplicateLabel,
            Self::Time {
                error: TimeError::BeforeEpoch,
                ..
            } => Reason::BeforeEpoch,
            Self::Time { .. } => Reason::OutOfRange,
            Self::Unit { .. } => Reason::WrongUnit,
            Self::NoResource { .. } => Reason::NoResourceTag,
            Self::Resource { .. } => Reason::UnusableResourceId,
        }
    }
}

/// Reads a body. Strings are no measures, and the last value at a timestamp wins. A line that cannot be stored is left out.
///
/// # Errors
/// [`Exceeded`] when there is too much.
pub fn parse(body: &[u8], options: WriteOptions<'_>) -> Result<Written, Exceeded> {
    let mut reader = Reader {
        options,
        collector: Collector::new(options.context),
        places: HashMap::new(),
        series: Vec::new(),
        newest: None,
    };
    let mut rejected = Rejected::default();
    let mut fields = Vec::new();
    let mut lines = Lines::of(body);
    let may_hold_nul = body.contains(&0);
    while let Some(piece) = lines.next(&mut fields) {
        let taken = match piece {
            Piece::Line { text, .. } if may_hold_nul && !is_storable(text) => {
                Err(Fault::Line(LineFault::Nul))
            }
            Piece::Line { line, .. } => {
                let taken = reader.take(line, &fields, &mut lines);
                if taken.is_ok() {
                    rejected.count_ordinary(Reason::StringField, line.strings);
                }
                taken
            }
            Piece::Unparsable { text } => Err(LineFault::Unparsable(diagnose(text)).into()),
            Piece::NotUtf8 => Err(LineFault::NotUtf8.into()),
        };
        match taken {
            Ok(()) => {}
            Err(Fault::Line(fault)) => {
                let number = lines.number();
                let measures = fields.len().max(1);
                rejected.add(fault.reason(), measures, number, || LineError {
                    number,
                    fault,
                });
            }
            Err(Fault::Exceeded(exceeded)) => return Err(exceeded),
        }
    }
    Ok(Written {
        arrivals: reader.collector.finish(),
        rejected,
    })
}

/// Reads a timestamp. One that says 1970 in its unit and today in another one is refused.
fn timestamp(units: i64, precision: Precision) -> Result<Timestamp, LineFault> {
    if let Some(wrong) = precision.wrong_unit(units) {
        return Err(LineFault::Unit { units, wrong });
    }
    precision
        .timestamp(units)
        .map_err(|error| LineFault::Time { units, error })
}

/// What ends a line, or all of them.
enum Fault {
    Line(LineFault),
    Exceeded(Exceeded),
}

impl From<LineFault> for Fault {
    fn from(fault: LineFault) -> Self {
        Self::Line(fault)
    }
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Takes lines. What says which series a line belongs to is looked at once for each spelling of it.
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
    /// What stands around the field in the name of a metric.
    key: Arc<SeriesKey>,
    /// Fields, and the places of their metrics: the first ones that came, then those that stood there last.
    fields: Vec<(Name<'a>, usize)>,
}

impl<'a> Reader<'a> {
    fn take(
        &mut self,
        line: Line<'a>,
        fields: &[(Name<'a>, f64)],
        lines: &mut Lines<'_>,
    ) -> Result<(), Fault> {
        if fields.is_empty() {
            return Ok(());
        }
        let precision = self.options.precision;
        let timestamp = match line.timestamp {
            Some(units) => timestamp(units, precision)?,
            None => self.options.context.now,
        };
        let place = self.place(line.series)?;
        let series = &mut self.series[place];
        for (index, (field, value)) in fields.iter().enumerate() {
            let metric = series.metric(index, *field, &mut self.collector, lines)?;
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
        // A series takes memory, and each spelling of it is one.
        if self.series.len() >= self.options.context.metrics_max {
            return Err(Exceeded::Metrics.into());
        }
        let (measurement, tags) =
            parse::series(&mut &*written).map_err(|_| LineFault::Unparsable(diagnose(written)))?;
        let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = tags
            .into_iter()
            .map(|(name, value)| (name.text(), value.text()))
            .collect();
        tags.sort_unstable();
        if let Some(twice) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let tag = shortened(&twice[0].0).into_owned();
            return Err(LineFault::DuplicateTag { tag }.into());
        }
        let mut resource = None;
        let mut suffix = String::new();
        for (name, value) in tags {
            if name == self.options.resource_tag {
                resource = Some(self.resource(&value)?);
                continue;
            }
            suffix.push(if suffix.is_empty() { '@' } else { ',' });
            push_text(&mut suffix, &name, &[',', '=']);
            suffix.push('=');
            push_value(&mut suffix, &value, &[',']);
        }
        let resource = resource.ok_or_else(|| LineFault::NoResource {
            tag: self.options.resource_tag.to_owned(),
        })?;
        let mut prefix = String::new();
        push_text(&mut prefix, &measurement.text(), &['@']);
        prefix.push('.');
        self.places.insert(written, self.series.len());
        self.series.push(Series {
            resource,
            key: Arc::new(SeriesKey { prefix, suffix }),
            fields: Vec::new(),
        });
        Ok(self.series.len() - 1)
    }

    fn resource(&mut self, id: &str) -> Result<usize, LineFault> {
        if let Some(known) = self.collector.known_resource(id) {
            return Ok(known);
        }
        // Whether the id can be used doesn't depend on who sends.
        if let Err(error) = ResourceId::from_original(id, None) {
            let id = shortened(id).into_owned();
            return Err(LineFault::Resource { id, error });
        }
        Ok(self.collector.resource(id))
    }
}

impl<'a> Series<'a> {
    /// Finds the metric of a field, which mostly stands where it stood in the line before.
    fn metric(
        &mut self,
        index: usize,
        field: Name<'a>,
        collector: &mut Collector,
        lines: &mut Lines<'_>,
    ) -> Result<usize, Exceeded> {
        if let Some((known, metric)) = self.fields.get(index)
            && *known == field
        {
            return Ok(*metric);
        }
        let mut compared = self.fields.iter().take(FIELDS_COMPARED_MAX);
        if let Some((_, metric)) = compared.find(|(known, _)| *known == field) {
            return Ok(*metric);
        }
        let mut own = String::new();
        push_text(&mut own, &field.text(), &['.', '@']);
        let name = identity::Name::fit_in_series(&self.key, own, ROOM);
        let metric = collector.metric(self.resource, name, lines.number())?;
        if self.fields.len() < FIELDS_COMPARED_MAX || index >= self.fields.len() {
            self.fields.push((field, metric));
        } else if index >= FIELDS_COMPARED_MAX {
            self.fields[index] = (field, metric);
        }
        Ok(metric)
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
