//! Properties of [`StorageDriver`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its property does not hold"
)]

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::Timespan;
use futures::future::join;

use crate::driver::{
    BlockRange, Commit, FrameKey, FrameRange, MetricChanges, Receipt, Sack, SackState,
    StorageDriver, StoredFrame, Stream,
};
use crate::error::StorageError;
use crate::model::MetricId;

/// A private instance of a driver.
#[async_trait]
pub trait StorageFixture: Send + Sync {
    /// Returns the driver.
    fn driver(&self) -> &dyn StorageDriver;

    /// Closes the driver in good order and opens it again on what it has stored.
    async fn reopen(&mut self);
}

/// Returns the driver of a fixture.
pub fn driver(fixture: &dyn StorageFixture) -> &dyn StorageDriver {
    fixture.driver()
}

/// Makes one test for every property of a [`StorageDriver`](crate::driver::StorageDriver).
///
/// Takes the name of an asynchronous function without arguments that returns a
/// [`StorageFixture`](crate::conformance::storage::StorageFixture), and `durable` where frames survive the end of the process.
#[macro_export]
macro_rules! storage_conformance {
    ($fixture:path) => {
        $crate::__conformance_tests!(
            storage,
            $fixture,
            [
                upgrade_may_be_repeated,
                an_unknown_metric_has_no_frames,
                frames_come_back_as_they_were,
                frames_are_ordered_by_key,
                ranges_end_before_their_end,
                answers_come_in_the_order_asked,
                neighbouring_metrics_are_apart,
                a_frame_with_the_same_key_is_replaced,
                removals_come_before_additions,
                removals_spare_everything_else,
                an_empty_commit_counts,
                a_commit_without_receipt_keeps_the_last_one,
                a_new_owner_learns_where_the_last_one_stopped,
                acquiring_may_be_repeated,
                a_stale_fence_is_refused,
                fences_of_sacks_are_apart,
                two_owners_commit_at_once,
                readers_see_whole_commits,
                deleted_metrics_leave_nothing,
                metrics_are_listed_page_by_page,
                ten_thousand_metrics_fit_in_a_commit,
            ]
        );
    };
    ($fixture:path, durable) => {
        $crate::storage_conformance!($fixture);
        $crate::__conformance_tests!(
            storage,
            $fixture,
            reopening [frames_survive_reopening, sack_states_survive_reopening]
        );
    };
}

const SACK: Sack = Sack::new(3);

fn metric(number: u128) -> MetricId {
    MetricId::from_u128(number)
}

fn level(seconds: i64) -> Stream {
    Stream::Level(Timespan::from_second(seconds).expect("positive"))
}

fn key(stream: Stream, block: u64, sequence: u64) -> FrameKey {
    FrameKey {
        stream,
        block,
        sequence,
    }
}

fn frame(key: FrameKey, text: &str) -> StoredFrame {
    StoredFrame {
        key,
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn put(number: u128, frames: Vec<StoredFrame>) -> MetricChanges {
    MetricChanges {
        metric: metric(number),
        removed: Vec::new(),
        put: frames,
    }
}

fn removal(number: u128, stream: Stream, blocks: Range<u64>) -> MetricChanges {
    MetricChanges {
        metric: metric(number),
        removed: vec![BlockRange { stream, blocks }],
        put: Vec::new(),
    }
}

fn wanted(number: u128, stream: Stream, blocks: Range<u64>) -> FrameRange {
    FrameRange {
        metric: metric(number),
        range: BlockRange { stream, blocks },
    }
}

fn receipt(text: &'static str) -> Receipt {
    Receipt(Bytes::from_static(text.as_bytes()))
}

/// Commits changes as the next commit of a sack, by its present owner.
async fn commit(driver: &dyn StorageDriver, sack: Sack, fence: u64, metrics: Vec<MetricChanges>) {
    let state = driver.acquire(sack, fence).await.expect("acquires");
    let commit = Commit {
        receipt: Some(receipt("receipt")),
        sequence: state.sequence + 1,
        metrics,
    };
    driver.commit(sack, fence, commit).await.expect("commits");
}

async fn frames(driver: &dyn StorageDriver, number: u128) -> Vec<StoredFrame> {
    driver.frames(metric(number)).await.expect("answers")
}

async fn read_one(driver: &dyn StorageDriver, request: FrameRange) -> Vec<StoredFrame> {
    let mut answer = driver.read(&[request]).await.expect("answers");
    assert_eq!(answer.len(), 1, "one answer for each request");
    answer.remove(0)
}

/// Creating what exists already does no harm.
pub async fn upgrade_may_be_repeated(driver: &dyn StorageDriver) {
    driver.upgrade().await.expect("upgrades");
    let stored = frame(key(Stream::Window, 1, 1), "a");
    commit(driver, SACK, 1, vec![put(1, vec![stored.clone()])]).await;
    driver.upgrade().await.expect("upgrades again");
    assert_eq!(frames(driver, 1).await, [stored]);
}

/// What was never stored is empty, not an error.
pub async fn an_unknown_metric_has_no_frames(driver: &dyn StorageDriver) {
    assert_eq!(frames(driver, 1).await, []);
    assert_eq!(
        read_one(driver, wanted(1, level(60), 0..u64::MAX)).await,
        []
    );
    assert_eq!(driver.read(&[]).await.expect("answers").len(), 0);
    assert_eq!(driver.metrics(None, 10).await.expect("answers"), []);
    driver
        .delete_metrics(&[metric(1)])
        .await
        .expect("deletes what is absent");
    commit(driver, SACK, 1, vec![removal(1, level(60), 0..u64::MAX)]).await;
    assert_eq!(driver.metrics(None, 10).await.expect("answers"), []);
    assert_eq!(
        driver.acquire(Sack::new(9), 1).await.expect("acquires"),
        SackState::default()
    );
}

/// Bytes are kept as they are, whatever their length.
pub async fn frames_come_back_as_they_were(driver: &dyn StorageDriver) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let contents = [
        Bytes::new(),
        Bytes::from(vec![0; 3]),
        Bytes::from(all_bytes),
        Bytes::from(vec![0xa5; 1 << 20]),
    ];
    let stored = (0..).zip(contents).map(|(block, bytes)| StoredFrame {
        key: key(level(60), block, 1),
        bytes,
    });
    let stored: Vec<StoredFrame> = stored.collect();
    commit(driver, SACK, 1, vec![put(1, stored.clone())]).await;
    assert_eq!(frames(driver, 1).await, stored);
    assert_eq!(read_one(driver, wanted(1, level(60), 0..10)).await, stored);
}

/// Frames come by stream, then block, then age, in whatever order they were stored.
pub async fn frames_are_ordered_by_key(driver: &dyn StorageDriver) {
    let far = u64::MAX - 1;
    let keys = [
        key(Stream::Window, 0, 2),
        key(Stream::Window, 255, 1),
        key(Stream::Window, 256, 1),
        key(level(1), 7, 1),
        key(level(1), 7, 3),
        key(level(300), 2, 1),
        key(level(300), far, far),
        key(
            Stream::Level(Timespan::from_nanosecond(i64::MAX).expect("positive")),
            0,
            9,
        ),
    ];
    for (done, key) in keys.iter().rev().enumerate() {
        commit(
            driver,
            SACK,
            1,
            vec![put(1, vec![frame(*key, &done.to_string())])],
        )
        .await;
    }
    let found: Vec<FrameKey> = frames(driver, 1)
        .await
        .iter()
        .map(|frame| frame.key)
        .collect();
    assert_eq!(found, keys);
    let window = read_one(driver, wanted(1, Stream::Window, 0..u64::MAX)).await;
    assert_eq!(
        window.iter().map(|frame| frame.key).collect::<Vec<_>>(),
        keys[..3]
    );
}

/// A range holds its first block and not its last; an empty or inverted one holds nothing.
pub async fn ranges_end_before_their_end(driver: &dyn StorageDriver) {
    let stored: Vec<StoredFrame> = (4..8)
        .map(|block| frame(key(level(60), block, block), "x"))
        .collect();
    let other = [
        frame(key(level(61), 5, 1), "y"),
        frame(key(Stream::Window, 5, 1), "z"),
    ];
    commit(
        driver,
        SACK,
        1,
        vec![put(1, [&stored[..], &other[..]].concat())],
    )
    .await;
    let check = async |blocks: Range<u64>, expected: Range<usize>| {
        assert_eq!(
            read_one(driver, wanted(1, level(60), blocks.clone())).await,
            stored[expected],
            "for {blocks:?}"
        );
    };
    check(0..u64::MAX, 0..4).await;
    check(4..8, 0..4).await;
    check(5..7, 1..3).await;
    check(7..8, 3..4).await;
    check(8..100, 0..0).await;
    check(0..4, 0..0).await;
    check(5..5, 0..0).await;
    check(Range { start: 7, end: 5 }, 0..0).await;
}

/// Requests are answered one by one, in order, also when one is repeated.
pub async fn answers_come_in_the_order_asked(driver: &dyn StorageDriver) {
    let changes = (1..=3).map(|number| {
        put(
            number,
            vec![frame(key(level(60), 1, 1), &number.to_string())],
        )
    });
    commit(driver, SACK, 1, changes.collect()).await;
    let requests = [3, 1, 9, 3, 2].map(|number| wanted(number, level(60), 0..2));
    let answers = driver.read(&requests).await.expect("answers");
    let texts: Vec<Option<&[u8]>> = answers
        .iter()
        .map(|frames| frames.first().map(|frame| &frame.bytes[..]))
        .collect();
    assert_eq!(
        texts,
        [Some(&b"3"[..]), Some(b"1"), None, Some(b"3"), Some(b"2")]
    );
}

/// Metrics whose identifiers differ in the last bit, the first and the last possible one do not mix.
pub async fn neighbouring_metrics_are_apart(driver: &dyn StorageDriver) {
    let numbers = [0, 1, 2, u128::MAX - 1, u128::MAX];
    let stored = |number: u128| vec![frame(key(Stream::Window, 0, 1), &number.to_string())];
    commit(
        driver,
        SACK,
        1,
        numbers
            .iter()
            .map(|number| put(*number, stored(*number)))
            .collect(),
    )
    .await;
    for number in numbers {
        assert_eq!(frames(driver, number).await, stored(number));
    }
    driver
        .delete_metrics(&[metric(1), metric(u128::MAX)])
        .await
        .expect("deletes");
    let left = driver.metrics(None, 10).await.expect("answers");
    assert_eq!(left, [metric(0), metric(2), metric(u128::MAX - 1)]);
}

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

/// A listing can be walked in pages of any size, each metric once, in order.
pub async fn metrics_are_listed_page_by_page(driver: &dyn StorageDriver) {
    let mut numbers: Vec<u128> = (0..25)
        .map(|number: u128| number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
        .collect();
    let stored = || {
        (0..20)
            .map(|block| frame(key(level(60), block, 1), "x"))
            .collect()
    };
    commit(
        driver,
        SACK,
        1,
        numbers
            .iter()
            .map(|number| put(*number, stored()))
            .collect(),
    )
    .await;
    numbers.sort_unstable();
    let all: Vec<MetricId> = numbers.iter().map(|number| metric(*number)).collect();
    for limit in [1, 7, 25, 1000] {
        let mut listed = Vec::new();
        loop {
            let page = driver
                .metrics(listed.last().copied(), limit)
                .await
                .expect("answers");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, all, "in pages of {limit}");
    }
    assert_eq!(driver.metrics(None, 0).await.expect("answers"), []);
    assert_eq!(
        driver
            .metrics(Some(metric(u128::MAX)), 10)
            .await
            .expect("answers"),
        []
    );
    // The marker need not exist.
    let between = metric(numbers[3] + 1);
    assert_eq!(
        driver.metrics(Some(between), 1).await.expect("answers"),
        [all[4]]
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
