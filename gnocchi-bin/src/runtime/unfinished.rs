//! The rest of a request body that was not read to its end.
//!
//! A request that is refused early (its caller is unknown, its body is too long) still has a body
//! that the client is sending. If the connection were closed over it, the system would reset it,
//! and the client, which reads nothing before it has sent everything, would lose the response. So
//! the rest is read and thrown away while the response is sent, within limits, and the connection
//! can be used again. What is more than that is left to [`Lingering`](super::lingering::Lingering).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http::header::EXPECT;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

/// How much of the rest of a body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// In bytes.
    bytes: u64,
    /// For all of it.
    whole: Duration,
    /// For the next piece.
    piece: Duration,
}

/// As much as the longest body that is allowed by default, in the time that a slow line needs for a good part of it.
pub(super) const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    whole: Duration::from_secs(20),
    piece: Duration::from_secs(5),
};

/// Whether a client may still be sending when its connection is closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives a request a body whose rest is read when it is dropped.
pub(super) fn drained(
    request: Request<Incoming>,
    limits: Limits,
    unread: &Unread,
) -> Request<Body> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Request::from_parts(parts, Body::empty());
    }
    let waits = waits_to_be_asked(&parts.headers);
    let body = Drained {
        body: Some(body),
        waits,
        limits,
        unread: unread.clone(),
    };
    Request::from_parts(parts, Body::new(body))
}

/// Returns whether the client only sends its body when it is told to, which reading it does.
fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    let expected = headers.get(EXPECT);
    expected.is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

struct Drained {
    /// `None` at the end.
    body: Option<Incoming>,
    /// The client has not been told to send.
    waits: bool,
    limits: Limits,
    unread: Unread,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(context);
        self.waits = false;
        let frame = ready!(frame);
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(HttpBody::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        let unread = self.unread.clone();
        match Handle::try_current() {
            // A client that waits learns from the response that nothing is wanted of it; if it sends nevertheless, the connection
            // takes that before it ends.
            Ok(runtime) if !self.waits => {
                runtime.spawn(drain(body, self.limits, unread));
            }
            _ => unread.set(),
        }
    }
}

/// Reads the rest of a body. A connection whose client sends more cannot be used again.
async fn drain(mut body: Incoming, limits: Limits, unread: Unread) {
    let deadline = Instant::now() + limits.whole;
    let mut read = 0;
    // What is announced to be too much needs no attempt.
    while read + body.size_hint().lower() <= limits.bytes {
        let ends = deadline.min(Instant::now() + limits.piece);
        match timeout_at(ends, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Ok(None | Some(Err(_))) => return,
            Err(_) => break,
        }
    }
    unread.set();
}

#[cfg(test)]
#[path = "unfinished_tests.rs"]
mod tests;
