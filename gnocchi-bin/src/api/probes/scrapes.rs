//! Responses of `/metrics`, which are shared when clients leave many of them unread.
//!
//! Why? They are long, and every client may request them: a client of HTTP/2 asks for a hundred before it takes the first byte of one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many texts may be unsent before responses share one.
const UNSENT_MAX: usize = 16;

/// How old a text may be that is shared.
const SHARED_AGE_MAX: Duration = Duration::from_secs(1);

/// The texts that are not sent yet.
#[derive(Debug)]
pub(in crate::api) struct Scrapes {
    unsent: Arc<Semaphore>,
    /// Lets one render at a time when there are too many.
    turn: Semaphore,
    shared: Mutex<Option<(Instant, Bytes)>>,
}

impl Default for Scrapes {
    fn default() -> Self {
        Self {
            unsent: Arc::new(Semaphore::new(UNSENT_MAX)),
            turn: Semaphore::new(1),
            shared: Mutex::new(None),
        }
    }
}

/// A text, and its place among those that are not sent yet.
struct Unsent {
    text: String,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Scrapes {
    /// Returns a text that was just rendered, or one of the last second when too many are unsent.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    pub(in crate::api) async fn text(&self, render: impl Future<Output = String>) -> Bytes {
        if let Ok(place) = Arc::clone(&self.unsent).try_acquire_owned() {
            let text = render.await;
            return Bytes::from_owner(Unsent {
                text,
                _place: place,
            });
        }
        // Fails only for a closed semaphore, and this one is never closed.
        let _turn = self.turn.acquire().await;
        if let Some((rendered, text)) = &*self.shared()
            && rendered.elapsed() < SHARED_AGE_MAX
        {
            return text.clone();
        }
        let text = Bytes::from(render.await);
        *self.shared() = Some((Instant::now(), text.clone()));
        text
    }

    fn shared(&self) -> MutexGuard<'_, Option<(Instant, Bytes)>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use crate::api::probes::scrapes::*;

    #[tokio::test(start_paused = true)]
    async fn unsent_texts_are_shared_when_there_are_many() {
        let (scrapes, renderings) = (Scrapes::default(), AtomicU32::new(0));
        let next =
            || scrapes.text(async { renderings.fetch_add(1, Ordering::Relaxed).to_string() });
        let mut unsent = Vec::new();
        for number in 0..UNSENT_MAX {
            unsent.push(next().await);
            assert_eq!(unsent[number], number.to_string());
        }
        let first = next().await;
        assert_eq!(first, "16");
        let others = futures::future::join_all((0..100).map(|_| next())).await;
        assert!(others.iter().all(|text| *text == first));
        tokio::time::advance(SHARED_AGE_MAX).await;
        assert_eq!(next().await, "17");
        // One that is sent makes room.
        unsent.pop();
        assert_eq!(next().await, "18");
        assert_eq!(next().await, "19");
    }
}
