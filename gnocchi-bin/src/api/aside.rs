//! Work that would keep a worker of the runtime busy for longer than other requests should wait.

use gnocchi_core::budget;

use crate::api::response::error::{ApiError, ApiResult};

/// About how long work may take where requests are handled: half a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// It is over at once.
    Short,
    /// It takes longer.
    Long,
}

impl Length {
    /// Says how long it takes to work on so many things, of which `short_max` are done at once.
    pub(crate) fn of(things: usize, short_max: usize) -> Self {
        if things > short_max {
            Self::Long
        } else {
            Self::Short
        }
    }
}

/// Does short work at once, and long work on a blocking thread as soon as a slot is free: see [`gnocchi_core::budget::aside`].
///
/// # Errors
/// 503 when the server shuts down before the work began.
pub(crate) async fn work<T: Send + 'static>(
    length: Length,
    work: impl FnOnce() -> T + Send + 'static,
) -> ApiResult<T> {
    if length == Length::Short {
        return Ok(work());
    }
    let done = budget::aside(work).await;
    done.map_err(|_| ApiError::busy("The server is shutting down"))
}

#[cfg(test)]
mod tests {
    use std::thread::available_parallelism;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn work_is_done_here_or_there() {
        let here = std::thread::current().id();
        let place = |length| work(length, || std::thread::current().id());
        assert_eq!(place(Length::of(5, 5)).await, Ok(here));
        assert_ne!(place(Length::of(6, 5)).await, Ok(here));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_so_much_is_done_at_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static NOW: AtomicUsize = AtomicUsize::new(0);
        let places = available_parallelism().map_or(1, usize::from);
        let working = (0..4 * places).map(|_| {
            work(Length::Long, || {
                let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
                NOW.fetch_sub(1, Ordering::SeqCst);
                now
            })
        });
        let most = futures::future::try_join_all(working).await.unwrap();
        assert!(most.into_iter().max() <= Some(places));
    }

    #[tokio::test]
    async fn a_panic_comes_back() {
        let working = work::<()>(Length::Long, || panic!("asked for"));
        assert!(
            std::panic::AssertUnwindSafe(working)
                .catch_unwind()
                .await
                .is_err()
        );
    }
}
