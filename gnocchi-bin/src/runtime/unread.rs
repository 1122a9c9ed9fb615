//! Response bodies that are aborted when the client does not read them.
//!
//! An HTTP/2 client controls how much of each response may be sent. Without a limit, a client that never opens its window would make the
//! server hold a hundred responses per connection indefinitely, on a connection that looks healthy.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// The longest body that is not watched, in bytes: it takes no more than the watching.
const UNWATCHED_BYTES_MAX: u64 = 4096;

/// Makes a body whose content is dropped when the next piece of it has not been asked for within `patience`.
pub(super) fn limited(body: Body, patience: Duration) -> Body {
    let length = HttpBody::size_hint(&body).upper();
    if length.is_some_and(|length| length <= UNWATCHED_BYTES_MAX) {
        return body;
    }
    let content = Arc::new(Content(Mutex::new(State {
        body: Some(body),
        unread_since: Some(Instant::now()),
    })));
    let watching = tokio::spawn(watch(Arc::clone(&content), patience)).abort_handle();
    Body::new(Watched { content, watching })
}

/// Drops the content once it has been left unread for too long.
async fn watch(content: Arc<Content>, patience: Duration) {
    loop {
        let ends = content.unread_since() + patience;
        if ends <= Instant::now() {
            let given_up = content.state().body.take();
            drop(given_up);
            return;
        }
        sleep_until(ends).await;
    }
}

/// What is still to be sent, shared by who sends and who watches.
struct Content(Mutex<State>);

struct State {
    /// `None` when it was given up.
    body: Option<Body>,
    /// When the client could have taken the next piece; `None` while there is none to be taken.
    unread_since: Option<Instant>,
}

impl Content {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unread_since(&self) -> Instant {
        self.state().unread_since.unwrap_or_else(Instant::now)
    }
}

struct Watched {
    content: Arc<Content>,
    watching: AbortHandle,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.content.state();
        state.unread_since = None;
        let Some(body) = &mut state.body else {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(Error::new(error))));
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        state.unread_since = Some(Instant::now());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.content.state();
        state.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.content.state();
        state
            .body
            .as_ref()
            .map(HttpBody::size_hint)
            .unwrap_or_default()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use http_body_util::BodyExt;
    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// A body of three pieces, each of which takes `pause` to be made, and what is alive as long as it.
    fn pieces(pause: Duration) -> (Body, Arc<()>) {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let pieces = stream::iter(["a", "b", "c"]).then(move |piece| {
            let held = Arc::clone(&held);
            async move {
                sleep(pause).await;
                drop(held);
                Ok::<_, io::Error>(piece)
            }
        });
        (Body::from_stream(pieces), alive)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_reads_is_given_up() {
        let (body, alive) = pieces(Duration::ZERO);
        let mut body = limited(body, PATIENCE);
        sleep(PATIENCE / 2).await;
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "a"
        );
        sleep(PATIENCE * 9 / 10).await;
        assert!(Arc::strong_count(&alive) > 1);
        sleep(PATIENCE / 5).await;
        assert_eq!(Arc::strong_count(&alive), 1, "the content is gone");
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_and_slow_sources_are_not() {
        let (body, alive) = pieces(PATIENCE * 3);
        let mut body = limited(body, PATIENCE);
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            read.extend(frame.unwrap().into_data().unwrap());
            sleep(PATIENCE * 9 / 10).await;
        }
        assert_eq!(read, b"abc");
        drop(body);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Arc::strong_count(&alive), 1, "nothing watches any more");
    }

    #[tokio::test]
    async fn lengths_stay_known() {
        let text = "x".repeat(10_000);
        let body = limited(Body::from(text.clone()), PATIENCE);
        assert_eq!(HttpBody::size_hint(&body).exact(), Some(10_000));
        assert_eq!(body.collect().await.unwrap().to_bytes(), text);
        assert!(limited(Body::empty(), PATIENCE).is_end_stream());
    }
}
