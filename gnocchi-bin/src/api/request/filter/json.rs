//! Filters as JSON: `{"and": [{"=": {"host": "web-1"}}, {"not": {"like": {"name": "a%"}}}]}`.
//!
//! How deep filters may be nested is limited by the decoder of JSON, how large they may be by the length of a body and by what a
//! condition may hold.

use gnocchi_core::model::ResourceId;
use gnocchi_core::search::{Comparison, Filter, Scalar};
use serde_json::{Map, Value};

use crate::api::request::schema::{self, Checked, Path, listed};

/// What a filter does with its operand.
#[derive(Debug, Clone, Copy)]
enum Operator {
    Compare(Comparison),
    Like,
    In,
    All,
    Any,
    Not,
}

/// The names of operators, as far as they are words or ASCII.
const OPERATORS: [&str; 21] = [
    "=", "==", "eq", "!=", "ne", "<", "lt", "<=", "le", ">", "gt", ">=", "ge", "like", "in", "and",
    "or", "not", "≤", "≥", "≠",
];

/// What is said of a comparison of no or several attributes.
const ONE_ATTRIBUTE: &str = "a comparison is of one attribute";

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "=" | "==" | "eq" => Operator::Compare(Comparison::Equal),
        "!=" | "≠" | "ne" => Operator::Compare(Comparison::NotEqual),
        "<" | "lt" => Operator::Compare(Comparison::Less),
        "<=" | "≤" | "le" => Operator::Compare(Comparison::LessOrEqual),
        ">" | "gt" => Operator::Compare(Comparison::Greater),
        ">=" | "≥" | "ge" => Operator::Compare(Comparison::GreaterOrEqual),
        "like" => Operator::Like,
        "in" => Operator::In,
        "and" | "∧" => Operator::All,
        "or" | "∨" => Operator::Any,
        "not" => Operator::Not,
        _ => return None,
    })
}

/// Reads a filter; `None` lets everything through.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn from_json(value: &Value, path: &Path<'_>) -> Checked<Option<Filter>> {
    let map = match value {
        Value::Object(map) => map,
        Value::Array(_) => {
            let invalid = path.invalid("expected a dictionary");
            return Err(invalid.sent(value, "an object with one operator"));
        }
        other => {
            let invalid = path.invalid("invalid value or type");
            return Err(invalid.sent(other, "an object with one operator"));
        }
    };
    let Some((name, operand)) = map.iter().next() else {
        return Ok(None);
    };
    let names = map.keys().map(|name| (name, operator(name)));
    let unknown = names
        .clone()
        .find(|(_, operator)| operator.is_none())
        .map(|(name, _)| name);
    if let Some(unknown) = unknown {
        return Err(Path::Key(path, unknown)
            .invalid_key("not a valid value")
            .explained(listed("operators", unknown, OPERATORS.into_iter())));
    }
    if map.len() > 1 {
        return Err(path.invalid("length of value must be at most 1").explained(
            "an object holds one operator; put several into the list of an \"and\" or \"or\"",
        ));
    }
    let place = Path::Key(path, name);
    let Some(operator) = operator(name) else {
        return Err(place.invalid_key("not a valid value"));
    };
    match operator {
        Operator::All => {
            let members = schema::list(operand, &place, 1, from_json)?;
            let members: Vec<Filter> = members.into_iter().flatten().collect();
            Ok((!members.is_empty()).then(|| Filter::all(members)))
        }
        Operator::Any => {
            let members = schema::list(operand, &place, 1, from_json)?;
            // One that lets everything through is enough.
            let members: Option<Vec<Filter>> = members.into_iter().collect();
            Ok(members.map(Filter::any))
        }
        Operator::Not => {
            let inner = from_json(operand, &place)?;
            let nothing = Filter::Any(Vec::new());
            Ok(Some(
                inner.map_or(nothing, |inner| Filter::Not(Box::new(inner))),
            ))
        }
        Operator::Compare(_) | Operator::Like | Operator::In => {
            comparison(operator, operand, &place).map(Some)
        }
    }
}

fn comparison(operator: Operator, operand: &Value, path: &Path<'_>) -> Checked<Filter> {
    let Value::Object(map) = operand else {
        return Err(path
            .invalid("invalid value or type")
            .sent(operand, "an object of one attribute and its value"));
    };
    let (attribute, value) = only_entry(map, path)?;
    let place = Path::Key(path, attribute);
    let attribute = attribute.to_owned();
    match operator {
        Operator::Like if attribute == "id" => {
            Err(place.invalid_key("value must not be one of ['id']"))
        }
        Operator::Like => Ok(Filter::Like {
            attribute,
            pattern: scalar(value, &place)?,
        }),
        Operator::In => Ok(Filter::In {
            values: schema::list(value, &place, 1, |value, place| {
                compared_with(&attribute, value, place)
            })?,
            attribute,
        }),
        Operator::Compare(comparison) => Ok(Filter::Compare {
            comparison,
            value: compared_with(&attribute, value, &place)?,
            attribute,
        }),
        Operator::All | Operator::Any | Operator::Not => {
            unreachable!("these connect filters and are no comparisons")
        }
    }
}

fn only_entry<'a>(map: &'a Map<String, Value>, path: &Path<'_>) -> Checked<(&'a str, &'a Value)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (None, _) => Err(path
            .invalid("length of value must be at least 1")
            .explained(ONE_ATTRIBUTE)),
        (Some(_), Some(_)) => Err(path
            .invalid("length of value must be at most 1")
            .explained(ONE_ATTRIBUTE)),
        (Some((attribute, value)), None) => Ok((attribute, value)),
    }
}

/// Reads what an attribute is compared with. Resources have only some texts as ids.
fn compared_with(attribute: &str, value: &Value, path: &Path<'_>) -> Checked<Scalar> {
    let scalar = scalar(value, path)?;
    if let ("id", Scalar::Text(id)) = (attribute, &scalar) {
        // Whose id it is makes no difference.
        ResourceId::from_original(id, None).map_err(|error| path.invalid(error.to_string()))?;
    }
    Ok(scalar)
}

fn scalar(value: &Value, path: &Path<'_>) -> Checked<Scalar> {
    match value {
        Value::Null => Ok(Scalar::Null),
        Value::Bool(flag) => Ok(Scalar::Bool(*flag)),
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Scalar::Integer(whole)),
            (None, Some(real)) => Ok(Scalar::Number(real)),
            (None, None) => Err(path.invalid("expected float")),
        },
        Value::Array(_) | Value::Object(_) => Err(path
            .invalid("expected str")
            .sent(value, "a string, a number, true, false or null")),
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
