//! Random metrics, gaps and expressions against plain computations over measures that are read one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use carbonara::Timestamp;
use carbonara::align::Fill;
use gnocchi_core::model::Metric;
use gnocchi_core::query::{Gaps, MeasuresQuery};
use proptest::prelude::*;

use crate::world::{Points, World, at, evaluation, query, shown};

/// What is asked of random metrics.
#[derive(Debug, Clone)]
struct Case {
    /// Points of each metric that are folded, and points that are pending.
    metrics: Vec<[Vec<(u16, i8)>; 2]>,
    gaps: Option<i8>,
    start: Option<u16>,
    stop: Option<u16>,
    aggregation: &'static str,
}

fn case() -> impl Strategy<Value = Case> {
    let points = || prop::collection::vec((0..600u16, -20..20i8), 0..20);
    let metric = (points(), points()).prop_map(|(folded, pending)| [folded, pending]);
    (
        prop::collection::vec(metric, 1..5),
        prop::option::of(-5..5i8),
        prop::option::of(0..600u16),
        prop::option::of(0..600u16),
        prop::sample::select(vec!["mean", "min", "max", "sum", "count"]),
    )
        .prop_map(|(metrics, gaps, start, stop, aggregation)| Case {
            metrics,
            gaps,
            start,
            stop,
            aggregation,
        })
}

/// Computes one statistic of the cells of a row, ignoring those that are missing.
fn across(aggregation: &str, cells: &[f64]) -> f64 {
    let present: Vec<f64> = cells
        .iter()
        .copied()
        .filter(|cell| !cell.is_nan())
        .collect();
    let count = present.iter().map(|_| 1.0).sum::<f64>();
    let sum = present.iter().fold(0.0, |sum, cell| sum + cell);
    match aggregation {
        "sum" => sum,
        "count" => count,
        _ if present.is_empty() => f64::NAN,
        "mean" => sum / count,
        "min" => present.iter().copied().fold(f64::INFINITY, f64::min),
        _ => present.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// Reads every metric by itself and computes row by row.
async fn expected(world: &World, metrics: &[Arc<Metric>], case: &Case) -> Vec<(f64, Points)> {
    let query = MeasuresQuery {
        method: "mean".parse().unwrap(),
        granularity: None,
        start: case.start.map(moment),
        stop: case.stop.map(moment),
        resample: None,
    };
    let mut levels: BTreeMap<i64, Vec<BTreeMap<i64, f64>>> = BTreeMap::new();
    for metric in metrics {
        let read = world.store.measures(metric, &query).await.unwrap();
        for (granularity, level) in [60, 10].into_iter().zip(read) {
            let points = level
                .series
                .iter()
                .map(|point| (point.timestamp.as_second(), point.value));
            levels
                .entry(-granularity)
                .or_default()
                .push(points.collect());
        }
    }
    let missing = case.gaps.map_or(f64::NAN, f64::from);
    let rows = |columns: Vec<BTreeMap<i64, f64>>| -> Points {
        let moments: BTreeSet<i64> = columns.iter().flat_map(BTreeMap::keys).copied().collect();
        let value = |moment: i64| {
            let cells: Vec<f64> = columns
                .iter()
                .map(|column| column.get(&moment).copied().unwrap_or(missing))
                .collect();
            across(case.aggregation, &cells) * 2.0
        };
        moments
            .into_iter()
            .map(|moment| (moment, value(moment)))
            .collect()
    };
    levels
        .into_iter()
        .map(|(granularity, columns)| {
            (
                f64::from(i32::try_from(-granularity).unwrap()),
                rows(columns),
            )
        })
        .collect()
}

fn moment(second: u16) -> Timestamp {
    at(i64::from(second))
}

async fn check(case: &Case) {
    let world = World::new(&[10, 60]).await;
    let mut metrics = Vec::new();
    for _ in &case.metrics {
        metrics.push(world.metric("policy").await);
    }
    for round in 0..2 {
        for (metric, points) in metrics.iter().zip(&case.metrics) {
            let points: Vec<(i64, f64)> = points[round]
                .iter()
                .map(|(second, value)| (i64::from(*second), f64::from(*value)))
                .collect();
            world.send(metric.id, &points).await;
        }
        if round == 0 {
            world.store.process().await.unwrap();
        }
    }
    let references: Vec<String> = metrics
        .iter()
        .map(|metric| format!("({} mean)", metric.id))
        .collect();
    let mut query = query(&format!(
        "(* 2 (aggregate {} (metric {})))",
        case.aggregation,
        references.join(" ")
    ));
    if let Some(number) = case.gaps {
        query.gaps = Gaps::Fill(Fill::Number(f64::from(number)));
    }
    let mut evaluation = evaluation(&metrics.iter().collect::<Vec<_>>());
    (evaluation.start, evaluation.stop) = (case.start.map(moment), case.stop.map(moment));
    let computed = world.store.aggregates(&query, &[evaluation]).await.unwrap();
    assert_eq!(
        shown(&computed[0], 0),
        expected(&world, &metrics, case).await,
        "{case:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn aggregates_are_what_plain_reading_gives(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&case));
    }
}
