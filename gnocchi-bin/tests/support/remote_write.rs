//! Remote write messages as generated code has them: what tests and benchmarks send, and the oracle of our own reader.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "tests, fuzz targets and benchmarks each use their own part of this module"
)]

use prost::Message;

/// The message of a request.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<TimeSeries>,
}

/// A series.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub histograms: Vec<Vec<u8>>,
}

/// A label.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A sample, with its timestamp in milliseconds.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// Builds a series from labels, and from samples as timestamp in milliseconds and value.
pub fn series<'a>(
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    samples: &[(i64, f64)],
) -> TimeSeries {
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let sample = |(timestamp, value): &(i64, f64)| Sample {
        value: *value,
        timestamp: *timestamp,
    };
    TimeSeries {
        labels: labels.into_iter().map(label).collect(),
        samples: samples.iter().map(sample).collect(),
        histograms: Vec::new(),
    }
}

/// Returns the message of a request with these series, not compressed.
pub fn message(series: Vec<TimeSeries>) -> Vec<u8> {
    WriteRequest { series }.encode_to_vec()
}
