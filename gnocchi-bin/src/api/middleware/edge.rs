//! What happens to every request and response: its name, CORS, bodies of errors, panics, and how long it took.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, SERVER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use tracing::Instrument;

use crate::api::middleware::address;
use crate::api::middleware::cors;
use crate::api::middleware::request_head;
use crate::api::middleware::request_id::RequestId;
use crate::api::middleware::unsent;
use crate::api::request::body_memory;
use crate::api::response::accept;
use crate::api::response::error::ApiError;
use crate::api::response::error_body::{self, Audience};
use crate::api::state::ApiState;
use crate::api::v1::parameters;
use crate::ingest;

/// The name and version of this server; the root document has the version of the API, which clients compare.
const SERVER_NAME: HeaderValue =
    HeaderValue::from_static(concat!("gnocchi-rs/", env!("CARGO_PKG_VERSION")));

/// Keeps browsers from taking a response for something else than its content type says.
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");

/// Surrounds every route.
pub(in crate::api) async fn edge(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let cors = &state.settings().cors;
    let accepts = request.headers().get(ACCEPT).cloned();
    let readers = cors::allowed_origin(cors, request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = RequestId::of(request.headers());
    let settings = state.settings();
    if settings.proxy_headers {
        let proxies = &settings.trusted_proxies;
        proxies.check_forwarding(request.headers(), request.extensions());
    }
    let audience = if ingest::is_for_senders(request.uri().path()) {
        Audience::Sender
    } else {
        Audience::Client
    };

    let mut response = if method == Method::OPTIONS {
        cors::preflight(cors, request.headers())
    } else if let Err(error) = request_head::check(state.settings(), &request) {
        error.into_response()
    } else if let Err(error) = address::check(request.uri()) {
        error.into_response()
    } else {
        let span = tracing::info_span!("request", id = id.as_str());
        let answered = AssertUnwindSafe(body_memory::keeping(next.run(request))).catch_unwind();
        let answered = answered.instrument(span.clone()).await;
        answered.unwrap_or_else(|_| span.in_scope(|| panicked(&method, route.as_ref())))
    };
    let write_error = |mut response: Response| {
        let Some(error) = response.extensions_mut().remove::<ApiError>() else {
            return response;
        };
        let error = with_methods(error, &method, route.as_ref());
        let written = match audience {
            Audience::Client => accept::error_format(accepts.as_ref()),
            Audience::Sender => accept::error_format_of_sender(accepts.as_ref()),
        };
        let written = error_body::response(&error, written, audience);
        with_headers_of(written, response)
    };
    // The body of an error counts as well, and a refusal to count is an error.
    response = unsent::counted(state.gnocchi(), &method, write_error(response));
    response = write_error(response);
    if method == Method::HEAD {
        response = without_body(response);
    }
    if method != Method::OPTIONS {
        cors::vary(cors, response.headers_mut());
        if let Some(readers) = readers {
            cors::mark(cors, &readers, response.headers_mut());
        }
    }
    let headers = response.headers_mut();
    headers.insert(SERVER, SERVER_NAME);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    id.mark(headers);
    observe(route.as_ref(), &method, response.status(), started);
    response
}

/// Takes slashes that are too many out of addresses.
pub(in crate::api) async fn merge_slashes(mut request: Request, next: Next) -> Response {
    address::merge_slashes(&mut request);
    next.run(request).await
}

/// Names what is allowed in `Allow` with spaces between, as clients know it.
pub(in crate::api) async fn tell_allowed(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(allowed) = response.headers().get(ALLOW)
        && let Ok(allowed) = allowed.to_str()
    {
        let methods: Vec<&str> = allowed.split(',').map(str::trim).collect();
        if let Ok(allowed) = HeaderValue::try_from(methods.join(", ")) {
            response.headers_mut().insert(ALLOW, allowed);
        }
    }
    response
}

/// Lets only clients pass that take JSON. A deletion answers with nothing, which every client accepts.
pub(in crate::api) async fn json_only(request: Request, next: Next) -> Response {
    if request.method() != Method::DELETE && !accept::admits_json(request.headers().get(ACCEPT)) {
        let error = ApiError {
            status: StatusCode::NOT_ACCEPTABLE,
            ..ApiError::no_such_address()
        };
        return error
            .explained("the response is application/json, which the header Accept of the request does not allow")
            .into_response();
    }
    next.run(request).await
}

/// Says which methods a path has when another one was used.
fn with_methods(error: ApiError, method: &Method, route: Option<&MatchedPath>) -> ApiError {
    if error.status != StatusCode::METHOD_NOT_ALLOWED {
        return error;
    }
    let known = route.map(|route| parameters::methods_of(route.as_str()));
    match known.unwrap_or_default().as_slice() {
        [] => error,
        methods => error.explained(format!(
            "{method} is not a method of this path; known methods: {}",
            methods.join(", ")
        )),
    }
}

/// Keeps headers that were set before the body of an error was written, such as `Allow`.
fn with_headers_of(mut written: Response, before: Response) -> Response {
    let mut headers = before.into_parts().0.headers;
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_TYPE);
    headers.extend(std::mem::take(written.headers_mut()));
    *written.headers_mut() = headers;
    written
}

/// Leaves out the body and sets its length.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // What a handler answers has lost its body already, so zero says nothing.
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}

fn panicked(method: &Method, route: Option<&MatchedPath>) -> Response {
    let route = route.map_or("unknown", MatchedPath::as_str);
    tracing::error!(%method, route, "a handler panicked; this is a defect");
    let text = "The server met a defect while it handled this request; the log has more";
    ApiError::text(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

fn observe(route: Option<&MatchedPath>, method: &Method, status: StatusCode, started: Instant) {
    let route = route.map_or("unknown", MatchedPath::as_str).to_owned();
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        // Anything else would let clients make up label values.
        _ => "other",
    };
    let status = status.as_u16().to_string();
    metrics::histogram!("gnocchi_http_request_seconds", "route" => route, "method" => method, "status" => status)
        .record(started.elapsed().as_secs_f64());
}
