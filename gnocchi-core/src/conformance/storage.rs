//! Properties of [`StorageDriver`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its property does not hold"
)]

mod committing;
mod owning;
mod reading;
mod reopening;

pub use committing::*;
pub use owning::*;
pub use reading::*;
pub use reopening::*;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::Timespan;

use crate::driver::{
    BlockRange, Commit, FrameKey, FrameRange, MetricChanges, Receipt, Sack, StorageDriver,
    StoredFrame, Stream,
};
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
