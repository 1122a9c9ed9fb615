//! What outlives the process.

use super::{
    IncomingFixture, acknowledge, append, backlog, batches_of, claim, measures, metric, pending,
};

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
