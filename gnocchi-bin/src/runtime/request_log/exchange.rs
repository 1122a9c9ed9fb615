//! A request and its response, until the last byte was sent or the client has gone.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use carbonara::Timestamp;
use http::header::{REFERER, USER_AGENT};
use http::{HeaderValue, Method, Uri, Version};
use hyper::body::{Frame, SizeHint};

use super::Recorder;
use super::line::Entry;
use super::mask::{masked_reference, masked_target};
use crate::api::auth::CallerName;

/// The status that is logged when the client has gone before there was a response, as nginx has it.
const CLIENT_GONE: u16 = 499;

/// The most characters of each part of a request that are logged, so that the queue of lines is bounded in bytes too.
const TARGET_CHARACTERS_MAX: usize = 2048;
const HEADER_CHARACTERS_MAX: usize = 512;
const NAME_CHARACTERS_MAX: usize = 256;

/// What is known of a request and its response. Logged when it is dropped, however that comes about.
#[derive(Debug)]
pub(super) struct Exchange {
    recorder: Arc<Recorder>,
    time: Timestamp,
    began: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    peer: Option<IpAddr>,
    forwarded_for: Option<String>,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    caller: CallerName,
    status: Option<u16>,
    bytes: u64,
    request_id: Option<HeaderValue>,
}

impl Exchange {
    /// Notes a request that begins.
    pub(super) fn begin(
        recorder: Arc<Recorder>,
        request: &Request,
        peer: Option<IpAddr>,
        caller: CallerName,
    ) -> Self {
        let headers = request.headers();
        let proxies = recorder.proxies.as_ref();
        let proxies = proxies.filter(|proxies| proxies.sent(request.extensions()));
        let forwarded_for = proxies
            .and_then(|proxies| proxies.client(headers))
            .map(|client| shortened(client, NAME_CHARACTERS_MAX));
        Self {
            time: recorder.clock.now(),
            began: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer,
            forwarded_for,
            referer: headers.get(REFERER).cloned(),
            user_agent: headers.get(USER_AGENT).cloned(),
            caller,
            status: None,
            bytes: 0,
            request_id: None,
            recorder,
        }
    }

    /// Notes the response, whose body follows.
    pub(super) fn answered(&mut self, response: &Response) {
        self.status = Some(response.status().as_u16());
        self.request_id = response.headers().get("x-request-id").cloned();
    }

    fn entry(&self) -> Entry {
        let target = self
            .uri
            .path_and_query()
            .map_or("*", |target| target.as_str());
        let header = |value: &Option<HeaderValue>| {
            let value = value.as_ref()?;
            let text = String::from_utf8_lossy(value.as_bytes());
            Some(shortened(&text, HEADER_CHARACTERS_MAX))
        };
        let client = match (&self.forwarded_for, self.peer) {
            (Some(named), _) => Some(named.clone()),
            (None, Some(peer)) => Some(peer.to_canonical().to_string()),
            (None, None) => None,
        };
        Entry {
            time: self.time,
            duration: self.began.elapsed(),
            client,
            user: (self.caller.get()).map(|name| shortened(name, NAME_CHARACTERS_MAX)),
            method: shortened(self.method.as_str(), NAME_CHARACTERS_MAX),
            target: masked_target(&shortened(target, TARGET_CHARACTERS_MAX)),
            version: self.version,
            status: self.status.unwrap_or(CLIENT_GONE),
            bytes: self.bytes,
            referer: header(&self.referer).map(|referer| masked_reference(&referer)),
            user_agent: header(&self.user_agent),
            request_id: header(&self.request_id),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.recorder.record(self.entry());
    }
}

/// Cuts off what is too long to be logged.
fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A body whose bytes are counted, and whose end is the end of the exchange.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    exchange: Exchange,
}

impl Counted {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, exchange }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.exchange.bytes = self.exchange.bytes.saturating_add(length);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
