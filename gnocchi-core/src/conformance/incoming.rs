//! Properties of [`IncomingDriver`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its property does not hold"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::Series;
use futures::future::{join, join_all};

use crate::driver::{Backlog, BacklogDetails, Claim, IncomingDriver, MetricBacklog, Receipt, Sack};
use crate::model::{Measures, MetricId};

/// A private instance of a driver.
#[async_trait]
pub trait IncomingFixture: Send + Sync {
    /// Returns the driver.
    fn driver(&self) -> &dyn IncomingDriver;

    /// Closes the driver in good order and opens it again on what it has stored.
    async fn reopen(&mut self);
}

/// Returns the driver of a fixture.
pub fn driver(fixture: &dyn IncomingFixture) -> &dyn IncomingDriver {
    fixture.driver()
}

/// Makes one test for every property of an [`IncomingDriver`](crate::driver::IncomingDriver).
///
/// Takes the name of an asynchronous function without arguments that returns an
/// [`IncomingFixture`](crate::conformance::incoming::IncomingFixture), and `durable` where measures survive the end of the process.
#[macro_export]
macro_rules! incoming_conformance {
    ($fixture:path) => {
        $crate::__conformance_tests!(
            incoming,
            $fixture,
            [
                upgrade_may_be_repeated,
                an_empty_batch_is_fine,
                points_come_back_as_they_were,
                batches_come_in_order_of_receipt,
                a_metric_may_occur_twice_in_a_batch,
                unacknowledged_measures_come_back,
                acknowledged_measures_are_gone,
                an_acknowledgement_may_be_repeated,
                an_acknowledgement_covers_the_claims_before_it,
                a_foreign_receipt_removes_nothing,
                a_claim_takes_enough_and_not_everything,
                sacks_are_apart,
                pending_measures_are_seen_without_a_claim,
                discarded_measures_are_gone,
                a_metric_can_be_used_again_after_a_discard,
                the_backlog_is_counted,
                arrivals_are_announced,
                concurrent_appends_lose_nothing,
                ten_thousand_metrics_fit_in_a_batch,
            ]
        );
    };
    ($fixture:path, durable) => {
        $crate::incoming_conformance!($fixture);
        $crate::__conformance_tests!(
            incoming,
            $fixture,
            reopening [
                measures_survive_reopening,
                acknowledged_measures_stay_gone,
                discarded_measures_stay_gone,
                a_receipt_outlives_reopening,
                an_old_receipt_spares_new_measures,
            ]
        );
    };
}

const ALL: usize = usize::MAX;

fn metric(number: u128) -> MetricId {
    MetricId::from_u128(number)
}

/// Makes one point per value, a second apart.
fn series(first_second: i64, values: &[f64]) -> Series {
    let seconds = (first_second..).take(values.len());
    let timestamps_ns = seconds.map(|second| second * 1_000_000_000).collect();
    Series::from_points(timestamps_ns, values.to_vec()).expect("after the epoch")
}

fn measures(number: u128, first_second: i64, values: &[f64]) -> Measures {
    Measures {
        metric: metric(number),
        series: series(first_second, values),
    }
}

async fn append(driver: &dyn IncomingDriver, batch: Vec<Measures>) {
    driver.append(batch).await.expect("appends");
}

async fn claim(driver: &dyn IncomingDriver, number: u128) -> Claim {
    driver
        .claim(driver.sacks().sack_of(metric(number)), ALL)
        .await
        .expect("claims")
}

async fn acknowledge(driver: &dyn IncomingDriver, number: u128, receipt: &Receipt) {
    driver
        .acknowledge(driver.sacks().sack_of(metric(number)), receipt)
        .await
        .expect("acknowledges");
}

/// Returns the values of the batches of one metric.
fn batches_of(claim: &Claim, number: u128) -> Vec<Vec<f64>> {
    let found: Vec<_> = claim
        .measures
        .iter()
        .filter(|(id, _)| *id == metric(number))
        .collect();
    assert!(found.len() <= 1, "a metric stands once in a claim");
    found
        .iter()
        .flat_map(|(_, batches)| values(batches))
        .collect()
}

fn values(batches: &[Arc<Series>]) -> Vec<Vec<f64>> {
    batches
        .iter()
        .map(|series| series.values().to_vec())
        .collect()
}

async fn pending(driver: &dyn IncomingDriver, number: u128) -> Vec<Vec<f64>> {
    let mut answer = driver.pending(&[metric(number)]).await.expect("answers");
    assert_eq!(answer.len(), 1, "one answer for each metric");
    values(&answer.remove(0))
}

async fn backlog(driver: &dyn IncomingDriver) -> Backlog {
    driver
        .backlog(BacklogDetails::PerMetric)
        .await
        .expect("reports")
}

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

/// A claim alone removes nothing: the next one returns the same, and what came after.
pub async fn unacknowledged_measures_come_back(driver: &dyn IncomingDriver) {
    append(driver, vec![measures(1, 10, &[1.0, 2.0])]).await;
    assert_eq!(batches_of(&claim(driver, 1).await, 1), [[1.0, 2.0]]);
    append(driver, vec![measures(1, 20, &[3.0])]).await;
    assert_eq!(
        batches_of(&claim(driver, 1).await, 1),
        [vec![1.0, 2.0], vec![3.0]]
    );
}

/// A receipt removes what its claim returned, not what arrived later.
pub async fn acknowledged_measures_are_gone(driver: &dyn IncomingDriver) {
    append(driver, vec![measures(1, 10, &[1.0])]).await;
    let first = claim(driver, 1).await;
    append(driver, vec![measures(1, 20, &[2.0])]).await;
    acknowledge(driver, 1, &first.receipt).await;
    assert_eq!(batches_of(&claim(driver, 1).await, 1), [[2.0]]);
    assert_eq!(pending(driver, 1).await, [[2.0]]);
    let second = claim(driver, 1).await;
    acknowledge(driver, 1, &second.receipt).await;
    assert!(claim(driver, 1).await.is_empty());
    assert_eq!(backlog(driver).await, Backlog::default());
}

/// Repeating an acknowledgement, or giving an empty receipt, removes nothing more.
pub async fn an_acknowledgement_may_be_repeated(driver: &dyn IncomingDriver) {
    append(driver, vec![measures(1, 10, &[1.0])]).await;
    acknowledge(driver, 1, &Receipt::default()).await;
    assert_eq!(pending(driver, 1).await, [[1.0]]);
    let receipt = claim(driver, 1).await.receipt;
    acknowledge(driver, 1, &receipt).await;
    append(driver, vec![measures(1, 20, &[2.0])]).await;
    acknowledge(driver, 1, &receipt).await;
    acknowledge(driver, 1, &Receipt::default()).await;
    assert_eq!(pending(driver, 1).await, [[2.0]]);
}

/// The receipt of a later claim also removes what earlier claims returned.
pub async fn an_acknowledgement_covers_the_claims_before_it(driver: &dyn IncomingDriver) {
    for value in [1.0, 2.0, 3.0] {
        append(driver, vec![measures(1, 10, &[value])]).await;
    }
    let sack = driver.sacks().sack_of(metric(1));
    let first = driver.claim(sack, 1).await.expect("claims");
    let all = claim(driver, 1).await;
    acknowledge(driver, 1, &all.receipt).await;
    assert!(claim(driver, 1).await.is_empty());
    // The older receipt comes late.
    append(driver, vec![measures(1, 20, &[4.0])]).await;
    acknowledge(driver, 1, &first.receipt).await;
    assert_eq!(pending(driver, 1).await, [[4.0]]);
}

/// A receipt that another driver gave out removes nothing, whether it is refused or not.
pub async fn a_foreign_receipt_removes_nothing(driver: &dyn IncomingDriver) {
    append(driver, vec![measures(1, 10, &[1.0])]).await;
    let sack = driver.sacks().sack_of(metric(1));
    for foreign in [
        "1526919030474-55",
        "\u{fffd}",
        "ffffffffffffffffffffffffffffffff",
    ] {
        drop(
            driver
                .acknowledge(sack, &Receipt(Bytes::from(foreign)))
                .await,
        );
        assert_eq!(
            pending(driver, 1).await,
            [[1.0]],
            "after the receipt {foreign}"
        );
    }
}

/// A bounded claim returns the wanted number of points, and bounded claims together return everything in order.
pub async fn a_claim_takes_enough_and_not_everything(driver: &dyn IncomingDriver) {
    for second in 0..100 {
        append(driver, vec![measures(1, second, &[1.0, 2.0, 3.0])]).await;
    }
    let sack = driver.sacks().sack_of(metric(1));
    let mut seconds = Vec::new();
    let mut claims = 0;
    loop {
        let claim = driver.claim(sack, 30).await.expect("claims");
        if claim.is_empty() {
            break;
        }
        claims += 1;
        assert!(
            claim.points() >= 30 || seconds.len() + claim.points() / 3 == 100,
            "too few points in a claim"
        );
        let batches = claim.measures.iter().flat_map(|(_, batches)| batches);
        seconds
            .extend(batches.map(|series| series.first().map(|point| point.timestamp.as_second())));
        acknowledge(driver, 1, &claim.receipt).await;
    }
    assert!(
        claims > 1,
        "a bound of 30 points is not taken seriously with 300 waiting"
    );
    assert_eq!(seconds, (0..100).map(Some).collect::<Vec<_>>());
}

/// Measures are found in the sack of their metric and only there; an acknowledgement touches one sack.
pub async fn sacks_are_apart(driver: &dyn IncomingDriver) {
    let numbers: Vec<u128> = (0..50)
        .map(|number| number * 0x0123_4567_89ab_cdef_1357)
        .collect();
    append(
        driver,
        numbers
            .iter()
            .map(|number| measures(*number, 10, &[1.0]))
            .collect(),
    )
    .await;
    let mut seen = Vec::new();
    let mut receipts: Vec<(Sack, Receipt)> = Vec::new();
    for sack in driver.sacks().sacks() {
        let claim = driver.claim(sack, ALL).await.expect("claims");
        for (id, batches) in &claim.measures {
            assert_eq!(driver.sacks().sack_of(*id), sack);
            assert_eq!(batches.len(), 1);
            seen.push(*id);
        }
        if !claim.is_empty() {
            receipts.push((sack, claim.receipt));
        }
    }
    seen.sort_unstable();
    let mut all: Vec<MetricId> = numbers.iter().map(|number| metric(*number)).collect();
    all.sort_unstable();
    assert_eq!(seen, all);
    for (done, (sack, receipt)) in receipts.iter().enumerate() {
        driver
            .acknowledge(*sack, receipt)
            .await
            .expect("acknowledges");
        let left = backlog(driver).await.per_metric;
        let sacks_left = receipts[done + 1..]
            .iter()
            .map(|(sack, _)| *sack)
            .collect::<Vec<_>>();
        assert!(
            left.iter()
                .all(|line| sacks_left.contains(&driver.sacks().sack_of(line.metric)))
        );
    }
    assert_eq!(backlog(driver).await, Backlog::default());
}

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
    driver
        .discard(&[metric(dropped), metric(4711)])
        .await
        .expect("discards");
    driver
        .discard(&[metric(dropped)])
        .await
        .expect("discards again");
    driver.discard(&[]).await.expect("discards nothing");
    assert_eq!(pending(driver, dropped).await, [[0.0; 0]; 0]);
    let claimed = claim(driver, dropped).await;
    assert_eq!(batches_of(&claimed, dropped), [[0.0; 0]; 0]);
    assert_eq!(batches_of(&claimed, neighbour), [[1.0], [2.0]]);
    assert_eq!(pending(driver, other).await, [[9.0]]);
    let report = backlog(driver).await;
    assert_eq!((report.metrics, report.batches, report.points), (2, 3, 3));
    acknowledge(driver, dropped, &claimed.receipt).await;
    driver.discard(&[metric(other)]).await.expect("discards");
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

/// An append wakes whoever waits, with the sacks that it touched; nothing is announced twice.
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

/// Several writers at once: all batches arrive, each writer's in its order, and every append as a whole.
pub async fn concurrent_appends_lose_nothing(driver: &dyn IncomingDriver) {
    const WRITERS: u128 = 4;
    const APPENDS: i64 = 50;
    let write = async |writer: u128| {
        for round in 0..APPENDS {
            // One metric of its own, one that everybody writes.
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

/// What was appended is there after the driver was closed and opened, in order, and is announced.
pub async fn measures_survive_reopening(fixture: &mut dyn IncomingFixture) {
    append(
        fixture.driver(),
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[f64::NAN])],
    )
    .await;
    append(fixture.driver(), vec![measures(1, 5, &[2.0])]).await;
    let before = backlog(fixture.driver()).await;
    fixture.reopen().await;
    assert_eq!(backlog(fixture.driver()).await, before);
    append(fixture.driver(), vec![measures(1, 7, &[3.0])]).await;
    assert_eq!(
        batches_of(&claim(fixture.driver(), 1).await, 1),
        [[1.0], [2.0], [3.0]]
    );
}

/// What was acknowledged does not come back, also where it shared an append with what still waits.
pub async fn acknowledged_measures_stay_gone(fixture: &mut dyn IncomingFixture) {
    append(
        fixture.driver(),
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[2.0])],
    )
    .await;
    append(fixture.driver(), vec![measures(3, 10, &[3.0])]).await;
    let mut receipts = Vec::new();
    for number in [1, 3] {
        let receipt = claim(fixture.driver(), number).await.receipt;
        acknowledge(fixture.driver(), number, &receipt).await;
        receipts.push((number, receipt));
    }
    fixture.reopen().await;
    // What a new owner does first: it repeats the acknowledgement that storage knows of.
    for (number, receipt) in receipts {
        acknowledge(fixture.driver(), number, &receipt).await;
    }
    assert_eq!(pending(fixture.driver(), 1).await, [[0.0; 0]; 0]);
    assert_eq!(pending(fixture.driver(), 3).await, [[0.0; 0]; 0]);
    assert_eq!(pending(fixture.driver(), 2).await, [[2.0]]);
}

/// What was discarded does not come back.
pub async fn discarded_measures_stay_gone(fixture: &mut dyn IncomingFixture) {
    append(
        fixture.driver(),
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[2.0])],
    )
    .await;
    fixture
        .driver()
        .discard(&[metric(1)])
        .await
        .expect("discards");
    append(fixture.driver(), vec![measures(1, 20, &[3.0])]).await;
    fixture.reopen().await;
    assert_eq!(pending(fixture.driver(), 1).await, [[3.0]]);
    assert_eq!(pending(fixture.driver(), 2).await, [[2.0]]);
    fixture.reopen().await;
    assert_eq!(pending(fixture.driver(), 1).await, [[3.0]]);
}

/// A receipt that only storage knows still removes exactly its claim after the process was replaced.
pub async fn a_receipt_outlives_reopening(fixture: &mut dyn IncomingFixture) {
    append(
        fixture.driver(),
        vec![measures(1, 10, &[1.0]), measures(2, 10, &[2.0])],
    )
    .await;
    let receipt = claim(fixture.driver(), 1).await.receipt;
    append(fixture.driver(), vec![measures(1, 20, &[3.0])]).await;
    fixture.reopen().await;
    assert_eq!(pending(fixture.driver(), 1).await, [[1.0], [3.0]]);
    acknowledge(fixture.driver(), 1, &receipt).await;
    assert_eq!(pending(fixture.driver(), 1).await, [[3.0]]);
    assert_eq!(pending(fixture.driver(), 2).await, [[2.0]]);
}

/// After everything was acknowledged and the process replaced, an old receipt removes nothing that arrived since.
pub async fn an_old_receipt_spares_new_measures(fixture: &mut dyn IncomingFixture) {
    append(fixture.driver(), vec![measures(1, 10, &[1.0])]).await;
    let receipt = claim(fixture.driver(), 1).await.receipt;
    acknowledge(fixture.driver(), 1, &receipt).await;
    fixture.reopen().await;
    append(fixture.driver(), vec![measures(1, 20, &[2.0])]).await;
    acknowledge(fixture.driver(), 1, &receipt).await;
    assert_eq!(pending(fixture.driver(), 1).await, [[2.0]]);
}
