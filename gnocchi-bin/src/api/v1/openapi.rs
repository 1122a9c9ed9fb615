//! The description of this API for machines.

use std::sync::LazyLock;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Paths,
    Required, ResponseBuilder, Type,
};

use super::json_bytes;
use super::operations::{OPERATIONS, Operation};
use crate::api::render;

/// Failures that every operation may answer with: who calls, what he may, what he accepts, and a store that fails.
const SHARED_FAILURES: [u16; 4] = [401, 403, 406, 503];

const SECURITY: &str = "basic";

static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| render::to_bytes(&describe()));

/// `GET /v1/openapi.json`
pub(super) async fn document() -> Response {
    json_bytes(StatusCode::OK, DOCUMENT.clone())
}

fn describe() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Gnocchi")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Stores time series by their aggregates: metrics with archive policies, on resources.",
        ));
    let mut paths = Paths::new();
    for operation in OPERATIONS {
        paths.add_path_operation(
            operation.path,
            vec![operation.method.clone()],
            describe_operation(operation),
        );
    }
    let basic = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).build());
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme(SECURITY, basic)
                .build(),
        ))
        .build()
}

fn describe_operation(operation: &Operation) -> OperationBuilder {
    let mut description = OperationBuilder::new().summary(Some(operation.summary));
    let tag = operation
        .path
        .split('/')
        .nth(2)
        .filter(|tag| !tag.is_empty())
        .unwrap_or("root");
    description =
        description
            .tag(tag)
            .security(SecurityRequirement::new::<_, [String; 0], String>(
                SECURITY,
                [],
            ));
    for name in path_parameters(operation.path) {
        description = description.parameter(parameter(name, None));
    }
    for (name, meaning) in operation.query {
        description = description.parameter(parameter(name, Some(meaning)));
    }
    if !operation.body.is_empty() {
        description = description.request_body(Some(body(operation.body)));
    }
    let statuses = [operation.success]
        .into_iter()
        .chain(operation.failures.iter().copied())
        .chain(SHARED_FAILURES);
    for status in statuses {
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        description = description.response(
            status.to_string(),
            ResponseBuilder::new().description(reason).build(),
        );
    }
    description
}

/// Returns the names in braces.
fn path_parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// Describes a parameter; one with a meaning stands in the query, one without in the path.
fn parameter(name: &str, meaning: Option<&&str>) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let (place, required) = match meaning {
        Some(_) => (ParameterIn::Query, Required::False),
        None => (ParameterIn::Path, Required::True),
    };
    let described = ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .schema(Some(text));
    described.description(meaning.copied()).build()
}

fn body(example: &str) -> RequestBody {
    let example: Option<Value> = serde_json::from_str(example).ok();
    let content = ContentBuilder::new().example(example).build();
    RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_is_described_once() {
        let mut seen = HashSet::new();
        for operation in OPERATIONS {
            let name = serde_json::to_string(&operation.method).unwrap();
            assert!(
                seen.insert((operation.path, name)),
                "{} stands twice",
                operation.path
            );
        }
        let document: Value = serde_json::from_slice(&DOCUMENT).unwrap();
        let described: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(described, OPERATIONS.len());
    }

    #[test]
    fn examples_are_json() {
        for operation in OPERATIONS
            .iter()
            .filter(|operation| !operation.body.is_empty())
        {
            serde_json::from_str::<Value>(operation.body)
                .unwrap_or_else(|error| panic!("{}: {error}", operation.path));
        }
    }
}
