//! Folding points into a metric that has an hour of them, beside a plain sum of that hour.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use carbonara::{AggregationPlan, Folded, Level, Series, Timestamp, Window};
use criterion::{BatchSize, Criterion};
use support::{DEFAULT_METHODS, SECOND_NS, every_second, plain_sum, shortest, spans, walk};

/// Points of the raw window.
const WINDOW_POINTS: usize = 3600;

/// Folds of one measured run, so that the clock's own cost disappears.
const FOLDS: usize = 1000;

/// Whether the window holds its raw points.
#[derive(Clone, Copy, PartialEq)]
enum Points {
    Held,
    Forgotten,
}

/// Where the point falls that is folded.
#[derive(Clone, Copy, PartialEq)]
enum Arrival {
    /// Newer than all.
    InOrder,
    /// In the middle of the hour.
    Late,
}

fn main() {
    let hour = walk(WINDOW_POINTS);
    let sum = shortest(50, || plain_sum(black_box(&hour)));
    let report = |name: &str, points, arrival, methods: &[&str], target: &str| {
        let own = one_fold(points, arrival, methods);
        println!(
            "{name}: {:.2} us, {:.2} x a plain sum of the hour (target {target})",
            own.as_secs_f64() * 1e6,
            own.as_secs_f64() / sum.as_secs_f64(),
        );
    };
    let six = &DEFAULT_METHODS;
    report(
        "fold 1 point, points held",
        Points::Held,
        Arrival::InOrder,
        six,
        "5 us",
    );
    report(
        "fold 1 point, points forgotten",
        Points::Forgotten,
        Arrival::InOrder,
        six,
        "5 us",
    );
    report(
        "fold 1 late point",
        Points::Held,
        Arrival::Late,
        six,
        "30 us",
    );
    let rates = &["last", "rate:mean"];
    report(
        "fold 1 point, rates",
        Points::Held,
        Arrival::InOrder,
        rates,
        "5 us",
    );
    let ranks = &["mean", "median", "95pct"];
    report(
        "fold 1 point, medians",
        Points::Held,
        Arrival::InOrder,
        ranks,
        "60 us",
    );
    let restored = shortest(200, || {
        Window::restore(&plan(six), window_points(), Timestamp::EPOCH)
    });
    println!(
        "restore a window of an hour: {:.2} us (target 60 us)",
        restored.as_secs_f64() * 1e6
    );

    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}

fn plan(methods: &[&str]) -> AggregationPlan {
    let levels = spans(&[60, 3600]).into_iter().map(|granularity| Level {
        granularity,
        timespan: granularity.checked_mul(10_000),
    });
    let methods: Vec<_> = methods
        .iter()
        .map(|name| name.parse().expect("a method"))
        .collect();
    AggregationPlan::new(levels.collect(), &methods, 0).expect("a plan")
}

/// The first hour but its last points, which are left to be folded.
fn window_points() -> Series {
    let points = WINDOW_POINTS - FOLDS;
    Series::from_points(every_second(points), walk(points)).expect("sorted")
}

fn window(plan: &AggregationPlan, points: Points) -> Window {
    let mut window = Window::restore(plan, window_points(), Timestamp::EPOCH);
    if points == Points::Forgotten {
        window.forget_points();
    }
    window
}

/// One point a batch: what follows the window second by second, or falls between its points.
fn batches(arrival: Arrival) -> Vec<Series> {
    let timestamps_ns = every_second(WINDOW_POINTS);
    let at_ns: Vec<i64> = match arrival {
        Arrival::InOrder => timestamps_ns[WINDOW_POINTS - FOLDS..].to_vec(),
        Arrival::Late => timestamps_ns[FOLDS..2 * FOLDS]
            .iter()
            .map(|at_ns| at_ns + SECOND_NS / 2)
            .collect(),
    };
    at_ns
        .into_iter()
        .map(|at_ns| Series::from_points(vec![at_ns], vec![1.0]).expect("sorted"))
        .collect()
}

/// Returns the time of one fold, the mean of a run of many and the shortest of such runs.
fn one_fold(points: Points, arrival: Arrival, methods: &[&str]) -> Duration {
    let plan = plan(methods);
    let batches = batches(arrival);
    let runs = (0..30).map(|_| {
        let mut window = window(&plan, points);
        let start = Instant::now();
        for batch in &batches {
            black_box(fold(&mut window, &plan, batch));
        }
        start.elapsed()
    });
    let folds = u32::try_from(FOLDS).expect("few folds");
    runs.min().expect("at least one run") / folds
}

fn fold(window: &mut Window, plan: &AggregationPlan, batch: &Series) -> Folded {
    let folded = window.fold(plan, &[batch]).expect("points are held");
    assert_eq!(folded.accepted, 1);
    folded
}

fn bench(criterion: &mut Criterion) {
    let plan = plan(&DEFAULT_METHODS);
    let mut group = criterion.benchmark_group("fold");
    for (name, points, arrival) in [
        ("in order, points held", Points::Held, Arrival::InOrder),
        (
            "in order, points forgotten",
            Points::Forgotten,
            Arrival::InOrder,
        ),
        ("late", Points::Held, Arrival::Late),
    ] {
        let start = window(&plan, points);
        let batch = batches(arrival).remove(0);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || start.clone(),
                |window| fold(window, &plan, &batch),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}
