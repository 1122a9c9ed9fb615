//! Request bodies.

use std::ops::Deref;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::api::aside::{self, Length};
use crate::api::request::body_memory::{self, BodyMemory, Held};
use crate::api::request::body_pieces::{Patience, Pieces};
use crate::api::request::storable;
use crate::api::response::error::ApiError;
use crate::api::state::ApiState;

/// The content type of nearly every body.
const JSON: &str = "application/json";

/// The content type of changes of resource types.
const JSON_PATCH: &str = "application/json-patch+json";

/// How much memory is set aside before the first byte has come, whatever the client announces.
const BYTES_RESERVED_MAX: usize = 1 << 20;

/// The longest body that becomes a tree of values, in bytes. A tree takes many times the memory of its text; the bodies that are really
/// large, measures, never become one.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// How much memory such a tree may take, in bytes.
const TREE_BYTES_MAX: usize = 160 << 20;

/// How much memory a tree may take that is not counted, in bytes. That of the usual body takes a few kilobytes.
const TREE_BYTES_UNCOUNTED: usize = 1 << 20;

/// U+FEFF as UTF-8, and as UTF-16 in both byte orders.
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// How much JSON is decoded at once, in bytes.
const DECODED_AT_ONCE_BYTES: usize = 64 << 10;

/// A body that is still to be read. Handlers read it after they have identified the caller and checked the rules.
#[derive(Debug)]
pub(crate) struct RequestBody {
    headers: HeaderMap,
    body: axum::body::Body,
    bytes_max: usize,
    /// What sets this limit, as it stands behind the number.
    limit_name: &'static str,
    patience: Patience,
    memory: BodyMemory,
}

/// A body that has come, with the memory that it may take.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Bytes,
    _held: Option<Held>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body as a tree of values, with the memory that it takes.
#[derive(Debug)]
pub(crate) struct Tree {
    value: Value,
    _held: Option<Held>,
}

impl Deref for Tree {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl Body {
    /// Drops the byte order mark that Windows shells and editors put before UTF-8.
    ///
    /// # Errors
    /// 400 when there is one of UTF-16: JSON is always UTF-8.
    fn without_mark(mut self) -> Result<Self, ApiError> {
        if self.bytes.starts_with(UTF_8_MARK) {
            self.bytes = self.bytes.slice(UTF_8_MARK.len()..);
        } else if UTF_16_MARKS.iter().any(|mark| self.bytes.starts_with(mark)) {
            return Err(ApiError::malformed_body(
                "The body begins with a byte order mark of UTF-16, but JSON is sent as UTF-8",
            ));
        }
        Ok(self)
    }
}

impl RequestBody {
    /// Reads a body that must be announced as JSON.
    ///
    /// # Errors
    /// 415 when it is announced as something else or compressed in an unknown way, 413 when it is too long, 400 when it breaks off,
    /// 408 when it takes too long, 503 when other bodies leave no room for it.
    pub(crate) async fn json_bytes(self) -> Result<Body, ApiError> {
        self.require_type(JSON)?;
        self.bytes().await?.without_mark()
    }

    /// Reads and decodes a body that must be JSON.
    ///
    /// # Errors
    /// As [`json_bytes`](Self::json_bytes), and 400 when it is no JSON.
    pub(crate) async fn json(self) -> Result<Tree, ApiError> {
        self.document(JSON).await
    }

    /// Reads and decodes a body that must be a JSON patch.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn json_patch(self) -> Result<Tree, ApiError> {
        self.document(JSON_PATCH).await
    }

    async fn document(mut self, content_type: &str) -> Result<Tree, ApiError> {
        self.require_type(content_type)?;
        self = self.at_most(DOCUMENT_BYTES_MAX);
        let memory = self.memory.clone();
        let bytes = self.bytes().await?.without_mark()?;
        tree(&memory, bytes).await
    }

    /// Lowers the limit of how long the body may be.
    #[must_use]
    pub(crate) fn at_most(mut self, bytes: usize) -> Self {
        if bytes < self.bytes_max {
            self.bytes_max = bytes;
            self.limit_name = "for requests of this kind";
        }
        self
    }

    /// Reads and decodes a body that must be JSON unless it is empty.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn optional_json(mut self) -> Result<Option<Tree>, ApiError> {
        self = self.at_most(DOCUMENT_BYTES_MAX);
        let memory = self.memory.clone();
        let announced = self.require_type(JSON);
        let bytes = self.bytes().await?.without_mark()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        announced?;
        tree(&memory, bytes).await.map(Some)
    }

    /// Leaves it to the handler to decompress a body that is announced with this coding.
    #[must_use]
    pub(crate) fn coded_as(mut self, coding: &str) -> Self {
        let mut codings = self.headers.get_all(CONTENT_ENCODING).iter();
        let is_known =
            |announced: &HeaderValue| announced.as_bytes().eq_ignore_ascii_case(coding.as_bytes());
        if codings.next().is_some_and(is_known) && codings.next().is_none() {
            self.headers.remove(CONTENT_ENCODING);
        }
        self
    }

    /// Reads a body that may be of any type.
    ///
    /// # Errors
    /// As [`json_bytes`](Self::json_bytes), without a look at the type.
    pub(crate) async fn bytes(self) -> Result<Body, ApiError> {
        let Self {
            headers,
            body,
            bytes_max,
            limit_name,
            patience,
            memory,
        } = self;
        let too_long = || too_long(bytes_max, limit_name);
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > bytes_max) {
            return Err(too_long());
        }
        let mut pieces = Pieces::new(&headers, body, patience)?;
        let expected = announced.map_or(bytes_max, |length| {
            bytes_max.min(length.saturating_mul(pieces.growth()))
        });
        let mut first: Option<Bytes> = None;
        let mut gathered = Vec::new();
        let mut held: Option<Held> = None;
        while let Some(data) = pieces.next().await? {
            let length = first.as_ref().map_or(0, Bytes::len) + gathered.len() + data.len();
            if length > bytes_max {
                return Err(too_long());
            }
            if length > body_memory::PAGE_BYTES {
                let wanted = if length > expected {
                    bytes_max
                } else {
                    expected
                };
                memory.hold_up_to(&mut held, wanted).await?;
            }
            // A body that comes in one piece is not copied.
            match first.take() {
                None if gathered.is_empty() => first = Some(data),
                None => gathered.extend_from_slice(&data),
                Some(earlier) => {
                    let reserved = announced.unwrap_or_default().min(BYTES_RESERVED_MAX);
                    gathered.reserve(reserved.max(earlier.len() + data.len()));
                    gathered.extend_from_slice(&earlier);
                    gathered.extend_from_slice(&data);
                }
            }
        }
        let bytes = first.unwrap_or_else(|| gathered.into());
        if let Some(held) = &mut held {
            body_memory::shrink(held, bytes.len());
        }
        Ok(Body { bytes, _held: held })
    }

    /// Insists on the type that a body is announced as; parameters such as a charset don't matter.
    fn require_type(&self, expected: &str) -> Result<(), ApiError> {
        let announced = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = announced.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        let sent = match essence {
            "" => "no Content-Type header".to_owned(),
            other => format!("the content type {other}"),
        };
        Err(ApiError::text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("The request has {sent}; its body must be announced as {expected}"),
        ))
    }
}

fn too_long(bytes_max: usize, limit_name: &str) -> ApiError {
    ApiError::text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The body of the request is longer than the limit of {bytes_max} bytes after decompression {limit_name}; send it in several parts"
        ),
    )
}

/// Makes a tree of a body within the memory for such trees.
async fn tree(memory: &BodyMemory, bytes: Body) -> Result<Tree, ApiError> {
    let length = Length::of(bytes.len(), DECODED_AT_ONCE_BYTES);
    let counted = move || (body_memory::tree_bytes(&bytes), bytes);
    let (tree_bytes, bytes) = aside::work(length, counted).await?;
    if tree_bytes > TREE_BYTES_MAX {
        return Err(ApiError::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "The body of the request has so many values that they would take about {tree_bytes} bytes of memory; expected at most {TREE_BYTES_MAX}: send it in several parts"
            ),
        ));
    }
    let held = match tree_bytes {
        ..=TREE_BYTES_UNCOUNTED => None,
        _ => Some(memory.hold_decoded(tree_bytes).await?),
    };
    // If the request is cancelled, the tree and its memory are released together.
    let work = move || decode(&bytes).map(|value| Tree { value, _held: held });
    aside::work(length, work).await?
}

/// Decodes JSON. The bare tokens `NaN` and `Infinity` are none: only measures may hold them.
///
/// # Errors
/// 400 with the text of the decoder, or with the place of a text that cannot be stored.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, ApiError> {
    let document = serde_json::from_slice(bytes).map_err(|error| {
        if bytes.trim_ascii().is_empty() {
            return ApiError::malformed_body("Expected object or value");
        }
        ApiError::malformed_body(error.to_string())
    })?;
    storable::check_document(bytes, &document)?;
    Ok(document)
}

impl FromRequest<ApiState> for RequestBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            headers: parts.headers,
            body,
            bytes_max: state.settings().body_bytes_max,
            limit_name: "([api] body_bytes_max)",
            patience: Patience::new(state.settings().request_timeout),
            memory: state.body_memory().clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::time::Duration;

    use crate::api::request::body::*;
    use crate::api::response::error::Detail;

    fn body(content_type: Option<&str>, body: axum::body::Body) -> RequestBody {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        RequestBody {
            headers,
            body,
            bytes_max: 10,
            limit_name: "([api] body_bytes_max)",
            patience: Patience::new(Duration::from_millis(20)),
            memory: BodyMemory::new(10, Duration::from_millis(20)),
        }
    }

    fn chunks(chunks: &[&'static str]) -> axum::body::Body {
        let chunks: Vec<Result<&str, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(*chunk)).collect();
        axum::body::Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn the_content_type_must_be_json() {
        let check = async |content_type, expected: Option<u16>| {
            let outcome = body(content_type, "[]".into()).json().await;
            assert_eq!(
                outcome.err().map(|error| error.status.as_u16()),
                expected,
                "{content_type:?}"
            );
        };
        check(Some("application/json"), None).await;
        check(Some("Application/JSON; charset=utf-8"), None).await;
        check(Some("text/plain"), Some(415)).await;
        check(Some(""), Some(415)).await;
        check(None, Some(415)).await;
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_dropped_or_named() {
        let marked: &[u8] = b"\xef\xbb\xbf[1]";
        let with = |bytes: &'static [u8]| body(Some(JSON), bytes.into());
        assert_eq!(*with(marked).json().await.unwrap(), json!([1]));
        let optional = with(marked).optional_json().await.unwrap();
        assert_eq!(*optional.unwrap(), json!([1]));
        assert_eq!(*with(marked).json_bytes().await.unwrap(), *b"[1]");
        let empty = with(b"\xef\xbb\xbf").optional_json().await;
        assert!(empty.unwrap().is_none());
        assert_eq!(*with(marked).bytes().await.unwrap(), *marked);
        for utf_16 in [&b"\xff\xfe[\x001\x00"[..], b"\xfe\xff\x00["] {
            let refused = with(utf_16).json().await.unwrap_err();
            let Detail::Data(detail) = refused.detail else {
                panic!("{refused:?}");
            };
            let reason = detail["reason"].as_str().unwrap();
            assert!(reason.contains("UTF-16"), "{reason}");
        }
    }

    #[tokio::test]
    async fn bodies_in_pieces_are_put_together_up_to_the_limit() {
        let read =
            async |pieces: &[&'static str]| body(Some(JSON), chunks(pieces)).json_bytes().await;
        assert_eq!(*read(&[]).await.unwrap(), *b"");
        assert_eq!(*read(&["[1]"]).await.unwrap(), *b"[1]");
        assert_eq!(
            *read(&["[1", ",2", ",", "3456]"]).await.unwrap(),
            *b"[1,2,3456]"
        );
        assert_eq!(
            read(&["[1,2,34567]"]).await.unwrap_err().status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        assert_eq!(
            read(&["[1,2", ",3456", "7]"]).await.unwrap_err().status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let pieces = futures::stream::iter([Ok::<_, std::io::Error>("[1")]);
        let stalled = futures::StreamExt::chain(pieces, futures::stream::pending());
        let body = body(Some(JSON), axum::body::Body::from_stream(stalled));
        let refused = body.json_bytes().await.unwrap_err();
        assert_eq!(refused.status, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn long_bodies_share_the_memory() {
        let long = || RequestBody {
            bytes_max: 100_000_000,
            ..body(Some(JSON), " ".repeat(100_000).into())
        };
        let memory = BodyMemory::new(10, Duration::from_millis(300));
        let with = |body: RequestBody| RequestBody {
            memory: memory.clone(),
            ..body
        };
        // None is announced here, so each takes as much as it may have until its end is known.
        let bodies: Vec<Body> =
            futures::future::try_join_all((0..50).map(|_| with(long()).json_bytes()))
                .await
                .unwrap();
        let all = memory.hold(512 << 20).await;
        assert_eq!(all.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(bodies);
        assert!(memory.hold(512 << 20).await.is_ok());
    }

    #[tokio::test]
    async fn trees_hold_memory_until_they_are_dropped() {
        let memory = BodyMemory::new(10, Duration::from_millis(20));
        let document = |values: usize| RequestBody {
            bytes_max: 1 << 20,
            memory: memory.clone(),
            ..body(
                Some(JSON),
                format!("[{}0]", r#"{"":0},"#.repeat(values)).into(),
            )
        };
        let all = || memory.hold_decoded(512 << 20);
        // A short text, but not a small tree.
        let tree = document(9000).json().await.unwrap();
        assert!(all().await.is_err());
        drop(tree);
        assert!(all().await.is_ok());
        let small = document(100).json().await.unwrap();
        assert!(all().await.is_ok());
        drop(small);
    }

    #[test]
    fn what_is_no_json() {
        assert_eq!(decode(b"[1.5]").unwrap(), json!([1.5]));
        assert_eq!(
            decode(b" ").unwrap_err(),
            ApiError::malformed_body("Expected object or value")
        );
        for bytes in [
            &b"{"[..],
            b"[NaN]",
            b"{\"name\": -Infinity}",
            b"\xff",
            b"[1e999]",
        ] {
            assert_eq!(decode(bytes).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }
}
