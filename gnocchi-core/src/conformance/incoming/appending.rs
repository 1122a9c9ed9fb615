//! What an append stores.

use std::collections::BTreeMap;

use carbonara::Series;
use futures::future::join_all;

use super::{ALL, acknowledge, append, backlog, batches_of, claim, measures, metric, pending};
use crate::driver::{Backlog, IncomingDriver};
use crate::model::{Measures, MetricId};

/// Creating what exists already does no harm.
pub async fn upgrade_may_be_repeated(driver: &dyn IncomingDriver) {
    driver.upgrade().await.expect("upgrades");
    append(driver, vec![measures(1, 10, &[1.0])]).await;
    driver.upgrade().await.expect("upgrades again");
    assert_eq!(pending(driver, 1).await, [[1.0]]);
}

/// An append of nothing, or of empty series, leaves nothing.
pub async fn an_empty_batch_is_fine(driver: &dyn IncomingDriver) {
    append(driver, vec![]).await;
    append(
        driver,
        vec![Measures {
            metric: metric(1),
            series: Series::new(),
        }],
    )
    .await;
    assert!(claim(driver, 1).await.is_empty());
    assert_eq!(backlog(driver).await, Backlog::default());
    append(
        driver,
        vec![
            Measures {
                metric: metric(1),
                series: Series::new(),
            },
            measures(2, 10, &[5.0]),
        ],
    )
    .await;
    assert_eq!(pending(driver, 1).await, [[0.0; 0]; 0]);
    assert_eq!(pending(driver, 2).await, [[5.0]]);
}

/// Timestamps and values are kept bit by bit.
pub async fn points_come_back_as_they_were(driver: &dyn IncomingDriver) {
    let timestamps_ns = vec![0, 1, 7, 1_425_652_437_123_456_789, i64::MAX];
    let values = vec![
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::MIN_POSITIVE / 2.0,
        -1.0e300,
    ];
    let sent = Series::from_points(timestamps_ns.clone(), values.clone()).expect("after the epoch");
    append(
        driver,
        vec![Measures {
            metric: metric(1),
            series: sent,
        }],
    )
    .await;
    let claim = claim(driver, 1).await;
    assert_eq!(claim.points(), 5);
    let (_, batches) = &claim.measures[0];
    assert_eq!(batches[0].timestamps_ns(), timestamps_ns);
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(batches[0].values()), bits(&values));
}

/// Batches are neither merged nor reordered, whatever their timestamps.
pub async fn batches_come_in_order_of_receipt(driver: &dyn IncomingDriver) {
    for (second, value) in [(50, 1.0), (10, 2.0), (50, 3.0), (30, 4.0)] {
        append(driver, vec![measures(1, second, &[value])]).await;
    }
    assert_eq!(
        batches_of(&claim(driver, 1).await, 1),
        [[1.0], [2.0], [3.0], [4.0]]
    );
}

/// Two series of one metric in one append are two batches.
pub async fn a_metric_may_occur_twice_in_a_batch(driver: &dyn IncomingDriver) {
    append(
        driver,
        vec![
            measures(1, 10, &[1.0]),
            measures(2, 10, &[9.0]),
            measures(1, 5, &[2.0]),
        ],
    )
    .await;
    let claim = claim(driver, 1).await;
    assert_eq!(batches_of(&claim, 1), [[1.0], [2.0]]);
    acknowledge(driver, 1, &claim.receipt).await;
    assert_eq!(pending(driver, 1).await, [[0.0; 0]; 0]);
}

/// Several writers at once: all batches arrive, each writer's in its order, and every append as a whole.
pub async fn concurrent_appends_lose_nothing(driver: &dyn IncomingDriver) {
    const WRITERS: u128 = 4;
    const APPENDS: i64 = 50;
    let write = async |writer: u128| {
        for round in 0..APPENDS {
            // One metric of its own, one that all of them write.
            append(
                driver,
                vec![measures(writer, round, &[1.0]), measures(99, round, &[1.0])],
            )
            .await;
        }
    };
    join_all((1..=WRITERS).map(write)).await;
    for writer in 1..=WRITERS {
        let batches = driver
            .pending(&[metric(writer)])
            .await
            .expect("answers")
            .remove(0);
        let seconds: Vec<_> = batches
            .iter()
            .filter_map(|series| series.first())
            .map(|point| point.timestamp.as_second())
            .collect();
        assert_eq!(seconds, (0..APPENDS).collect::<Vec<_>>());
    }
    let report = backlog(driver).await;
    assert_eq!((report.metrics, report.batches), (5, 400));
}

/// A batch may hold many metrics.
pub async fn ten_thousand_metrics_fit_in_a_batch(driver: &dyn IncomingDriver) {
    let numbers = 0..10_000_u32;
    append(
        driver,
        numbers
            .clone()
            .map(|number| measures(u128::from(number), 10, &[f64::from(number)]))
            .collect(),
    )
    .await;
    let mut seen: BTreeMap<MetricId, f64> = BTreeMap::new();
    for sack in driver.sacks().sacks() {
        let claim = driver.claim(sack, ALL).await.expect("claims");
        for (id, batches) in &claim.measures {
            assert!(
                seen.insert(*id, batches[0].values()[0]).is_none(),
                "{id} was claimed twice"
            );
        }
        driver
            .acknowledge(sack, &claim.receipt)
            .await
            .expect("acknowledges");
    }
    assert!(
        seen.into_iter()
            .eq(numbers.map(|number| (metric(u128::from(number)), f64::from(number))))
    );
    assert_eq!(backlog(driver).await, Backlog::default());
}
