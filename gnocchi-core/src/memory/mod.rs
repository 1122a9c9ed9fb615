//! The reference implementation of each contract: everything in memory, nothing survives the process.

mod coordinator;
mod incoming;
mod indexer;
mod storage;

pub use coordinator::{LEASE_DURATION_DEFAULT, MemoryCoordinator};
pub use incoming::{MemoryIncoming, PENDING_BYTES_MAX_DEFAULT};
pub use indexer::MemoryIndexer;
pub use storage::MemoryStorage;

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::driver::SACKS_DEFAULT;
use crate::store::Drivers;

/// Returns a whole set of memory drivers on the clock of the machine.
#[must_use]
pub fn drivers() -> Drivers {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Drivers {
        indexer: Arc::new(MemoryIndexer::new()),
        incoming: Arc::new(MemoryIncoming::new(SACKS_DEFAULT, Arc::clone(&clock))),
        storage: Arc::new(MemoryStorage::new()),
        coordinator: Arc::new(MemoryCoordinator::new()),
        clock,
    }
}
