//! The fused pass over a million points, beside a plain sum of their values.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

mod support;

use std::hint::black_box;

use carbonara::{ComponentSet, Timespan, aggregate};
use criterion::{Criterion, Throughput};
use support::{
    DEFAULT_METHODS, components, every_second, plain_sum, report_beside_plain_sum, spans, walk,
};

/// Points of one run.
const POINTS: usize = 1_000_000;

/// What is measured: name, methods, granularities in seconds, target.
const CASES: [(&str, &[&str], &[i64], &str); 8] = [
    (
        "six methods, 3 levels",
        &DEFAULT_METHODS,
        &[60, 300, 3600],
        "0.35",
    ),
    ("six methods, 1 level", &DEFAULT_METHODS, &[60], "0.35"),
    (
        "six methods, 3 levels from 1 s",
        &DEFAULT_METHODS,
        &[1, 60, 3600],
        "0.05",
    ),
    ("mean, 3 levels", &["mean"], &[60, 300, 3600], "0.35"),
    (
        "rate:mean, 3 levels",
        &["rate:mean"],
        &[60, 300, 3600],
        "0.2",
    ),
    (
        "median and 95pct, 1 level",
        &["median", "95pct"],
        &[60],
        "80 million points/s",
    ),
    (
        "median and 95pct, 1 h",
        &["median", "95pct"],
        &[3600],
        "80 million points/s",
    ),
    (
        "median and 95pct, 3 levels",
        &["median", "95pct"],
        &[60, 300, 3600],
        "80 million points/s",
    ),
];

fn main() {
    let timestamps_ns = every_second(POINTS);
    let values = walk(POINTS);
    for (name, methods, levels, target) in CASES {
        let (components, levels) = (components(methods), spans(levels));
        report_beside_plain_sum(name, &values, target, || {
            run(&timestamps_ns, &values, &levels, &components)
        });
    }

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("aggregate");
    group.throughput(Throughput::Elements(POINTS as u64));
    group.sample_size(20);
    group.bench_function("plain sum", |bencher| {
        bencher.iter(|| plain_sum(black_box(&values)));
    });
    for (name, methods, levels, _) in CASES {
        let (components, levels) = (components(methods), spans(levels));
        group.bench_function(name, |bencher| {
            bencher.iter(|| run(&timestamps_ns, &values, &levels, &components));
        });
    }
    group.finish();
    criterion.final_summary();
}

fn run(
    timestamps_ns: &[i64],
    values: &[f64],
    levels: &[Timespan],
    components: &ComponentSet,
) -> Vec<carbonara::Frame> {
    aggregate(
        black_box(timestamps_ns),
        black_box(values),
        None,
        levels,
        components,
    )
}
