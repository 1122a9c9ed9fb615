//! A checker of JSON against the schemas of the description, as far as the description uses them.
//!
//! It is stricter than JSON Schema: a property that a schema doesn't name is an error unless the schema says something about additional
//! ones, because a description that leaves something out is no description.

use serde_json::{Map, Value};
use uuid::Uuid;

/// Where references to components begin.
const COMPONENT: &str = "#/components/schemas/";

/// Schemas by name.
pub(crate) struct Schemas<'a>(pub(crate) &'a Map<String, Value>);

impl Schemas<'_> {
    /// Checks a value.
    ///
    /// # Errors
    /// The place of what does not fit, and why.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.at("", schema, value)
    }

    fn at(&self, place: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let mut schema = schema.as_object().unwrap();
        while let Some(reference) = schema.get("$ref") {
            let name = reference.as_str().unwrap().strip_prefix(COMPONENT);
            schema = self.0[name.unwrap()].as_object().unwrap();
        }
        let wrong = |why: &str| Err(format!("{place}: {why}: {value}"));
        for (keyword, expected) in schema {
            let fits = match keyword.as_str() {
                "description"
                | "properties"
                | "additionalProperties"
                | "required"
                | "items"
                | "oneOf" => true,
                "type" => match expected {
                    Value::Array(types) => types.iter().any(|expected| has_type(value, expected)),
                    one => has_type(value, one),
                },
                "enum" => expected.as_array().unwrap().contains(value),
                "format" => value.as_str().is_none_or(|text| has_format(text, expected)),
                "pattern" => value
                    .as_str()
                    .is_none_or(|text| text.starts_with(prefix(expected))),
                "minimum" => value
                    .as_f64()
                    .is_none_or(|number| number >= limit(expected)),
                "maximum" => value
                    .as_f64()
                    .is_none_or(|number| number <= limit(expected)),
                "maxLength" => length(value.as_str().map(|text| text.chars().count()))
                    .is_none_or(|length| length <= limit(expected)),
                "minLength" => length(value.as_str().map(|text| text.chars().count()))
                    .is_none_or(|length| length >= limit(expected)),
                "minItems" => length(value.as_array().map(Vec::len))
                    .is_none_or(|length| length >= limit(expected)),
                "maxItems" => length(value.as_array().map(Vec::len))
                    .is_none_or(|length| length <= limit(expected)),
                "maxProperties" => length(value.as_object().map(Map::len))
                    .is_none_or(|length| length <= limit(expected)),
                other => panic!("the checker knows no {other}"),
            };
            if !fits {
                return wrong(&format!("not of the {keyword} {expected}"));
            }
        }
        if let Some(alternatives) = schema.get("oneOf") {
            let alternatives = alternatives.as_array().unwrap().iter();
            let results = alternatives.map(|schema| self.at(place, schema, value));
            let (fitting, others): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
            // An empty list is one of whatever.
            let is_empty_list = *value == Value::Array(Vec::new());
            if fitting.is_empty() || (fitting.len() > 1 && !is_empty_list) {
                return wrong(&format!("{} alternatives fit: {others:?}", fitting.len()));
            }
        }
        match value {
            Value::Object(object) => self.object(place, schema, object),
            Value::Array(items) => match schema.get("items") {
                None => Ok(()),
                Some(schema) => items.iter().enumerate().try_for_each(|(index, item)| {
                    self.at(&format!("{place}/{index}"), schema, item)
                }),
            },
            _ => Ok(()),
        }
    }

    fn object(
        &self,
        place: &str,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
    ) -> Result<(), String> {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                return Err(format!("{place}: {name} is missing"));
            }
        }
        let additional = schema.get("additionalProperties");
        // Alternatives describe their own properties.
        let says_nothing = !schema.contains_key("type") && additional.is_none();
        for (name, value) in object {
            let place = format!("{place}/{name}");
            let own = schema.get("properties").and_then(|own| own.get(name));
            match own.or(additional) {
                Some(schema @ Value::Object(_)) => self.at(&place, schema, value)?,
                Some(Value::Bool(true)) => {}
                None if says_nothing => {}
                _ => return Err(format!("{place}: not described")),
            }
        }
        Ok(())
    }
}

fn has_type(value: &Value, expected: &Value) -> bool {
    match expected.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("there is no type {other}"),
    }
}

fn has_format(text: &str, expected: &Value) -> bool {
    match expected.as_str().unwrap() {
        "uuid" => Uuid::try_parse(text).is_ok(),
        "date-time" => text.ends_with("+00:00") && text.as_bytes().get(10) == Some(&b'T'),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "uri" => text
            .parse::<http::Uri>()
            .is_ok_and(|uri| uri.scheme().is_some()),
        other => panic!("the checker knows no format {other}"),
    }
}

/// Returns what texts begin with; patterns say nothing else.
fn prefix(pattern: &Value) -> &str {
    pattern.as_str().unwrap().strip_prefix('^').unwrap()
}

fn limit(expected: &Value) -> f64 {
    expected.as_f64().unwrap()
}

fn length(length: Option<usize>) -> Option<f64> {
    length.map(|length| f64::from(u32::try_from(length).unwrap()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_found() {
        let schemas = json!({
            "Item": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string", "format": "uuid"}, "count": {"type": ["integer", "null"], "minimum": 1}}},
            "Items": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Item"}},
            "Either": {"oneOf": [{"type": "string", "enum": ["a"]}, {"$ref": "#/components/schemas/Item"}]},
            "Open": {"type": "object", "additionalProperties": {"type": "number"}},
        });
        let schemas = Schemas(schemas.as_object().unwrap());
        let check = |name: &str, value: Value, expected: Result<(), &str>| {
            let found = schemas.check(&json!({"$ref": format!("{COMPONENT}{name}")}), &value);
            let place = found.map_err(|text| text.split(':').next().map(ToOwned::to_owned));
            let expected = expected.map_err(|place| Some(place.to_owned()));
            assert_eq!(place, expected, "{name} {value}");
        };
        let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
        check(
            "Items",
            json!([{"id": id}, {"id": id, "count": null}]),
            Ok(()),
        );
        check("Items", json!([]), Err(""));
        check("Items", json!([{"id": id}, {"id": "x"}]), Err("/1/id"));
        check("Items", json!([{"count": 1}]), Err("/0"));
        check("Items", json!([{"id": id, "count": 0}]), Err("/0/count"));
        check("Items", json!([{"id": id, "count": 1.5}]), Err("/0/count"));
        check("Items", json!([{"id": id, "more": 1}]), Err("/0/more"));
        check("Either", json!("a"), Ok(()));
        check("Either", json!({"id": id}), Ok(()));
        check("Either", json!("b"), Err(""));
        check("Open", json!({"a": 1, "b": 2.5}), Ok(()));
        check("Open", json!({"a": "1"}), Err("/a"));
    }
}
