//! Where work is done: at once, on a thread of its own, or there once a place among the large queries is free.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::Budget;
use crate::error::Error;
use crate::processing::blocking;

/// Cells that are computed on the task that asks: about a tenth of a millisecond.
const INLINE_CELLS_MAX: usize = 20_000;

/// Cells that a query computes before it is a large one: about a hundredth of a second.
const SMALL_CELLS_MAX: u64 = 4_000_000;

/// Places for work that takes longer than others should wait, and not much longer: one for each processor. They belong to the process
/// because the processors do.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Does work on a blocking thread as soon as a slot is free. Work that takes longer has a [`Budget`].
///
/// # Errors
/// [`Error::Storage`] when there are no threads any more.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let place = PLACES
        .acquire()
        .await
        .expect("the semaphore is never closed");
    blocking(move || {
        // The place is free when the work is done, even if the caller has given up.
        let _place = place;
        work()
    })
    .await
}

impl Budget {
    /// Runs a computation of about so many cells, which may be fewer or more than it spends: at once when they are few, on a thread of its own
    /// otherwise. A query that computes much first waits for a place among those that do, and keeps it.
    ///
    /// # Errors
    /// [`BudgetError`](super::BudgetError) before the work begins, [`Error::Storage`] when there are no threads any more.
    pub async fn compute<T: Send + 'static>(
        &self,
        cells: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.check_ended()?;
        if cells <= INLINE_CELLS_MAX {
            return Ok(work());
        }
        self.check()?;
        let all = self.cells().saturating_add(cells as u64);
        if all <= SMALL_CELLS_MAX {
            return aside(work).await;
        }
        self.take_place().await?;
        self.check()?;
        blocking(work).await
    }

    /// Waits for a place among the large queries, unless the query has one.
    async fn take_place(&self) -> Result<(), Error> {
        if self.inner.place.lock().is_some() {
            return Ok(());
        }
        let place = self.inner.pool.place().await.map_err(super::refused)?;
        // Two parts of one query may have waited side by side; the second place goes back.
        let spare = self.inner.place.lock().replace(place);
        drop(spare);
        Ok(())
    }
}
