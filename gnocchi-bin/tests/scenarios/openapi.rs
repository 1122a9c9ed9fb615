//! The description of the API for machines says neither too much nor too little: every answer that it names is given by a request
//! here, and no other test gets an answer that it does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gnocchi_core::budget::QueryLimits;
use gnocchi_core::error::BackendErrorKind;
use gnocchi_core::policy::{Action, Enforcer};
use gnocchi_core::{Drivers, Gnocchi, Settings};
use gnocchi_server::api::auth::{AccessControl, Authenticator, Policy};
use gnocchi_server::api::{self, ApiSettings, ApiState, HealthcheckSettings};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::failing_indexer::FailingIndexer;
use crate::failures::{Append, Refusing};
use crate::schemas::Schemas;
use crate::support::{Answer, App, drivers, settings};
use crate::tenants::{self, RESOURCE, Valid};

const TABLE: &str = include_str!("openapi.txt");

/// Method, path with names in braces, and status.
type Answered = (String, String, u16);

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(api::openapi()).unwrap());

/// Every answer that the description names.
static DESCRIBED: LazyLock<BTreeSet<Answered>> = LazyLock::new(|| {
    let mut described = BTreeSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let status = status.parse().unwrap();
                described.insert((method.to_uppercase(), path.clone(), status));
            }
        }
    }
    described
});

/// Finds the path of the description that an address belongs to; the one with the fewest names in braces wins.
fn template(method: &str, address: &str) -> Option<String> {
    let path = address.split('?').next()?;
    let path = match path {
        "/" | "/v1/" => path,
        _ => path.trim_end_matches('/'),
    };
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let parts: Vec<&str> = template.split('/').collect();
        let fits = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
        parts.len() == segments.len() && parts.iter().zip(&segments).all(fits)
    };
    let templates = DESCRIBED.iter().filter(|(own, ..)| own == method);
    let fitting = templates.map(|(_, template, _)| template).filter(fits);
    fitting
        .min_by_key(|template| template.matches('{').count())
        .cloned()
}

/// Insists that the description names an answer, and that its body is as described; whatever is no operation of it is not looked at.
#[track_caller]
pub(crate) fn check_described(method: &str, address: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    let (method, is_head) = match method {
        "HEAD" => ("GET", true),
        other => (other, false),
    };
    // A handler that panics on purpose is no operation.
    if status == 405 || status == 500 {
        return;
    }
    // Nor are addresses that are refused before it is known what they ask for.
    if status == 400 && address.contains("%00") {
        return;
    }
    let Some(path) = template(method, address) else {
        return;
    };
    // An address without names is not found when the whole API stands elsewhere.
    if status == 404 && !path.contains('{') {
        return;
    }
    let answered = (method.to_owned(), path, status);
    assert!(DESCRIBED.contains(&answered), "not described: {answered:?}");
    if !is_head {
        check_body(&answered, answer);
    }
}

/// Insists that a body is as described.
#[track_caller]
fn check_body((method, path, status): &Answered, answer: &Answer) {
    let response = &DOCUMENT["paths"][path][method.to_lowercase()]["responses"][status.to_string()];
    let schema = match &response["content"]["application/json"]["schema"] {
        Value::Null if *status == 202 && !answer.body.is_empty() => {
            &json!({"$ref": "#/components/schemas/MeasuresReport"})
        }
        Value::Null => {
            assert_eq!(answer.text(), "", "{method} {path} {status}: no body");
            return;
        }
        schema => schema,
    };
    let is_json = |value: &HeaderValue| value == "application/json";
    // Clients choose the format of errors, and may want bodies compressed.
    if !answer.headers.get(CONTENT_TYPE).is_some_and(is_json)
        || answer.headers.contains_key(CONTENT_ENCODING)
    {
        return;
    }
    // Numbers that JSON does not have are sent as words.
    let mut text = answer.text();
    for word in [", -Infinity]", ", Infinity]", ", NaN]"] {
        text = text.replace(word, ", 0.0]");
    }
    let value = serde_json::from_str(&text).unwrap();
    let schemas = Schemas(DOCUMENT["components"]["schemas"].as_object().unwrap());
    if let Err(why) = schemas.check(schema, &value) {
        panic!("{method} {path} {status}: {why}");
    }
}

/// A line of the table.
struct Line {
    address: &'static str,
    header: Option<(&'static str, &'static str)>,
    body: Option<&'static str>,
}

fn lines() -> BTreeMap<Answered, Line> {
    let lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = |line: &'static str| {
        let (status, rest) = line.split_once(' ').unwrap();
        let (method, rest) = rest.split_once(' ').unwrap();
        let rest = rest.trim_start();
        let (address, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let rest = rest.trim_start();
        let (header, body) = if rest.starts_with(['{', '[']) || rest.is_empty() {
            (None, rest)
        } else {
            let (header, body) = rest.split_once(' ').unwrap_or((rest, ""));
            (header.split_once('='), body)
        };
        let path = template(method, address).unwrap_or_else(|| panic!("{line}: no operation"));
        let answered = (method.to_owned(), path, status.parse().unwrap());
        let body = Some(body).filter(|body| !body.is_empty());
        (
            answered,
            Line {
                address,
                header,
                body,
            },
        )
    };
    lines.map(line).collect()
}

/// A store with things in it, and how its parts are made to fail.
struct Place {
    app: App,
    metric: String,
    indexer: FailingIndexer,
}

impl Place {
    async fn new() -> Self {
        let indexer = FailingIndexer::default();
        let drivers = Drivers {
            indexer: Arc::new(indexer.clone()),
            ..drivers()
        };
        let app = App::with(drivers, Settings::default());
        let metric = tenants::prepare(&app).await;
        let policy = json!({"name": "unused", "definition": [{"granularity": 1}]});
        app.admin("POST", "/v1/archive_policy", policy)
            .await
            .is(201);
        app.admin("POST", "/v1/resource_type", json!({"name": "used"}))
            .await
            .is(201);
        app.admin("POST", "/v1/resource/used", json!({"id": "taken@x"}))
            .await
            .is(201);
        Self {
            app,
            metric,
            indexer,
        }
    }

    fn with(&self, settings: ApiSettings, access: AccessControl) -> App {
        let gnocchi = self.app.gnocchi.clone();
        let state = ApiState::with_access(gnocchi, settings, access, None);
        App {
            gnocchi: self.app.gnocchi.clone(),
            router: api::router(state),
        }
    }

    /// The same things behind drivers that fail, and without anything remembered.
    fn failing(&self, kind: BackendErrorKind) -> App {
        self.indexer.fail(kind);
        let drivers = Drivers {
            indexer: Arc::new(self.indexer.clone()),
            incoming: Arc::new(Refusing(Append::Fails(kind))),
            ..drivers()
        };
        let gnocchi = Gnocchi::new(drivers, Settings::default());
        let healthcheck = HealthcheckSettings {
            enabled_by: vec!["/nonexistent".into()],
            ..HealthcheckSettings::default()
        };
        let settings = ApiSettings {
            healthcheck,
            ..settings()
        };
        let state = ApiState::new(gnocchi.clone(), settings, None);
        App {
            gnocchi,
            router: api::router(state),
        }
    }

    /// The same things in a store that gives queries no time, or lets them compute and change nothing.
    fn poor(&self, query_limits: QueryLimits) -> App {
        let settings = Settings {
            query_limits,
            type_change_bytes_max: 0,
            ..Settings::default()
        };
        App::with(self.app.gnocchi.drivers().clone(), settings)
    }

    /// Returns what is asked for a status.
    fn app(&self, status: u16) -> App {
        match status {
            401 => self.with(settings(), with_tokens()),
            403 => self.with(settings(), nobody_may()),
            408 => {
                let hasty = ApiSettings {
                    request_timeout: Duration::from_millis(20),
                    ..settings()
                };
                self.with(hasty, AccessControl::default())
            }
            422 => self.poor(QueryLimits {
                cells_max: 0,
                ..QueryLimits::default()
            }),
            504 => self.poor(QueryLimits {
                timeout: Duration::ZERO,
                ..QueryLimits::default()
            }),
            503 => self.failing(BackendErrorKind::Unavailable),
            507 => self.failing(BackendErrorKind::Full),
            _ => self.app.clone(),
        }
    }

    /// Sends the valid request of an operation, spoilt so that it gets a status.
    async fn ask(&self, valid: &Valid, status: u16) -> Answer {
        if status == 409 {
            self.indexer.outdate_types();
        }
        let app = self.app(status);
        let mut call = app.call(valid.method, &valid.address(&self.metric));
        call = match status {
            406 => call.header("accept", "text/plain"),
            _ => call.wants_json(),
        };
        if status == 400 && valid.body(&self.metric).is_none() {
            call = call.header("host", "example.com");
        }
        call = match status {
            401 => call,
            // Bare names list everything.
            403 => call.identity("admin", "project", "admin"),
            _ => call.user("admin"),
        };
        if let Some((content_type, body)) = valid.body(&self.metric) {
            call = call.header("content-type", content_type);
            call = match status {
                400 => call.body("{"),
                408 => call.body(stalled()),
                413 => call.body(long()),
                415 => call.header("content-encoding", "br").body(body),
                _ => call.body(body),
            };
        }
        call.send().await
    }

    async fn ask_line(&self, method: &str, status: u16, line: &Line) -> Answer {
        let fill = |text: &str| {
            text.replace("RESOURCE", RESOURCE)
                .replace("METRIC", &self.metric)
        };
        let app = self.app(status);
        let mut call = app.call(method, &fill(line.address));
        call = call.user("admin").wants_json();
        if let Some((name, value)) = line.header {
            call = call.header(name, value);
        }
        if !matches!(line.header, Some(("content-type", _))) && line.body.is_some() {
            call = call.header("content-type", "application/json");
        }
        call = match line.body {
            None => call,
            Some("STALLED") => call.body(stalled()),
            Some("LONG") => call.body(long()),
            Some(text) => match text.strip_prefix("base64:") {
                Some(encoded) => call.body(STANDARD.decode(encoded).unwrap()),
                None => call.body(fill(text)),
            },
        };
        call.send().await
    }
}

/// A body that does not come.
fn stalled() -> Body {
    Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>())
}

/// A body that is too long.
fn long() -> String {
    " ".repeat(settings().body_bytes_max + 1)
}

/// Callers are those that a service for tokens has told apart.
fn with_tokens() -> AccessControl {
    AccessControl {
        authenticator: Authenticator::IdentityHeaders,
        ..AccessControl::default()
    }
}

/// As [`with_tokens`], and no caller may do anything.
fn nobody_may() -> AccessControl {
    let never = Action::ALL.iter().map(|action| (action.name(), "!"));
    AccessControl {
        policy: Policy::new(Enforcer::new(never, "default").unwrap()),
        ..with_tokens()
    }
}

#[tokio::test]
async fn every_described_answer_is_given() {
    let lines = lines();
    let valid: BTreeMap<(String, String), Valid> = tenants::valid_requests()
        .into_iter()
        .map(|valid| ((valid.method.to_owned(), valid.path().to_owned()), valid))
        .collect();
    let mut wrong = Vec::new();
    for answered in DESCRIBED.iter() {
        let (method, path, status) = answered;
        let place = Place::new().await;
        let answer = if let Some(line) = lines.get(answered) {
            place.ask_line(method, *status, line).await
        } else {
            let valid = &valid[&(method.clone(), path.clone())];
            place.ask(valid, *status).await
        };
        if answer.status != *status {
            wrong.push(format!(
                "{method} {path}: {} instead of {status}",
                answer.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_is_about_a_described_answer() {
    for answered in lines().keys() {
        assert!(DESCRIBED.contains(answered), "{answered:?}");
    }
}

#[test]
fn every_route_is_described() {
    let described: BTreeSet<&str> = DESCRIBED.iter().map(|(_, path, _)| path.as_str()).collect();
    for path in api::paths() {
        // This leads to version 1 and stands beside it.
        if path != "/v1" {
            assert!(described.contains(path), "{path}");
        }
    }
}

#[tokio::test]
async fn valid_requests_are_as_described() {
    let metric = Place::new().await.metric;
    let schemas = Schemas(DOCUMENT["components"]["schemas"].as_object().unwrap());
    let mut checked = 0;
    for valid in tenants::valid_requests() {
        let Some(("application/json" | "application/json-patch+json", body)) = valid.body(&metric)
        else {
            continue;
        };
        let operation = &DOCUMENT["paths"][valid.path()][valid.method.to_lowercase()];
        let content = operation["requestBody"]["content"].as_object().unwrap();
        let content = content.values().next().unwrap();
        for value in [&serde_json::from_slice(&body).unwrap(), &content["example"]] {
            let checked = schemas.check(&content["schema"], value);
            checked.unwrap_or_else(|why| panic!("{} {}: {why}", valid.method, valid.path()));
        }
        checked += 1;
    }
    assert!(checked > 15, "{checked} bodies");
}
