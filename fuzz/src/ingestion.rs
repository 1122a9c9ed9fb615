//! Protocols of other systems: no panic for any bytes, what is accepted means what it says, nothing vanishes, and what differs
//! stays different.

use std::collections::BTreeMap;

use carbonara::{Series, Timestamp};
use gnocchi_server::api::measures::Context;
use gnocchi_server::ingest::influxdb::{self, Name, Precision, WriteOptions};
use gnocchi_server::ingest::{Arrival, Arrivals, Rejected, prometheus};
use prometheus::{LabelFault, Naming, TimeSeries, WriteRequest};
use prost::Message;

#[path = "../../gnocchi-bin/tests/support/remote_write.rs"]
mod oracle;

/// The longest message that a body may become.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The most labels of a series that is stored, and the longest job and instance.
const LABELS_MAX: usize = 1000;
const ORIGIN_CHARACTERS_MAX: usize = 512;

/// A sample that only ends its series.
const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

fn context() -> Context {
    Context {
        now: Timestamp::from_second(1_500_000_000).expect("in range"),
        points_max: 1000,
        metrics_max: 100,
    }
}

/// The line protocol: what is read, taken apart, printed again and read again is the same.
pub fn line_protocol(data: &[u8]) {
    let options = WriteOptions {
        resource_tag: "host",
        precision: Precision::Nanosecond,
        context: context(),
    };
    let Ok(written) = influxdb::parse(data, options) else {
        return;
    };
    // A byte order mark counts only where the body begins.
    let mut printed = "\n".to_owned();
    let mut expected = Vec::new();
    for (resource, arrival) in parts(&written.arrivals) {
        let full_name = arrival.full_name.as_ref().map(ToString::to_string);
        let name = full_name.as_deref().unwrap_or(&arrival.name);
        let identity = Identity::read(name).expect("it has a field");
        if let Some(lines) = identity.print(resource, &arrival.series) {
            printed.push_str(&lines);
            expected.push((resource, &arrival.name, &arrival.series));
        }
    }
    let again = influxdb::parse(printed.as_bytes(), options).expect("our own lines");
    assert_eq!(again.rejected, Rejected::default(), "{printed}");
    let read = parts(&again.arrivals)
        .map(|(resource, arrival)| (resource, &arrival.name, &arrival.series));
    assert_eq!(read.collect::<Vec<_>>(), expected, "{printed}");
}

/// The metrics, and the ids of their resources.
fn parts(arrivals: &Arrivals) -> impl Iterator<Item = (&str, &Arrival)> {
    let metrics = arrivals.metrics.iter();
    metrics.map(|arrival| (arrivals.resources[arrival.resource].as_str(), arrival))
}

/// What the name of a metric is made of.
struct Identity {
    measurement: String,
    field: String,
    tags: Vec<(String, String)>,
}

impl Identity {
    /// Takes a name apart: the inverse of what makes it. `None` when it is no name of the line protocol.
    fn read(name: &str) -> Option<Self> {
        let end = unescaped(name, '@').next().unwrap_or(name.len());
        let (series, tags) = name.split_at(end);
        let point = unescaped(series, '.').last()?;
        let mut rest = tags.strip_prefix('@').unwrap_or_default();
        let mut tags = Vec::new();
        while !rest.is_empty() {
            let end = unescaped(rest, ',').next().unwrap_or(rest.len());
            let tag = &rest[..end];
            let equals = unescaped(tag, '=').next()?;
            let value = &tag[equals + 1..];
            let is_path = value.starts_with('_') || value.starts_with("\\_");
            tags.push((decoded(&tag[..equals], false), decoded(value, is_path)));
            rest = rest[end..].strip_prefix(',').unwrap_or_default();
        }
        Some(Self {
            measurement: decoded(&series[..point], false),
            field: decoded(&series[point + 1..], false),
            tags,
        })
    }

    /// Writes a metric as lines; `None` for what no line can say.
    fn print(&self, resource: &str, series: &Series) -> Option<String> {
        let mut head = format!(
            "{},host={}",
            Name::print(&self.measurement)?,
            Name::print(resource)?
        );
        for (tag, value) in &self.tags {
            for part in [",", &Name::print(tag)?, "=", &Name::print(value)?] {
                head.push_str(part);
            }
        }
        let field = Name::print(&self.field)?;
        let points = series.timestamps_ns().iter().zip(series.values());
        let lines = points.map(|(at, value)| format!("{head} {field}={value:?} {at}\n"));
        Some(lines.collect())
    }
}

/// Finds a character where no backslash stands before it.
fn unescaped(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut is_escaped = false;
    let places = text.char_indices().filter(move |(_, c)| {
        let counts = !is_escaped && *c == wanted;
        is_escaped = !is_escaped && *c == '\\';
        counts
    });
    places.map(|(at, _)| at)
}

/// Takes the backslashes out. In a path `_` is a slash, elsewhere `\_` is one.
fn decoded(text: &str, is_path: bool) -> String {
    let mut decoded = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let (c, is_escaped) = match c {
            '\\' => (rest.next().expect("something is escaped"), true),
            c => (c, false),
        };
        decoded.push(if c == '_' && is_escaped != is_path {
            '/'
        } else {
            c
        });
    }
    decoded
}

/// Remote write: decoding is bounded, no sample gets lost, and a message means what an independent decoder reads.
pub fn remote_write(data: &[u8]) {
    if let Ok(message) = prometheus::decompress(data, MESSAGE_BYTES_MAX) {
        assert!(message.len() <= MESSAGE_BYTES_MAX);
        check_message(&message);
    }
    check_message(data);
}

fn check_message(message: &[u8]) {
    let Some(sent) = samples(message) else {
        return;
    };
    for naming in [Naming::NameOnly, Naming::AllLabels] {
        let Ok(mapped) = prometheus::map(message, naming, context()) else {
            continue;
        };
        let rejected: usize = mapped.rejected.counts().map(|(_, samples)| samples).sum();
        assert_eq!(mapped.arrivals.measures + rejected, sent);
        if let (Naming::AllLabels, Some(mut expected)) = (naming, stored_by_oracle(message)) {
            let series = mapped
                .arrivals
                .metrics
                .iter()
                .map(|arrival| bits(&arrival.series));
            let mut stored: Vec<Points> = series.collect();
            stored.sort_unstable();
            expected.sort_unstable();
            assert_eq!(stored, expected);
        }
    }
}

/// The points of a metric: nanoseconds, and the bits of values.
type Points = Vec<(i64, u64)>;

fn bits(series: &Series) -> Points {
    let timestamps = series.timestamps_ns().iter().copied();
    timestamps
        .zip(series.values().iter().map(|value| value.to_bits()))
        .collect()
}

/// Returns the points of each set of labels that can be stored, as the oracle reads them; `None` when it reads nothing.
fn stored_by_oracle(message: &[u8]) -> Option<Vec<Points>> {
    let request = oracle::WriteRequest::decode(message).ok()?;
    let mut metrics: BTreeMap<Vec<(&str, &str)>, BTreeMap<i64, u64>> = BTreeMap::new();
    for series in &request.series {
        let Some(labels) = usable_labels(series) else {
            continue;
        };
        let points = metrics.entry(labels).or_default();
        for sample in &series.samples {
            let timestamp = Timestamp::from_millisecond(sample.timestamp);
            if let (Ok(at), false) = (timestamp, sample.value.to_bits() == STALE_MARKER_BITS) {
                points.insert(at.as_nanosecond(), sample.value.to_bits());
            }
        }
    }
    let stored = metrics.into_values().filter(|points| !points.is_empty());
    Some(stored.map(|points| points.into_iter().collect()).collect())
}

/// Returns the labels that are not empty, sorted; `None` when they name no series.
fn usable_labels(series: &oracle::TimeSeries) -> Option<Vec<(&str, &str)>> {
    let labels = series.labels.iter();
    let mut labels: Vec<(&str, &str)> = labels
        .map(|label| (label.name.as_str(), label.value.as_str()))
        .collect();
    labels.sort_unstable();
    let is_origin = |name: &str| name == "job" || name == "instance";
    let fits = |(name, value): &(&str, &str)| {
        let is_short = value.chars().count() <= ORIGIN_CHARACTERS_MAX;
        !name.contains('\0') && !value.contains('\0') && (!is_origin(name) || is_short)
    };
    let twice = labels.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if twice || labels.len() > LABELS_MAX {
        return None;
    }
    labels.retain(|(_, value)| !value.is_empty());
    let has_name = labels.iter().any(|(name, _)| *name == "__name__");
    (has_name && labels.iter().all(fits)).then_some(labels)
}

/// Counts the samples of a message, which the oracle must have read the same way unless a label is no text; `None` when it is no
/// message.
fn samples(message: &[u8]) -> Option<usize> {
    let mut request = WriteRequest::of(message, usize::MAX);
    let mut series = TimeSeries::default();
    let mut read = Vec::new();
    while request.read(&mut series).ok()? {
        read.push(series.clone());
    }
    let is_text = |series: &TimeSeries<'_>| series.fault != Some(LabelFault::NotUtf8);
    if read.iter().all(is_text) {
        let oracle = oracle::WriteRequest::decode(message).expect("both decode it");
        assert_eq!(read.len(), oracle.series.len());
        for (own, theirs) in read.iter().zip(&oracle.series) {
            compare(own, theirs);
        }
    }
    let samples = read
        .iter()
        .map(|series| series.samples.len() + series.histograms);
    Some(samples.sum())
}

fn compare(own: &TimeSeries<'_>, theirs: &oracle::TimeSeries) {
    let samples = own.samples.iter();
    let samples = samples.map(|sample| (sample.timestamp_ms, sample.value.to_bits()));
    let expected = theirs.samples.iter();
    let expected = expected.map(|sample| (sample.timestamp, sample.value.to_bits()));
    assert!(samples.eq(expected));
    assert_eq!(own.histograms, theirs.histograms.len());
    if own.fault.is_none() {
        let labels = theirs.labels.iter();
        let mut labels: Vec<(&str, &str)> = labels
            .map(|label| (label.name.as_str(), label.value.as_str()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        labels.sort_unstable();
        assert!(
            own.labels
                .iter()
                .map(|label| (label.name, label.value))
                .eq(labels)
        );
    }
}
