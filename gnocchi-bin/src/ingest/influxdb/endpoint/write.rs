//! Measures in the line protocol.

use std::fmt;

use axum::extract::State;
use axum::response::IntoResponse;
use gnocchi_core::intake::{Destination, IntakeError, NamedBatch, ResourceKind};
use gnocchi_core::policy::Caller;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::json;

use super::super::map::{self, LineError, LineFault, WriteOptions};
use super::super::parse::Precision;
use crate::api::aside::Length;
use crate::api::auth::Authenticated;
use crate::api::request::body::RequestBody;
use crate::api::request::body_memory;
use crate::api::request::query::Query;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;
use crate::ingest::{Arrivals, Rejected, context, receiver, too_many};

/// The header that names the tag with the id of the resource.
const RESOURCE_TAG_HEADER: HeaderName =
    HeaderName::from_static("x-gnocchi-influxdb-tag-resource-id");

/// The tag with the id of the resource unless the header names another.
const RESOURCE_TAG: &str = "host";

/// The database of a request that names none.
const DATABASE: &str = "influxdb";

/// How many bytes are parsed at once: it takes about half a millisecond.
const PARSED_AT_ONCE_BYTES: usize = 64 << 10;

/// The longest line of such a body, in bytes.
const LINE_AT_ONCE_BYTES: usize = 1 << 10;

/// `POST /v1/influxdb/write`
pub(super) async fn write(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    let named = query.single("db")?;
    let database = named.unwrap_or(DATABASE).to_owned();
    let precision = precision(&query, &["precision", "epoch"])?;
    let stored = store(&state, &caller, database, precision, &headers, body).await;
    match named {
        Some(_) => stored,
        None => stored.map_err(|error| without_database(error, "db")),
    }
}

/// `POST /v1/influxdb/api/v2/write`: a bucket is a database, or a database and a retention policy.
pub(super) async fn write_to_bucket(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    let named = query.single("bucket")?;
    let bucket = named.unwrap_or(DATABASE);
    let (database, _) = bucket.split_once('/').unwrap_or((bucket, ""));
    let database = database.to_owned();
    let precision = precision(&query, &["precision"])?;
    let stored = store(&state, &caller, database, precision, &headers, body).await;
    match named {
        Some(_) => stored,
        None => stored.map_err(|error| without_database(error, "bucket")),
    }
}

/// Says that the database which does not exist was not named by the sender.
fn without_database(error: ApiError, parameter: &str) -> ApiError {
    if error.status != StatusCode::NOT_FOUND {
        return error;
    }
    error.explained(format!(
        "the request has no {parameter}= in its address, and the database is {DATABASE} then"
    ))
}

async fn store(
    state: &ApiState,
    caller: &Caller,
    database: String,
    precision: Precision,
    headers: &HeaderMap,
    body: RequestBody,
) -> ApiResult {
    let parsed = parse(state, caller, precision, headers, body).await?;
    let kind = ResourceKind::Existing(database);
    let stored = receiver::store(state, caller, "line protocol", &kind, parsed).await;
    let outcome = stored.map_err(|error| match error {
        // Clients search for these words, and then create the database.
        IntakeError::NoSuchResourceType { name } => {
            ApiError::not_found(format!("database not found: \"{name}\""))
        }
        error => error.into(),
    })?;
    match outcome.failure() {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(failure) if outcome.stored == 0 => Err(failure.first.clone()),
        Some(failure) => Err(ApiError::bad_request(format!(
            "partial write: line {}: {}; dropped={}",
            failure.place, failure.reason, failure.numbers
        ))),
    }
}

async fn parse(
    state: &ApiState,
    caller: &Caller,
    precision: Precision,
    headers: &HeaderMap,
    body: RequestBody,
) -> ApiResult<(NamedBatch, Rejected<ApiError>)> {
    let resource_tag = resource_tag(headers)?;
    let body = body.bytes().await?;
    let context = context(state);
    let creator = caller.creator.clone();
    let memory = state.body_memory().clone();
    let held = memory.hold_columns(body.len()).await?;
    let parsed = body_memory::decode(length(&body), held, move |held| {
        let options = WriteOptions {
            resource_tag: &resource_tag,
            precision,
            context,
        };
        let written = map::parse(&body, options);
        let written = written.map_err(|exceeded| too_many(exceeded, context))?;
        written.arrivals.hold_names(&memory, held)?;
        let batch = name_resources(written.arrivals, creator.as_deref())?;
        Ok((batch, written.rejected.map(ApiError::from)))
    });
    parsed.await?
}

/// Returns how long it takes to parse a body. The names of a long line may take much longer than their text: each is hashed with the tags.
fn length(body: &[u8]) -> Length {
    let mut lines = body.split(|byte| *byte == b'\n');
    match Length::of(body.len(), PARSED_AT_ONCE_BYTES) {
        Length::Short if lines.any(|line| line.len() > LINE_AT_ONCE_BYTES) => Length::Long,
        length => length,
    }
}

/// Reads the unit of timestamps from the first of some parameters that is there.
fn precision(query: &Query, names: &[&'static str]) -> ApiResult<Precision> {
    for name in names {
        if let Some(unit) = query.single(name)? {
            return Precision::from_name(unit).ok_or_else(|| {
                ApiError::argument(name, format!("must be one of {}", Precision::NAMES))
            });
        }
    }
    Ok(Precision::default())
}

fn resource_tag(headers: &HeaderMap) -> ApiResult<String> {
    let Some(tag) = headers.get(RESOURCE_TAG_HEADER) else {
        return Ok(RESOURCE_TAG.to_owned());
    };
    let tag = std::str::from_utf8(tag.as_bytes());
    tag.map(ToOwned::to_owned)
        .map_err(|_| ApiError::bad_request(format!("Header {RESOURCE_TAG_HEADER} is not UTF-8")))
}

/// Turns the ids of resources into those of their sender.
fn name_resources(arrivals: Arrivals, creator: Option<&str>) -> ApiResult<NamedBatch> {
    let ids = arrivals.resources.iter().cloned();
    let destinations: Result<Vec<_>, _> = ids.map(|id| Destination::of(id, creator)).collect();
    match destinations {
        Ok(destinations) => Ok(arrivals.into_batch(destinations)),
        Err(unusable) => Err(ApiError::bad_request(unusable.error.to_string())),
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match &self.fault {
            LineFault::Unparsable(_) => write!(f, "Unable to parse line {number}"),
            LineFault::NotUtf8 => write!(f, "Unable to parse line {number}: it is not UTF-8"),
            LineFault::Nul => write!(f, "Unable to parse line {number}: it contains U+0000"),
            LineFault::DuplicateTag { tag } => {
                write!(
                    f,
                    "Unable to parse line {number}: the tag {tag} occurs more than once"
                )
            }
            LineFault::Time { units, error } => {
                write!(
                    f,
                    "Unable to use line {number}: the timestamp {units}: {error}"
                )
            }
            LineFault::Unit { units, wrong } => write!(
                f,
                "Unable to use line {number}: the timestamp {units} {wrong}; the parameter precision names the unit"
            ),
            // The wording of the Python Gnocchi, which names no line.
            LineFault::NoResource { tag } => write!(f, "Unable to find key `{tag}' in tags"),
            LineFault::Resource { id, error } => {
                write!(f, "Unable to use line {number}: {error}: {id}")
            }
        }
    }
}

impl From<LineError> for ApiError {
    fn from(error: LineError) -> Self {
        let detail = match &error.fault {
            LineFault::NoResource { .. } | LineFault::Resource { .. } => "key",
            LineFault::Time { .. } | LineFault::Unit { .. } => "timestamp",
            _ => "line",
        };
        let reason = error.to_string();
        let refusal =
            Self::bad_data(json!({"cause": "Value error", "detail": detail, "reason": reason}));
        match error.fault {
            LineFault::Unparsable(diagnosis) => refusal.explained(diagnosis.to_string()),
            _ => refusal,
        }
    }
}
