//! The description of this API for machines.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Paths,
    Ref, Required, Response, ResponseBuilder, Type,
};

use super::json_bytes;
use super::openapi_schemas::{self, BodyOf};
use super::operations::{OPERATIONS, Operation};
use crate::api::render;

/// Operations that ask no rules and touch nothing.
const OPEN: [&str; 6] = [
    "/v1/",
    "/v1/openapi.json",
    "/v1/capabilities",
    "/ping",
    "/v1/influxdb/ping",
    "/v1/influxdb/health",
];

/// Operations that answer whatever the client accepts.
const ANY_FORMAT: [&str; 2] = ["/v1/", "/v1/openapi.json"];

/// Where senders of other systems come, which get no JSON.
const SENDERS: [&str; 4] = ["/v1/influxdb/", "/v1/prometheus/", "/api/", "/ping"];

/// Where what is posted only asks for something.
const QUESTIONS: [&str; 3] = ["/v1/search/", "/v1/aggregates", "/v1/aggregation/"];

/// Names and passwords.
const BASIC: &str = "basic";

/// Tokens, in Keystone mode.
const TOKEN: &str = "token";

static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut document = json!(describe());
    document["components"]["schemas"] = openapi_schemas::components();
    render::to_bytes(&document)
});

/// `GET /v1/openapi.json`
pub(super) async fn document() -> axum::response::Response {
    json_bytes(StatusCode::OK, bytes().to_vec())
}

/// Returns the description as JSON.
pub(super) fn bytes() -> &'static [u8] {
    &DOCUMENT
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
    let token = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Token")));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme(BASIC, basic)
                .security_scheme(TOKEN, token)
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
    description = description.tag(tag);
    // Any one of these is enough.
    for scheme in [BASIC, TOKEN] {
        let no_scopes: [String; 0] = [];
        description = description.security(SecurityRequirement::new(scheme, no_scopes));
    }
    for name in path_parameters(operation.path) {
        description = description.parameter(parameter(name, None));
    }
    for (name, meaning) in operation.query {
        description = description.parameter(parameter(name, Some(meaning)));
    }
    if !operation.body.is_empty() {
        description = description.request_body(Some(body(operation)));
    }
    for status in statuses(operation) {
        description = description.response(status.to_string(), response(operation, status));
    }
    description
}

/// Returns every status that an operation may answer with.
fn statuses(operation: &Operation) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([operation.success]);
    statuses.extend(operation.failures);
    // Where callers have tokens, nothing is for those without one.
    statuses.insert(401);
    if !OPEN.contains(&operation.path) {
        statuses.extend([403, 503]);
    }
    let begins = |prefixes: &[&str]| {
        let mut prefixes = prefixes.iter();
        prefixes.any(|prefix| operation.path.starts_with(prefix))
    };
    let answers_json = !ANY_FORMAT.contains(&operation.path) && !begins(&SENDERS);
    if operation.method != HttpMethod::Delete && answers_json {
        statuses.insert(406);
    }
    if !operation.body.is_empty() {
        statuses.extend([400, 408, 413, 415]);
    }
    if operation.method != HttpMethod::Get && !begins(&QUESTIONS) {
        statuses.insert(507);
    }
    statuses
}

fn response(operation: &Operation, status: u16) -> Response {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let schema = match status {
        _ if status == operation.success => {
            openapi_schemas::component(&operation.method, operation.path, BodyOf::Success)
        }
        400.. => Some(Ref::from_schema_name(openapi_schemas::ERROR)),
        _ => None,
    };
    let mut response = ResponseBuilder::new().description(reason);
    if let Some(schema) = schema {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response = response.content("application/json", content);
    }
    response.build()
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

fn body(operation: &Operation) -> RequestBody {
    let text = || Value::String(operation.body.to_owned());
    let example = serde_json::from_str(operation.body).unwrap_or_else(|_| text());
    let schema = openapi_schemas::component(&operation.method, operation.path, BodyOf::Request);
    let content = ContentBuilder::new().schema(schema).example(Some(example));
    RequestBodyBuilder::new()
        .content(operation.content_type, content.build())
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
    fn either_way_of_authentication_is_described() {
        let document: Value = serde_json::from_slice(bytes()).unwrap();
        let operation = &document["paths"]["/v1/metric"]["get"];
        let either = serde_json::json!([{"basic": []}, {"token": []}]);
        assert_eq!(operation["security"], either);
        let token = &document["components"]["securitySchemes"]["token"];
        assert_eq!(token["name"], "X-Auth-Token");
    }

    #[test]
    fn examples_are_json() {
        for operation in OPERATIONS.iter().filter(|operation| {
            !operation.body.is_empty() && operation.content_type.ends_with("json")
        }) {
            serde_json::from_str::<Value>(operation.body)
                .unwrap_or_else(|error| panic!("{}: {error}", operation.path));
        }
    }
}
