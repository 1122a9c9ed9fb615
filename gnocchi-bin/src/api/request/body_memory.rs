//! Limits on the memory used by request bodies.
//!
//! Text and decoded values have separate pools. A request acquires memory for its text first, and for its values once the text has
//! been received. A request that waits for the second pool therefore waits only for requests that hold all the memory they need.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task_local;

use crate::api::aside::{self, Length};
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

/// Returns how much memory a text that is decompressed takes at most, with its measures, in bytes.
fn text_and_columns_bytes(text_bytes: usize) -> usize {
    columns_bytes(text_bytes).saturating_add(text_bytes)
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
            decoded: pool(text_and_columns_bytes(body_bytes_max)),
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

    /// Waits for the memory of the measures of a text. Short texts cost nothing.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(crate) async fn hold_columns(&self, text_bytes: usize) -> ApiResult<Option<Held>> {
        if text_bytes <= PAGE_BYTES {
            return Ok(None);
        }
        let bytes = columns_bytes(text_bytes);
        self.hold_decoded(bytes).await.map(Some)
    }

    /// Waits for the memory of a text that is decompressed and of its measures, all at once: requests that hold one and wait for the
    /// other would wait for each other.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(crate) async fn hold_text_and_columns(&self, text_bytes: usize) -> ApiResult<Option<Held>> {
        if text_bytes <= PAGE_BYTES {
            return Ok(None);
        }
        let bytes = text_and_columns_bytes(text_bytes);
        self.hold_decoded(bytes).await.map(Some)
    }

    /// Waits for the memory of what a body becomes.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(in crate::api) async fn hold_decoded(&self, bytes: usize) -> ApiResult<Held> {
        self.take(&self.decoded, bytes).await
    }

    /// Takes memory for decoded values that turned out to be needed beyond what their text lets expect, without waiting: they exist already.
    ///
    /// # Errors
    /// 503 when other requests hold it.
    pub(crate) fn hold_more(&self, held: &mut Option<Held>, bytes: usize) -> ApiResult<()> {
        let pages = u32::try_from(pages(bytes)).map_err(|_| busy())?;
        let more = Arc::clone(&self.decoded).try_acquire_many_owned(pages);
        let more = more.map_err(|_| busy())?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }

    async fn take(&self, pool: &Arc<Semaphore>, bytes: usize) -> ApiResult<Held> {
        let pages = u32::try_from(pages(bytes)).map_err(|_| busy())?;
        let turn = Arc::clone(pool).acquire_many_owned(pages);
        match tokio::time::timeout(self.patience, turn).await {
            Ok(held) => Ok(held.expect("the semaphore is never closed")),
            Err(_) => Err(busy()),
        }
    }
}

/// Decodes a body. The memory stays held while decoding runs, even if the client resets the request, and then until the request has a
/// response.
///
/// # Errors
/// As [`aside::work`].
pub(crate) async fn decode<T: Send + 'static>(
    length: Length,
    mut held: Option<Held>,
    work: impl FnOnce(&mut Option<Held>) -> T + Send + 'static,
) -> ApiResult<T> {
    let work = move || (work(&mut held), held);
    // If the request is cancelled, the result and its memory are released together.
    let (decoded, held) = aside::work(length, work).await?;
    if let Some(held) = held {
        // Outside of a request there is nothing to keep it for.
        let kept = KEPT.try_with(|kept| kept.borrow_mut().push(held));
        kept.unwrap_or_default();
    }
    Ok(decoded)
}

fn busy() -> ApiError {
    ApiError::busy(
        "The bodies of other requests take all the memory that is set aside for them: try again later",
    )
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
        assert!(memory.hold_columns(longest).await.is_ok());
        assert!(memory.hold_text_and_columns(longest).await.is_ok());
    }

    #[tokio::test]
    async fn what_bodies_become_is_kept_until_the_request_ends() {
        let memory = BodyMemory::new(64 << 20, Duration::from_millis(20));
        let body = async || {
            let held = memory.hold_columns(80 << 20).await?;
            decode(Length::Long, held, |held| assert!(held.is_some())).await
        };
        let request = keeping(async {
            for _ in 0..3 {
                body().await?;
            }
            // Text has a pool of its own, and short texts need none.
            drop(memory.hold(HELD_BYTES_MAX).await?);
            assert!(memory.hold_columns(PAGE_BYTES).await?.is_none());
            body().await
        });
        let refused = request.await.unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
        assert_eq!(body().await, Ok(()));
        assert_eq!(pages(HELD_BYTES_MAX), memory.decoded.available_permits());
    }

    #[tokio::test]
    async fn memory_stays_held_while_work_goes_on_for_a_client_that_has_left() {
        let memory = BodyMemory::new(1, Duration::from_millis(20));
        let held = Some(memory.hold_decoded(HELD_BYTES_MAX).await.unwrap());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel();
        let request = tokio::spawn(keeping(decode(Length::Long, held, move |_| {
            begun.send(()).unwrap();
            ended.recv().unwrap();
        })));
        has_begun.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert!(memory.hold_decoded(1).await.is_err());
        end.send(()).unwrap();
        let all = u32::try_from(pages(HELD_BYTES_MAX)).unwrap();
        assert!(memory.decoded.acquire_many(all).await.is_ok());
    }

    #[tokio::test]
    async fn more_is_taken_without_waiting() {
        let memory = BodyMemory::new(1, Duration::from_mins(1));
        let mut held = None;
        memory.hold_more(&mut held, HELD_BYTES_MAX - 1).unwrap();
        let refused = memory.hold_more(&mut held, 1).unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
        drop(held.take());
        memory.hold_more(&mut held, 1).unwrap();
        memory.hold_more(&mut held, 1).unwrap();
        assert_eq!(held.map(|held| held.num_permits()), Some(2));
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
