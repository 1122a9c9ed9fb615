//! Bodies of other protocols read into measures, beside the plainest reading of the same bytes.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

#[path = "../../gnocchi-bin/tests/support/remote_write.rs"]
mod remote_write;
mod support;

use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use carbonara::Timestamp;
use criterion::{Criterion, Throughput};
use gnocchi_server::api::measures::Context;
use gnocchi_server::ingest::influxdb::{self, Precision, WriteOptions};
use gnocchi_server::ingest::prometheus::{Naming, decompress, map};
use prost::Message;
use remote_write::WriteRequest;
use support::shortest;

const CONTEXT: Context = Context {
    now: Timestamp::EPOCH,
    points_max: 10_000_000,
    metrics_max: 1_000_000,
};

const START_NS: i64 = 1_425_600_000_000_000_000;

fn main() {
    let repeated = lines(100_000, 1000, &["value"]);
    let wide = lines(20_000, 1000, &["user", "system", "idle", "iowait", "nice"]);
    let distinct = lines(100_000, 100_000, &["value"]);
    report(
        "lines of 1000 series",
        100_000,
        || read_lines(&repeated),
        || split_lines(&repeated),
    );
    report(
        "lines of 5 fields",
        20_000,
        || read_lines(&wide),
        || split_lines(&wide),
    );
    report(
        "lines of a series each",
        100_000,
        || read_lines(&distinct),
        || split_lines(&distinct),
    );
    let request = compressed_request(20_000);
    report(
        "series of remote write",
        20_000,
        || read_request(&request),
        || decode_request(&request),
    );

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("split lines", |bencher| {
        bencher.iter(|| split_lines(&repeated));
    });
    group.bench_function("line protocol", |bencher| {
        bencher.iter(|| read_lines(&repeated));
    });
    group.throughput(Throughput::Elements(20_000));
    group.bench_function("prost", |bencher| bencher.iter(|| decode_request(&request)));
    group.bench_function("remote write", |bencher| {
        bencher.iter(|| read_request(&request));
    });
    group.finish();
    criterion.final_summary();
}

/// Prints how fast something is beside a baseline, measured in turns in the same run.
fn report(
    name: &str,
    things: u32,
    mut own: impl FnMut() -> usize,
    mut plain: impl FnMut() -> usize,
) {
    let (mut own_time, mut plain_time) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        plain_time = plain_time.min(shortest(3, &mut plain));
        own_time = own_time.min(shortest(3, &mut own));
    }
    println!(
        "{name}: {:.2} million/s, {:.2} x the plain reading",
        f64::from(things) / own_time.as_secs_f64() / 1e6,
        plain_time.as_secs_f64() / own_time.as_secs_f64(),
    );
}

/// Lines as a sender writes them: so many, of so many series in turn.
fn lines(lines: usize, series: usize, fields: &[&str]) -> String {
    let mut body = String::new();
    for line in 0..lines {
        let series = line % series;
        write!(
            body,
            "cpu,host=server-{:03},core={series},region=eu-west ",
            series % 100
        )
        .expect("fits");
        for (index, field) in fields.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(body, "{separator}{field}={}.{:02}", line % 100, index).expect("fits");
        }
        let at = START_NS + i64::try_from(line).expect("few") * 1_000_000;
        writeln!(body, " {at}").expect("fits");
    }
    body
}

fn read_lines(body: &str) -> usize {
    let options = WriteOptions {
        resource_tag: "host",
        precision: Precision::Nanosecond,
        context: CONTEXT,
    };
    let arrivals = influxdb::parse(black_box(body.as_bytes()), options).expect("good lines");
    arrivals.arrivals.metrics.len()
}

/// What takes lines apart at punctuation, whatever is escaped or quoted, and keeps points by series and field.
fn split_lines(body: &str) -> usize {
    let mut metrics: HashMap<(String, String), Vec<(i64, f64)>> = HashMap::new();
    for line in black_box(body).lines() {
        let mut parts = line.split(' ');
        let series = parts.next().expect("a series");
        let fields = parts.next().expect("fields");
        let at: i64 = parts.next().expect("a time").parse().expect("a number");
        for field in fields.split(',') {
            let (name, value) = field.split_once('=').expect("a value");
            let metric = metrics.entry((series.to_owned(), name.to_owned()));
            metric
                .or_default()
                .push((at, value.parse().expect("a number")));
        }
    }
    metrics.len()
}

/// A request as Prometheus sends it: a sample of each series.
fn compressed_request(series: usize) -> Vec<u8> {
    let one = |index: usize| {
        let (path, instance) = (
            format!("/api/v1/{}", index % 7),
            format!("host-{}:9100", index % 50),
        );
        let core = index.to_string();
        let labels = [
            ("__name__", "http_requests_total"),
            ("code", "200"),
            ("core", &core),
            ("instance", &instance),
            ("job", "node"),
            ("path", &path),
        ];
        remote_write::series(labels, &[(START_NS / 1_000_000, 1.5)])
    };
    let message = remote_write::message((0..series).map(one).collect());
    snap::raw::Encoder::new()
        .compress_vec(&message)
        .expect("short enough")
}

fn read_request(body: &[u8]) -> usize {
    let message = decompress(black_box(body), usize::MAX).expect("a block");
    let mapped = map(&message, Naming::AllLabels, CONTEXT).expect("a request");
    mapped.arrivals.metrics.len()
}

/// Names and values, as they come.
type Labels = Vec<(String, String)>;

/// What a generated decoder and a map of label sets do.
fn decode_request(body: &[u8]) -> usize {
    let message = decompress(black_box(body), usize::MAX).expect("a block");
    let request = WriteRequest::decode(&*message).expect("a request");
    let mut metrics: HashMap<Labels, Vec<(i64, f64)>> = HashMap::new();
    for series in request.series {
        let labels = series
            .labels
            .into_iter()
            .map(|label| (label.name, label.value));
        let points = metrics.entry(labels.collect()).or_default();
        points.extend(
            series
                .samples
                .iter()
                .map(|sample| (sample.timestamp, sample.value)),
        );
    }
    metrics.len()
}
