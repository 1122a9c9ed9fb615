//! The memory that the bodies of all requests may take together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ApiError, ApiResult};

/// How much the larger bodies may take together, in bytes. One body of the longest length that is allowed always fits.
const HELD_BYTES_MAX: usize = 512 << 20;

/// What is counted: a body shorter than a page costs nothing, because the buffers of its connection take as much.
pub(crate) const PAGE_BYTES: usize = 64 << 10;

/// Hands out the memory for bodies, to those first who asked first.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    pages: Arc<Semaphore>,
    /// How long a request waits for its turn.
    patience: Duration,
}

/// Memory for one body; dropped, it is free for others.
pub(crate) type Held = OwnedSemaphorePermit;

impl BodyMemory {
    pub(crate) fn new(body_bytes_max: usize, patience: Duration) -> Self {
        Self {
            pages: Arc::new(Semaphore::new(pages(HELD_BYTES_MAX.max(body_bytes_max)))),
            patience,
        }
    }

    /// Waits until a body has the memory that it wants. Almost always that is asked for once.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(super) async fn hold_up_to(&self, held: &mut Option<Held>, bytes: usize) -> ApiResult<()> {
        let has = held.as_ref().map_or(0, Held::num_permits);
        let missing = pages(bytes).saturating_sub(has);
        if missing > 0 {
            let more = self.hold(missing.saturating_mul(PAGE_BYTES)).await?;
            match held {
                Some(held) => held.merge(more),
                None => *held = Some(more),
            }
        }
        Ok(())
    }

    /// Waits for the memory of a body. It is asked for at once: bodies that wait for each other's last piece would wait in vain.
    ///
    /// # Errors
    /// 503 when other bodies take too much for too long.
    pub(crate) async fn hold(&self, bytes: usize) -> ApiResult<Held> {
        let busy = || {
            ApiError::busy(
                "The bodies of other requests take all the memory that is set aside for them: try again later",
            )
        };
        let pages = u32::try_from(pages(bytes)).map_err(|_| busy())?;
        let turn = Arc::clone(&self.pages).acquire_many_owned(pages);
        match tokio::time::timeout(self.patience, turn).await {
            Ok(held) => Ok(held.expect("the semaphore is never closed")),
            Err(_) => Err(busy()),
        }
    }
}

/// Gives back what a body turned out not to need.
pub(super) fn shrink(held: &mut Held, bytes: usize) {
    drop(held.split(held.num_permits().saturating_sub(pages(bytes))));
}

fn pages(bytes: usize) -> usize {
    bytes.div_ceil(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_waited_for_but_not_for_ever() {
        let memory = BodyMemory::new(1, Duration::from_millis(20));
        let mut first = memory.hold(HELD_BYTES_MAX).await.unwrap();
        let refused = memory.hold(PAGE_BYTES).await.unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
        assert!(refused.retry_after_seconds.is_some());
        shrink(&mut first, HELD_BYTES_MAX - PAGE_BYTES);
        let second = memory.hold(PAGE_BYTES).await.unwrap();
        assert!(memory.hold(1).await.is_err());
        drop(second);
        assert!(memory.hold(1).await.is_ok());
    }

    #[tokio::test]
    async fn the_longest_body_always_fits() {
        let longest = 4 << 30;
        let memory = BodyMemory::new(longest, Duration::from_millis(20));
        assert!(memory.hold(longest).await.is_ok());
    }
}
