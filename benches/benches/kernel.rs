//! Kernels alone, beside a plain sum of the same values.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

mod support;

use std::hint::black_box;

use carbonara::Percentile;
use carbonara::kernel::{
    Accumulator, Depth, Extrema, MomentLanes, Moments, Quantile, RankScratch, differences, extrema,
    quantiles,
};
use criterion::{Criterion, Throughput};
use support::{plain_sum, report_beside_plain_sum, walk};

/// Groups of one minute, ten minutes and an hour of seconds.
const GROUPS: [usize; 3] = [60, 600, 3600];

fn main() {
    let values = walk(3600 * 250);
    let wanted = median_and_95();
    for group in GROUPS {
        report_beside_plain_sum(&format!("extremes of {group}"), &values, "1.0", || {
            each_group(&values, group, |group| {
                extrema(group).map_or(0.0, |Extrema { min, max }| min + max)
            })
        });
        report_beside_plain_sum(
            &format!("moments of {group}, 3 levels"),
            &values,
            "0.35",
            || each_group(&values, group, three_levels),
        );
        let mut scratch = RankScratch::new();
        report_beside_plain_sum(
            &format!("median and 95pct of {group}"),
            &values,
            "0.1",
            || {
                each_group(&values, group, |group| {
                    let mut results = [0.0; 2];
                    quantiles(group, &wanted, &mut scratch, &mut results);
                    results[0] + results[1]
                })
            },
        );
    }
    report_beside_plain_sum("differences", &values, "1.0", || {
        differences(black_box(&values), Some(0.0))
    });

    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion, &values);
    criterion.final_summary();
}

fn median_and_95() -> [Quantile; 2] {
    let percentile = Percentile::new(95).expect("in range");
    [Quantile::Median, Quantile::Percentile(percentile)]
}

fn each_group(values: &[f64], group: usize, mut work: impl FnMut(&[f64]) -> f64) -> f64 {
    black_box(values).chunks(group).map(&mut work).sum()
}

fn three_levels(values: &[f64]) -> f64 {
    let mut levels = MomentLanes::default();
    for lane in 0..3 {
        levels.replace(lane, Moments::starting_with(values[0]));
    }
    levels.extend(values, Depth::Deviations);
    levels.group(0).sum() + levels.group(1).sum() + levels.group(2).sum()
}

fn bench(criterion: &mut Criterion, values: &[f64]) {
    let values = &values[..3600];
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(3600));
    group.bench_function("plain sum", |bencher| {
        bencher.iter(|| plain_sum(black_box(values)));
    });
    group.bench_function("extremes", |bencher| {
        bencher.iter(|| extrema(black_box(values)));
    });
    group.bench_function("accumulator", |bencher| {
        bencher.iter(|| {
            let mut accumulator = Accumulator::new();
            accumulator.extend(black_box(values));
            accumulator
        });
    });
    let wanted = median_and_95();
    let mut scratch = RankScratch::new();
    group.bench_function("median and 95pct", |bencher| {
        bencher.iter(|| {
            let mut results = [0.0; 2];
            quantiles(black_box(values), &wanted, &mut scratch, &mut results);
            results
        });
    });
    group.finish();
}
