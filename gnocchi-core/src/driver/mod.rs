//! The four contracts that a back-end implements, and their vocabulary.
//!
//! | contract | keeps |
//! |---|---|
//! | [`IncomingDriver`] | measures that were acknowledged to a client and wait to be folded |
//! | [`StorageDriver`] | frames of aggregates and raw windows |
//! | [`Indexer`] | archive policies, resources, metrics: everything but measures |
//! | [`Coordinator`] | leases with fencing numbers, and who works with whom |
//!
//! All are object safe and used behind `Arc<dyn ...>`: which back-end is used is known at run time only. Methods take
//! batches and answer in the order asked.

mod coordinator;
mod incoming;
mod indexer;
mod sack;
mod storage;

pub use coordinator::{Coordinator, Lease, Member};
pub use incoming::{
    Backlog, BacklogDetails, Claim, IncomingCapabilities, IncomingDriver, MetricBacklog, Receipt,
};
pub use indexer::{
    ArchivePolicyIndexer, Indexer, IndexerCounts, MetricFilter, MetricIndexer, MetricWithEnd,
    ResourceIndexer, ResourceQuery, ResourceTypeIndexer,
};
pub use sack::{SACKS_DEFAULT, Sack, SackCount};
pub use storage::{
    BlockRange, Commit, FrameKey, FrameRange, MetricChanges, SackState, StorageCapabilities,
    StorageDriver, StoredFrame, Stream,
};
