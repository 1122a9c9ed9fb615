//! The four contracts that back-ends implement, and their vocabulary.
//!
//! | contract | stores |
//! |---|---|
//! | [`IncomingDriver`] | pending measures: acknowledged to a client, not folded yet |
//! | [`StorageDriver`] | frames of aggregates and raw windows |
//! | [`Indexer`] | archive policies, resources and metrics: everything except measures and aggregates |
//! | [`Coordinator`] | leases with fencing numbers, and the members of the group that shares the work |
//!
//! All are object safe and used behind `Arc<dyn ...>`, because the back-end is chosen at run time. Methods accept batches and return
//! results in the order of the requests.

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
