//! Looking at what waits, and dropping it.

use futures::future::join;

use super::{acknowledge, append, backlog, batches_of, claim, measures, metric, pending, values};
use crate::driver::{Backlog, BacklogDetails, IncomingDriver, MetricBacklog};
use crate::model::MetricId;

/// Reading what waits claims nothing, answers in the order asked, and sees an append at once.
pub async fn pending_measures_are_seen_without_a_claim(driver: &dyn IncomingDriver) {
    append(
        driver,
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[2.0])],
    )
    .await;
    append(driver, vec![measures(1, 5, &[3.0])]).await;
    let wanted = [metric(2), metric(77), metric(1), metric(2)];
    let answer = driver.pending(&wanted).await.expect("answers");
    let answer: Vec<Vec<Vec<f64>>> = answer.iter().map(|batches| values(batches)).collect();
    assert_eq!(
        answer,
        [
            vec![vec![2.0]],
            vec![],
            vec![vec![1.0], vec![3.0]],
            vec![vec![2.0]]
        ]
    );
    assert_eq!(driver.pending(&[]).await.expect("answers").len(), 0);
    assert_eq!(batches_of(&claim(driver, 1).await, 1), [[1.0], [3.0]]);
}

/// A discard removes the named metrics and nothing else; absent ones are fine.
pub async fn discarded_measures_are_gone(driver: &dyn IncomingDriver) {
    let sacks = u128::from(driver.sacks().count());
    // The first two share a sack.
    let (dropped, neighbour, other) = (1, 1 + sacks, 2);
    for value in [1.0, 2.0] {
        append(
            driver,
            vec![
                measures(dropped, 10, &[value]),
                measures(neighbour, 10, &[value]),
            ],
        )
        .await;
    }
    append(driver, vec![measures(other, 10, &[9.0])]).await;
    let discard = async |metrics: &[MetricId]| driver.discard(metrics).await.expect("discards");
    assert_eq!(discard(&[metric(dropped), metric(4711)]).await, 2);
    assert_eq!(discard(&[metric(dropped)]).await, 0);
    assert_eq!(discard(&[]).await, 0);
    assert_eq!(pending(driver, dropped).await, [[0.0; 0]; 0]);
    let claimed = claim(driver, dropped).await;
    assert_eq!(batches_of(&claimed, dropped), [[0.0; 0]; 0]);
    assert_eq!(batches_of(&claimed, neighbour), [[1.0], [2.0]]);
    assert_eq!(pending(driver, other).await, [[9.0]]);
    let report = backlog(driver).await;
    assert_eq!((report.metrics, report.batches, report.points), (2, 3, 3));
    acknowledge(driver, dropped, &claimed.receipt).await;
    assert_eq!(discard(&[metric(other)]).await, 1);
    assert_eq!(backlog(driver).await, Backlog::default());
}

/// Measures that arrive after a discard of their metric stay.
pub async fn a_metric_can_be_used_again_after_a_discard(driver: &dyn IncomingDriver) {
    append(driver, vec![measures(1, 10, &[1.0])]).await;
    let receipt = claim(driver, 1).await.receipt;
    driver.discard(&[metric(1)]).await.expect("discards");
    append(driver, vec![measures(1, 20, &[2.0])]).await;
    acknowledge(driver, 1, &receipt).await;
    assert_eq!(batches_of(&claim(driver, 1).await, 1), [[2.0]]);
}

/// The report counts metrics, batches and points; one line per metric only when asked.
pub async fn the_backlog_is_counted(driver: &dyn IncomingDriver) {
    assert_eq!(backlog(driver).await, Backlog::default());
    append(
        driver,
        vec![measures(1, 10, &[1.0, 2.0]), measures(2, 10, &[1.0])],
    )
    .await;
    append(driver, vec![measures(1, 20, &[3.0])]).await;
    let summary = driver
        .backlog(BacklogDetails::Summary)
        .await
        .expect("reports");
    assert_eq!(
        (summary.metrics, summary.batches, summary.points),
        (2, 3, 4)
    );
    assert!(summary.oldest.is_some());
    assert_eq!(summary.per_metric, []);
    let mut details = backlog(driver).await.per_metric;
    details.sort_by_key(|line| line.metric);
    let line = |number, batches, points| MetricBacklog {
        metric: metric(number),
        batches,
        points,
    };
    assert_eq!(details, [line(1, 2, 3), line(2, 1, 1)]);
}

/// An append wakes waiting callers, with the sacks that it touched; nothing is announced twice.
///
/// Drivers that cannot notify never answer, which is as good.
pub async fn arrivals_are_announced(driver: &dyn IncomingDriver) {
    let sack_of = |number| driver.sacks().sack_of(metric(number));
    let patience = std::time::Duration::from_secs(2);
    append(
        driver,
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[1.0])],
    )
    .await;
    let Ok(first) = tokio::time::timeout(patience, driver.arrived()).await else {
        return;
    };
    let mut first = first.expect("answers");
    first.sort_unstable();
    first.dedup();
    let mut expected = vec![sack_of(1), sack_of(2)];
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(first, expected);
    let (second, ()) = join(
        driver.arrived(),
        append(driver, vec![measures(3, 10, &[1.0])]),
    )
    .await;
    assert_eq!(second.expect("answers"), [sack_of(3)]);
    // A waiter that gives up takes nothing with it.
    drop(tokio::time::timeout(std::time::Duration::ZERO, driver.arrived()).await);
    append(driver, vec![measures(4, 10, &[1.0])]).await;
    let third = tokio::time::timeout(patience, driver.arrived())
        .await
        .expect("in time");
    assert_eq!(third.expect("answers"), [sack_of(4)]);
}
