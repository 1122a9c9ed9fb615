//! The store that every cell starts from, and what of it a response shows.

use std::collections::BTreeSet;

use gnocchi_core::policy::Enforcer;
use gnocchi_server::api::auth::{AccessControl, Authenticator, Policy, RemoteUserHeader};
use gnocchi_server::api::{self, ApiState};
use http::HeaderName;
use serde_json::{Value, json};

use super::table::{Body, Cell, Request};
use crate::support::{Answer, App, Call, settings};

/// The resource of the owner.
pub(crate) const RESOURCE: &str = "fe5b1c7e-0d36-4a8f-b8a5-6c0a3f1e9d42";
/// A resource of another tenant.
const MINE: &str = "2d4b9a0e-6a53-4f0e-a1f2-7d5be0c3c001";
/// A resource that own rules open.
const OPEN: &str = "0be0a8f5-33d1-4dd5-8f6c-2d53b54ad102";
/// An id of nothing.
const NONE: &str = "5e0f24a1-95ad-4b0f-a2a0-53f5f1a40a77";

/// What planted texts begin with.
const SECRET: &str = "secret-";
const OPENED: &str = "open-";

/// The measures that are planted.
const SECRET_VALUE: &str = "4242.5";
const OPENED_VALUE: &str = "1717.25";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    Adrift,
    Other,
    Partner,
    Mate,
    Owner,
    Service,
    Admin,
    /// Who made what own rules open.
    Giver,
}

impl Caller {
    /// The callers that have a column in the part of names.
    pub(super) const NAMES: [Self; 4] = [Self::Anonymous, Self::Other, Self::Owner, Self::Admin];
    /// The callers that have a column in the part of projects.
    pub(super) const PROJECTS: [Self; 8] = [
        Self::Anonymous,
        Self::Adrift,
        Self::Other,
        Self::Partner,
        Self::Mate,
        Self::Owner,
        Self::Service,
        Self::Admin,
    ];

    /// Returns user, project and role.
    fn identity(self) -> Option<(&'static str, &'static str, &'static str)> {
        Some(match self {
            Self::Anonymous => return None,
            Self::Adrift => ("adrift", "", "member"),
            Self::Other => ("other", "other-project", "member"),
            Self::Partner => ("partner", "secret-partners", "member"),
            Self::Mate => ("mate", "secret-project", "member"),
            Self::Owner => ("secret-owner", "secret-project", "member"),
            Self::Service => ("service", "service-project", "service"),
            Self::Admin => ("admin", "admin-project", "admin"),
            Self::Giver => ("open-giver", "open-project", "member"),
        })
    }
}

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Basic,
    RemoteUser,
    /// By the headers of a token layer, as in Keystone mode.
    Projects,
}

impl Mode {
    fn authenticator(self) -> Authenticator {
        match self {
            Self::Basic => Authenticator::default(),
            Self::RemoteUser => {
                let header = HeaderName::from_static("x-remote-user");
                Authenticator::RemoteUser(RemoteUserHeader::new(header))
            }
            Self::Projects => Authenticator::IdentityHeaders,
        }
    }

    fn sign(self, call: Call<'_>, caller: Caller) -> Call<'_> {
        let Some((user, project, role)) = caller.identity() else {
            return call;
        };
        match self {
            Self::Basic => call.user(user),
            Self::RemoteUser => call.header("x-remote-user", user),
            Self::Projects => call.identity(user, project, role),
        }
    }

    /// Returns what a request that does not say who calls is answered with, beside its status.
    pub(super) fn challenge(self) -> Option<&'static str> {
        match self {
            Self::Basic => Some("Basic realm=\"gnocchi\""),
            Self::RemoteUser | Self::Projects => None,
        }
    }
}

/// A store with things of the owner and of another tenant in it.
pub(super) struct World {
    app: App,
    mode: Mode,
    things: Things,
}

/// The ids of things.
#[derive(Debug, Default)]
struct Things {
    metric: String,
    gauge: String,
    free: String,
    host: String,
    /// The metric of what own rules open, if there are any.
    open_cpu: Option<String>,
}

impl World {
    /// Starts a store where these rules replace the default ones. Where there are some, there is what they open.
    pub(super) async fn new(mode: Mode, rules: &[(&str, &str)]) -> Self {
        let access = |rules: &[(&str, &str)]| AccessControl {
            authenticator: mode.authenticator(),
            policy: Policy::new(Enforcer::new(rules.iter().copied(), "default").unwrap()),
            ..AccessControl::default()
        };
        // Everything is made while the default rules hold.
        let filling = Filling {
            app: App::with_access(access(&[])),
            mode,
        };
        let mut things = filling.things_of_tenants().await;
        if !rules.is_empty() {
            things.open_cpu = Some(filling.opened().await);
        }
        let gnocchi = filling.app.gnocchi;
        let state = ApiState::with_access(gnocchi.clone(), settings(), access(rules), None);
        let router = api::router(state);
        Self {
            app: App { gnocchi, router },
            mode,
            things,
        }
    }

    /// Sends a request.
    pub(super) async fn ask(
        &self,
        request: Request,
        body: Option<&Body>,
        caller: Caller,
    ) -> Outcome {
        let address = self.address(request.address);
        let mut call = self.app.call(request.method, &address).wants_json();
        call = self.mode.sign(call, caller);
        let mut said = address.clone();
        if let Some((user, project, _)) = caller.identity() {
            said.extend([" ", user, " ", project]);
        }
        if let Some(body) = body {
            let bytes = body.bytes(|text| self.fill(text));
            said += &String::from_utf8_lossy(&bytes);
            call = call.header("content-type", body.content_type).body(bytes);
        }
        let answer = call.send().await;
        let received = format!("{:?} {}", answer.headers, answer.text());
        let shows = |planted: &[&str], prefix: &str| {
            let words = words_with(&received, prefix);
            let words = words
                .iter()
                .map(String::as_str)
                .chain(planted.iter().copied());
            words
                .into_iter()
                .any(|word| received.contains(word) && !said.contains(word))
        };
        let Things {
            metric,
            gauge,
            free,
            host,
            open_cpu,
        } = &self.things;
        let secrets = [SECRET_VALUE, RESOURCE, metric, gauge, free, host];
        let open_cpu = open_cpu.as_deref().unwrap_or(OPENED_VALUE);
        let found = Cell {
            status: answer.status.as_u16(),
            secret: shows(&secrets, SECRET),
            open: shows(&[OPENED_VALUE, OPEN, open_cpu], OPENED),
        };
        Outcome {
            answer,
            cell: found,
        }
    }

    /// Sends a request that no operation takes.
    pub(super) async fn trace(&self, path: &str) -> Answer {
        let call = self.app.call("TRACE", &self.address(path)).wants_json();
        self.mode.sign(call, Caller::Admin).send().await
    }

    fn address(&self, path: &str) -> String {
        self.fill(&address(path, &self.things.metric))
    }

    fn fill(&self, text: &str) -> String {
        let things = &self.things;
        let open_cpu = things.open_cpu.as_deref().unwrap_or(NONE);
        let names = [
            ("OPENCPU", open_cpu),
            ("OPEN", OPEN),
            ("METRIC", &things.metric),
            ("GAUGE", &things.gauge),
            ("FREE", &things.free),
            ("RESOURCE", RESOURCE),
            ("MINE", MINE),
            ("NONE", NONE),
        ];
        let replaced = |text: String, (name, id): (&str, &str)| text.replace(name, id);
        names.into_iter().fold(text.to_owned(), replaced)
    }
}

/// What a request led to.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) cell: Cell,
}

/// Fills the names in braces of a path.
pub(super) fn address(path: &str, metric: &str) -> String {
    let names = [
        ("/archive_policy/{name}", "/archive_policy/second"),
        ("/archive_policy_rule/{name}", "/archive_policy_rule/rule"),
        ("/resource_type/{name}", "/resource_type/type"),
        ("/metric/{name}", "/metric/cpu"),
        ("{type}/{id}", &format!("server/{RESOURCE}")),
        ("generic/{id}", &format!("generic/{RESOURCE}")),
        ("{type}", "server"),
        ("{id}", metric),
    ];
    names.iter().fold(path.to_owned(), |path, (name, value)| {
        path.replace(name, value)
    })
}

/// Returns the words of a text that begin like this.
fn words_with(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_in_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c| !is_in_word(c));
    words
        .filter(|word| word.starts_with(prefix))
        .map(ToOwned::to_owned)
        .collect()
}

/// An application with the default rules, whose store is filled.
struct Filling {
    app: App,
    mode: Mode,
}

/// Fills the store of an application that tells callers apart by their names, and returns the id of the metric.
pub(super) async fn prepare(app: &App) -> String {
    let filling = Filling {
        app: app.clone(),
        mode: Mode::Basic,
    };
    filling.things_of_tenants().await.metric
}

impl Filling {
    async fn send(&self, caller: Caller, method: &str, path: &str, body: &Value) -> Answer {
        let call = self.mode.sign(self.app.call(method, path), caller);
        call.json(body).await
    }

    async fn create(&self, caller: Caller, path: &str, body: Value) -> Value {
        self.send(caller, "POST", path, &body).await.is(201).json()
    }

    /// Makes everything but what own rules open.
    async fn things_of_tenants(&self) -> Things {
        let policy = json!({"name": "second", "back_window": 10, "definition": [{"granularity": "1 second"}]});
        self.create(Caller::Admin, "/v1/archive_policy", policy)
            .await;
        let rule = json!({"name": "rule", "metric_pattern": "*", "archive_policy_name": "second"});
        self.create(Caller::Admin, "/v1/archive_policy_rule", rule)
            .await;
        let text = json!({"type": "string", "required": false});
        let server = json!({"name": "server", "attributes": {"note": text, "public": text}});
        for resource_type in [json!({"name": "type"}), server] {
            self.create(Caller::Admin, "/v1/resource_type", resource_type)
                .await;
        }
        let resource = json!({
            "id": RESOURCE, "user_id": "secret-user", "project_id": "secret-partners",
            "note": "secret-former", "public": "no",
            "metrics": {"cpu": {}, "secret-gauge": {"unit": "secret-unit"}},
        });
        let made = self.resource(Caller::Owner, resource).await;
        let host = json!({"id": "secret-host", "user_id": "secret-user"});
        let host = self.resource(Caller::Owner, host).await;
        self.resource(Caller::Other, json!({"id": MINE})).await;
        let free = json!({"name": "secret-free"});
        let free = self.create(Caller::Owner, "/v1/metric", free).await;
        let path = format!("/v1/resource/server/{RESOURCE}");
        let change = json!({"note": "secret-note"});
        let changed = self.send(Caller::Owner, "PATCH", &path, &change).await;
        changed.is(200);
        self.measure(Caller::Owner, RESOURCE, SECRET_VALUE).await;
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        Things {
            metric: id(&made["metrics"]["cpu"]),
            gauge: id(&made["metrics"]["secret-gauge"]),
            free: id(&free["id"]),
            host: id(&host["id"]),
            open_cpu: None,
        }
    }

    /// Makes what own rules open and returns the id of its metric.
    async fn opened(&self) -> String {
        let resource = json!({
            "id": OPEN, "user_id": "open-user", "note": "open-note", "public": "yes",
            "metrics": {"cpu": {"unit": "open-unit"}},
        });
        let made = self.resource(Caller::Giver, resource).await;
        self.measure(Caller::Giver, OPEN, OPENED_VALUE).await;
        made["metrics"]["cpu"].as_str().unwrap().to_owned()
    }

    async fn resource(&self, caller: Caller, body: Value) -> Value {
        self.create(caller, "/v1/resource/server", body).await
    }

    async fn measure(&self, caller: Caller, resource: &str, value: &str) {
        let path = format!("/v1/resource/server/{resource}/metric/cpu/measures");
        let value: f64 = value.parse().unwrap();
        let measures = json!([{"timestamp": "2015-06-06T14:00:00", "value": value}]);
        let sent = self.send(caller, "POST", &path, &measures).await;
        sent.is(202);
    }
}
