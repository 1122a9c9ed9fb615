//! Memory of responses that are not sent yet, which counts as that of queries.
//!
//! Why? A client of HTTP/2 asks for a hundred responses before it takes the first byte of one, on each of its connections. What is short is
//! bounded by the number of streams of a connection; what is long would be bounded by nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gnocchi_core::budget::{Budget, Reserved};
use gnocchi_core::{Error, Gnocchi};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::api::response::error::ApiResult;
use crate::api::response::render::PIECE_BYTES_MAX;

/// The longest response that is not counted, in bytes: its stream takes as much.
const UNCOUNTED_BYTES_MAX: usize = 4 << 10;

/// The longest response that is sent while others fill the memory, in bytes.
const SHORT_BYTES_MAX: usize = 16 << 10;

/// What is reserved for the first pieces of a response that is rendered while it is sent, in bytes. A stream of HTTP/2 holds no more
/// of them at a time; a connection of HTTP/1 holds more, which are counted as they come.
const PIECES_BYTES: usize = 2 * PIECE_BYTES_MAX;

/// Marks a response whose memory is counted, or shared by all responses.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Counted;

/// Takes the memory of a response before it is rendered, unless it is a short one.
///
/// # Errors
/// 503 when other responses and queries hold the memory, 422 when all of it would not be enough.
pub(in crate::api) fn reserve(gnocchi: &Gnocchi, bytes: usize) -> ApiResult<Option<Reserved>> {
    if bytes <= UNCOUNTED_BYTES_MAX {
        return Ok(None);
    }
    take(gnocchi, bytes).map(Some)
}

fn take(gnocchi: &Gnocchi, bytes: usize) -> ApiResult<Reserved> {
    let reserved = if bytes <= SHORT_BYTES_MAX {
        gnocchi.reserve_little(bytes)
    } else {
        gnocchi.reserve(bytes)
    };
    Ok(reserved.map_err(Error::from)?)
}

/// Checks before a change that there is room for the report of it, which may be long.
///
/// # Errors
/// 503 when reports that others do not read hold too much.
pub(in crate::api) fn admit_report(gnocchi: &Gnocchi) -> ApiResult<()> {
    Ok(gnocchi.admit_report().map_err(Error::from)?)
}

/// Makes the body of a response that was rendered into the memory that was reserved for it.
///
/// # Errors
/// As [`reserve`], when it became longer than expected.
pub(in crate::api) fn rendered(
    gnocchi: &Gnocchi,
    reserved: Option<Reserved>,
    bytes: Vec<u8>,
) -> ApiResult<Body> {
    if bytes.len() <= UNCOUNTED_BYTES_MAX {
        return Ok(bytes.into());
    }
    let reserved = match reserved {
        Some(mut reserved) if bytes.len() > SHORT_BYTES_MAX => {
            reserved.resize(bytes.len()).map_err(Error::from)?;
            reserved
        }
        _ => take(gnocchi, bytes.len())?,
    };
    Ok(Body::new(Rendered {
        is_one_piece: bytes.len() <= PIECE_BYTES_MAX,
        rest: bytes.into(),
        reserved,
    }))
}

/// Makes a body hold the budget of its query until it is sent, and each piece of it its own memory.
///
/// # Errors
/// As [`reserve`].
pub(in crate::api) fn streamed(gnocchi: &Gnocchi, budget: Budget, body: Body) -> ApiResult<Body> {
    budget.settle().map_err(Error::from)?;
    let mut first = gnocchi.reserve(PIECES_BYTES).map_err(Error::from)?;
    Ok(Body::new(body.map_frame(move |frame| {
        let _paid = &budget;
        frame.map_data(|bytes| {
            let mut reserved = first.split(bytes.len());
            // A response that has begun is not refused any more.
            reserved.resize_anyway(bytes.len());
            Bytes::from_owner(Piece {
                bytes,
                _reserved: reserved,
            })
        })
    })))
}

/// Counts a response that its handler has not counted. One that reports a change is never refused; an error, which may name all that a
/// request has, gives way to a short one when there are too many reports that clients do not read.
pub(in crate::api) fn counted(
    gnocchi: &Gnocchi,
    method: &Method,
    mut response: Response,
) -> Response {
    let length = response.body().size_hint().exact().unwrap_or(0);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length <= UNCOUNTED_BYTES_MAX || response.extensions_mut().remove::<Counted>().is_some() {
        return response;
    }
    let status = response.status();
    let reserved = if status.is_client_error() || status.is_server_error() {
        admit_report(gnocchi).map(|()| gnocchi.reserve_anyway(length))
    } else if *method == Method::GET {
        take(gnocchi, length)
    } else {
        Ok(gnocchi.reserve_anyway(length))
    };
    let reserved = match reserved {
        Ok(reserved) => reserved,
        Err(error) => return error.into_response(),
    };
    response.map(|body| Body::new(Whole { body, reserved }))
}

/// A piece that is being sent. The connection keeps it longer than the body that it comes from.
struct Piece {
    bytes: Bytes,
    _reserved: Reserved,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body that was rendered, and is sent in pieces of its own: so a client that takes all but the last byte of it keeps only one of them.
struct Rendered {
    rest: Bytes,
    /// It is a single piece, which is not copied.
    is_one_piece: bool,
    /// The memory of all that was rendered: it is one allocation, which stays until the last piece is taken off.
    reserved: Reserved,
}

impl HttpBody for Rendered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        let mut bytes = self.rest.split_to(length);
        let reserved = if self.is_one_piece {
            self.reserved.split(length)
        } else {
            bytes = Bytes::copy_from_slice(&bytes);
            if self.rest.is_empty() {
                self.reserved.resize_anyway(0);
            }
            let mut own = self.reserved.split(0);
            // A response that has begun is not refused any more.
            own.resize_anyway(length);
            own
        };
        let piece = Piece {
            bytes,
            _reserved: reserved,
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A body of another kind, each frame of which takes its memory along.
struct Whole {
    body: Body,
    reserved: Reserved,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_ok(|frame| {
            frame.map_data(|bytes| {
                let reserved = self.reserved.split(bytes.len());
                Bytes::from_owner(Piece {
                    bytes,
                    _reserved: reserved,
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
