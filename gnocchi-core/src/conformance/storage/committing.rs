//! What commits and deletions change.

use std::ops::Range;

use futures::future::join;

use super::{SACK, commit, frame, frames, key, level, metric, put, receipt, removal, wanted};
use crate::driver::{
    BlockRange, Commit, FrameKey, FrameRange, MetricChanges, SackState, StorageDriver, StoredFrame,
    Stream,
};
use crate::model::MetricId;

/// The same key again replaces the bytes.
pub async fn a_frame_with_the_same_key_is_replaced(driver: &dyn StorageDriver) {
    let at = key(level(60), 5, 1);
    commit(
        driver,
        SACK,
        1,
        vec![put(1, vec![frame(at, "old, and longer")])],
    )
    .await;
    commit(driver, SACK, 1, vec![put(1, vec![frame(at, "new")])]).await;
    assert_eq!(frames(driver, 1).await, [frame(at, "new")]);
}

/// In one commit a block can be emptied and filled again, also under a key that it had before.
pub async fn removals_come_before_additions(driver: &dyn StorageDriver) {
    let old = vec![
        frame(key(level(60), 5, 1), "1"),
        frame(key(level(60), 5, 2), "2"),
        frame(key(level(60), 6, 2), "3"),
    ];
    commit(driver, SACK, 1, vec![put(1, old.clone())]).await;
    let range = BlockRange {
        stream: level(60),
        blocks: 5..6,
    };
    let folded = frame(key(level(60), 5, 2), "folded");
    let changes = MetricChanges {
        metric: metric(1),
        removed: vec![range],
        put: vec![folded.clone()],
    };
    commit(driver, SACK, 1, vec![changes]).await;
    assert_eq!(frames(driver, 1).await, [folded, old[2].clone()]);
}

/// A removal ends at the borders of its blocks, its stream and its metric.
pub async fn removals_spare_everything_else(driver: &dyn StorageDriver) {
    let keys = [
        key(Stream::Window, 5, 1),
        key(level(60), 4, 1),
        key(level(60), 5, 1),
        key(level(60), 6, 1),
        key(level(61), 5, 1),
    ];
    let stored: Vec<StoredFrame> = keys.iter().map(|key| frame(*key, "x")).collect();
    commit(
        driver,
        SACK,
        1,
        vec![put(1, stored.clone()), put(2, stored.clone())],
    )
    .await;
    commit(driver, SACK, 1, vec![removal(1, level(60), 5..6)]).await;
    let left: Vec<FrameKey> = frames(driver, 1)
        .await
        .iter()
        .map(|frame| frame.key)
        .collect();
    assert_eq!(left, [keys[0], keys[1], keys[3], keys[4]]);
    assert_eq!(frames(driver, 2).await, stored);
    commit(
        driver,
        SACK,
        1,
        vec![
            removal(1, level(60), 0..u64::MAX),
            removal(2, Stream::Window, Range { start: 6, end: 5 }),
        ],
    )
    .await;
    assert_eq!(frames(driver, 1).await.len(), 2);
    assert_eq!(frames(driver, 2).await, stored);
}

/// A commit without changes moves the sequence and the receipt.
pub async fn an_empty_commit_counts(driver: &dyn StorageDriver) {
    driver.acquire(SACK, 1).await.expect("acquires");
    let commit = Commit {
        receipt: Some(receipt("r1")),
        sequence: 1,
        metrics: Vec::new(),
    };
    driver.commit(SACK, 1, commit).await.expect("commits");
    let state = driver.acquire(SACK, 1).await.expect("acquires");
    assert_eq!(
        state,
        SackState {
            sequence: 1,
            receipt: receipt("r1")
        }
    );
    assert_eq!(driver.metrics(None, 10).await.expect("answers"), []);
}

/// Maintenance leaves the receipt of the last commit that had one.
pub async fn a_commit_without_receipt_keeps_the_last_one(driver: &dyn StorageDriver) {
    driver.acquire(SACK, 1).await.expect("acquires");
    for (sequence, receipt) in [(1, Some(receipt("r1"))), (2, None), (3, None)] {
        driver
            .commit(
                SACK,
                1,
                Commit {
                    receipt,
                    sequence,
                    metrics: Vec::new(),
                },
            )
            .await
            .expect("commits");
    }
    let state = driver.acquire(SACK, 2).await.expect("acquires");
    assert_eq!(
        state,
        SackState {
            sequence: 3,
            receipt: receipt("r1")
        }
    );
}

/// One commit and one read may touch many metrics.
pub async fn ten_thousand_metrics_fit_in_a_commit(driver: &dyn StorageDriver) {
    let numbers = 0..10_000_u32;
    let stored = |number: u32| frame(key(level(60), 1, 1), &number.to_string());
    let changes = numbers
        .clone()
        .map(|number| put(u128::from(number), vec![stored(number)]));
    commit(driver, SACK, 1, changes.collect()).await;
    let requests: Vec<FrameRange> = numbers
        .clone()
        .map(|number| wanted(u128::from(number), level(60), 0..2))
        .collect();
    let answers = driver.read(&requests).await.expect("answers");
    assert!(
        answers
            .into_iter()
            .eq(numbers.clone().map(|number| vec![stored(number)]))
    );
    let ids: Vec<MetricId> = numbers.map(|number| metric(u128::from(number))).collect();
    assert_eq!(driver.metrics(None, 20_000).await.expect("answers"), ids);
    driver.delete_metrics(&ids).await.expect("deletes");
    assert_eq!(driver.metrics(None, 10).await.expect("answers"), []);
}

/// While one commit after the other replaces two frames of a metric, a reader never sees half of one.
pub async fn readers_see_whole_commits(driver: &dyn StorageDriver) {
    const COMMITS: u64 = 100;
    let write = async {
        for sequence in 1..=COMMITS {
            let text = sequence.to_string();
            let range = |stream| BlockRange {
                stream,
                blocks: 0..1,
            };
            let changes = MetricChanges {
                metric: metric(1),
                removed: vec![range(level(60)), range(Stream::Window)],
                put: vec![
                    frame(key(level(60), 0, sequence), &text),
                    frame(key(Stream::Window, 0, sequence), &text),
                ],
            };
            commit(driver, SACK, 1, vec![changes]).await;
        }
    };
    let read = async {
        let mut last = 0;
        while last < COMMITS {
            let requests = [wanted(1, Stream::Window, 0..1), wanted(1, level(60), 0..1)];
            let answers = driver.read(&requests).await.expect("answers");
            let sequences = answers.iter().map(|frames| {
                frames
                    .iter()
                    .map(|frame| frame.key.sequence)
                    .collect::<Vec<_>>()
            });
            let sequences: Vec<Vec<u64>> = sequences.collect();
            assert_eq!(sequences[0], sequences[1], "half a commit was seen");
            assert!(
                sequences[0].len() <= 1,
                "a removal was not seen with its addition"
            );
            let seen = sequences[0].first().copied().unwrap_or(0);
            assert!(seen >= last, "time ran backwards");
            last = seen;
            tokio::task::yield_now().await;
        }
    };
    join(write, read).await;
}

/// A deletion removes every stream of a metric and may be repeated.
pub async fn deleted_metrics_leave_nothing(driver: &dyn StorageDriver) {
    let stored = || {
        vec![
            frame(key(Stream::Window, 0, 1), "w"),
            frame(key(level(60), 9, 1), "l"),
            frame(key(level(300), 9, 1), "l"),
        ]
    };
    commit(
        driver,
        SACK,
        1,
        (1..=3).map(|number| put(number, stored())).collect(),
    )
    .await;
    for _ in 0..2 {
        driver
            .delete_metrics(&[metric(3), metric(1), metric(99)])
            .await
            .expect("deletes");
        assert_eq!(frames(driver, 1).await, []);
        assert_eq!(frames(driver, 2).await, stored());
        assert_eq!(
            driver.metrics(None, 10).await.expect("answers"),
            [metric(2)]
        );
    }
    driver.delete_metrics(&[]).await.expect("deletes nothing");
    commit(driver, SACK, 1, vec![put(1, stored())]).await;
    assert_eq!(frames(driver, 1).await, stored());
}
