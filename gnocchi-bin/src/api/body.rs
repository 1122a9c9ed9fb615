//! Request bodies.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::aside::{self, Length};
use super::error::ApiError;
use super::measures::quote_bare_tokens;
use super::state::ApiState;

/// The content type of nearly every body.
const JSON: &str = "application/json";

/// How much memory is set aside before the first byte has come, whatever the client announces.
const BYTES_RESERVED_MAX: usize = 1 << 20;

/// The longest body that becomes a tree of values, in bytes. A tree takes up to thirty times the memory of its text; the bodies
/// that are really large, measures, never become one.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// How much JSON is decoded at once, in bytes.
const DECODED_AT_ONCE_BYTES: usize = 64 << 10;

/// A body that is still to be read. Handlers read it after they have asked who calls, and whether he may.
#[derive(Debug)]
pub(crate) struct RequestBody {
    headers: HeaderMap,
    body: axum::body::Body,
    bytes_max: usize,
}

impl RequestBody {
    /// Reads a body that must be announced as JSON.
    ///
    /// # Errors
    /// 415 when it is announced as something else, 413 when it is too long, 400 when it breaks off.
    pub(crate) async fn json_bytes(self) -> Result<Bytes, ApiError> {
        let announced = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = announced.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(JSON) {
            return Err(ApiError::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        self.bytes().await
    }

    /// Reads and decodes a body that must be JSON.
    ///
    /// # Errors
    /// As [`json_bytes`](Self::json_bytes), and 400 when it is no JSON.
    pub(crate) async fn json(mut self) -> Result<Value, ApiError> {
        self.bytes_max = self.bytes_max.min(DOCUMENT_BYTES_MAX);
        let bytes = self.json_bytes().await?;
        let length = Length::of(bytes.len(), DECODED_AT_ONCE_BYTES);
        aside::work(length, move || decode(&bytes)).await?
    }

    async fn bytes(self) -> Result<Bytes, ApiError> {
        let Self {
            headers,
            mut body,
            bytes_max,
        } = self;
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > bytes_max) {
            return Err(too_long(bytes_max));
        }
        let mut first: Option<Bytes> = None;
        let mut gathered = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_| ApiError::bad_request("The body of the request breaks off"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if first.as_ref().map_or(0, Bytes::len) + gathered.len() + data.len() > bytes_max {
                return Err(too_long(bytes_max));
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
        Ok(first.unwrap_or_else(|| gathered.into()))
    }
}

fn too_long(bytes_max: usize) -> ApiError {
    ApiError::text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The body of the request is longer than the limit of {bytes_max} bytes; send it in several parts"
        ),
    )
}

/// Decodes JSON, with the bare tokens `NaN`, `Infinity` and `-Infinity` as texts.
///
/// # Errors
/// 400 with the text of the decoder.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, ApiError> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if bytes.trim_ascii().is_empty() {
        return Err(ApiError::malformed_body("Expected object or value"));
    }
    let quoted = quote_bare_tokens(bytes).and_then(|quoted| serde_json::from_slice(&quoted).ok());
    quoted.ok_or_else(|| ApiError::malformed_body(error.to_string()))
}

impl FromRequest<ApiState> for RequestBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            headers: parts.headers,
            body,
            bytes_max: state.settings().body_bytes_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(content_type: Option<&str>, body: axum::body::Body) -> RequestBody {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        RequestBody {
            headers,
            body,
            bytes_max: 10,
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
    async fn bodies_in_pieces_are_put_together_up_to_the_limit() {
        let read =
            async |pieces: &[&'static str]| body(Some(JSON), chunks(pieces)).json_bytes().await;
        assert_eq!(read(&[]).await.unwrap(), "");
        assert_eq!(read(&["[1]"]).await.unwrap(), "[1]");
        assert_eq!(
            read(&["[1", ",2", ",", "3456]"]).await.unwrap(),
            "[1,2,3456]"
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

    #[test]
    fn what_is_no_json() {
        assert_eq!(decode(b"[NaN]").unwrap(), json!(["NaN"]));
        assert_eq!(
            decode(b" ").unwrap_err(),
            ApiError::malformed_body("Expected object or value")
        );
        for bytes in [&b"{"[..], b"[NaN", b"\xff", b"[1e999]"] {
            assert_eq!(decode(bytes).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }
}
