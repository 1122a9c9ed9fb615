//! Requests: operations of the API with parameters, headers and bodies that are nearly right.

use std::fmt::Write;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Map, Value, json};

use super::choices::Choices;
use super::server::{METRIC, RESOURCE, RESOURCE_TYPE, USER};

/// How many changes an example body gets at most.
const CHANGES_MAX: usize = 4;

/// How deep lists are nested to see what is made of them.
const NESTING: usize = 300;

/// Texts for any place; some are right in some place.
const TEXTS: &[&str] = &[
    "a",
    "",
    "cpu",
    "generic",
    RESOURCE_TYPE,
    METRIC,
    RESOURCE,
    USER,
    "low",
    "high",
    "default",
    "mean",
    "rate:mean",
    "95pct",
    "count",
    "std",
    "id",
    "name",
    "host",
    "cores",
    "image",
    "spot",
    "launched_at",
    "project_id",
    "metrics",
    "ended_at",
    "revision",
    "id:asc",
    "host:desc-nullsfirst",
    "started_at:sideways",
    "0",
    "1",
    "-1",
    "60",
    "300",
    "0.5",
    "1e400",
    "-1e-400",
    "nan",
    "inf",
    "true",
    "null",
    "none",
    "9223372036854775808",
    "18446744073709551616",
    "2015-06-06T13:50:00",
    "2015",
    "1969-12-31",
    "9999-12-31T23:59:59.999999999Z",
    "-1 hour",
    "1 hour ago",
    "now",
    "now+1h",
    "1 year",
    "0:00:01",
    "::",
    "M",
    "W",
    "Europe/Paris",
    "Mars/Olympus",
    "dropna",
    "ffill",
    "full_bfill",
    "no",
    "*",
    "[",
    "c*",
    "a/b",
    "☃",
    "é\u{301}",
    "a\u{0}b",
    "%",
    "_%",
    "'",
    "\"",
    "\\",
    "F93450F2D8A54D67998502511241E7D1",
    "urn:uuid:",
    "{}",
    "[]",
    "host = 'compute1'",
    "cores > 3 and not (spot = true or image in [])",
    "(((((",
    "id == 3",
    "lifespan > 30 min",
    "(metric cpu mean)",
    "(aggregate mean (metric * mean))",
    "(rolling mean 3 (metric cpu mean))",
    "(/ 1 (metric cpu max))",
    "(clip (metric cpu mean) 1 0)",
    "(rateofchange (rateofchange (metric cpu mean)))",
    "(resample mean 60 (metric cpu mean))",
    "create database x",
    "select * from x",
    "cpu,host=a value=1 1433599200000000000",
    "cpu,host=a/b v=1i,w=t,x=\"s\"",
    "6f5b4a1e-0000-4000-8000-000000000002@-1",
    "6f5b4a1e-0000-4000-8000-000000000002@99999999999999999999",
    "/attributes/host",
    "/attributes",
    "add",
    "remove",
];

/// Query parameters that belong to some operation; any may stand on any.
const PARAMETERS: &[&str] = &[
    "start",
    "stop",
    "aggregation",
    "reaggregation",
    "granularity",
    "resample",
    "timezone",
    "refresh",
    "details",
    "history",
    "limit",
    "marker",
    "sort",
    "attrs",
    "filter",
    "groupby",
    "use_history",
    "needed_overlap",
    "fill",
    "metric",
    "metric_id",
    "create_metrics",
    "report",
    "id",
    "status",
    "user_id",
    "project_id",
    "creator",
    "db",
    "q",
    "precision",
];

const CONTENT_TYPES: &[&str] = &[
    "application/json",
    "application/json-patch+json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/x-protobuf",
    "",
];

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json"),
    ("accept", "text/html"),
    ("accept", "image/png"),
    ("accept", "*/*;q=x,,"),
    ("if-match", "*"),
    ("if-match", "\"x\", W/\"y\""),
    ("if-none-match", "*"),
    ("if-none-match", "x"),
    ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("if-unmodified-since", "yesterday"),
    ("origin", "http://foobar.com"),
    ("accept-encoding", "gzip"),
    ("content-encoding", "gzip"),
    ("content-encoding", "x"),
    ("forwarded", "for=\"[::1]\";host=;proto=ftp"),
    ("x-forwarded-host", "a b"),
    ("x-forwarded-prefix", "//"),
    ("x-forwarded-proto", "https"),
    ("range", "bytes=0-1"),
    ("x-gnocchi-influxdb-tag-resource-id", "☃"),
    ("x-gnocchi-influxdb-tag-resource-id", "dc"),
    ("expect", "100-continue"),
    ("x-request-id", "a\tb"),
    ("x-auth-token", "t"),
    ("x-roles", "admin"),
];

const METHODS: &[Method] = &[
    Method::GET,
    Method::POST,
    Method::PATCH,
    Method::DELETE,
    Method::PUT,
    Method::HEAD,
    Method::OPTIONS,
];

/// One method of one path, as the API describes it.
#[derive(Debug)]
struct Operation {
    path: String,
    method: Method,
    parameters: Vec<String>,
    example: Option<Value>,
}

/// Makes requests for the operations of an API.
#[derive(Debug)]
pub(super) struct Requests {
    operations: Vec<Operation>,
}

impl Requests {
    /// Reads an `OpenAPI` document.
    pub(super) fn of(document: &Value) -> Self {
        let mut operations = Vec::new();
        let paths = document["paths"].as_object().cloned().unwrap_or_default();
        for (path, methods) in paths {
            for (method, described) in methods.as_object().cloned().unwrap_or_default() {
                let parameters = described["parameters"].as_array().cloned();
                let in_query = parameters
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|parameter| parameter["in"] == "query");
                let contents = described["requestBody"]["content"].as_object().cloned();
                operations.push(Operation {
                    path: path.clone(),
                    method: Method::from_bytes(method.to_uppercase().as_bytes())
                        .expect("a method of HTTP"),
                    parameters: in_query
                        .filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned()))
                        .collect(),
                    example: contents
                        .and_then(|contents| Some(contents.values().next()?["example"].clone())),
                });
            }
        }
        assert!(!operations.is_empty(), "the API describes nothing");
        Self { operations }
    }

    /// Returns the next request of an input.
    pub(super) fn next(&self, choices: &mut Choices<'_>) -> Request<Body> {
        let operation = &self.operations[choices.below(self.operations.len())];
        let method = if choices.one_in(16) {
            choices.of(METHODS).clone()
        } else {
            operation.method.clone()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(address(operation, choices))
            .header("host", "example.org");
        let user = *choices.of(&[USER, "admin", "other", ""]);
        if !choices.one_in(16) {
            let credentials = STANDARD.encode(format!("{user}:"));
            request = request.header("authorization", format!("Basic {credentials}"));
        }
        let kind = if choices.one_in(8) {
            choices.of(CONTENT_TYPES)
        } else if operation.method == Method::PATCH && operation.path.contains("resource_type") {
            CONTENT_TYPES[1]
        } else {
            CONTENT_TYPES[0]
        };
        request = request.header("content-type", kind);
        while choices.one_in(3) {
            let (name, value) = *choices.of(HEADERS);
            let value = HeaderValue::from_bytes(value.as_bytes());
            if let Ok(value) = value {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        request
            .body(body(operation, choices))
            .expect("each part is a good one")
    }
}

/// Fills the path and adds a query.
fn address(operation: &Operation, choices: &mut Choices<'_>) -> String {
    let mut address = String::new();
    for segment in operation.path.split('/').skip(1) {
        address.push('/');
        let value = match segment {
            "{type}" => RESOURCE_TYPE,
            "{id}" if operation.path.contains("/metric/{id}") => METRIC,
            "{id}" => RESOURCE,
            "{name}" if operation.path.contains("archive_policy_rule") => "default",
            "{name}" if operation.path.contains("archive_policy") => "high",
            "{name}" if operation.path.contains("resource_type") => RESOURCE_TYPE,
            "{name}" => "cpu",
            literal => literal,
        };
        let changed = value != segment && choices.one_in(6);
        escape(&mut address, if changed { text(choices) } else { value });
    }
    let mut separator = '?';
    while choices.one_in(2) {
        let own = operation.parameters.len();
        let name = match choices.below(own + 1) {
            index if index < own => operation.parameters[index].as_str(),
            _ => choices.of(PARAMETERS),
        };
        address.push(separator);
        separator = '&';
        address.push_str(name);
        address.push('=');
        escape(&mut address, text(choices));
    }
    address
}

/// Writes everything but letters, digits and a few marks as bytes in hexadecimal.
fn escape(address: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*:@".contains(&byte) {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").expect("a string takes everything");
        }
    }
}

fn text(choices: &mut Choices<'_>) -> &'static str {
    TEXTS[choices.below(TEXTS.len())]
}

/// Returns an example with changes, a text, or any bytes.
fn body(operation: &Operation, choices: &mut Choices<'_>) -> Body {
    if choices.one_in(12) {
        return Body::from(choices.raw().to_vec());
    }
    let mut value = match &operation.example {
        None if choices.one_in(8) => json!({"name": "x"}),
        None => return Body::empty(),
        Some(Value::String(example)) if choices.one_in(2) => {
            return Body::from(format!("{example}\n{}", text(choices)));
        }
        Some(Value::String(example)) => return Body::from(example.clone()),
        Some(example) => example.clone(),
    };
    for _ in 0..choices.below(CHANGES_MAX + 1) {
        change(&mut value, choices);
    }
    Body::from(value.to_string())
}

/// Changes something somewhere in a value.
fn change(value: &mut Value, choices: &mut Choices<'_>) {
    match value {
        Value::Array(items) if !items.is_empty() && choices.below(4) != 0 => {
            let index = choices.below(items.len());
            match choices.below(6) {
                4 => items.push(items[index].clone()),
                5 => drop(items.remove(index)),
                _ => change(&mut items[index], choices),
            }
        }
        Value::Object(entries) if !entries.is_empty() && choices.below(4) != 0 => {
            change_entry(entries, choices);
        }
        other => *other = any(choices),
    }
}

fn change_entry(entries: &mut Map<String, Value>, choices: &mut Choices<'_>) {
    let keys: Vec<String> = entries.keys().cloned().collect();
    let key = &keys[choices.below(keys.len())];
    match choices.below(7) {
        4 => drop(entries.remove(key)),
        5 => {
            let moved = entries.remove(key).unwrap_or_default();
            entries.insert(text(choices).to_owned(), moved);
        }
        6 => drop(entries.insert(text(choices).to_owned(), any(choices))),
        _ => {
            if let Some(value) = entries.get_mut(key) {
                change(value, choices);
            }
        }
    }
}

/// Returns any value, of few levels or of very many.
fn any(choices: &mut Choices<'_>) -> Value {
    match choices.below(12) {
        0 => Value::Null,
        1 => json!(choices.one_in(2)),
        2 => {
            json!(choices.of(&[0, 1, -1, 60, 1_433_599_200, i64::MAX, i64::MIN]))
        }
        3 => json!(choices.of(&[0.5, -0.0, 1.9, 1e300, -1e-300])),
        4 => json!([]),
        5 => json!({}),
        6 => json!([any(choices), any(choices)]),
        7 => json!({text(choices): any(choices)}),
        8 if choices.one_in(8) => (0..NESTING).fold(json!(1), |inner, _| json!([inner])),
        9 if choices.one_in(8) => (0..NESTING).fold(json!({}), |inner, _| json!({"not": inner})),
        10 if choices.one_in(4) => json!("x".repeat(70_000)),
        _ => json!(text(choices)),
    }
}
