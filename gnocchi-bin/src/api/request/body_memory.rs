//! The memory that the bodies of all requests may take together, and what becomes of them.
//!
//! Text and decoded values have a pool each. A request takes memory for the text first, and asks for memory for the values once the text has
//! come: so what waits for the second pool is held up only by requests that need nothing more.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task_local;

use crate::api::response::error::{ApiError, ApiResult};

/// How much the larger bodies may take together, in bytes. One body of the longest length that is allowed always fits.
const HELD_BYTES_MAX: usize = 512 << 20;

/// What is counted: a body shorter than a page costs nothing, because the buffers of its connection take as much.
pub(crate) const PAGE_BYTES: usize = 64 << 10;

task_local! {
    /// What the request of this task keeps until it has a response.
    static KEPT: RefCell<Vec<Held>>;
}

/// Returns how much memory the measures of a text take at most, in bytes: the shortest one has 24 bytes, and its timestamp and value are held
/// three times while they are sorted.
fn columns_bytes(text_bytes: usize) -> usize {
    text_bytes.saturating_mul(2)
}

/// Returns about how much memory a JSON document takes at most as a tree of values, in bytes.
pub(in crate::api) fn tree_bytes(text: &[u8]) -> usize {
    // Why so much? An object has a node with room for eleven entries, which may be half full when there are several, and a list has room for
    // four values at least and may be half full.
    let values = text.iter().map(|byte| match byte {
        b'{' => 640,
        b'[' => 128,
        b':' => 160,
        b',' => 64,
        _ => 1,
    });
    values.sum()
}

/// Hands out the memory for bodies, to those first who asked first.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    pages: Arc<Semaphore>,
    decoded: Arc<Semaphore>,
    /// How long a request waits for its turn.
    patience: Duration,
}

/// Memory for one body; dropped, it is free for others.
pub(crate) type Held = OwnedSemaphorePermit;

impl BodyMemory {
    pub(crate) fn new(body_bytes_max: usize, patience: Duration) -> Self {
        let pool = |longest: usize| Arc::new(Semaphore::new(pages(HELD_BYTES_MAX.max(longest))));
        Self {
            pages: pool(body_bytes_max),
            decoded: pool(columns_bytes(body_bytes_max)),
            patience,
        }
    }

    /// Waits until a body has the memory that it wants. Almost always that is asked for once.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(in crate::api) async fn hold_up_to(
        &self,
        held: &mut Option<Held>,
        bytes: usize,
    ) -> ApiResult<()> {
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
        self.take(&self.pages, bytes).await
    }

    /// Waits for the memory of the measures of a text, and keeps it until the request has a response. Short texts cost nothing.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(crate) async fn keep_columns(&self, text_bytes: usize) -> ApiResult<()> {
        if text_bytes <= PAGE_BYTES {
            return Ok(());
        }
        self.keep(columns_bytes(text_bytes)).await
    }

    /// Waits for the memory of what a body becomes, and keeps it until the request has a response.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(in crate::api) async fn keep(&self, bytes: usize) -> ApiResult<()> {
        let held = self.take(&self.decoded, bytes).await?;
        // Outside of a request there is nothing to keep it for.
        let kept = KEPT.try_with(|kept| kept.borrow_mut().push(held));
        kept.unwrap_or_default();
        Ok(())
    }

    async fn take(&self, pool: &Arc<Semaphore>, bytes: usize) -> ApiResult<Held> {
        let busy = || {
            ApiError::busy(
                "The bodies of other requests take all the memory that is set aside for them: try again later",
            )
        };
        let pages = u32::try_from(pages(bytes)).map_err(|_| busy())?;
        let turn = Arc::clone(pool).acquire_many_owned(pages);
        match tokio::time::timeout(self.patience, turn).await {
            Ok(held) => Ok(held.expect("the semaphore is never closed")),
            Err(_) => Err(busy()),
        }
    }
}

/// Handles a request, and gives back at its end what it keeps.
pub(in crate::api) async fn keeping<T>(request: impl Future<Output = T>) -> T {
    KEPT.scope(RefCell::default(), request).await
}

/// Gives back what a body turned out not to need.
pub(in crate::api) fn shrink(held: &mut Held, bytes: usize) {
    drop(held.split(held.num_permits().saturating_sub(pages(bytes))));
}

fn pages(bytes: usize) -> usize {
    bytes.div_ceil(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use crate::api::request::body_memory::*;

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
        let decoded = memory.keep_columns(longest).await;
        assert_eq!(decoded, Ok(()));
    }

    #[tokio::test]
    async fn what_bodies_become_is_kept_until_the_request_ends() {
        let memory = BodyMemory::new(64 << 20, Duration::from_millis(20));
        let tree = || memory.keep(160 << 20);
        let request = keeping(async {
            for _ in 0..3 {
                tree().await?;
            }
            // Text has a pool of its own, and short texts need none.
            drop(memory.hold(HELD_BYTES_MAX).await?);
            memory.keep_columns(PAGE_BYTES).await?;
            tree().await
        });
        let refused = request.await.unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
        assert_eq!(tree().await, Ok(()));
        assert_eq!(pages(HELD_BYTES_MAX), memory.decoded.available_permits());
    }

    #[test]
    fn objects_take_more_than_their_text() {
        let check = |unit: &str, least: usize| {
            let text = vec![unit; 1000].join(",");
            let times = tree_bytes(text.as_bytes()) / text.len();
            assert!(times >= least, "{unit}: {times}");
        };
        check(r#"{"":0}"#, 90);
        check("[]", 40);
        check("0", 30);
        check(&format!("{:?}", "x".repeat(100)), 1);
    }
}
