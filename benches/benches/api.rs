//! Rendering a million aggregates: all at once, as a baseline, and while they are sent.
use std::hint::black_box;

use carbonara::Series;
use criterion::{BatchSize, Criterion, Throughput};
use gnocchi_server::api::response::render::{Document, LevelRows, PIECE_BYTES_MAX};
use http_body_util::BodyExt;
use tokio::runtime::Runtime;

const POINTS: usize = 1_000_000;

/// Aggregates of a minute each, with values that fill their digits.
fn document() -> Document {
    let mut timestamps_ns = Vec::with_capacity(POINTS);
    let mut values = Vec::with_capacity(POINTS);
    let (mut moment, mut value) = (1_420_070_400_000_000_000_i64, 0.1);
    for _ in 0..POINTS {
        timestamps_ns.push(moment);
        values.push(value);
        moment += 60_000_000_000;
        value += 0.7;
    }
    let series = Series::from_points(timestamps_ns, values).expect("times ascend");
    let mut document = Document::new();
    document.measures(vec![LevelRows::new("60.0".to_owned(), series)]);
    document
}

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("render_1m_aggregates");
    group.sample_size(10);
    group.throughput(Throughput::Elements(POINTS as u64));
    group.bench_function("one_buffer", |bencher| {
        let render = |document: Document| black_box(document.into_bytes());
        bencher.iter_batched(document, render, BatchSize::PerIteration);
    });
    group.bench_function("streamed", |bencher| {
        let render = |document: Document| runtime.block_on(drain(document));
        bencher.iter_batched(document, render, BatchSize::PerIteration);
    });
    group.finish();
    criterion.final_summary();
}

/// Takes a document piece by piece, as a connection does.
async fn drain(document: Document) -> usize {
    let mut body = document.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let piece = frame.expect("rendering cannot fail").into_data();
        let piece = black_box(piece.expect("there is nothing but data"));
        assert!(piece.len() <= PIECE_BYTES_MAX, "memory is bounded");
        bytes += piece.len();
    }
    bytes
}
