//! Every operation against every kind of caller: `tenants.txt` is the table.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gnocchi_server::api::auth::{AccessControl, Authenticator};
use serde_json::json;

use crate::support::{Answer, App, Call};

const TABLE: &str = include_str!("tenants.txt");

pub(crate) const RESOURCE: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";

/// The redirection to version 1 stands beside it, not in its description.
const BESIDE_VERSION_1: [&str; 1] = ["/v1"];

/// A body that a line of the table names.
struct Body {
    content_type: &'static str,
    text: &'static str,
}

impl Body {
    fn bytes(&self, metric: &str) -> Vec<u8> {
        match self.text.strip_prefix("base64:") {
            Some(encoded) => STANDARD.decode(encoded).unwrap(),
            None => fill(self.text, metric).into_bytes(),
        }
    }
}

fn fill(text: &str, metric: &str) -> String {
    text.replace("METRIC", metric).replace("RESOURCE", RESOURCE)
}

/// A request that the administrator may send in basic mode.
pub(crate) struct Valid {
    pub(crate) method: &'static str,
    address: &'static str,
    body: Option<Body>,
}

impl Valid {
    /// Returns the path, with names in braces.
    pub(crate) fn path(&self) -> &'static str {
        self.address.split('?').next().unwrap_or_default()
    }

    pub(crate) fn address(&self, metric: &str) -> String {
        fill(&address(self.address, metric), metric)
    }

    /// Returns the content type and the bytes of the body.
    pub(crate) fn body(&self, metric: &str) -> Option<(&'static str, Vec<u8>)> {
        let body = self.body.as_ref()?;
        Some((body.content_type, body.bytes(metric)))
    }
}

/// Returns the request of every line.
pub(crate) fn valid_requests() -> Vec<Valid> {
    let request = |row: Row| Valid {
        method: row.method,
        address: row.address,
        body: row.body.and_then(|name| bodies().remove(name)),
    };
    rows().into_iter().map(request).collect()
}

/// Fills a store that tells callers apart by their names, and returns the id of the metric.
pub(crate) async fn prepare(app: &App) -> String {
    Mode::Basic.prepare(app).await
}

/// A line of the table.
struct Row {
    method: &'static str,
    /// Path and maybe a query, with names in braces.
    address: &'static str,
    body: Option<&'static str>,
    basic: [u16; 4],
    keystone: [u16; 4],
}

impl Row {
    fn path(&self) -> &'static str {
        self.address
            .split_once('?')
            .map_or(self.address, |(path, _)| path)
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn bodies() -> BTreeMap<&'static str, Body> {
    let body = |line: &'static str| {
        let (name, rest) = line.strip_prefix("body ")?.split_once(' ')?;
        let (content_type, text) = rest.trim_start().split_once(' ')?;
        let text = text.trim_start();
        Some((name, Body { content_type, text }))
    };
    lines().filter_map(body).collect()
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, address, body, statuses @ ..] = words.as_slice() else {
            panic!("{line}: too short");
        };
        let statuses: Vec<u16> = statuses.iter().map(|word| word.parse().unwrap()).collect();
        let (basic, keystone) = statuses.split_at(4);
        Row {
            method,
            address,
            body: Some(*body).filter(|body| *body != "-"),
            basic: basic.try_into().unwrap(),
            keystone: keystone.try_into().unwrap(),
        }
    };
    lines()
        .filter(|line| !line.starts_with("body "))
        .map(row)
        .collect()
}

/// Who calls: nobody, another tenant, the one whose things these are, and the administrator.
const CALLERS: [Option<&str>; 4] = [None, Some("other"), Some("owner"), Some("admin")];

/// How callers say who they are.
#[derive(Clone, Copy)]
enum Mode {
    Basic,
    /// Another tenant works in another project.
    Keystone,
}

impl Mode {
    fn start(self) -> App {
        match self {
            Self::Basic => App::new(),
            Self::Keystone => App::with_access(AccessControl {
                authenticator: Authenticator::IdentityHeaders,
                ..AccessControl::default()
            }),
        }
    }

    fn sign<'a>(self, call: Call<'a>, caller: &str) -> Call<'a> {
        match self {
            Self::Basic => call.user(caller),
            Self::Keystone => {
                let role = if caller == "admin" { "admin" } else { "member" };
                call.identity(caller, &format!("project of {caller}"), role)
            }
        }
    }

    fn expected(self, row: &Row) -> [u16; 4] {
        match self {
            Self::Basic => row.basic,
            Self::Keystone => row.keystone,
        }
    }

    /// Starts a store with one thing of each kind and returns the id of the metric.
    async fn prepared(self) -> (App, String) {
        let app = self.start();
        let metric = self.prepare(&app).await;
        (app, metric)
    }

    async fn prepare(self, app: &App) -> String {
        let create = async |path: &str, caller, body: serde_json::Value| {
            let call = self.sign(app.call("POST", path), caller);
            call.json(&body).await.is(201).json()
        };
        let policy = json!({"name": "second", "back_window": 10, "definition": [{"granularity": "1 second"}]});
        create("/v1/archive_policy", "admin", policy).await;
        let rule = json!({"name": "rule", "metric_pattern": "*", "archive_policy_name": "second"});
        create("/v1/archive_policy_rule", "admin", rule).await;
        create("/v1/resource_type", "admin", json!({"name": "type"})).await;
        let resource = json!({"id": RESOURCE, "metrics": {"cpu": {}}});
        let created = create("/v1/resource/generic", "owner", resource).await;
        created["metrics"]["cpu"].as_str().unwrap().to_owned()
    }

    async fn ask(self, row: &Row, body: Option<&Body>, caller: Option<&str>) -> Answer {
        let (app, metric) = self.prepared().await;
        let address = fill(&address(row.address, &metric), &metric);
        let mut call = app.call(row.method, &address).wants_json();
        if let Some(name) = caller {
            call = self.sign(call, name);
        }
        if let Some(body) = body {
            let bytes = body.bytes(&metric);
            call = call.header("content-type", body.content_type).body(bytes);
        }
        call.send().await
    }

    async fn check(self) {
        let bodies = bodies();
        for row in rows() {
            let body = row.body.map(|name| &bodies[name]);
            for (caller, expected) in CALLERS.into_iter().zip(self.expected(&row)) {
                let answer = self.ask(&row, body, caller).await;
                assert_eq!(
                    answer.status.as_u16(),
                    expected,
                    "{} {} as {caller:?}: {}",
                    row.method,
                    row.address,
                    answer.text()
                );
            }
        }
    }
}

fn address(path: &str, metric: &str) -> String {
    let names = [
        ("/archive_policy/{name}", "/archive_policy/second"),
        ("/archive_policy_rule/{name}", "/archive_policy_rule/rule"),
        ("/resource_type/{name}", "/resource_type/type"),
        ("/metric/{name}", "/metric/cpu"),
        ("{type}/{id}", &format!("generic/{RESOURCE}")),
        ("{type}", "generic"),
        ("{id}", metric),
    ];
    names.iter().fold(path.to_owned(), |path, (name, value)| {
        path.replace(name, value)
    })
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_in_basic_mode() {
    Mode::Basic.check().await;
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_in_keystone_mode() {
    Mode::Keystone.check().await;
}

/// Method and path of every line.
fn listed() -> BTreeSet<(String, String)> {
    rows()
        .iter()
        .map(|row| (row.method.to_owned(), row.path().to_owned()))
        .collect()
}

/// A method that no route has makes each of them tell the ones that it has.
#[tokio::test]
async fn every_route_of_the_router_stands_in_the_table() {
    let (app, metric) = Mode::Basic.prepared().await;
    let mut routed = BTreeSet::new();
    for path in gnocchi_server::api::paths() {
        let call = app.call("TRACE", &address(path, &metric)).user("admin");
        let refused = call.wants_json().send().await.is(405);
        // An address that refuses every method is nothing that a caller could do.
        let Some(allowed) = refused.headers.get("allow") else {
            continue;
        };
        let allowed = allowed.to_str().unwrap().split(',').map(str::trim);
        // What can be read can also be read without its body.
        let methods = allowed.filter(|method| *method != "HEAD");
        routed.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    assert_eq!(listed(), routed);
}

#[tokio::test]
async fn every_line_of_the_table_is_an_operation_that_is_described() {
    let (app, _) = Mode::Basic.prepared().await;
    let call = app.call("GET", "/v1/openapi.json").user("admin");
    let document = call.send().await.is(200).json();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let mut listed = listed();
    listed.retain(|(_, path)| !BESIDE_VERSION_1.contains(&path.as_str()));
    assert_eq!(listed, described);
}
