//! Parameters of operations and their types.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Required, Schema, Type};

/// Parameters that mean yes or no.
const FLAGS: [&str; 6] = [
    "create_metrics",
    "details",
    "history",
    "refresh",
    "report",
    "use_history",
];

/// Parameters that may be repeated everywhere.
const LISTS: [&str; 5] = ["attrs", "groupby", "metric", "metric_id", "sort"];

/// Where several granularities may be named.
const SEARCH_OF_MEASURES: &str = "/v1/search/metric";

/// Describes the parameters in the braces of a path.
pub(super) fn in_path(path: &'static str) -> impl Iterator<Item = Parameter> {
    let names = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True);
        parameter.schema(Some(scalar(Type::String))).build()
    })
}

/// Describes a parameter of the query of a path.
pub(super) fn in_query(path: &str, name: &str, meaning: &str) -> Parameter {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(meaning));
    parameter.schema(Some(schema(path, name))).build()
}

fn schema(path: &str, name: &str) -> RefOr<Schema> {
    let list = |items: RefOr<Schema>| ArrayBuilder::new().items(items).into();
    match name {
        _ if FLAGS.contains(&name) => scalar(Type::Boolean),
        _ if LISTS.contains(&name) => list(scalar(Type::String)),
        "granularity" if path == SEARCH_OF_MEASURES => {
            list(Ref::from_schema_name("InputTimespan").into())
        }
        "granularity" => Ref::from_schema_name("InputTimespan").into(),
        "start" | "stop" => Ref::from_schema_name("InputTimestamp").into(),
        "limit" => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .into(),
        "needed_overlap" => scalar(Type::Number),
        _ => scalar(Type::String),
    }
}

fn scalar(schema_type: Type) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(schema_type).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::operations::OPERATIONS;
    use super::*;

    fn described() -> impl Iterator<Item = (&'static str, Value)> {
        OPERATIONS.iter().flat_map(|operation| {
            let query = operation.query.iter();
            query.map(|(name, meaning)| {
                let parameter = json!(in_query(operation.path, name, meaning));
                (*meaning, parameter["schema"].clone())
            })
        })
    }

    #[test]
    fn what_may_be_repeated_is_a_list() {
        for (meaning, schema) in described() {
            let may_be_repeated = meaning.contains("may be repeated");
            assert_eq!(schema["type"] == "array", may_be_repeated, "{meaning}");
        }
    }

    #[test]
    fn what_is_asked_as_a_question_is_a_flag() {
        for (meaning, schema) in described() {
            let is_question = meaning.starts_with("whether");
            assert!(!is_question || schema["type"] == "boolean", "{meaning}");
        }
    }
}
