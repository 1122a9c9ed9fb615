//! From pending measures to stored aggregates: claim, fold, commit, acknowledge.
//!
//! Each sack has one owner at a time. The owner holds its lease, keeps the open windows of its metrics in memory, and runs *turns*:
//! claim the pending measures, fold them, commit, acknowledge, then rewrite the blocks that need it. The storage remembers the
//! receipt of the last commit of a sack, so that a new owner first acknowledges what its predecessor committed. Each measure is
//! therefore folded exactly once, whenever a process crashes.

mod cache;
mod dispatch;
mod janitor;
mod load;
mod ownership;
mod processor;
mod rewrite;
mod state;
mod statistics;
mod turn;
mod worker;

use crate::error::{BackendError, BackendErrorKind, Error, StorageError};

pub(crate) use cache::WindowCache;
pub(crate) use processor::Processor;
pub(crate) use state::MetricState;

/// Bytes of frames that are decoded on the task that reads them; more are decoded on a thread of their own, so that no other task
/// waits. About a tenth of a millisecond.
pub(crate) const INLINE_BYTES_MAX: usize = 64 << 10;

/// Runs a computation on a thread that may take its time.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|failure| match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(failure) => {
                let error =
                    BackendError::new("processing", "compute", BackendErrorKind::Unavailable);
                Error::from(StorageError::from(error.with_source(failure)))
            }
        })
}
