//! What answers the requests of Prometheus.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use gnocchi_core::intake::{Destination, NamedBatch, ResourceKind};
use gnocchi_core::model::{Attribute, AttributeKind, AttributeValue, ResourceType};
use gnocchi_core::policy::Caller;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::map::{LABEL_CHARACTERS_MAX, Mapped, MappingError, Naming, Origin, map};
use super::parse::{self, SnappyError};
use crate::api::aside::Length;
use crate::api::auth::Authenticated;
use crate::api::request::body::RequestBody;
use crate::api::request::body_memory;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::routes::Routes;
use crate::api::state::ApiState;
use crate::api::v1;
use crate::api::v1::operations::{self, Operation};
use crate::ingest::{Rejected, context, receiver, too_many};

/// The type of all resources that send in this protocol.
const RESOURCE_TYPE: &str = "prometheus";

/// How bodies are announced to be compressed; ours are whether they say so or not.
const CODING: &str = "snappy";

/// How a sender announces the second version of the protocol, which has other messages.
const VERSION_2: &str = "io.prometheus.write.v2.Request";

/// How many bytes are parsed at once: it takes about half a millisecond.
const PARSED_AT_ONCE_BYTES: usize = 64 << 10;

/// What the body of a request is, in words: bytes have no example.
const REMOTE_WRITE: &str = "a WriteRequest of version 1, compressed with snappy";

/// What can be asked of this receiver.
pub(super) const OPERATIONS: &[Operation] = &[
    operations::post(
        "/v1/prometheus/write",
        202,
        &[400, 409, 413, 415, 507],
        "Stores a remote write request of Prometheus. Labels other than the name, job and instance are ignored: of series with the same ones, the last is stored",
    )
    .body(REMOTE_WRITE)
    .content_type("application/x-protobuf")
    .schemas("RemoteWrite", ""),
    operations::post(
        "/api/v1/write",
        204,
        &[400, 409, 413, 415, 507],
        "Stores a remote write request of Prometheus; each series becomes its own metric",
    )
    .body(REMOTE_WRITE)
    .content_type("application/x-protobuf")
    .schemas("RemoteWrite", ""),
];

/// Adds the routes of this protocol.
pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add("/v1/prometheus/write", post(write_by_name))
        .add("/api/v1/write", post(write_by_labels))
}

/// `POST /v1/prometheus/write`
async fn write_by_name(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    write(&state, &caller, &headers, body, Naming::NameOnly).await?;
    Ok(v1::accepted())
}

/// `POST /api/v1/write`
async fn write_by_labels(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    write(&state, &caller, &headers, body, Naming::AllLabels).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn write(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    body: RequestBody,
    naming: Naming,
) -> ApiResult<()> {
    refuse_version_2(headers)?;
    let parsed = parse(state, caller, body, naming).await?;
    let kind = ResourceKind::OnDemand(resource_type()?);
    let outcome = receiver::store(state, caller, "remote write", &kind, parsed).await?;
    match outcome.failure() {
        None => Ok(()),
        Some(failure) if outcome.stored == 0 && failure.first.status != StatusCode::BAD_REQUEST => {
            Err(failure.first.clone())
        }
        Some(failure) => Err(ApiError::bad_request(format!(
            "samples not stored: {}; first: series {}: {}",
            failure.numbers, failure.place, failure.reason
        ))),
    }
}

/// A sender falls back to the first version when the second one is refused like this.
fn refuse_version_2(headers: &HeaderMap) -> ApiResult<()> {
    let announced = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    match announced {
        Some(announced) if announced.contains(VERSION_2) => {
            Err(ApiError::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE).explained(format!(
                "the content type {announced} was sent; remote write is accepted in version 1.0: application/x-protobuf;proto=prometheus.WriteRequest (protobuf_message in the configuration of Prometheus)"
            )))
        }
        _ => Ok(()),
    }
}

/// Reads a body. What is decompressed counts towards the memory that all bodies share.
async fn parse(
    state: &ApiState,
    caller: &Caller,
    body: RequestBody,
    naming: Naming,
) -> ApiResult<(NamedBatch, Rejected<ApiError>)> {
    let body = body.coded_as(CODING).bytes().await?;
    let bytes_max = state.settings().body_bytes_max;
    let refuse = move |error| refuse_body(error, bytes_max);
    let length = parse::length(&body, bytes_max).map_err(refuse)?;
    let memory = state.body_memory().clone();
    let held = memory.hold_text_and_columns(length).await?;
    let context = context(state);
    let creator = caller.creator.clone();
    let is_long = Length::of(length, PARSED_AT_ONCE_BYTES);
    let parsed = body_memory::decode(is_long, held, move |held| {
        let message = parse::decompress(&body, bytes_max).map_err(refuse)?;
        drop(body);
        let mapped = map(&message, naming, context).map_err(|error| match error {
            MappingError::Wire(error) => ApiError::malformed_body(error.to_string()),
            MappingError::Exceeded(exceeded) => too_many(exceeded, context),
        })?;
        mapped.arrivals.hold_names(&memory, held)?;
        name_resources(mapped, creator.as_deref())
    });
    parsed.await?
}

/// Turns the ids of resources into those of their sender.
fn name_resources(
    mapped: Mapped,
    creator: Option<&str>,
) -> ApiResult<(NamedBatch, Rejected<ApiError>)> {
    let Mapped {
        arrivals,
        origins,
        rejected,
    } = mapped;
    let mut destinations = Vec::with_capacity(origins.len());
    for (id, Origin { job, instance }) in arrivals.resources.iter().zip(origins) {
        let mut destination = Destination::of(id.clone(), creator)
            .map_err(|unusable| ApiError::bad_request(unusable.error.to_string()))?;
        let text = |value| Some(AttributeValue::String(value));
        destination.attributes = BTreeMap::from([
            ("job".to_owned(), text(job)),
            ("instance".to_owned(), text(instance)),
        ]);
        destinations.push(destination);
    }
    let rejected = rejected.map(|error| ApiError::bad_request(error.to_string()));
    Ok((arrivals.into_batch(destinations), rejected))
}

fn refuse_body(error: SnappyError, bytes_max: usize) -> ApiError {
    match error {
        SnappyError::TooLong => ApiError::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "The body of the request is longer than the limit of {bytes_max} bytes after decompression ([api] body_bytes_max); send it in several parts"
            ),
        ),
        SnappyError::Malformed(reason) => ApiError::malformed_body(reason),
    }
}

fn resource_type() -> ApiResult<ResourceType> {
    let text = Attribute {
        kind: AttributeKind::String {
            min_length: 1,
            max_length: LABEL_CHARACTERS_MAX,
        },
        required: true,
    };
    let attributes = ["job", "instance"].map(|name| (name.to_owned(), text));
    ResourceType::new(RESOURCE_TYPE, attributes.into())
        .map_err(|error| ApiError::bad_request(error.to_string()))
}
