//! JSON patches of resource types.
//!
//! A patch is applied to the wire form of the attributes, as if it were any document; what comes out is read like the body that
//! creates a type. So nested paths such as `/attributes/host/max_length` work, and what a sequence of operations undoes does nothing.

use std::collections::BTreeMap;

use carbonara::Timestamp;
use gnocchi_core::model::{Attribute, AttributeValue, ResourceType, ResourceTypeChange};
use serde_json::{Map, Value};

use super::resource_body::attribute_value;
use super::resource_type::{attributes_view, parse_attribute};
use crate::api::request::schema::{self, Checked, Object, Path};
use crate::api::response::error::{ApiError, ApiResult};

/// Where every path begins.
const ATTRIBUTES: &str = "/attributes";

/// The largest number of operations in one patch.
const OPERATIONS_MAX: usize = 1000;

/// The longest path, in steps below the attributes: `host/options/fill`. Longer ones could nest a document so deep that no client can
/// walk through it.
const STEPS_MAX: usize = 3;

/// A list of operations, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Patch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    kind: OperationKind,
    /// The steps below the attributes.
    path: Vec<String>,
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OperationKind {
    Add,
    Remove,
}

impl Patch {
    /// Reads the body of a request.
    pub(super) fn parse(body: &Value) -> Checked<Self> {
        let operations = schema::list(body, &Path::Root, 0, parse_operation)?;
        if operations.len() > OPERATIONS_MAX {
            let text = format!("length of value must be at most {OPERATIONS_MAX}");
            return Err(Path::Root.invalid(text));
        }
        Ok(Self { operations })
    }

    /// Plans what becomes of a type.
    ///
    /// # Errors
    /// 400 when an operation cannot be applied, or the type cannot change that way.
    pub(super) fn plan(
        self,
        before: ResourceType,
        now: Timestamp,
    ) -> ApiResult<ResourceTypeChange> {
        let old = attributes_view(&before);
        let mut new = Value::Object(old.clone());
        for operation in self.operations {
            operation.apply(&mut new)?;
        }
        let place = Path::Key(&Path::Root, "attributes");
        let new = Object::open_any(&new, &place)?;
        let (mut attributes, mut fills) = (BTreeMap::new(), BTreeMap::new());
        for (name, definition) in new.entries() {
            if let Some(kept) = before.attributes().get(name)
                && old.get(name) == Some(definition)
            {
                attributes.insert(name.clone(), *kept);
                continue;
            }
            let (attribute, fill) = parse_with_fill(name, definition, &place, now)?;
            attributes.insert(name.clone(), attribute);
            fills.extend(fill.map(|fill| (name.clone(), fill)));
        }
        ResourceTypeChange::new(before, attributes, &fills)
            .map_err(|error| ApiError::bad_request(error.to_string()))
    }
}

fn parse_operation(value: &Value, path: &Path<'_>) -> Checked<Operation> {
    let object = Object::open(value, path, &["op", "path", "value"])?;
    let kind = object.optional("op", |value, path| match value.as_str() {
        Some("add") => Ok(OperationKind::Add),
        Some("remove") => Ok(OperationKind::Remove),
        _ => Err(path
            .invalid("not a valid value")
            .sent(value, "add or remove")),
    })?;
    let steps = object.optional("path", |value, path| {
        let below = value
            .as_str()
            .and_then(|text| text.strip_prefix(ATTRIBUTES));
        below
            .filter(|below| below.is_empty() || below.starts_with('/'))
            .map(pointer_steps)
            .ok_or_else(|| {
                path.invalid(format!("does not match regular expression ^{ATTRIBUTES}"))
                    .sent(value, "/attributes/NAME")
            })
    })?;
    Ok(Operation {
        kind: object.require("op", kind)?,
        path: object.require("path", steps)?,
        value: object.optional("value", |value, _| Ok(value.clone()))?,
    })
}

/// Splits a JSON pointer (RFC 6901) as far as it matters: one step more than there may be.
fn pointer_steps(pointer: &str) -> Vec<String> {
    let steps = pointer.split('/').skip(1).take(STEPS_MAX + 1);
    steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

impl Operation {
    fn apply(self, attributes: &mut Value) -> ApiResult<()> {
        if let Some(step) = self.path.get(STEPS_MAX) {
            return Err(no_member(step));
        }
        let Some((last, parents)) = self.path.split_last() else {
            *attributes = match self.kind {
                OperationKind::Remove => Value::Object(Map::new()),
                OperationKind::Add => self.value.ok_or_else(no_value)?,
            };
            return Ok(());
        };
        let mut parent = attributes;
        for step in parents {
            parent = parent
                .get_mut(step.as_str())
                .ok_or_else(|| no_member(step))?;
        }
        let Value::Object(parent) = parent else {
            let text = format!("member '{last}' cannot be in something that is not an object");
            return Err(ApiError::bad_request(text));
        };
        match self.kind {
            OperationKind::Add => {
                parent.insert(last.clone(), self.value.ok_or_else(no_value)?);
            }
            OperationKind::Remove => {
                parent.remove(last).ok_or_else(|| {
                    ApiError::bad_request(format!("can't remove a non-existent object '{last}'"))
                })?;
            }
        }
        Ok(())
    }
}

fn no_member(step: &str) -> ApiError {
    ApiError::bad_request(format!("member '{step}' not found"))
}

fn no_value() -> ApiError {
    ApiError::bad_request("The operation does not contain a 'value' member")
}

/// Reads the definition of an attribute that is new or changed, with the value for resources that exist.
fn parse_with_fill(
    name: &str,
    definition: &Value,
    attributes: &Path<'_>,
    now: Timestamp,
) -> ApiResult<(Attribute, Option<AttributeValue>)> {
    let place = Path::Key(attributes, name);
    let mut definition = definition.clone();
    let options = definition
        .as_object_mut()
        .and_then(|definition| definition.remove("options"));
    let attribute = parse_attribute(&definition, &place)?;
    let Some(options) = options else {
        return Ok((attribute, None));
    };
    let place = Path::Key(&place, "options");
    let options = Object::open(&options, &place, &["fill"])?;
    let fill = options.entries().map(|(_, fill)| fill).next();
    let Some(fill) = fill.filter(|fill| !fill.is_null()) else {
        return Ok((attribute, None));
    };
    let fill = attribute_value(fill, &Path::Root, &attribute, now).map_err(|invalid| {
        ApiError::bad_request(format!(
            "Invalid input: Option 'fill' of resource attribute {name} is invalid: {invalid}"
        ))
    })?;
    Ok((attribute, Some(fill)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::response::error::Detail;

    fn server() -> ResourceType {
        let host = json!({"type": "string", "required": false, "max_length": 9});
        let attribute = parse_attribute(&host, &Path::Root).unwrap();
        ResourceType::new("server", BTreeMap::from([("host".to_owned(), attribute)])).unwrap()
    }

    fn plan(patch: &Value) -> ApiResult<ResourceTypeChange> {
        Patch::parse(patch)?.plan(server(), Timestamp::from_second(0).unwrap())
    }

    #[track_caller]
    fn after(patch: &Value) -> Value {
        Value::Object(attributes_view(plan(patch).unwrap().after()))
    }

    #[track_caller]
    fn refused(patch: &Value, expected: &str) {
        let error = plan(patch).unwrap_err();
        assert_eq!(error.status.as_u16(), 400);
        let text = match error.detail {
            Detail::Text(text) => text,
            Detail::Data(data) => data.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }

    fn host(max_length: u32, required: bool) -> Value {
        json!({"type": "string", "min_length": 0, "max_length": max_length, "required": required})
    }

    #[test]
    fn operations_are_applied_one_after_the_other() {
        let same = json!({"host": host(9, false)});
        let flag = json!({"type": "bool", "required": false});
        let add = |path: &str, value: &Value| json!({"op": "add", "path": path, "value": value});
        let remove = |path: &str| json!({"op": "remove", "path": path});
        let check = |patch: Value, expected: Value| assert_eq!(after(&patch), expected, "{patch}");
        check(json!([]), same.clone());
        check(
            json!([add("/attributes/up", &flag)]),
            json!({"host": host(9, false), "up": flag}),
        );
        check(
            json!([add("/attributes/up", &flag), remove("/attributes/up")]),
            same.clone(),
        );
        check(json!([remove("/attributes/host")]), json!({}));
        check(json!([remove("/attributes")]), json!({}));
        check(
            json!([remove("/attributes"), add("/attributes/up", &flag)]),
            json!({"up": flag}),
        );
        check(
            json!([add("/attributes", &json!({"up": flag}))]),
            json!({"up": flag}),
        );
        check(
            json!([add("/attributes/host/max_length", &json!(5))]),
            json!({"host": host(5, false)}),
        );
        check(
            json!([
                remove("/attributes/host"),
                add("/attributes/host", &host(9, false))
            ]),
            same,
        );
        check(
            json!([
                add("/attributes/a~1b~0c", &flag),
                remove("/attributes/host")
            ]),
            json!({"a/b~c": flag}),
        );
    }

    #[test]
    fn fills_are_read_as_values_of_their_attribute() {
        let fill = |kind: &str, fill: Value| {
            let value = json!({"type": kind, "options": {"fill": fill}});
            let patch = json!([{"op": "add", "path": "/attributes/new", "value": value}]);
            plan(&patch).map(|change| change.fills()["new"].clone())
        };
        assert_eq!(fill("number", json!(15)), Ok(AttributeValue::Number(15.0)));
        assert_eq!(fill("bool", json!(true)), Ok(AttributeValue::Bool(true)));
        let timestamp = Timestamp::from_second(1_507_630_210).unwrap();
        assert_eq!(
            fill("datetime", json!("2017-10-10T10:10:10Z")),
            Ok(AttributeValue::Datetime(timestamp))
        );
        assert!(fill("uuid", json!("x")).is_err());
    }

    #[test]
    fn patches_that_cannot_be_read() {
        let detail = |patch: Value, expected: Value| {
            assert_eq!(json!(Patch::parse(&patch).unwrap_err().detail()), expected);
        };
        detail(json!({}), json!([]));
        detail(
            json!([{"op": "replace", "path": "/attributes/x"}]),
            json!(["0", "op"]),
        );
        detail(
            json!([{"op": "add", "path": "/name"}]),
            json!(["0", "path"]),
        );
        detail(
            json!([{"op": "add", "path": "/attributesx"}]),
            json!(["0", "path"]),
        );
        detail(json!([{"op": "add"}]), json!(["0", "path"]));
        detail(json!([{"path": "/attributes"}]), json!(["0", "op"]));
        detail(
            json!([{"op": "add", "path": "/attributes", "from": ""}]),
            json!(["0", "from"]),
        );
        let many = vec![json!({"op": "remove", "path": "/attributes/x"}); OPERATIONS_MAX + 1];
        detail(Value::Array(many), json!([]));
    }

    #[test]
    fn patches_that_cannot_be_applied() {
        let remove = |path: &str| json!([{"op": "remove", "path": path}]);
        refused(
            &remove("/attributes/x"),
            "can't remove a non-existent object 'x'",
        );
        refused(&remove("/attributes/x/y"), "member 'x' not found");
        refused(&remove("/attributes/host/type"), "not a valid value");
        refused(
            &json!([{"op": "add", "path": "/attributes/x"}]),
            "The operation does not contain a 'value' member",
        );
        let add = |value: Value| json!([{"op": "add", "path": "/attributes/x", "value": value}]);
        refused(
            &add(json!({"type": "what"})),
            "data['attributes']['x']['type']",
        );
        refused(&add(json!([])), "not a valid value");
        refused(
            &json!([{"op": "add", "path": "/attributes/host/max_length/x", "value": 1}]),
            "not an object",
        );
        // Value by value, a patch could nest a document as deep as it likes.
        let nested = json!({"": {"": {"": {}}}});
        refused(
            &json!([
                {"op": "add", "path": "/attributes/x", "value": nested},
                {"op": "add", "path": "/attributes/x////", "value": nested},
            ]),
            "member '' not found",
        );
        refused(
            &add(json!({"type": "bool", "options": {"other": 1}})),
            "extra keys not allowed",
        );
        refused(
            &add(json!({"type": "bool"})),
            "Invalid input: Option 'fill' of resource attribute x is invalid: must not be empty if required=True",
        );
        refused(
            &add(json!({"type": "number", "options": {"fill": "a"}})),
            "Invalid input: Option 'fill' of resource attribute x is invalid: expected Real",
        );
        refused(
            &json!([{"op": "add", "path": "/attributes/id", "value": {"type": "bool", "required": false}}]),
            "Invalid input: Resource attribute name id is invalid",
        );
        refused(
            &json!([{"op": "add", "path": "/attributes/host", "value": {"type": "number", "required": false}}]),
            "Type update is not available yet. Changing string to number for attribute host of resource server",
        );
    }
}
