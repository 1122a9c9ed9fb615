//! What the benches of the engine share: generated points and a clock that resists noise.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use carbonara::{AggregationMethod, ComponentSet, Timespan};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Nanoseconds of a second.
pub(crate) const SECOND_NS: i64 = 1_000_000_000;

/// The methods of the archive policies that come with the product.
pub(crate) const DEFAULT_METHODS: [&str; 6] = ["mean", "min", "max", "sum", "std", "count"];

/// Timestamps one second apart, from a moment that is the start of an hour.
pub(crate) fn every_second(points: usize) -> Vec<i64> {
    let start_ns = 1_425_600_000 * SECOND_NS;
    (start_ns..)
        .step_by(usize::try_from(SECOND_NS).expect("fits"))
        .take(points)
        .collect()
}

/// A random walk with noise, the same in every run.
pub(crate) fn walk(points: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(7);
    let mut level = 1000.0;
    (0..points)
        .map(|_| {
            level += random.random_range(-1.0..1.0);
            level + random.random_range(-20.0..20.0)
        })
        .collect()
}

/// The components of methods named by text.
pub(crate) fn components(methods: &[&str]) -> ComponentSet {
    let methods: Vec<AggregationMethod> = methods
        .iter()
        .map(|name| name.parse().expect("a method"))
        .collect();
    ComponentSet::for_methods(&methods)
}

/// Granularities in seconds.
pub(crate) fn spans(seconds: &[i64]) -> Vec<Timespan> {
    seconds
        .iter()
        .map(|second| Timespan::from_second(*second).expect("positive"))
        .collect()
}

/// The plain version of a sum: one addition after the other.
pub(crate) fn plain_sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

/// Returns the shortest of several runs: noise of the machine only ever adds time.
pub(crate) fn shortest<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .min()
        .expect("at least one run")
}

/// Prints how fast something is beside a plain sum of as many values, measured in turns in the same run.
pub(crate) fn report_beside_plain_sum<T>(
    name: &str,
    values: &[f64],
    target: &str,
    mut work: impl FnMut() -> T,
) {
    let (mut sum, mut own) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        sum = sum.min(shortest(5, || plain_sum(black_box(values))));
        own = own.min(shortest(5, &mut work));
    }
    let points = f64::from(u32::try_from(values.len()).expect("few points"));
    println!(
        "{name}: {:.2} x plain sum (target {target}), {:.0} million points/s, {:.2} ns a point",
        sum.as_secs_f64() / own.as_secs_f64(),
        points / own.as_secs_f64() / 1e6,
        own.as_secs_f64() * 1e9 / points,
    );
}
