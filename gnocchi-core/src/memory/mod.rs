//! The reference implementation of each contract: everything in memory, nothing survives the process.

mod indexer;

pub use indexer::MemoryIndexer;
