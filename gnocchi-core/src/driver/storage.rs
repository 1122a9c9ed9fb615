//! The contract for aggregates and raw windows.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::Timespan;

use super::{Receipt, Sack};
use crate::error::StorageError;
use crate::model::MetricId;

/// What a driver can do beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageCapabilities {
    /// Frames survive the end of the process.
    pub durable: bool,
    /// Several processes may read and commit at once.
    pub shared: bool,
}

/// One of the ordered runs of frames that a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The raw points of the back window.
    Window,
    /// The aggregates of one granularity.
    Level(Timespan),
}

/// Says where a frame stands in its stream: ordered by block, then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKey {
    /// The stream.
    pub stream: Stream,
    /// The number of the block: time divided by the span of a block of this stream.
    pub block: u64,
    /// Later frames of a block have larger numbers and win over earlier ones.
    pub sequence: u64,
}

/// Blocks of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlockRange {
    /// The stream.
    pub stream: Stream,
    /// The numbers of the blocks.
    pub blocks: Range<u64>,
}

/// Frames wanted of one metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameRange {
    /// The metric.
    pub metric: MetricId,
    /// Which of its frames.
    pub range: BlockRange,
}

/// One frame as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// Where it stands.
    pub key: FrameKey,
    /// Its encoded bytes; `carbonara` knows their format.
    pub bytes: Bytes,
}

/// What one commit does to one metric: first the removals, then the additions.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricChanges {
    /// The metric.
    pub metric: MetricId,
    /// Whole blocks whose frames are removed.
    pub removed: Vec<BlockRange>,
    /// Frames to store; one with the same key is replaced.
    pub put: Vec<StoredFrame>,
}

/// One step of processing a sack: all or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The receipt of the measures that went into it; `None` keeps the one of the commit before (maintenance).
    pub receipt: Option<Receipt>,
    /// The number of this commit, one more than that of the commit before.
    pub sequence: u64,
    /// The changes, a metric at most once.
    pub metrics: Vec<MetricChanges>,
}

/// What storage remembers of a sack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SackState {
    /// The number of the last commit; zero before the first one.
    pub sequence: u64,
    /// The receipt of the last commit that had one; empty before.
    pub receipt: Receipt,
}

/// Keeps the frames and raw windows of metrics.
///
/// # Contract
/// - A commit is all or nothing, also after a crash: a reader sees the state before it or after it.
/// - Once a sack was acquired with a fence, commits with a smaller fence are refused, forever.
/// - Bytes come back as they were stored. Drivers don't look into them.
#[async_trait]
pub trait StorageDriver: fmt::Debug + Send + Sync + 'static {
    /// Returns what this driver can do.
    fn capabilities(&self) -> StorageCapabilities;

    /// Creates what must exist; may be repeated.
    ///
    /// # Errors
    /// [`StorageError::Backend`] when the back-end cannot answer.
    async fn upgrade(&self) -> Result<(), StorageError>;

    /// Returns whether a write would be accepted now, as far as that is known without writing; an error says why not. Reads may
    /// work all the same. Cheap enough to be called for every probe of a load balancer.
    ///
    /// # Errors
    /// [`StorageError::Backend`], mostly of the kinds [`Full`](crate::error::BackendErrorKind::Full),
    /// [`ReadOnly`](crate::error::BackendErrorKind::ReadOnly) and [`Unavailable`](crate::error::BackendErrorKind::Unavailable).
    async fn accepts_writes(&self) -> Result<(), StorageError>;

    /// Makes the holder of `fence` the only writer of a sack and returns where the last one stopped. May be repeated.
    ///
    /// # Errors
    /// [`StorageError::StaleFence`] when a larger fence was seen, [`StorageError::Backend`] when the back-end cannot answer.
    async fn acquire(&self, sack: Sack, fence: u64) -> Result<SackState, StorageError>;

    /// Applies a commit. When it returns, the measures of its receipt may be acknowledged: either the commit is durable, or
    /// losing it in a crash also undoes that acknowledgement.
    ///
    /// # Errors
    /// [`StorageError::StaleFence`] when a larger fence was seen, [`StorageError::Backend`] when the back-end fails.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have applied the commit, but never a part of it.
    async fn commit(&self, sack: Sack, fence: u64, commit: Commit) -> Result<(), StorageError>;

    /// Returns the frames of each request, ordered by key; an empty list where there is none.
    ///
    /// # Errors
    /// [`StorageError::Backend`] when the back-end cannot answer.
    async fn read(&self, requests: &[FrameRange]) -> Result<Vec<Vec<StoredFrame>>, StorageError>;

    /// Removes everything of these metrics. Absent metrics are fine.
    ///
    /// # Errors
    /// [`StorageError::Backend`] when the back-end cannot answer.
    async fn delete_metrics(&self, metrics: &[MetricId]) -> Result<(), StorageError>;

    /// Returns up to `limit` metrics that have frames, in order, beginning after `after`.
    ///
    /// # Errors
    /// [`StorageError::Backend`] when the back-end cannot answer.
    async fn metrics(
        &self,
        after: Option<MetricId>,
        limit: usize,
    ) -> Result<Vec<MetricId>, StorageError>;

    /// Returns every frame of a metric, ordered by key.
    ///
    /// # Errors
    /// [`StorageError::Backend`] when the back-end cannot answer.
    async fn frames(&self, metric: MetricId) -> Result<Vec<StoredFrame>, StorageError>;
}
