//! Expressions over a hundred metrics, beside the plainest computation of the same: a map of rows, and each window anew.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use carbonara::align::{Alignment, Fill, Overlap, RangeEnd};
use carbonara::expression::{Expression, Input, InputColumn, Outcome, evaluate};
use carbonara::{Series, Timespan};
use criterion::{BatchSize, Criterion, Throughput};
use jiff::tz::TimeZone;
use support::{SECOND_NS, walk};

const METRICS: usize = 100;

/// A day of minutes.
const POINTS: usize = 1440;

const WINDOW: usize = 60;

/// Input values of one run.
const VALUES: usize = METRICS * POINTS;

const DROPPED: Alignment = Alignment::Fill(Fill::DropMissing);
const FORWARD: Alignment = Alignment::Fill(Fill::Forward);
const OVERLAP: Alignment = Alignment::Overlap(Overlap {
    needed_percent: 50.0,
    start: RangeEnd::Open,
    stop: RangeEnd::Open,
});

const MEAN_THEN_ROLLING: &str = "(rolling mean 60 (aggregate mean $))";

static UTC: TimeZone = TimeZone::UTC;

/// How the timestamps of the metrics relate.
#[derive(Clone, Copy)]
enum Moments {
    /// All have the same.
    Alike,
    /// Each lacks some that others have.
    Gaps,
    /// Each begins and ends at its own time.
    Shifted,
}

/// What is measured: name, operation with `$` for the metrics, timestamps, alignment, target in millions of values a second.
const CASES: [(&str, &str, Moments, Alignment, &str); 9] = [
    (
        "mean, rolling mean",
        MEAN_THEN_ROLLING,
        Moments::Alike,
        DROPPED,
        "100",
    ),
    (
        "mean, rolling mean, gaps",
        MEAN_THEN_ROLLING,
        Moments::Gaps,
        DROPPED,
        "50",
    ),
    (
        "mean, rolling mean, shifted",
        MEAN_THEN_ROLLING,
        Moments::Shifted,
        DROPPED,
        "50",
    ),
    (
        "mean, gaps filled forward",
        "(aggregate mean $)",
        Moments::Gaps,
        FORWARD,
        "50",
    ),
    (
        "mean, overlap",
        "(aggregate mean $)",
        Moments::Shifted,
        OVERLAP,
        "50",
    ),
    ("std", "(aggregate std $)", Moments::Alike, DROPPED, "100"),
    (
        "median",
        "(aggregate median $)",
        Moments::Alike,
        DROPPED,
        "20",
    ),
    (
        "arithmetic on each",
        "(* 100 (/ (- $ 3) 7))",
        Moments::Alike,
        DROPPED,
        "100",
    ),
    (
        "rolling max on each",
        "(rolling max 60 $)",
        Moments::Alike,
        DROPPED,
        "50",
    ),
];

fn main() {
    let mut plain = Duration::MAX;
    let mut fastest = [Duration::MAX; CASES.len()];
    // In turns: noise of the machine hits all of them.
    for _ in 0..10 {
        let series = metrics(Moments::Alike);
        plain = plain.min(time(|| plain_mean_then_rolling(&series)));
        for (fastest, (_, operation, moments, alignment, _)) in fastest.iter_mut().zip(CASES) {
            let expression = expression(operation);
            for _ in 0..5 {
                let input = input(metrics(moments), alignment);
                let took = time(|| run(&expression, input));
                *fastest = took.min(*fastest);
            }
        }
    }
    println!("plain: {:.0} million values/s", speed(plain));
    for (fastest, (name, _, _, _, target)) in fastest.iter().zip(CASES) {
        println!(
            "{name}: {:.0} million values/s (target {target}), {:.1} x plain, {:.2} ms",
            speed(*fastest),
            plain.as_secs_f64() / fastest.as_secs_f64(),
            fastest.as_secs_f64() * 1e3,
        );
    }

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("align");
    group.throughput(Throughput::Elements(VALUES as u64));
    let series = metrics(Moments::Alike);
    group.bench_function("plain", |bencher| {
        bencher.iter(|| plain_mean_then_rolling(black_box(&series)));
    });
    for (name, operation, moments, alignment, _) in CASES {
        let expression = expression(operation);
        let series = metrics(moments);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || input(series.clone(), alignment),
                |input| run(&expression, input),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
    criterion.final_summary();
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// Millions of input values a second.
fn speed(took: Duration) -> f64 {
    f64::from(u32::try_from(VALUES).expect("few values")) / took.as_secs_f64() / 1e6
}

fn name(metric: usize) -> String {
    format!("metric-{metric}")
}

fn expression(operation: &str) -> Expression {
    let references: Vec<String> = (0..METRICS)
        .map(|metric| format!("({} mean)", name(metric)))
        .collect();
    let metrics = format!("(metric {})", references.join(" "));
    operation
        .replace('$', &metrics)
        .parse()
        .expect("an expression")
}

fn metrics(moments: Moments) -> Vec<Series> {
    let values = walk(VALUES);
    let minute_ns = 60 * SECOND_NS;
    let series = values.chunks(POINTS).enumerate().map(|(metric, values)| {
        let points = values.iter().enumerate().filter_map(|(point, value)| {
            let is_gap = (point * 7 + metric * 13) % 50 == 0;
            let slot = match moments {
                Moments::Gaps if is_gap => return None,
                Moments::Alike | Moments::Gaps => point,
                Moments::Shifted => point + metric * 4,
            };
            Some((i64::try_from(slot).expect("few points") * minute_ns, *value))
        });
        let (timestamps_ns, values) = points.unzip();
        Series::from_points(timestamps_ns, values).expect("valid points")
    });
    series.collect()
}

fn input(series: Vec<Series>, alignment: Alignment) -> Input<'static> {
    let columns = series
        .into_iter()
        .enumerate()
        .map(|(reference, series)| InputColumn { reference, series });
    Input {
        granularity: Timespan::from_second(60).expect("positive"),
        columns: columns.collect(),
        alignment,
        time_zone: &UTC,
    }
}

fn run(expression: &Expression, input: Input<'_>) -> Outcome {
    evaluate(black_box(expression), input).expect("a result")
}

/// Means across series, then means of windows, the shortest way.
fn plain_mean_then_rolling(series: &[Series]) -> Vec<(i64, f64)> {
    let mut rows: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for one in series {
        for point in one.iter() {
            rows.entry(point.timestamp.as_nanosecond())
                .or_default()
                .push(point.value);
        }
    }
    let mean = |values: &[f64]| {
        let count = f64::from(u32::try_from(values.len()).expect("few values"));
        values.iter().sum::<f64>() / count
    };
    let (moments, means): (Vec<i64>, Vec<f64>) =
        rows.iter().map(|(at, values)| (*at, mean(values))).unzip();
    let windows = means.windows(WINDOW).map(mean);
    moments.into_iter().skip(WINDOW - 1).zip(windows).collect()
}
