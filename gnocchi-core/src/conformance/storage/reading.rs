//! What reads and listings return.

use std::ops::Range;

use bytes::Bytes;
use carbonara::Timespan;

use super::{SACK, commit, frame, frames, key, level, metric, put, read_one, removal, wanted};
use crate::driver::{FrameKey, Sack, SackState, StorageDriver, StoredFrame, Stream};
use crate::model::MetricId;

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
