//! Protocols of other systems: no panic for any bytes, and what is accepted means what it says.

use carbonara::{Series, Timestamp};
use gnocchi_server::api::ingest::influxdb::{self, Name, Precision, WriteOptions};
use gnocchi_server::api::ingest::{Arrivals, prometheus};
use gnocchi_server::api::measures::Context;
use prometheus::{Naming, TimeSeries, WriteRequest};
use prost::Message;

/// The longest message that a body may become.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

fn context() -> Context {
    Context {
        now: Timestamp::from_second(1).expect("after the epoch"),
        points_max: 1000,
        metrics_max: 100,
    }
}

/// The line protocol: what is read, printed again and read again is the same.
pub fn line_protocol(data: &[u8]) {
    let options = WriteOptions {
        resource_tag: "host",
        precision: Precision::Nanosecond,
        context: context(),
    };
    let Ok(arrivals) = influxdb::parse(data, options) else {
        return;
    };
    let mut printed = String::new();
    let mut expected = Vec::new();
    for (resource, name, series) in parts(&arrivals) {
        if let Some(lines) = print(resource, name, series) {
            printed.push_str(&lines);
            expected.push((resource, name, series));
        }
    }
    let again = influxdb::parse(printed.as_bytes(), options).expect("our own lines");
    assert_eq!(parts(&again).collect::<Vec<_>>(), expected, "{printed}");
}

/// Resource, name and series of each metric.
fn parts(arrivals: &Arrivals) -> impl Iterator<Item = (&str, &str, &Series)> {
    arrivals.metrics.iter().map(|arrival| {
        let resource = arrivals.resources[arrival.resource].as_str();
        (resource, &*arrival.name, &arrival.series)
    })
}

/// Writes a metric as lines. Where its name is divided into measurement and field makes no difference, and tags are a part of
/// the field here. `None` for what no line can say.
fn print(resource: &str, name: &str, series: &Series) -> Option<String> {
    let mut points = name.match_indices('.').map(|(at, _)| at);
    let (measurement, field) = points.find_map(|at| {
        let (measurement, field) = (&name[..at], &name[at + 1..]);
        Some((Name::print(measurement)?, Name::print(field)?))
    })?;
    let resource = Name::print(resource)?;
    let points = series.timestamps_ns().iter().zip(series.values());
    let lines =
        points.map(|(at, value)| format!("{measurement},host={resource} {field}={value:?} {at}\n"));
    Some(lines.collect())
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
    let Some(sent) = samples_beside_oracle(message) else {
        return;
    };
    for naming in [Naming::NameOnly, Naming::AllLabels] {
        if let Ok(mapped) = prometheus::map(message, naming, context()) {
            let stored: usize = parts(&mapped.arrivals)
                .map(|(_, _, series)| series.len())
                .sum();
            let rejected: usize = mapped.rejected.counts().map(|(_, samples)| samples).sum();
            // Of samples at the same time the last one is stored.
            assert!(stored + rejected <= sent, "{stored} + {rejected} of {sent}");
            assert!(sent == 0 || stored + rejected > 0, "{sent} samples vanish");
        }
    }
}

/// Counts the samples of a message, each of which the oracle must have read as well; `None` when it is no message.
fn samples_beside_oracle(message: &[u8]) -> Option<usize> {
    let mut request = WriteRequest::of(message, usize::MAX);
    let mut series = TimeSeries::default();
    let mut read = Vec::new();
    while request.read(&mut series).ok()? {
        read.push(series.clone());
    }
    let oracle = oracle::WriteRequest::decode(message).expect("both decode it");
    assert_eq!(read.len(), oracle.series.len());
    let mut samples = 0;
    for (own, theirs) in read.iter().zip(&oracle.series) {
        let bits = own
            .samples
            .iter()
            .map(|sample| (sample.timestamp_ms, sample.value.to_bits()));
        let expected = theirs
            .samples
            .iter()
            .map(|sample| (sample.timestamp, sample.value.to_bits()));
        assert!(bits.eq(expected));
        let mut labels: Vec<(&str, &str)> = theirs
            .labels
            .iter()
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
        assert_eq!(own.histograms, theirs.histograms.len());
        samples += own.samples.len() + own.histograms;
    }
    Some(samples)
}

/// The messages as a generator of code would make them.
mod oracle {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub(super) series: Vec<TimeSeries>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(super) samples: Vec<Sample>,
        #[prost(bytes = "vec", repeated, tag = "4")]
        pub(super) histograms: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(double, tag = "1")]
        pub(super) value: f64,
        #[prost(int64, tag = "2")]
        pub(super) timestamp: i64,
    }
}
