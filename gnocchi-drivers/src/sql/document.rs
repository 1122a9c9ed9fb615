//! The JSON inside columns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use carbonara::{AggregationMethod, Timespan};
use gnocchi_core::model::{
    ArchivePolicy, Attribute, AttributeKind, AttributeValue, Definition, MetricId, NumberLimit,
    ResourceType, ResourceTypeChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::error::SqlError;
use super::statement::{Cell, Row, id_of_digits, microseconds, moment};

const DEFINITION: &str = "archive_policy.definition";
const METHODS: &str = "archive_policy.aggregation_methods";
const TYPE_ATTRIBUTES: &str = "resource_type.attributes";

/// One granularity; how long it is kept follows from the number of points.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDefinition {
    granularity: i64,
    points: Option<u64>,
}

fn encode(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs, and maps with text as keys, are JSON")
}

fn decode<'a, T: Deserialize<'a>>(text: &'a str, column: &'static str) -> Result<T, SqlError> {
    serde_json::from_str(text)
        .map_err(|error| SqlError::corrupt(column, format!("an unreadable document: {error}")))
}

/// Writes the definition and the methods of a policy.
pub(super) fn encode_policy(policy: &ArchivePolicy) -> (String, String) {
    let definition: Vec<StoredDefinition> = policy
        .definition()
        .iter()
        .map(|item| StoredDefinition {
            granularity: item.granularity().as_nanosecond(),
            points: item.points(),
        })
        .collect();
    let methods: Vec<String> = policy
        .aggregation_methods()
        .iter()
        .map(ToString::to_string)
        .collect();
    (encode(&definition), encode(&methods))
}

/// Reads a policy back.
pub(super) fn decode_policy(
    name: &str,
    back_window: i64,
    definition: &str,
    methods: &str,
) -> Result<ArchivePolicy, SqlError> {
    let back_window = u32::try_from(back_window)
        .map_err(|_| SqlError::corrupt("archive_policy.back_window", back_window.to_string()))?;
    let stored: Vec<StoredDefinition> = decode(definition, DEFINITION)?;
    let mut definition = Vec::with_capacity(stored.len());
    for item in stored {
        let granularity = Timespan::from_nanosecond(item.granularity).map_err(|error| {
            SqlError::corrupt(DEFINITION, format!("a bad granularity: {error}"))
        })?;
        let item = Definition::new(Some(granularity), item.points, None).map_err(|error| {
            SqlError::corrupt(DEFINITION, format!("an impossible granularity: {error}"))
        })?;
        definition.push(item);
    }
    let names: Vec<String> = decode(methods, METHODS)?;
    let parsed: Result<Vec<AggregationMethod>, _> = names.iter().map(|name| name.parse()).collect();
    let parsed =
        parsed.map_err(|_| SqlError::corrupt(METHODS, format!("unknown methods: {methods}")))?;
    ArchivePolicy::new(name, back_window, definition, parsed)
        .map_err(|error| SqlError::corrupt(DEFINITION, format!("an impossible policy: {error}")))
}

/// An attribute of a resource type. Numbers may be infinite, which JSON numbers may not.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAttribute {
    required: bool,
    #[serde(rename = "type")]
    kind: StoredKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Json>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredKind {
    String,
    Number,
    Uuid,
    Bool,
    Datetime,
}

/// Writes the attributes of a type.
pub(super) fn encode_type(resource_type: &ResourceType) -> String {
    let mut document = BTreeMap::new();
    for (name, attribute) in resource_type.attributes() {
        let kind = match attribute.kind {
            AttributeKind::String { .. } => StoredKind::String,
            AttributeKind::Number { .. } => StoredKind::Number,
            AttributeKind::Uuid => StoredKind::Uuid,
            AttributeKind::Bool => StoredKind::Bool,
            AttributeKind::Datetime => StoredKind::Datetime,
        };
        let required = attribute.required;
        let mut stored = StoredAttribute {
            required,
            kind,
            min_length: None,
            max_length: None,
            min: None,
            max: None,
        };
        match attribute.kind {
            AttributeKind::String {
                min_length,
                max_length,
            } => {
                (stored.min_length, stored.max_length) = (Some(min_length), Some(max_length));
            }
            AttributeKind::Number { min, max } => {
                (stored.min, stored.max) = (min.map(encode_limit), max.map(encode_limit));
            }
            _ => {}
        }
        document.insert(name, stored);
    }
    encode(&document)
}

/// Reads a type back.
pub(super) fn decode_type(name: String, attributes: &str) -> Result<ResourceType, SqlError> {
    let stored: BTreeMap<String, StoredAttribute> = decode(attributes, TYPE_ATTRIBUTES)?;
    let mut attributes = BTreeMap::new();
    for (attribute, stored) in stored {
        let odd = || {
            SqlError::corrupt(
                TYPE_ATTRIBUTES,
                format!("an incomplete attribute {attribute}"),
            )
        };
        let limit = |limit: Option<Json>| match limit {
            None => Ok(None),
            Some(limit) => decode_limit(&limit).map(Some).ok_or_else(odd),
        };
        let kind = match stored.kind {
            StoredKind::String => AttributeKind::String {
                min_length: stored.min_length.ok_or_else(odd)?,
                max_length: stored.max_length.ok_or_else(odd)?,
            },
            StoredKind::Number => AttributeKind::Number {
                min: limit(stored.min)?,
                max: limit(stored.max)?,
            },
            StoredKind::Uuid => AttributeKind::Uuid,
            StoredKind::Bool => AttributeKind::Bool,
            StoredKind::Datetime => AttributeKind::Datetime,
        };
        attributes.insert(
            attribute,
            Attribute {
                kind,
                required: stored.required,
            },
        );
    }
    ResourceType::new(name, attributes)
        .map_err(|error| SqlError::corrupt(TYPE_ATTRIBUTES, format!("an impossible type: {error}")))
}

fn encode_limit(limit: NumberLimit) -> Json {
    match limit {
        NumberLimit::Whole(number) => number.into(),
        NumberLimit::Real(number) => encode_number(number),
    }
}

fn decode_limit(stored: &Json) -> Option<NumberLimit> {
    match stored.as_i64() {
        Some(number) => Some(number.into()),
        None => decode_number(stored).map(NumberLimit::from),
    }
}

fn encode_number(number: f64) -> Json {
    serde_json::Number::from_f64(number)
        .map_or_else(|| Json::String(number.to_string()), Json::Number)
}

fn decode_number(stored: &Json) -> Option<f64> {
    match stored {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Writes the attributes of a resource; what has no value, or is not in the type, is left out.
pub(super) fn encode_attributes(
    resource_type: &ResourceType,
    attributes: &BTreeMap<String, Option<AttributeValue>>,
) -> Result<String, SqlError> {
    let mut document = BTreeMap::new();
    for (name, attribute) in resource_type.attributes() {
        let Some(Some(value)) = attributes.get(name) else {
            continue;
        };
        let encoded = match (attribute.kind, value) {
            (AttributeKind::String { .. }, AttributeValue::String(text)) => {
                Json::String(text.clone())
            }
            (AttributeKind::Number { .. }, AttributeValue::Number(number)) => {
                encode_number(*number)
            }
            (AttributeKind::Uuid, AttributeValue::Uuid(uuid)) => Json::String(uuid.to_string()),
            (AttributeKind::Bool, AttributeValue::Bool(flag)) => Json::Bool(*flag),
            (AttributeKind::Datetime, AttributeValue::Datetime(at)) => {
                Json::from(microseconds(*at))
            }
            _ => return Err(SqlError::AttributeKind { name: name.clone() }),
        };
        document.insert(name, encoded);
    }
    Ok(encode(&document))
}

/// Writes what a change of a type does to the attributes of each resource, for
/// [`push_changed_attributes`](super::dialect::Dialect::push_changed_attributes): the values that are filled in, and nulls for those
/// that go.
pub(super) fn encode_change(change: &ResourceTypeChange) -> Result<(String, String), SqlError> {
    let fills = change.fills().iter();
    let fills = fills.map(|(name, value)| (name.clone(), Some(value.clone())));
    let removed: BTreeMap<&str, Option<()>> = change
        .removed()
        .into_iter()
        .map(|name| (name, None))
        .collect();
    Ok((
        encode_attributes(change.after(), &fills.collect())?,
        encode(&removed),
    ))
}

/// Reads the attributes of a resource back: one value, or null, for each attribute of its type.
pub(super) fn decode_attributes(
    resource_type: &ResourceType,
    document: &str,
    column: &'static str,
) -> Result<BTreeMap<String, Option<AttributeValue>>, SqlError> {
    let mut document: BTreeMap<String, Json> = decode(document, column)?;
    let mut attributes = BTreeMap::new();
    for (name, attribute) in resource_type.attributes() {
        let value = match document.remove(name) {
            None | Some(Json::Null) => None,
            Some(stored) => {
                let odd = || {
                    SqlError::corrupt(
                        column,
                        format!("an attribute {name} of the wrong kind: {stored}"),
                    )
                };
                Some(decode_value(attribute.kind, &stored, column).ok_or_else(odd)?)
            }
        };
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}

fn decode_value(
    kind: AttributeKind,
    stored: &Json,
    column: &'static str,
) -> Option<AttributeValue> {
    Some(match kind {
        AttributeKind::String { .. } => AttributeValue::String(stored.as_str()?.to_owned()),
        AttributeKind::Number { .. } => AttributeValue::Number(decode_number(stored)?),
        AttributeKind::Uuid => AttributeValue::Uuid(Uuid::try_parse(stored.as_str()?).ok()?),
        AttributeKind::Bool => AttributeValue::Bool(stored.as_bool()?),
        AttributeKind::Datetime => AttributeValue::Datetime(moment(stored.as_i64()?, column).ok()?),
    })
}

/// Reads rows that came as a JSON list of lists. Ids in them are hexadecimal digits.
pub(super) fn decode_rows(document: &str) -> Result<impl Iterator<Item = Row> + use<>, SqlError> {
    let rows: Vec<Vec<Cell>> = decode(document, "resource")?;
    Ok(rows.into_iter().map(Row::new))
}

/// Reads the metrics of a resource: their names, and the hexadecimal digits of their ids.
pub(super) fn decode_metrics(document: &str) -> Result<BTreeMap<String, MetricId>, SqlError> {
    const ID: &str = "metric.id";
    let digits: BTreeMap<String, Cow<'_, str>> = decode(document, ID)?;
    let read = |(name, digits): (String, Cow<'_, str>)| {
        let id = id_of_digits(&digits, ID)?;
        Ok((name, MetricId::from_uuid(id)))
    };
    digits.into_iter().map(read).collect()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
