//! The reference implementation of each contract: everything in memory, nothing survives the process.

mod coordinator;
mod incoming;
mod indexer;
mod pending;
mod storage;

pub use coordinator::{LEASE_DURATION_DEFAULT, MemoryCoordinator};
pub use incoming::{MemoryIncoming, PENDING_BYTES_MAX_DEFAULT};
pub use indexer::MemoryIndexer;
pub use pending::{MeasuresBySack, PendingIndex, Taken};
pub use storage::MemoryStorage;
