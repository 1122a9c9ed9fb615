//! Which metric of which resource a series of Prometheus is.

use std::collections::HashMap;
use std::fmt;

use carbonara::{TimeError, Timestamp};
use gnocchi_core::model::{METRIC_NAME_CHARACTERS_MAX, ORIGINAL_ID_CHARACTERS_MAX, is_storable};
use gnocchi_core::text::epoch::{EpochUnit, WrongUnit};

use super::parse::{Label, LabelFault, Sample, TimeSeries, WireError, WriteRequest};
use crate::api::measures::Context;
use crate::ingest::collector::Collector;
use crate::ingest::identity::{Name, Room, push_text, push_value};
use crate::ingest::{Arrivals, Exceeded, Reason, Rejected, shortened};

const NAME: &str = "__name__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// What stands for a job or an instance that a series does not have.
const ABSENT: &str = "none";

/// The longest job and instance that the resource type allows, in characters: more than types made by clients may.
pub(super) const LABEL_CHARACTERS_MAX: u32 = 512;

/// The longest name of a metric.
const NAME_ROOM: Room = Room::Bytes(METRIC_NAME_CHARACTERS_MAX);

/// The longest id of a resource.
const ID_ROOM: Room = Room::Characters(ORIGINAL_ID_CHARACTERS_MAX);

/// How many labels of a series are repeated in errors and logs.
const REPEATED_LABELS_MAX: usize = 32;

/// The value of a sample that only says that its series has ended.
const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What names a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `__name__` alone. Of series of one request that differ in other labels only, the last one is stored.
    NameOnly,
    /// `__name__` and all other labels but job and instance, sorted: `name@label=value,label=value`, escaped so that no two
    /// sets of labels have one name.
    AllLabels,
}

/// A request as measures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapped {
    /// What is to be stored.
    pub arrivals: Arrivals,
    /// Job and instance of each resource.
    pub origins: Vec<Origin>,
    /// What is not.
    pub rejected: Rejected<SeriesError>,
}

/// Where a series comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The value of the label `job`.
    pub job: String,
    /// The value of the label `instance`.
    pub instance: String,
}

/// A series that is not stored, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesError {
    /// Its labels as Prometheus writes them; what is too long is cut off.
    pub series: String,
    /// What is wrong with it.
    pub reason: Reason,
    /// The timestamp that is wrong, if it is that, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl fmt::Display for SeriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Reason::NoName => "the label __name__ is missing",
            Reason::DuplicateLabel => "a label occurs more than once",
            Reason::TooManyLabels => "there are too many labels",
            Reason::LabelTooLong => "the label job or instance is too long",
            Reason::NotUtf8 => "a label is not UTF-8",
            Reason::Nul => "U+0000 is not supported in a label",
            Reason::SlashInName => "'/' is not supported in metric name",
            Reason::Histogram => "native histograms are not supported",
            Reason::BeforeEpoch => "the timestamp lies before 1970",
            Reason::OutOfRange => "the timestamp lies after 2262",
            Reason::WrongUnit => "the timestamp is not in milliseconds since 1970",
            Reason::LabelCollapse => "a later series of the request has the same name",
            other => other.as_str(),
        };
        write!(f, "{what}: {}", self.series)?;
        match self.timestamp_ms {
            Some(timestamp_ms) => write!(f, " {timestamp_ms}"),
            None => Ok(()),
        }
    }
}

/// Why a request cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MappingError {
    /// It is no message of the protocol.
    Wire(WireError),
    /// There is too much.
    Exceeded(Exceeded),
}

impl From<WireError> for MappingError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooManySamples => Self::Exceeded(Exceeded::Points),
            error => Self::Wire(error),
        }
    }
}

impl From<Exceeded> for MappingError {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Turns a message into measures. A series that cannot be stored is left out.
///
/// # Errors
/// [`MappingError`] when the message cannot be decoded, or contains too much.
pub fn map(message: &[u8], naming: Naming, context: Context) -> Result<Mapped, MappingError> {
    let mut mapper = Mapper {
        naming,
        collector: Collector::new(context),
        origins: Vec::new(),
        series: HashMap::new(),
        rejected: Rejected::default(),
    };
    let mut request = WriteRequest::of(message, context.points_max);
    let mut series = TimeSeries::default();
    let mut number = 0;
    while request.read(&mut series)? {
        number += 1;
        mapper.take(number, &series)?;
    }
    Ok(Mapped {
        arrivals: mapper.collector.finish(),
        origins: mapper.origins,
        rejected: mapper.rejected,
    })
}

struct Mapper<'a> {
    naming: Naming,
    collector: Collector,
    origins: Vec<Origin>,
    /// The message of the series that each metric stands for, where other series may have its name.
    series: HashMap<usize, &'a [u8]>,
    rejected: Rejected<SeriesError>,
}

impl<'a> Mapper<'a> {
    /// Takes the series with a number, counted from one.
    fn take(&mut self, number: usize, series: &TimeSeries<'a>) -> Result<(), MappingError> {
        let error = |reason| SeriesError {
            series: describe(&series.labels),
            reason,
            timestamp_ms: None,
        };
        match self.metric_name(series) {
            Err(reason) => {
                let sent = series.samples.len() + series.histograms;
                self.rejected.add(reason, sent, number, || error(reason));
                return Ok(());
            }
            // Without a sample neither the metric nor its resource is needed.
            Ok(name) if !series.samples.is_empty() => {
                let resource = self.resource(series);
                let metric = self.collector.metric(resource, name, number)?;
                self.store(number, metric, series)?;
            }
            Ok(_) => {}
        }
        let reason = Reason::Histogram;
        (self.rejected).add(reason, series.histograms, number, || error(reason));
        Ok(())
    }

    /// Returns the name of the metric of a series whose labels can be used.
    fn metric_name(&self, series: &TimeSeries<'_>) -> Result<Name, Reason> {
        if let Some(fault) = series.fault {
            return Err(match fault {
                LabelFault::NotUtf8 => Reason::NotUtf8,
                LabelFault::TooMany => Reason::TooManyLabels,
                LabelFault::Duplicate => Reason::DuplicateLabel,
            });
        }
        let name = series.label(NAME).ok_or(Reason::NoName)?;
        let full = match self.naming {
            Naming::NameOnly if name.contains('/') => return Err(Reason::SlashInName),
            Naming::NameOnly => name.to_owned(),
            Naming::AllLabels => full_name(name, &series.labels),
        };
        for origin in [JOB, INSTANCE] {
            let text = series.label(origin).unwrap_or_default();
            if !is_storable(text) {
                return Err(Reason::Nul);
            }
            let characters_max = LABEL_CHARACTERS_MAX as usize;
            if text.len() > characters_max && text.chars().count() > characters_max {
                return Err(Reason::LabelTooLong);
            }
        }
        if !is_storable(&full) {
            return Err(Reason::Nul);
        }
        Ok(Name::fit(full, NAME_ROOM))
    }

    /// Returns the place of the resource of a series. Job and instance are kept whole in its attributes.
    fn resource(&mut self, series: &TimeSeries<'_>) -> usize {
        let (job, instance) = (series.label(JOB), series.label(INSTANCE));
        let mut id = String::new();
        push_origin(&mut id, job, &['@']);
        id.push('@');
        push_origin(&mut id, instance, &[]);
        let id = Name::fit(id, ID_ROOM).text;
        let resource = self.collector.resource(&id);
        if resource == self.origins.len() {
            self.origins.push(Origin {
                job: job.unwrap_or(ABSENT).to_owned(),
                instance: instance.unwrap_or(ABSENT).to_owned(),
            });
        }
        resource
    }

    fn store(
        &mut self,
        number: usize,
        metric: usize,
        series: &TimeSeries<'a>,
    ) -> Result<(), MappingError> {
        if self.naming == Naming::NameOnly
            && let Some(earlier) = self.series.insert(metric, series.message)
        {
            let earlier = TimeSeries::labels_of(earlier)?;
            if earlier != series.labels {
                let lost = self.collector.drain(metric);
                let reason = Reason::LabelCollapse;
                self.rejected.add(reason, lost, number, || SeriesError {
                    series: describe(&earlier),
                    reason,
                    timestamp_ms: None,
                });
            }
        }
        for sample in &series.samples {
            match usable(*sample) {
                Ok(timestamp) => self.collector.push(metric, timestamp, sample.value)?,
                Err(reason) => self.rejected.add(reason, 1, number, || SeriesError {
                    series: describe(&series.labels),
                    reason,
                    timestamp_ms: Some(sample.timestamp_ms),
                }),
            }
        }
        Ok(())
    }
}

/// Puts `__name__` and the labels together that do not name the resource.
fn full_name(name: &str, labels: &[Label<'_>]) -> String {
    let mut full = String::new();
    push_text(&mut full, name, &['@']);
    let mut separator = '@';
    for label in labels {
        if [NAME, JOB, INSTANCE].contains(&label.name) {
            continue;
        }
        full.push(separator);
        push_text(&mut full, label.name, &[',', '=']);
        full.push('=');
        push_value(&mut full, label.value, &[',']);
        separator = ',';
    }
    full
}

/// Appends a job or instance to the id of a resource. One that really has the name of an absent one is escaped.
fn push_origin(id: &mut String, label: Option<&str>, special: &[char]) {
    match label {
        None => id.push_str(ABSENT),
        Some(text) => {
            if text == ABSENT {
                id.push('\\');
            }
            push_text(id, text, special);
        }
    }
}

/// Returns when a sample was taken, or why it cannot be stored.
fn usable(sample: Sample) -> Result<Timestamp, Reason> {
    if sample.value.to_bits() == STALE_MARKER_BITS {
        return Err(Reason::StaleMarker);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "only the order of magnitude counts"
    )]
    if WrongUnit::of(sample.timestamp_ms as f64, EpochUnit::Millisecond).is_some() {
        return Err(Reason::WrongUnit);
    }
    Timestamp::from_millisecond(sample.timestamp_ms).map_err(|error| match error {
        TimeError::BeforeEpoch => Reason::BeforeEpoch,
        _ => Reason::OutOfRange,
    })
}

/// Writes labels as Prometheus does, and cuts off what is too long.
fn describe(labels: &[Label<'_>]) -> String {
    let repeated = labels.iter().take(REPEATED_LABELS_MAX);
    let mut parts: Vec<String> = repeated
        .map(|label| format!("{}={:?}", shortened(label.name), shortened(label.value)))
        .collect();
    if labels.len() > REPEATED_LABELS_MAX {
        parts.push("...".to_owned());
    }
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
