//! The description of this API for machines.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::response::Response as HttpResponse;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, ContentBuilder, Header, InfoBuilder, LicenseBuilder, ObjectBuilder,
    OpenApi, OpenApiBuilder, Paths, Ref, Required, Response, ResponseBuilder, Server, Type,
};

use super::json_bytes;
use super::openapi_names::{operation_id, tag, tags};
use super::openapi_schemas::{self, BodyOf};
use super::operations::{OPERATIONS, Operation};
use super::{ROOT, openapi_parameters};
use crate::api::middleware::unsent::Counted;
use crate::api::response::render;
use crate::ingest::receiver_of;

/// Operations that ask no rules and touch nothing.
const OPEN: [&str; 4] = [ROOT, "/v1/", "/v1/openapi.json", "/v1/capabilities"];

/// Operations that answer whatever the client accepts.
const ANY_FORMAT: [&str; 3] = [ROOT, "/v1/", "/v1/openapi.json"];

/// Where the paths begin, relative to the address of the document: it may stand behind a proxy or be mounted under a prefix.
const SERVER: &str = "..";

/// What is computed within a budget.
const COMPUTED: [&str; 3] = ["/v1/aggregates", "/v1/aggregation/", "/v1/search/metric"];

/// Where what is posted only asks for something.
const QUESTIONS: [&str; 3] = ["/v1/search/", "/v1/aggregates", "/v1/aggregation/"];

/// The content type of bytes that senders give no name to, or for which a generated client knows none.
const OCTET_STREAM: &str = "application/octet-stream";

/// Names and passwords.
const BASIC: &str = "basic";

/// Tokens, in Keystone mode.
const TOKEN: &str = "token";

/// Every response shares these bytes: it is long, and every client may request it.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = json!(describe());
    document["components"]["schemas"] = openapi_schemas::components();
    render::to_bytes(&document).into()
});

/// `GET /v1/openapi.json`
pub(super) async fn document() -> HttpResponse {
    let mut response = json_bytes(StatusCode::OK, DOCUMENT.clone());
    response.extensions_mut().insert(Counted);
    response
}

/// Returns the description as JSON.
pub(super) fn bytes() -> &'static [u8] {
    &DOCUMENT
}

fn describe() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Gnocchi")
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(
            LicenseBuilder::new()
                .name(env!("CARGO_PKG_LICENSE"))
                .identifier(Some(env!("CARGO_PKG_LICENSE")))
                .build(),
        ))
        .description(Some(
            "A time-series database that stores aggregates: resources have metrics, and metrics have archive policies.",
        ));
    let mut paths = Paths::new();
    for operation in OPERATIONS.iter() {
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
        .servers(Some([Server::new(SERVER)]))
        .tags(Some(tags()))
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
    let mut description = OperationBuilder::new()
        .operation_id(Some(operation_id(&operation.method, operation.path)))
        .summary(Some(operation.summary))
        .tag(tag(operation.path));
    if is_open(operation) {
        description = description.security(SecurityRequirement::default());
    }
    // Any one of these is enough.
    for scheme in [BASIC, TOKEN] {
        let no_scopes: [String; 0] = [];
        description = description.security(SecurityRequirement::new(scheme, no_scopes));
    }
    for parameter in openapi_parameters::in_path(operation.path) {
        description = description.parameter(parameter);
    }
    for (name, meaning) in operation.query {
        let parameter = openapi_parameters::in_query(operation.path, name, meaning);
        description = description.parameter(parameter);
    }
    if !operation.body.is_empty() {
        description = description.request_body(Some(body(operation)));
    }
    for status in statuses(operation) {
        description = description.response(status.to_string(), response(operation, status));
    }
    description
}

/// Returns whether an operation is open to callers without credentials.
fn is_open(operation: &Operation) -> bool {
    operation.is_open || OPEN.contains(&operation.path)
}

/// Returns every status that an operation may answer with.
fn statuses(operation: &Operation) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([operation.success]);
    statuses.extend(operation.failures);
    // A head that is malformed.
    statuses.insert(400);
    // Where callers have tokens, nothing but the root is for those without one.
    if operation.path != ROOT {
        statuses.insert(401);
    }
    if !is_open(operation) {
        statuses.extend([403, 503]);
    }
    let begins = |prefixes: &[&str]| {
        let mut prefixes = prefixes.iter();
        prefixes.any(|prefix| operation.path.starts_with(prefix))
    };
    // Clients of other systems get no JSON.
    let is_for_senders = receiver_of(operation.path).is_some();
    let answers_json = !ANY_FORMAT.contains(&operation.path) && !is_for_senders;
    if operation.method != HttpMethod::Delete && answers_json {
        statuses.insert(406);
    }
    if !operation.body.is_empty() {
        statuses.extend([408, 413, 415]);
    }
    if operation.method != HttpMethod::Get && !begins(&QUESTIONS) {
        statuses.insert(507);
    }
    let reads_measures =
        operation.method == HttpMethod::Get && operation.path.ends_with("/measures");
    if reads_measures || begins(&COMPUTED) {
        statuses.extend([422, 504]);
    }
    let lists_resources = begins(&["/v1/resource/{type}", "/v1/search/resource/"]);
    if lists_resources && operation.takes("limit") {
        statuses.insert(504);
    }
    let fills_resources =
        operation.method == HttpMethod::Patch && operation.path == "/v1/resource_type/{name}";
    if fills_resources {
        statuses.insert(422);
    }
    statuses
}

fn response(operation: &Operation, status: u16) -> Response {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let schema = match status {
        _ if status == operation.success => openapi_schemas::component(operation, BodyOf::Success),
        400.. => Some(Ref::from_schema_name(openapi_schemas::ERROR)),
        _ => None,
    };
    let mut response = ResponseBuilder::new().description(reason);
    if status == 202 && operation.takes("report") {
        response =
            response.description("Accepted; with `report=true` the body is a MeasuresReport");
    }
    if let Some(schema) = schema {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response = response.content("application/json", content);
    }
    for (name, meaning) in headers(operation, status) {
        response = response.header(name, header(meaning));
    }
    response.build()
}

/// Returns the headers of a response that clients act on.
fn headers(operation: &Operation, status: u16) -> Vec<(&'static str, &'static str)> {
    let mut headers = Vec::new();
    if status == 201 {
        headers.push(("Location", "the address of what was created"));
    }
    if status == operation.success && operation.takes("limit") {
        headers.push((
            "Link",
            "the address of the next page, with `rel=\"next\"`; absent on the last page",
        ));
    }
    let shows_a_resource = match operation.method {
        HttpMethod::Get | HttpMethod::Patch => operation.path == "/v1/resource/{type}/{id}",
        HttpMethod::Post => operation.path == "/v1/resource/{type}",
        _ => false,
    };
    if shows_a_resource && (status == operation.success || status == 304) {
        headers.push(("ETag", "the revision, for `If-Match` and `If-None-Match`"));
        headers.push(("Last-Modified", "the start of the revision"));
    }
    headers
}

fn header(meaning: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let header = HeaderBuilder::new().schema(text);
    header.description(Some(meaning)).build()
}

fn body(operation: &Operation) -> RequestBody {
    let schema = openapi_schemas::component(operation, BodyOf::Request);
    let mut content = ContentBuilder::new().schema(schema);
    if let Some(example) = example(operation) {
        content = content.example(Some(example));
    }
    let mut body = RequestBodyBuilder::new()
        .content(operation.content_type, content.build())
        .required(Some(Required::True));
    // What senders of other systems announce is not looked at.
    if matches!(
        operation.content_type,
        "text/plain" | "application/x-protobuf"
    ) {
        let bytes = Content::new(Some(Ref::from_schema_name(openapi_schemas::BYTES)));
        body = body.content(OCTET_STREAM, bytes);
    }
    body.build()
}

/// Returns the example of a body in its content type; bytes have none.
fn example(operation: &Operation) -> Option<Value> {
    match operation.content_type {
        "application/x-protobuf" => None,
        "application/x-www-form-urlencoded" => {
            let (name, value) = operation.body.split_once('=')?;
            Some(json!({ name: value }))
        }
        "text/plain" => Some(Value::String(operation.body.to_owned())),
        _ => serde_json::from_str(operation.body).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_is_described_once() {
        let mut seen = HashSet::new();
        for operation in OPERATIONS.iter() {
            let name = serde_json::to_string(&operation.method).unwrap();
            assert!(
                seen.insert((operation.path, name)),
                "{} occurs twice",
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
        let open = &document["paths"]["/v1/capabilities"]["get"]["security"];
        assert_eq!(*open, serde_json::json!([{}, {"basic": []}, {"token": []}]));
        let token = &document["components"]["securitySchemes"]["token"];
        assert_eq!(token["name"], "X-Auth-Token");
    }

    #[test]
    fn every_operation_has_a_name_and_every_body_a_schema() {
        let document: Value = serde_json::from_slice(bytes()).unwrap();
        let refers = |content: &Value| content["schema"]["$ref"].is_string();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str();
                assert!(name.is_some(), "{method} {path}");
                assert_eq!(operation["tags"].as_array().unwrap().len(), 1);
                if let Some(body) = operation.get("requestBody") {
                    let content = body["content"].as_object().unwrap();
                    assert!(content.values().all(refers), "{method} {path}");
                }
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let has_body = !["202", "204", "304"].contains(&status.as_str());
                    let schema = refers(&response["content"]["application/json"]);
                    assert_eq!(schema, has_body, "{method} {path} {status}");
                }
            }
        }
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
