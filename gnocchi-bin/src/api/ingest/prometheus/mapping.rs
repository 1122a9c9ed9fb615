//! Which metric of which resource a series of Prometheus is.

use std::collections::HashMap;

use carbonara::{TimeError, Timestamp};
use gnocchi_core::model::{METRIC_NAME_CHARACTERS_MAX, ORIGINAL_ID_CHARACTERS_MAX};

use super::message::{Label, Sample, TimeSeries, WriteRequest};
use super::rejected::{Reason, Rejected};
use super::wire::WireError;
use crate::api::ingest::collector::Collector;
use crate::api::ingest::{Arrivals, Exceeded, shortened, without_slashes};
use crate::api::measures::Context;

const NAME: &str = "__name__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// What stands for a job or an instance that a series does not have.
const ABSENT: &str = "none";

/// How many labels of a series are repeated in errors and logs.
const REPEATED_LABELS_MAX: usize = 32;

/// The value of a sample that only says that its series has ended.
const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What names a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `__name__` alone. Of series of one request that differ in other labels only, the last one is stored.
    NameOnly,
    /// `__name__` and all other labels but job and instance, sorted: `name@label=value,label=value`. A backslash stands before
    /// what would be taken for punctuation, and `_` for a slash.
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
    pub rejected: Rejected,
}

/// Where a series comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The value of the label `job`.
    pub job: String,
    /// The value of the label `instance`.
    pub instance: String,
}

/// Why a request cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MappingError {
    /// It is no message of the protocol.
    Wire(WireError),
    /// A series has no name.
    NoName {
        /// Its labels.
        series: String,
    },
    /// A name holds a slash, which only [`Naming::AllLabels`] replaces.
    SlashInName {
        /// The name.
        name: String,
    },
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

/// Turns a message into measures.
///
/// # Errors
/// [`MappingError`] when the message is none, or not as its definition wants it.
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
    while request.read(&mut series)? {
        mapper.take(&series)?;
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
    /// The message of the series that each metric stands for.
    series: HashMap<usize, &'a [u8]>,
    rejected: Rejected,
}

impl<'a> Mapper<'a> {
    fn take(&mut self, series: &TimeSeries<'a>) -> Result<(), MappingError> {
        if series.samples.is_empty() && series.histograms == 0 {
            return Ok(());
        }
        let Some(name) = series.label(NAME) else {
            let series = describe(&series.labels);
            return Err(MappingError::NoName { series });
        };
        if self.naming == Naming::NameOnly && name.contains('/') {
            let name = name.to_owned();
            return Err(MappingError::SlashInName { name });
        }
        let describe = || describe(&series.labels);
        (self.rejected).add(Reason::Histogram, series.histograms, describe);
        if series.samples.is_empty() {
            // Nor does such a series need its resource.
            return Ok(());
        }
        let name = self.metric_name(name, &series.labels);
        let resource = if name.chars().count() > METRIC_NAME_CHARACTERS_MAX {
            Err(Reason::NameTooLong)
        } else {
            self.resource(series)
        };
        match resource {
            Ok(resource) => self.store(resource, name, series),
            Err(reason) => {
                self.rejected.add(reason, series.samples.len(), describe);
                Ok(())
            }
        }
    }

    fn metric_name(&self, name: &str, labels: &[Label<'_>]) -> String {
        if self.naming == Naming::NameOnly {
            return name.to_owned();
        }
        let mut full = String::new();
        push_escaped(&mut full, name, &['\\', '@']);
        let mut separator = '@';
        for label in labels {
            if [NAME, JOB, INSTANCE].contains(&label.name) {
                continue;
            }
            full.push(separator);
            push_escaped(&mut full, label.name, &['\\', ',', '=']);
            full.push('=');
            push_escaped(&mut full, label.value, &['\\', ',']);
            separator = ',';
        }
        without_slashes(full)
    }

    fn resource(&mut self, series: &TimeSeries<'_>) -> Result<usize, Reason> {
        let job = series.label(JOB).unwrap_or(ABSENT);
        let instance = series.label(INSTANCE).unwrap_or(ABSENT);
        let mut id = format!("{job}@{instance}");
        if id.chars().count() > ORIGINAL_ID_CHARACTERS_MAX {
            return Err(Reason::ResourceIdTooLong);
        }
        if self.naming == Naming::AllLabels {
            id = without_slashes(id);
        }
        let resource = self.collector.resource(&id);
        if resource == self.origins.len() {
            self.origins.push(Origin {
                job: job.to_owned(),
                instance: instance.to_owned(),
            });
        }
        Ok(resource)
    }

    fn store(
        &mut self,
        resource: usize,
        name: String,
        series: &TimeSeries<'a>,
    ) -> Result<(), MappingError> {
        let describe = || describe(&series.labels);
        let metric = self.collector.metric(resource, name)?;
        if let Some(earlier) = self.series.insert(metric, series.message) {
            let earlier = TimeSeries::labels_of(earlier)?;
            if earlier != series.labels {
                let lost = self.collector.drain(metric);
                (self.rejected).add(Reason::LabelCollapse, lost, || self::describe(&earlier));
            }
        }
        for sample in &series.samples {
            match usable(*sample) {
                Ok(timestamp) => self.collector.push(metric, timestamp, sample.value)?,
                Err(reason) => self.rejected.add(reason, 1, describe),
            }
        }
        Ok(())
    }
}

/// Returns when a sample was taken, or why it cannot be stored.
fn usable(sample: Sample) -> Result<Timestamp, Reason> {
    if sample.value.to_bits() == STALE_MARKER_BITS {
        return Err(Reason::StaleMarker);
    }
    Timestamp::from_millisecond(sample.timestamp_ms).map_err(|error| match error {
        TimeError::BeforeEpoch => Reason::BeforeEpoch,
        _ => Reason::OutOfRange,
    })
}

fn push_escaped(text: &mut String, part: &str, special: &[char]) {
    for c in part.chars() {
        if special.contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
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
#[path = "mapping_tests.rs"]
mod tests;
