//! Who may write to a sack.

use bytes::Bytes;
use futures::future::join;

use super::{SACK, commit, frame, frames, key, level, put, receipt, removal};
use crate::driver::{Commit, Receipt, Sack, SackState, StorageDriver, Stream};
use crate::error::StorageError;

/// The state of a sack goes from owner to owner.
pub async fn a_new_owner_learns_where_the_last_one_stopped(driver: &dyn StorageDriver) {
    assert_eq!(
        driver.acquire(SACK, 5).await.expect("acquires"),
        SackState::default()
    );
    let commit = Commit {
        receipt: Some(Receipt(Bytes::from(vec![0, 255, 10]))),
        sequence: 1,
        metrics: Vec::new(),
    };
    driver.commit(SACK, 5, commit).await.expect("commits");
    let state = driver.acquire(SACK, 6).await.expect("acquires");
    assert_eq!(
        state,
        SackState {
            sequence: 1,
            receipt: Receipt(Bytes::from(vec![0, 255, 10]))
        }
    );
    assert_eq!(
        driver.acquire(Sack::new(4), 6).await.expect("acquires"),
        SackState::default()
    );
}

/// The owner may acquire again without losing the sack or its state.
pub async fn acquiring_may_be_repeated(driver: &dyn StorageDriver) {
    for _ in 0..3 {
        assert_eq!(
            driver.acquire(SACK, 7).await.expect("acquires"),
            SackState::default()
        );
    }
    commit(
        driver,
        SACK,
        7,
        vec![put(1, vec![frame(key(Stream::Window, 0, 1), "x")])],
    )
    .await;
    assert_eq!(driver.acquire(SACK, 7).await.expect("acquires").sequence, 1);
}

/// Once a sack was acquired with a larger fence, the owner before can neither commit nor acquire; nothing of it is stored.
pub async fn a_stale_fence_is_refused(driver: &dyn StorageDriver) {
    let kept = frame(key(level(60), 1, 1), "kept");
    commit(driver, SACK, 10, vec![put(1, vec![kept.clone()])]).await;
    driver
        .acquire(SACK, 11)
        .await
        .expect("a newer lease takes over");
    let changes = vec![
        removal(1, level(60), 0..9),
        put(2, vec![frame(key(level(60), 1, 2), "late")]),
    ];
    let late = Commit {
        receipt: Some(receipt("late")),
        sequence: 2,
        metrics: changes,
    };
    let refused = driver.commit(SACK, 10, late.clone()).await;
    assert!(
        matches!(
            refused,
            Err(StorageError::StaleFence {
                fence: 10,
                current: 11
            })
        ),
        "got {refused:?}"
    );
    let refused = driver.acquire(SACK, 10).await;
    assert!(
        matches!(
            refused,
            Err(StorageError::StaleFence {
                fence: 10,
                current: 11
            })
        ),
        "got {refused:?}"
    );
    assert_eq!(frames(driver, 1).await, [kept]);
    assert_eq!(frames(driver, 2).await, []);
    assert_eq!(
        driver.acquire(SACK, 11).await.expect("acquires").sequence,
        1
    );
    driver
        .commit(SACK, 11, late)
        .await
        .expect("the owner commits");
    assert_eq!(frames(driver, 1).await, []);
}

/// The fence of one sack says nothing about another.
pub async fn fences_of_sacks_are_apart(driver: &dyn StorageDriver) {
    driver.acquire(Sack::new(1), 100).await.expect("acquires");
    commit(
        driver,
        Sack::new(2),
        5,
        vec![put(1, vec![frame(key(Stream::Window, 0, 1), "x")])],
    )
    .await;
    commit(
        driver,
        Sack::new(0),
        1,
        vec![put(2, vec![frame(key(Stream::Window, 0, 1), "x")])],
    )
    .await;
    assert_eq!(driver.metrics(None, 10).await.expect("answers").len(), 2);
}

/// Owners of different sacks work at the same time and lose nothing.
pub async fn two_owners_commit_at_once(driver: &dyn StorageDriver) {
    const COMMITS: u64 = 50;
    let work = async |sack: u16| {
        for sequence in 1..=COMMITS {
            let stored = frame(key(level(60), sequence, sequence), "x");
            commit(
                driver,
                Sack::new(sack),
                1,
                vec![put(u128::from(sack), vec![stored])],
            )
            .await;
        }
    };
    join(work(1), work(2)).await;
    for sack in [1, 2] {
        let blocks: Vec<u64> = frames(driver, sack)
            .await
            .iter()
            .map(|frame| frame.key.block)
            .collect();
        assert_eq!(blocks, (1..=COMMITS).collect::<Vec<_>>());
    }
}
