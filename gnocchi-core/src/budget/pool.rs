//! What all queries of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{BudgetError, QueryLimits};

/// The memory and the places of all queries.
#[derive(Debug)]
pub(crate) struct Pool {
    limits: QueryLimits,
    held_bytes: AtomicUsize,
    waiting: AtomicUsize,
    places: Arc<Semaphore>,
}

/// What queries take now, each beside its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryUsage {
    /// Memory that they hold, in bytes.
    pub held_bytes: usize,
    /// Large queries that compute.
    pub running: usize,
    /// Large queries that wait.
    pub waiting: usize,
    /// The limits.
    pub limits: QueryLimits,
}

impl Pool {
    pub(crate) fn new(limits: QueryLimits) -> Self {
        Self {
            limits,
            held_bytes: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            places: Arc::new(Semaphore::new(limits.concurrency)),
        }
    }

    pub(super) fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    pub(crate) fn usage(&self) -> QueryUsage {
        let free = self.places.available_permits();
        QueryUsage {
            held_bytes: self.held_bytes.load(Ordering::Relaxed),
            running: self.limits.concurrency.saturating_sub(free),
            waiting: self.waiting.load(Ordering::Relaxed),
            limits: self.limits,
        }
    }

    /// Takes memory for a query that has so much already.
    pub(super) fn take(&self, bytes: usize, has: usize) -> Result<(), BudgetError> {
        let limit_bytes = self.limits.memory_bytes;
        if has.saturating_add(bytes) > limit_bytes {
            return Err(BudgetError::TooMuchMemory { limit_bytes });
        }
        self.take_below(limit_bytes, bytes)
    }

    /// Takes little memory, for which there is room beyond the limit: small responses are sent while large ones fill it.
    pub(super) fn take_little(&self, bytes: usize) -> Result<(), BudgetError> {
        let limit_bytes = self.limits.memory_bytes;
        self.take_below(limit_bytes.saturating_add(limit_bytes / 4), bytes)
    }

    /// Checks that what was taken without asking is not half of the limit too much.
    pub(super) fn check_excess(&self) -> Result<(), BudgetError> {
        let limit_bytes = self.limits.memory_bytes;
        let excess = self
            .held_bytes
            .load(Ordering::Relaxed)
            .saturating_sub(limit_bytes);
        if excess > limit_bytes / 2 {
            return Err(BudgetError::MemoryHeld { limit_bytes });
        }
        Ok(())
    }

    fn take_below(&self, end: usize, bytes: usize) -> Result<(), BudgetError> {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= end);
        let taken = self
            .held_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(BudgetError::MemoryHeld {
                limit_bytes: self.limits.memory_bytes,
            }),
        }
    }

    /// Takes memory whether there is some left or not.
    pub(super) fn take_anyway(&self, bytes: usize) {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits for a place among the large queries.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, BudgetError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let limit = self.limits.queue;
        let _waiting = Waiting::begin(&self.waiting, limit)?;
        let patience = self.limits.queue_timeout;
        match timeout(patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(place) => Ok(place.expect("the semaphore is never closed")),
            Err(_) => Err(BudgetError::QueueTimeout {
                concurrency: self.limits.concurrency,
                waited: patience,
            }),
        }
    }
}

/// One of those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize, limit: usize) -> Result<Self, BudgetError> {
        let one_more = |now: usize| (now < limit).then_some(now + 1);
        match waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Self(waiting)),
            Err(_) => Err(BudgetError::QueueFull { limit }),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
