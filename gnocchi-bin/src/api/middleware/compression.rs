//! Compression of responses, for only so many at once.
//!
//! Why a limit? What compresses a response takes up to a third of a megabyte until the client has taken the last byte, however short
//! the response is, and a client of HTTP/2 asks for a hundred responses before it takes the first byte of one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{Extensions, HeaderMap, StatusCode, Version};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// The shortest body that is compressed, in bytes: shorter ones travel in one packet anyway.
const COMPRESSED_BYTES_MIN: u16 = 1024;

/// How many responses are compressed at once; others are sent as they are.
const AT_ONCE_MAX: usize = 128;

/// The right to compress one response, until it is sent.
#[derive(Clone)]
struct Permit(#[expect(dead_code, reason = "it is held, not read")] Arc<OwnedSemaphorePermit>);

/// Compresses the responses of a router that are long enough to be worth it, for clients that want that.
pub(in crate::api) fn compressed(router: Router) -> Router {
    let permits = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let is_permitted = |_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions| {
        extensions.get::<Permit>().is_some()
    };
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN).and(is_permitted));
    router
        .layer(from_fn_with_state(permits, permit))
        .layer(compression)
        .layer(from_fn(hold))
}

/// Permits a response to be compressed if there is room for it.
async fn permit(State(permits): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let is_wanted = request.headers().contains_key(ACCEPT_ENCODING);
    let mut response = next.run(request).await;
    if is_wanted && let Ok(permit) = permits.try_acquire_owned() {
        response.extensions_mut().insert(Permit(Arc::new(permit)));
    }
    response
}

/// Keeps the permit of a response that is compressed until its body is gone.
async fn hold(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Permit>() {
        Some(permit) if response.headers().contains_key(CONTENT_ENCODING) => response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &permit;
                frame
            }))
        }),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt;

    use crate::api::middleware::compression::*;

    async fn ask(router: &Router, path: &str) -> Response {
        let request = Request::get(path).header(ACCEPT_ENCODING, "gzip");
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    fn is_compressed(response: &Response) -> bool {
        response.headers().contains_key(CONTENT_ENCODING)
    }

    #[tokio::test]
    async fn only_so_many_responses_are_compressed_at_once() {
        let plain = Router::new()
            .route("/long", get(async || "x".repeat(10_000)))
            .route("/short", get(async || "x"));
        let router = compressed(plain);
        let mut unsent = Vec::new();
        for _ in 0..AT_ONCE_MAX {
            // What is short takes none of the room.
            assert!(!is_compressed(&ask(&router, "/short").await));
            let response = ask(&router, "/long").await;
            assert!(is_compressed(&response));
            unsent.push(response);
        }
        let plain = ask(&router, "/long").await;
        assert!(!is_compressed(&plain));
        let text = plain.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text.len(), 10_000);
        // One that is sent makes room for another.
        let sent = unsent.pop().unwrap().into_body().collect().await.unwrap();
        assert!(sent.to_bytes().len() < 1000);
        assert!(is_compressed(&ask(&router, "/long").await));
    }
}
