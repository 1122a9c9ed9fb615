//! Claims, and what acknowledges them.

use bytes::Bytes;

use super::{ALL, acknowledge, append, backlog, batches_of, claim, measures, metric, pending};
use crate::driver::{Backlog, IncomingDriver, Receipt, Sack};
use crate::model::MetricId;

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
