//! Small computations where they come up, large ones where they may take their time.

use crate::error::Error;
use crate::processing::blocking;

/// Points that are computed with on the task that reads them: about a tenth of a millisecond.
const INLINE_POINTS_MAX: usize = 20_000;

/// Runs a computation over so many points: at once when they are few, on a thread of its own otherwise.
///
/// # Errors
/// [`Error::Storage`] when there are no threads any more.
pub(super) async fn compute<T: Send + 'static>(
    points: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if points <= INLINE_POINTS_MAX {
        Ok(work())
    } else {
        blocking(work).await
    }
}
