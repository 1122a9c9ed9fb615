//! What outlives the process.

use super::{
    SACK, StorageFixture, commit, frame, frames, key, level, metric, put, receipt, removal,
};
use crate::driver::{Sack, SackState, StoredFrame};
use crate::error::StorageError;

/// Frames, replaced and removed ones too, are the same after the driver was closed and opened.
pub async fn frames_survive_reopening(fixture: &mut dyn StorageFixture) {
    let stored: Vec<StoredFrame> = (0..10)
        .map(|block| frame(key(level(60), block, 1), "old"))
        .collect();
    commit(
        fixture.driver(),
        SACK,
        1,
        vec![put(1, stored.clone()), put(2, stored)],
    )
    .await;
    commit(fixture.driver(), SACK, 1, vec![removal(1, level(60), 0..5)]).await;
    commit(
        fixture.driver(),
        SACK,
        1,
        vec![put(1, vec![frame(key(level(60), 7, 1), "new")])],
    )
    .await;
    fixture
        .driver()
        .delete_metrics(&[metric(2)])
        .await
        .expect("deletes");
    let before = frames(fixture.driver(), 1).await;
    assert_eq!(before.len(), 5);
    fixture.reopen().await;
    assert_eq!(frames(fixture.driver(), 1).await, before);
    assert_eq!(
        fixture.driver().metrics(None, 10).await.expect("answers"),
        [metric(1)]
    );
}

/// What a sack remembers, its fence included, is the same after the driver was closed and opened.
pub async fn sack_states_survive_reopening(fixture: &mut dyn StorageFixture) {
    commit(fixture.driver(), SACK, 40, vec![]).await;
    fixture
        .driver()
        .acquire(Sack::new(4), 50)
        .await
        .expect("acquires");
    fixture.reopen().await;
    let driver = fixture.driver();
    assert!(matches!(
        driver.acquire(SACK, 39).await,
        Err(StorageError::StaleFence {
            fence: 39,
            current: 40
        })
    ));
    assert!(matches!(
        driver.acquire(Sack::new(4), 49).await,
        Err(StorageError::StaleFence {
            fence: 49,
            current: 50
        })
    ));
    let state = driver.acquire(SACK, 40).await.expect("acquires");
    assert_eq!(
        state,
        SackState {
            sequence: 1,
            receipt: receipt("receipt")
        }
    );
}
