//! The whole HTTP API: no request makes it panic or fail with a 5xx, and what calls itself JSON is JSON.
//!
//! Requests are made of the operations that the API says it has, so a new one is covered without a change here.

mod choices;
mod requests;
mod server;

use axum::body::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Parts;

use choices::Choices;
use requests::Requests;
use server::Server;

/// How many requests one input makes at most.
const REQUESTS_MAX: usize = 16;

/// No sequence of requests makes the API fail, and the store can fold what it took.
pub fn router(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime needs no resource that could be missing");
    runtime.block_on(async {
        let server = Server::start().await;
        let requests = Requests::of(&server.operations().await);
        let mut choices = Choices::new(data);
        for _ in 0..REQUESTS_MAX {
            if choices.are_used_up() {
                break;
            }
            let request = requests.next(&mut choices);
            let told = format!("{} {}", request.method(), request.uri());
            let (parts, body) = server.answer(request).await;
            check(&told, &parts, &body);
            if choices.one_in(8) {
                server.process().await;
            }
        }
        server.process().await;
    });
}

fn check(request: &str, parts: &Parts, body: &Bytes) {
    // The one answer of this kind that clients of the API rely on: a query language that is not spoken here.
    let is_expected =
        parts.status == StatusCode::NOT_IMPLEMENTED && request.contains("/v1/influxdb/query");
    assert!(
        !parts.status.is_server_error() || is_expected,
        "{request}: {} {}",
        parts.status,
        String::from_utf8_lossy(body)
    );
    let is_json = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    let is_plain = !parts.headers.contains_key(CONTENT_ENCODING);
    if is_json && is_plain && !body.is_empty() {
        // Clients of this API expect the bare tokens of their own language, which are no strict JSON.
        let text = std::str::from_utf8(body).expect("JSON is text");
        let strict = text
            .replace("-Infinity", "null")
            .replace("Infinity", "null")
            .replace("NaN", "null");
        serde_json::from_str::<serde_json::Value>(&strict)
            .unwrap_or_else(|error| panic!("{request}: {error}: {text}"));
    }
}
