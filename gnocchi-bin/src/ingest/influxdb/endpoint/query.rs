//! What senders ask before they write: whether their database is there, and that it be created.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gnocchi_core::model::ResourceType;
use gnocchi_core::policy::{Action, Caller, NoTarget};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::super::parse::{Statement, statement};
use crate::api::auth::{Authenticated, require};
use crate::api::request::body::RequestBody;
use crate::api::request::query::Query;
use crate::api::request::storable;
use crate::api::response::error::{ApiError, ApiResult, Detail};
use crate::api::response::render;
use crate::api::state::ApiState;
use crate::api::v1::resource_type::NAME_CHARACTERS_MAX;

/// The longest form with a statement, in bytes.
const FORM_BYTES_MAX: usize = 64 << 10;

/// `GET /v1/influxdb/query`: only what changes nothing.
pub(super) async fn ask(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> ApiResult {
    match query.single("q")?.map(statement) {
        Some(Some(Statement::ShowDatabases)) => databases(&state, &caller).await,
        Some(None) => Err(not_implemented()),
        // A database is created by POST.
        Some(Some(Statement::CreateDatabase { .. })) | None => {
            let refused = ApiError::empty(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = [(ALLOW, HeaderValue::from_static("POST"))];
            Ok((allowed, refused).into_response())
        }
    }
}

/// `POST /v1/influxdb/query`
pub(super) async fn execute(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    headers: HeaderMap,
    body: RequestBody,
) -> ApiResult {
    let text = match query.single("q")? {
        Some(text) => Some(text.to_owned()),
        // Senders put it in a form as well.
        None => statement_of_form(body).await?,
    };
    let Some(text) = text else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    match statement(&text) {
        None => Err(not_implemented()),
        Some(Statement::ShowDatabases) => databases(&state, &caller).await,
        Some(Statement::CreateDatabase { name, options }) => {
            create(&state, &caller, name).await?;
            if let Some(options) = options {
                tracing::info!(
                    options,
                    "options of a database are ignored: archive policies say what is kept"
                );
            }
            Ok(created(&headers))
        }
    }
}

async fn statement_of_form(body: RequestBody) -> ApiResult<Option<String>> {
    let body = body.at_most(FORM_BYTES_MAX).bytes().await?;
    let form = std::str::from_utf8(&body)
        .map_err(|_| ApiError::bad_request("The form in the body is not UTF-8"))?;
    storable::check_encoded("The form in the body", form)?;
    Ok(Query::parse(form).single("q")?.map(ToOwned::to_owned))
}

async fn create(state: &ApiState, caller: &Caller, name: String) -> ApiResult<()> {
    if !(1..=NAME_CHARACTERS_MAX).contains(&name.chars().count()) {
        return Err(ApiError::argument(
            "q",
            format!("the name of a database has 1 to {NAME_CHARACTERS_MAX} characters"),
        ));
    }
    let resource_type = ResourceType::new(name, [].into())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(state
        .intake(caller)
        .create_resource_type(&resource_type)
        .await?)
}

/// Clients of `InfluxDB` take a response without body for a failure; those of the Python Gnocchi expect none.
fn created(headers: &HeaderMap) -> Response {
    let holds = |name, text: &str| {
        let value = headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(text))
    };
    if holds(CONTENT_TYPE, "application/json") && !holds(ACCEPT, "msgpack") {
        return StatusCode::NO_CONTENT.into_response();
    }
    results(&json!([{"statement_id": 0}]))
}

/// Lists the resource types.
async fn databases(state: &ApiState, caller: &Caller) -> ApiResult {
    require(state, Action::ListResourceType, caller, &NoTarget).await?;
    let types = state.gnocchi().resource_types().await?;
    let names: Vec<[&str; 1]> = types.iter().map(|known| [known.name()]).collect();
    let series = json!({"name": "databases", "columns": ["name"], "values": names});
    Ok(results(&json!([{"statement_id": 0, "series": [series]}])))
}

fn results(results: &Value) -> Response {
    let body = render::to_bytes(&json!({ "results": results }));
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], body).into_response()
}

fn not_implemented() -> ApiError {
    let detail =
        json!({"cause": "Not implemented error", "detail": "q", "reason": "Query not implemented"});
    ApiError {
        status: StatusCode::NOT_IMPLEMENTED,
        detail: Detail::Data(detail),
        retry_after_seconds: None,
    }
}
