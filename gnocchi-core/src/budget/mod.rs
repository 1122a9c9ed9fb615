//! Limits on queries: time, computed cells, memory, and slots for large queries.
//!
//! A [`Budget`] belongs to one query. [`Gnocchi::query`](crate::Gnocchi::query) creates one for several calls that belong together, such as those of one
//! request; a call to a store without one creates its own. When a budget is dropped or out of time, the work that it covers stops at its
//! next step, on every thread.
//!
//! | limit | beyond it |
//! |---|---|
//! | [`cells_max`](QueryLimits::cells_max) | [`BudgetError::TooManyCells`] |
//! | [`memory_bytes`](QueryLimits::memory_bytes), by this query alone | [`BudgetError::TooMuchMemory`] |
//! | the same, with the memory held by other queries | [`BudgetError::MemoryHeld`] |
//! | [`concurrency`](QueryLimits::concurrency) and [`queue`](QueryLimits::queue) | [`BudgetError::QueueFull`], [`BudgetError::QueueTimeout`] |
//! | [`timeout`](QueryLimits::timeout) | [`BudgetError::Timeout`] |
//!
//! Small queries neither wait nor occupy a slot: see [`Budget::compute`].

mod compute;
mod memory;
mod pool;
mod reserved;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::telemetry;

pub use compute::aside;
pub use memory::Held;
pub(crate) use pool::Pool;
pub use pool::QueryUsage;
pub use reserved::Reserved;

/// How many cells are computed before the clock is looked at.
const CELLS_PER_LOOK: u64 = 1 << 14;

/// What queries may take. The limits of time and cells are those of one query, the others are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// How long a query may take, from its beginning to its result.
    pub timeout: Duration,
    /// How many cells a query may compute: points that it reads, values that its operations make, names that it compares.
    pub cells_max: u64,
    /// How much memory all running queries may hold together, in bytes, what they have read and results that are still being sent included.
    pub memory_bytes: usize,
    /// How many large queries compute at the same time.
    pub concurrency: usize,
    /// How many large queries may wait for that.
    pub queue: usize,
    /// How long one of them waits.
    pub queue_timeout: Duration,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            // Some ten seconds of a processor.
            cells_max: 4_000_000_000,
            memory_bytes: 512 << 20,
            concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            queue: 64,
            queue_timeout: Duration::from_secs(10),
        }
    }
}

/// Why a query was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// It would compute too much.
    #[error("the query computes more than {limit} cells")]
    TooManyCells {
        /// How many it may compute.
        limit: u64,
    },
    /// It would hold more memory than all queries together may.
    #[error("the query needs more than the {limit_bytes} bytes that all queries may hold together")]
    TooMuchMemory {
        /// How much may be held.
        limit_bytes: usize,
    },
    /// Other queries hold the memory that it needs.
    #[error(
        "other queries hold the memory that the query needs; all of them may hold {limit_bytes} bytes"
    )]
    MemoryHeld {
        /// How much may be held.
        limit_bytes: usize,
    },
    /// Too many large queries wait already.
    #[error("{limit} large queries are waiting already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// Other large queries took too long.
    #[error("{concurrency} large queries were running for {} s while the query waited", waited.as_secs_f64())]
    QueueTimeout {
        /// How many may run.
        concurrency: usize,
        /// How long it waited.
        waited: Duration,
    },
    /// It took too long.
    #[error("the query took longer than {} s", limit.as_secs_f64())]
    Timeout {
        /// How long it may take.
        limit: Duration,
    },
    /// Its caller does not wait for the result any more.
    #[error("the query was abandoned")]
    Abandoned,
}

impl BudgetError {
    /// The reasons in the order of the variants, as monitoring knows them.
    pub const REASONS: [&'static str; 7] = [
        "cells",
        "memory",
        "memory_held",
        "queue_full",
        "queue_timeout",
        "timeout",
        "abandoned",
    ];

    /// Returns the reason as monitoring knows it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooManyCells { .. } => "cells",
            Self::TooMuchMemory { .. } => "memory",
            Self::MemoryHeld { .. } => "memory_held",
            Self::QueueFull { .. } => "queue_full",
            Self::QueueTimeout { .. } => "queue_timeout",
            Self::Timeout { .. } => "timeout",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What one query may take, and what it has taken. Clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    began: Instant,
    cells: AtomicU64,
    ended: AtomicBool,
    /// Memory, shared with what is held.
    memory: Arc<memory::Account>,
    /// The place of a large query among those that compute at the same time.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Budget {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Self {
            inner: Arc::new(Inner {
                pool: Arc::clone(pool),
                began: Instant::now(),
                cells: AtomicU64::new(0),
                ended: AtomicBool::new(false),
                memory: Arc::new(memory::Account::new(Arc::clone(pool))),
                place: Mutex::new(None),
            }),
        }
    }

    /// Returns when the time of the query is up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.inner.began + self.limits().timeout
    }

    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> &QueryLimits {
        self.inner.pool.limits()
    }

    /// Returns how many cells were computed.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.inner.cells.load(Ordering::Relaxed)
    }

    /// Checks that the query may go on. Long loops ask each few milliseconds.
    ///
    /// # Errors
    /// [`BudgetError::Timeout`], [`BudgetError::Abandoned`].
    pub fn check(&self) -> Result<(), BudgetError> {
        self.check_ended()?;
        let limit = self.limits().timeout;
        if self.inner.began.elapsed() >= limit {
            return Err(refused(BudgetError::Timeout { limit }));
        }
        Ok(())
    }

    /// Checks that the query has not ended.
    fn check_ended(&self) -> Result<(), BudgetError> {
        if self.inner.ended.load(Ordering::Relaxed) {
            return Err(BudgetError::Abandoned);
        }
        Ok(())
    }

    /// Counts cells that are about to be computed, and checks that the query may go on.
    ///
    /// # Errors
    /// [`BudgetError::TooManyCells`], and as [`check`](Self::check).
    pub fn spend(&self, cells: usize) -> Result<(), BudgetError> {
        let more = u64::try_from(cells).unwrap_or(u64::MAX);
        let before = self.inner.cells.fetch_add(more, Ordering::Relaxed);
        let limit = self.limits().cells_max;
        if before.saturating_add(more) > limit {
            return Err(refused(BudgetError::TooManyCells { limit }));
        }
        // Looking at the clock costs more than computing a few cells.
        if before / CELLS_PER_LOOK == before.saturating_add(more) / CELLS_PER_LOOK {
            self.check_ended()
        } else {
            self.check()
        }
    }

    /// Takes memory until what is returned is dropped.
    ///
    /// # Errors
    /// [`BudgetError::TooMuchMemory`], [`BudgetError::MemoryHeld`].
    pub fn hold(&self, bytes: usize) -> Result<Held, BudgetError> {
        memory::Account::hold(&self.inner.memory, bytes).map_err(refused)
    }

    /// Takes memory until the last clone of the budget is dropped: that of a result.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn keep(&self, bytes: usize) -> Result<(), BudgetError> {
        self.hold(bytes).map(Held::keep)
    }

    /// Ends the free part of the memory: from now on every byte counts that is held. For results that stay until a client takes them.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn settle(&self) -> Result<(), BudgetError> {
        self.inner.memory.settle().map_err(refused)
    }

    /// Returns how much memory is taken, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.inner.memory.used()
    }

    /// Ends the query: whatever computes for it stops at its next step.
    pub fn end(&self) {
        self.end_first();
    }

    /// Ends the query, and returns whether it had not ended before.
    fn end_first(&self) -> bool {
        !self.inner.ended.swap(true, Ordering::Relaxed)
    }

    /// Gives the place among large queries to the next one. What was computed stays counted and held.
    pub fn computed(&self) {
        let place = self.inner.place.lock().take();
        drop(place);
    }

    /// Runs all that is left of the query, and ends it: when its time is up, and also when a part has failed, since
    /// the results of the other parts are then of no use. What is kept stays held until the last clone is dropped.
    ///
    /// # Errors
    /// [`BudgetError::Timeout`].
    pub async fn finish<T>(&self, work: impl Future<Output = T>) -> Result<T, BudgetError> {
        self.check()?;
        tokio::pin!(work);
        let unfinished = Unfinished(Some(self));
        let result = timeout_at(self.deadline(), work.as_mut()).await;
        unfinished.finish();
        self.computed();
        self.end();
        result.map_err(|_| {
            let limit = self.limits().timeout;
            refused(BudgetError::Timeout { limit })
        })
    }

    /// Runs a part of the query, and ends the budget when it is dropped before its result.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let unfinished = Unfinished(Some(self));
        let result = work.await;
        unfinished.finish();
        result
    }
}

/// Ends a budget whose caller has given up.
struct Unfinished<'a>(Option<&'a Budget>);

impl Unfinished<'_> {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0
            && budget.end_first()
        {
            telemetry::query_refused(BudgetError::Abandoned.reason());
        }
    }
}

/// Checks that there is room for a report of a change, which cannot be refused once the change is made.
///
/// # Errors
/// [`BudgetError::MemoryHeld`] when such reports hold half as much as the limit beyond it.
pub(crate) fn admit_report(pool: &Pool) -> Result<(), BudgetError> {
    pool.check_excess().map_err(refused)
}

/// Counts a refusal.
fn refused(error: BudgetError) -> BudgetError {
    telemetry::query_refused(error.reason());
    error
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
