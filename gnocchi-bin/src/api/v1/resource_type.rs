//! Resource types.

use std::collections::BTreeMap;

use axum::extract::State;
use gnocchi_core::model::{Attribute, AttributeKind, NumberLimit, ResourceType};
use gnocchi_core::policy::{Action, NoTarget, Properties};
use serde_json::{Map, Value, json};

use super::resource_type_patch::Patch;
use super::{created, no_content, ok};
use crate::api::auth::{Authenticated, require};
use crate::api::middleware::address::{BaseUrl, Names};
use crate::api::middleware::unsent;
use crate::api::request::body::RequestBody;
use crate::api::request::schema::{self, Checked, Object, Path, name_up_to};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// The longest name, in characters.
pub(crate) const NAME_CHARACTERS_MAX: usize = 255;

/// How long a text may be when the type doesn't say.
const STRING_LENGTH_MAX: u32 = 256;

/// `GET /v1/resource_type`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
) -> ApiResult {
    require(&state, Action::ListResourceType, &caller, &NoTarget).await?;
    let types = state.gnocchi().resource_types().await?;
    super::list(&state, types, view).await
}

/// `POST /v1/resource_type`
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    base: BaseUrl,
    body: RequestBody,
) -> ApiResult {
    let (name, attributes) = parse(&*body.json().await?)?;
    let target = Properties::of_attributes(&attributes)
        .with("name", &name)
        .with("state", "creating");
    require(&state, Action::CreateResourceType, &caller, &target).await?;
    let resource_type = ResourceType::new(name, attributes)
        .map_err(|error| ApiError::bad_request(format!("Invalid input: {error}")))?;
    unsent::admit_report(state.gnocchi())?;
    state.gnocchi().create_resource_type(&resource_type).await?;
    Ok(created(
        base.at(&format!("/v1/resource_type/{}", resource_type.name())),
        &view(&resource_type),
    ))
}

/// `GET /v1/resource_type/{name}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    let resource_type = state.gnocchi().resource_type(&name).await?;
    let target = Properties::of_resource_type(&resource_type, "active");
    require(&state, Action::GetResourceType, &caller, &target).await?;
    Ok(ok(&view(&resource_type)))
}

/// `PATCH /v1/resource_type/{name}`
pub(super) async fn update(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
    body: RequestBody,
) -> ApiResult {
    let resource_type = state.gnocchi().resource_type(&name).await?;
    let target = Properties::of_resource_type(&resource_type, "active");
    require(&state, Action::UpdateResourceType, &caller, &target).await?;
    let patch = Patch::parse(&*body.json_patch().await?)?;
    let change = patch.plan(resource_type, state.gnocchi().clock().now())?;
    unsent::admit_report(state.gnocchi())?;
    state.gnocchi().update_resource_type(&change).await?;
    Ok(ok(&view(change.after())))
}

/// `DELETE /v1/resource_type/{name}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    state.gnocchi().resource_type(&name).await?;
    require(&state, Action::DeleteResourceType, &caller, &NoTarget).await?;
    state.gnocchi().delete_resource_type(&name).await?;
    Ok(no_content())
}

fn view(resource_type: &ResourceType) -> Value {
    // Types are changed in one transaction, so no request ever sees another state.
    json!({"name": resource_type.name(), "state": "active", "attributes": attributes_view(resource_type)})
}

/// Returns the wire form of the attributes of a type, by name.
pub(super) fn attributes_view(resource_type: &ResourceType) -> Map<String, Value> {
    let attributes = resource_type.attributes().iter();
    attributes
        .map(|(name, attribute)| (name.clone(), attribute_view(*attribute)))
        .collect()
}

fn attribute_view(attribute: Attribute) -> Value {
    let mut view = match attribute.kind {
        AttributeKind::String {
            min_length,
            max_length,
        } => {
            json!({"type": "string", "min_length": min_length, "max_length": max_length})
        }
        AttributeKind::Number { min, max } => {
            let limit = |limit: Option<NumberLimit>| limit.map(limit_view);
            json!({"type": "number", "min": limit(min), "max": limit(max)})
        }
        AttributeKind::Uuid => json!({"type": "uuid"}),
        AttributeKind::Bool => json!({"type": "bool"}),
        AttributeKind::Datetime => json!({"type": "datetime"}),
    };
    view["required"] = attribute.required.into();
    view
}

fn limit_view(limit: NumberLimit) -> Value {
    match limit {
        NumberLimit::Whole(number) => number.into(),
        NumberLimit::Real(number) => number.into(),
    }
}

/// Reads an end of a range; it is shown the way it was given.
fn number_limit(value: &Value) -> Option<NumberLimit> {
    let whole = value.as_i64().map(NumberLimit::from);
    whole.or_else(|| value.as_f64().map(NumberLimit::from))
}

fn parse(body: &Value) -> Checked<(String, BTreeMap<String, Attribute>)> {
    let object = Object::open(body, &Path::Root, &["name", "attributes"])?;
    let name = object.optional("name", name_up_to(NAME_CHARACTERS_MAX))?;
    let attributes = object.optional("attributes", |value, path| {
        let object = Object::open_any(value, path)?;
        let definition = |(name, value): (&String, &Value)| {
            Ok((
                name.clone(),
                parse_attribute(value, &Path::Key(path, name))?,
            ))
        };
        object.entries().map(definition).collect()
    })?;
    Ok((
        object.require("name", name)?,
        attributes.unwrap_or_default(),
    ))
}

/// The types of attributes.
const TYPES: &str = "one of the types string, number, uuid, bool and datetime";

/// Reads the definition of an attribute. Whatever is wrong with it, its type is said not to be valid.
pub(super) fn parse_attribute(value: &Value, path: &Path<'_>) -> Checked<Attribute> {
    let refuse = |explanation: String| {
        let invalid = Path::Key(path, "type").invalid("not a valid value");
        invalid.explained(explanation)
    };
    let sent = |value: &Value, allowed: &str| {
        refuse(format!("got {}; expected {allowed}", schema::shown(value)))
    };
    let definition = value
        .as_object()
        .ok_or_else(|| sent(value, "an object with a type"))?;
    let kind_name = match definition.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(other) => return Err(sent(other, TYPES)),
        None => return Err(refuse(format!("the type is missing; expected {TYPES}"))),
    };
    let known: &[&str] = match kind_name {
        "string" => &["type", "required", "min_length", "max_length"],
        "number" => &["type", "required", "min", "max"],
        "uuid" | "bool" | "datetime" => &["type", "required"],
        _ => return Err(sent(&definition["type"], TYPES)),
    };
    let mut keys = definition.keys();
    if let Some(key) = keys.find(|key| !known.contains(&key.as_str())) {
        let listed = schema::listed("keys", key, known.iter().copied());
        return Err(refuse(format!(
            "{} is not a key of an attribute of type {kind_name}; {listed}",
            schema::shown_text(key)
        )));
    }
    let required = definition
        .get("required")
        .map_or(Some(true), Value::as_bool)
        .ok_or_else(|| sent(&definition["required"], "true or false for required"))?;
    let length = |key: &str, allowed: std::ops::RangeInclusive<u32>, default: u32| match definition
        .get(key)
    {
        None => Ok(default),
        Some(value) => {
            let length = value.as_u64().and_then(|length| u32::try_from(length).ok());
            length
                .filter(|length| allowed.contains(length))
                .ok_or_else(|| {
                    let (least, most) = (allowed.start(), allowed.end());
                    sent(
                        value,
                        &format!("a whole number from {least} to {most} for {key}"),
                    )
                })
        }
    };
    let limit = |key: &str| match definition.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => number_limit(value)
            .map(Some)
            .ok_or_else(|| sent(value, &format!("a number or null for {key}"))),
    };
    let kind = match kind_name {
        "string" => AttributeKind::String {
            min_length: length("min_length", 0..=STRING_LENGTH_MAX, 0)?,
            max_length: length("max_length", 1..=STRING_LENGTH_MAX, STRING_LENGTH_MAX)?,
        },
        "number" => AttributeKind::Number {
            min: limit("min")?,
            max: limit("max")?,
        },
        "uuid" => AttributeKind::Uuid,
        "bool" => AttributeKind::Bool,
        _ => AttributeKind::Datetime,
    };
    Ok(Attribute { kind, required })
}
