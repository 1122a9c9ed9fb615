//! Filters of resources in requests: as JSON in a body, or as text in a query.

mod json;

use gnocchi_core::model::{AttributeKind, ResourceType};
use gnocchi_core::policy::Caller;
use gnocchi_core::search::{
    BindError, Condition, Filter, FilterError, Misuse, MisuseStep, PARTS_MAX, SearchContext,
    VALUES_MAX,
};
use serde_json::Value;

use crate::api::request::body::RequestBody;
use crate::api::request::query::Query;
use crate::api::request::schema::{Invalid, Path, Step, Subject, listed};
use crate::api::request::storable;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::python;
use crate::api::state::ApiState;

pub(crate) use json::from_json;

/// Whether past revisions are searched too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Resources as they are.
    Current,
    /// Every revision by itself.
    History,
}

impl Rows {
    /// Reads the answer to a question for history.
    pub(crate) fn of(history: bool) -> Self {
        if history {
            Self::History
        } else {
            Self::Current
        }
    }
}

/// Reads the filter of a request: the body, or `filter=` when there is none; `None` lets everything through.
///
/// # Errors
/// A bad request when it is no filter; what the body says when it cannot be read.
pub(crate) async fn of_request(body: RequestBody, query: &Query) -> ApiResult<Option<Filter>> {
    if let Some(document) = body.optional_json().await? {
        return Ok(from_json(&document, &Path::Root)?);
    }
    let text = query.single("filter")?.filter(|text| !text.is_empty());
    text.map(parse_text).transpose()
}

/// Reads a filter inside of a body: a JSON object, a text that holds one, or a text of the other grammar; `None` lets everything through.
///
/// # Errors
/// A bad request when it is no filter.
pub(crate) fn of_value(value: &Value, path: &Path<'_>) -> ApiResult<Option<Filter>> {
    match value {
        // No text of the other grammar begins like that.
        Value::String(text) if text.trim_start().starts_with('{') => {
            let object = serde_json::from_str(text).map_err(|error| {
                ApiError::bad_request(format!("Invalid filter: Expected a JSON object: {error}"))
            })?;
            // The body has only shown the escape of an escape.
            storable::check_document(text.as_bytes(), &object)?;
            Ok(from_json(&object, path)?)
        }
        Value::String(text) => parse_text(text).map(Some),
        other => Ok(from_json(other, path)?),
    }
}

/// Reads a filter that is a text.
///
/// # Errors
/// A bad request that says what is expected where.
pub(crate) fn parse_text(text: &str) -> ApiResult<Filter> {
    text.parse().map_err(|error| match error {
        FilterError::Syntax {
            expected,
            found,
            position,
            line,
            column,
        } => {
            let found = found.map_or("end of text".to_owned(), |found| {
                python::quoted(found.encode_utf8(&mut [0; 4]))
            });
            ApiError::bad_request(format!(
                "Invalid filter: Expected {expected}, found {found}  (at char {position}), (line:{line}, col:{column})"
            ))
        }
        FilterError::Misuse { misuse, path } => invalid(&misuse, path).into(),
        other => ApiError::bad_request(format!("Invalid filter: {other}")),
    })
}

fn invalid(misuse: &Misuse, path: Vec<MisuseStep>) -> Invalid {
    let steps = path.into_iter().map(|step| match step {
        MisuseStep::Key(key) => Step::Key(key),
        MisuseStep::Index(index) => Step::Index(index),
        MisuseStep::Literal(literal) => Step::Literal(literal),
    });
    let (message, subject) = match misuse {
        Misuse::NoName => ("expected str", Subject::Key),
        Misuse::List => ("expected str", Subject::Value),
        Misuse::NoList => ("expected a list", Subject::Value),
        Misuse::EmptyList => ("length of value must be at least 1", Subject::Value),
        Misuse::PatternOfId => ("value must not be one of ['id']", Subject::Key),
        Misuse::ResourceId(error) => (&*error.to_string(), Subject::Value),
        _ => ("not a valid value", Subject::Value),
    };
    Invalid::at(message, steps.collect(), subject)
}

/// Checks a filter against the type whose resources are searched.
///
/// # Errors
/// A bad request that names the attribute or the value that doesn't fit.
pub(crate) fn bind(
    state: &ApiState,
    filter: Option<&Filter>,
    caller: &Caller,
    resource_type: &ResourceType,
    rows: Rows,
) -> ApiResult<Option<Condition>> {
    let context = SearchContext {
        resource_type,
        history: rows == Rows::History,
        creator: caller.creator.as_deref(),
        now: state.gnocchi().clock().now(),
    };
    let condition = filter.map(|filter| filter.bind(&context)).transpose();
    condition.map_err(|error| refuse(error, resource_type, rows))
}

/// The properties that resources of every type are searched by.
const PROPERTIES: [&str; 12] = [
    "id",
    "type",
    "creator",
    "created_by_user_id",
    "created_by_project_id",
    "user_id",
    "project_id",
    "original_resource_id",
    "started_at",
    "ended_at",
    "revision_start",
    "lifespan",
];

/// The further properties that revisions of resources are searched by.
const REVISION_PROPERTIES: [&str; 2] = ["revision", "revision_end"];

fn refuse(error: BindError, resource_type: &ResourceType, rows: Rows) -> ApiError {
    match error {
        BindError::UnknownAttribute {
            resource_type: name,
            attribute,
        } => {
            let revisions: &[&str] = match rows {
                Rows::Current => &[],
                Rows::History => &REVISION_PROPERTIES,
            };
            let known = PROPERTIES.iter().chain(revisions).copied();
            let known = known.chain(resource_type.attributes().keys().map(String::as_str));
            ApiError::bad_request(format!("Resource type {name} has no {attribute} attribute"))
                .explained(listed("attributes", &attribute, known))
        }
        BindError::InvalidValue { value, attribute } => {
            let allowed = allowed(&attribute, resource_type);
            ApiError::bad_request(format!("Invalid value: `{value}' for field `{attribute}'"))
                .explained(format!("{attribute} is compared with {allowed}"))
        }
        BindError::TooLarge => ApiError::bad_request(format!(
            "Invalid filter: it has more than {PARTS_MAX} parts or more than {VALUES_MAX} values"
        )),
        other => ApiError::bad_request(format!("Invalid filter: {other}")),
    }
}

/// Returns what an attribute can be compared with.
fn allowed(attribute: &str, resource_type: &ResourceType) -> &'static str {
    if let Some(own) = resource_type.attributes().get(attribute) {
        return match own.kind {
            AttributeKind::String { .. } => "a string",
            AttributeKind::Number { .. } => "a number, by order or equality",
            AttributeKind::Uuid => "a UUID, by equality",
            AttributeKind::Bool => "true or false, by equality",
            AttributeKind::Datetime => "a timestamp such as 2026-01-01T12:00:00 or -1 hour",
        };
    }
    match attribute {
        "started_at" | "ended_at" | "revision_start" | "revision_end" => {
            "a timestamp such as 2026-01-01T12:00:00 or -1 hour"
        }
        "lifespan" => "a duration such as 30 min",
        "revision" => "a whole number",
        "id" => "the id of a resource",
        "created_by_user_id" | "created_by_project_id" => "a string, by =, != or like",
        _ => "a string or null",
    }
}
