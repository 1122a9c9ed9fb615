//! The real program with a real Keystone.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "support/keystone.rs"]
mod identity;
#[path = "support/matrix.rs"]
mod matrix;
mod support;

use std::collections::HashMap;

use identity::Keystone;
use serde_json::{Value, json};
use support::{Server, write};

/// What `GNOCCHI_TEST_REQUIRE` calls this service.
const SERVICE: &str = "keystone";

const PASSWORD: &str = "pass";

/// The user as whom the server asks.
const SERVER: (&str, &str, &str) = ("gnocchi", "service", "service");

/// A server whose callers have tokens.
struct Tenants {
    keystone: Keystone,
    server: Server,
    http: reqwest::Client,
    /// Ids of projects by name.
    projects: HashMap<&'static str, String>,
    /// Tokens by the names of users.
    tokens: HashMap<&'static str, String>,
    _directory: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Tenants {
    async fn start() -> Self {
        let keystone = Keystone::start().await;
        let mut projects = HashMap::new();
        let mut roles = HashMap::from([("service", String::new())]);
        for (role, id) in &mut roles {
            *id = keystone.create("role", json!({"name": role})).await;
        }
        for role in ["member", "admin"] {
            roles.insert(role, keystone.find("role", role).await);
        }
        let all_callers = matrix::CALLERS.into_iter().chain([SERVER]);
        for (user, project, role) in all_callers {
            if !projects.contains_key(project) {
                let id = keystone.create("project", json!({"name": project})).await;
                projects.insert(project, id);
            }
            // The bootstrap has made a user of this name.
            let name = if user == "admin" { "admin6" } else { user };
            let description = json!({"name": name, "password": PASSWORD});
            let id = keystone.create("user", description).await;
            keystone.grant(&projects[project], &id, &roles[role]).await;
        }
        let mut tokens = HashMap::new();
        for (user, project, _) in matrix::CALLERS {
            let name = if user == "admin" { "admin6" } else { user };
            tokens.insert(user, keystone.token(name, PASSWORD, project).await);
        }
        let directory = tempfile::tempdir().unwrap();
        let server = serve(directory.path(), &keystone);
        Self {
            keystone,
            server,
            http: gnocchi_server::outgoing::client().build().unwrap(),
            projects,
            tokens,
            _directory: directory,
        }
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let method = method.parse().unwrap();
        let url = format!("{}{path}", self.server.url);
        let mut request = self.http.request(method, url);
        // Forging these must gain nothing.
        request = request.header("X-Roles", "admin").header("X-User-Id", "x");
        if let Some(token) = token {
            request = request.header("X-Auth-Token", token);
        }
        if !body.is_null() {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    async fn call(&self, user: &str, method: &str, path: &str, body: &Value) -> Answer {
        let token = self.tokens[user].as_str();
        self.send(method, path, Some(token), body).await
    }

    async fn get(&self, token: Option<&str>) -> Answer {
        self.send("GET", "/v1/archive_policy", token, &Value::Null)
            .await
    }

    /// Makes a resource of the matrix and returns the id of its metric.
    async fn create(&self, id: &str) -> String {
        let body = matrix::resource(id, &self.projects["p2"]);
        let created = self.call("u1", "POST", "/v1/resource/generic", &body);
        let created = created.await.is(201).json();
        created["metrics"]["cpu"].as_str().unwrap().to_owned()
    }
}

/// Starts the program in Keystone mode.
fn serve(directory: &std::path::Path, keystone: &Keystone) -> Server {
    let text = format!(
        "[api]\nauth_mode = keystone\n[keystone_authtoken]\nauth_url = {}\nwww_authenticate_uri = http://identity.example.org\nusername = gnocchi\npassword = {PASSWORD}\nproject_name = service\nuser_domain_name = Default\nproject_domain_name = Default\nregion_name = RegionOne\nhttp_request_max_retries = 0\n",
        keystone.url()
    );
    let config = write(directory, "gnocchi.conf", &text);
    Server::start(&directory.join("data"), &["--config-file", &config])
}

#[tokio::test]
async fn tenants_of_a_real_keystone() {
    if !identity::is_installed() {
        let required = std::env::var("GNOCCHI_TEST_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|service| service == SERVICE),
            "Keystone is not installed, and GNOCCHI_TEST_REQUIRE asks for it"
        );
        eprintln!("skipped: tenants_of_a_real_keystone needs the Debian package keystone");
        return;
    }
    let mut tenants = Tenants::start().await;
    tokens_are_told_apart(&tenants).await;
    every_cell_of_the_matrix(&tenants).await;
    creators_are_users_in_projects(&tenants).await;
    services_pass_tokens_on(&tenants).await;
    known_tokens_outlive_a_keystone_that_is_down(&mut tenants).await;
    tenants.server.stop();
}

async fn tokens_are_told_apart(tenants: &Tenants) {
    for token in [None, Some("bad"), Some("gAAAAABq")] {
        let refused = tenants.get(token).await.is(401);
        assert_eq!(
            refused.headers["www-authenticate"],
            "Keystone uri=\"http://identity.example.org\""
        );
    }
    let root = tenants.send("GET", "/", None, &Value::Null);
    root.await.is(200);
    let index = tenants.send("GET", "/v1/", None, &Value::Null);
    index.await.is(401);
    tenants.get(Some(&tenants.tokens["u4"])).await.is(200);
    // A forged role does not make an administrator.
    let status = tenants.call("u4", "GET", "/v1/status", &Value::Null);
    status.await.is(403);
}

async fn every_cell_of_the_matrix(tenants: &Tenants) {
    let policy =
        json!({"name": "second", "back_window": 10, "definition": [{"granularity": "1 second"}]});
    let made = tenants.call("admin", "POST", "/v1/archive_policy", &policy);
    made.await.is(201);
    for (number, cell) in matrix::cells().into_iter().enumerate() {
        // A deletion must not reach the things of the next cell.
        let id = format!("f93450f2-d8a5-4d67-9985-{number:012}");
        let metric = tenants.create(&id).await;
        let (method, path, body) = matrix::request(cell.column, &id, &metric);
        let answer = tenants.call(cell.caller, method, &path, &body).await;
        let thing = if cell.column == "counted" {
            &metric
        } else {
            &id
        };
        matrix::check(&cell, thing, answer.status, &answer.text);
    }
}

async fn creators_are_users_in_projects(tenants: &Tenants) {
    let body = json!({"archive_policy_name": "second"});
    let made = tenants
        .call("u1", "POST", "/v1/metric", &body)
        .await
        .is(201);
    let made = made.json();
    assert_eq!(made["created_by_project_id"], tenants.projects["p1"]);
    let user = made["created_by_user_id"].as_str().unwrap();
    let creator = format!("{user}:{}", tenants.projects["p1"]);
    assert_eq!(made["creator"], creator);
}

async fn services_pass_tokens_on(tenants: &Tenants) {
    let send = async |service: &str| {
        let request = tenants
            .http
            .get(format!("{}/v1/archive_policy", tenants.server.url))
            .header("X-Auth-Token", &tenants.tokens["u1"])
            .header("X-Service-Token", service);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(&tenants.tokens["service"]).await, 200);
    assert_eq!(send(&tenants.tokens["u2"]).await, 401);
    assert_eq!(send("bad").await, 401);
}

async fn known_tokens_outlive_a_keystone_that_is_down(tenants: &mut Tenants) {
    let fresh = tenants.keystone.token("u1", PASSWORD, "p1").await;
    let revoked = tenants.keystone.token("u1", PASSWORD, "p1").await;
    tenants.keystone.revoke(&revoked).await;
    tenants.get(Some(&revoked)).await.is(401);
    tenants.keystone.stop();
    tenants.get(Some(&tenants.tokens["u1"])).await.is(200);
    let busy = tenants.get(Some(&fresh)).await.is(503);
    assert!(busy.headers.contains_key("retry-after"));
    tenants.keystone.serve().await;
    // The server asks again after a short pause.
    let began = std::time::Instant::now();
    while tenants.get(Some(&fresh)).await.status != 200 {
        assert!(began.elapsed() < support::PATIENCE, "still refused");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
