//! What answers the requests of senders for `InfluxDB`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gnocchi_core::model::ResourceType;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::query::{Statement, statement};
use super::write::{self, Precision, WriteError, WriteOptions};
use crate::api::aside::{self, Length};
use crate::api::auth::Authenticated;
use crate::api::body::RequestBody;
use crate::api::error::{ApiError, ApiResult, Detail};
use crate::api::ingest::named::Destination;
use crate::api::ingest::resource_kind::{ResourceKind, create_type};
use crate::api::ingest::{Arrivals, Missing, NamedBatch, OnDemand, context, shortened, too_many};
use crate::api::measures::Context;
use crate::api::query::Query;
use crate::api::routes::Routes;
use crate::api::state::ApiState;
use crate::api::v1::resource_type::NAME_CHARACTERS_MAX;

/// The header that names the tag with the id of the resource.
const RESOURCE_TAG_HEADER: HeaderName =
    HeaderName::from_static("x-gnocchi-influxdb-tag-resource-id");

/// The tag with the id of the resource unless the header names another.
const RESOURCE_TAG: &str = "host";

/// The database of a request that names none.
const DATABASE: &str = "influxdb";

/// The header by which senders recognise a server.
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");

const VERSION: HeaderValue =
    HeaderValue::from_static(concat!("Gnocchi ", env!("CARGO_PKG_VERSION")));

/// The longest form with a statement, in bytes.
const FORM_BYTES_MAX: usize = 64 << 10;

/// How many bytes are parsed at once: it takes about half a millisecond.
const PARSED_AT_ONCE_BYTES: usize = 64 << 10;

/// Adds the routes of this protocol.
pub(in crate::api::ingest) fn routes(routes: Routes) -> Routes {
    routes
        .add("/v1/influxdb/ping", get(ping))
        .add("/v1/influxdb/query", post(query))
        .add("/v1/influxdb/write", post(write))
}

/// `GET /v1/influxdb/ping`
async fn ping() -> Response {
    (StatusCode::NO_CONTENT, [(VERSION_HEADER, VERSION)]).into_response()
}

/// `POST /v1/influxdb/query`
async fn query(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let in_address = query.single("q")?.map(ToOwned::to_owned);
    let text = if in_address.is_some() {
        in_address
    } else {
        // Senders put it in a form as well.
        let body = body.at_most(FORM_BYTES_MAX).bytes().await?;
        let form = Query::parse(&String::from_utf8_lossy(&body));
        form.single("q")?.map(ToOwned::to_owned)
    };
    let Some(text) = text else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let Some(Statement::CreateDatabase { name }) = statement(&text) else {
        return Err(not_implemented());
    };
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(ApiError::argument(
            "q",
            format!("the name of a database has at most {NAME_CHARACTERS_MAX} characters"),
        ));
    }
    let resource_type = ResourceType::new(name, [].into())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    create_type(&state, &caller, &resource_type).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/influxdb/write`
async fn write(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    let database = query.single("db")?.unwrap_or(DATABASE).to_owned();
    let precision = precision(&query)?;
    let resource_tag = resource_tag(&headers)?;
    let body = body.bytes().await?;
    let context = context(&state);
    let creator = caller.creator.clone();
    let length = Length::of(body.len(), PARSED_AT_ONCE_BYTES);
    let parsed = aside::work(length, move || {
        let options = WriteOptions {
            resource_tag: &resource_tag,
            precision,
            context,
        };
        let arrivals = write::parse(&body, options).map_err(|error| refuse(error, context))?;
        name_resources(arrivals, creator.as_deref())
    });
    let batch = parsed.await??;
    let kind = ResourceKind::Existing(database);
    let on_demand = OnDemand {
        state: &state,
        caller: &caller,
        missing: Missing::CreateResources(&kind),
    };
    on_demand.store(batch).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn precision(query: &Query) -> ApiResult<Precision> {
    for name in ["precision", "epoch"] {
        if let Some(unit) = query.single(name)? {
            return Precision::from_name(unit)
                .ok_or_else(|| ApiError::argument(name, "must be one of n, u, ms, s, m, h"));
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
        .map_err(|_| ApiError::bad_request(format!("Header {RESOURCE_TAG_HEADER} is no UTF-8")))
}

/// Turns the ids of resources into those of their sender.
fn name_resources(arrivals: Arrivals, creator: Option<&str>) -> ApiResult<NamedBatch> {
    let ids = arrivals.resources.iter().cloned();
    let destinations: Result<Vec<_>, _> = ids.map(|id| Destination::of(id, creator)).collect();
    match destinations {
        Ok(destinations) => Ok(NamedBatch::of_arrivals(arrivals, destinations)),
        Err(unusable) => Err(value_error(
            "key",
            &format!("{}: {}", unusable.error, shortened(&unusable.original_id)),
        )),
    }
}

fn refuse(error: WriteError, context: Context) -> ApiError {
    match error {
        WriteError::Line { number } => {
            value_error("line", &format!("Unable to parse line {number}"))
        }
        WriteError::Time { number, error } => value_error(
            "timestamp",
            &format!("Unable to use line {number}: {error}"),
        ),
        WriteError::NameTooLong { number } => value_error(
            "line",
            &format!("Unable to use line {number}: the name of its metric is too long"),
        ),
        WriteError::NoResource { tag } => {
            value_error("key", &format!("Unable to find key `{tag}' in tags"))
        }
        WriteError::Exceeded(exceeded) => too_many(exceeded, context),
    }
}

fn value_error(detail: &str, reason: &str) -> ApiError {
    ApiError::bad_data(json!({"cause": "Value error", "detail": detail, "reason": reason}))
}

fn not_implemented() -> ApiError {
    let detail: Value =
        json!({"cause": "Not implemented error", "detail": "q", "reason": "Query not implemented"});
    ApiError {
        status: StatusCode::NOT_IMPLEMENTED,
        detail: Detail::Data(detail),
        retry_after_seconds: None,
    }
}
