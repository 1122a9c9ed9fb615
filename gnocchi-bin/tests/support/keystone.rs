//! A private Keystone on a free port, and what an administrator does to it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What the Debian package `keystone` installs.
const MANAGE: &str = "/usr/bin/keystone-manage";

/// The packages of the system, not of a virtual environment that may be active.
const PYTHON: &str = "/usr/bin/python3";

const ADMIN_PASSWORD: &str = "secret";

/// How long Keystone may take until it answers.
const PATIENCE: Duration = Duration::from_mins(2);

/// Serves Keystone's application.
const PROGRAM: &str = r"
import socketserver, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
port = int(sys.argv[1])
sys.argv = ['keystone']
from keystone.server.wsgi import initialize_public_application
class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
class Handler(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass
make_server('127.0.0.1', port, initialize_public_application(), Server, Handler).serve_forever()
";

/// Returns whether Keystone is installed.
pub(crate) fn is_installed() -> bool {
    Path::new(MANAGE).exists()
}

/// A running Keystone; killed when dropped.
pub(crate) struct Keystone {
    directory: TempDir,
    port: u16,
    process: Option<Child>,
    http: reqwest::Client,
    admin_token: String,
}

impl Keystone {
    /// Makes a new one, with an administrator and the domain `default`, and waits until it answers.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        configure(directory.path());
        manage(directory.path(), &["db_sync"]);
        let_readers_and_writers_pass(directory.path());
        let (user, group) = (id("-un"), id("-gn"));
        let owner = ["--keystone-user", &user, "--keystone-group", &group];
        for keys in ["fernet_setup", "credential_setup"] {
            manage(directory.path(), &[&[keys], &owner[..]].concat());
        }
        let url = format!("http://127.0.0.1:{port}/v3");
        let bootstrap = [
            "bootstrap",
            "--bootstrap-password",
            ADMIN_PASSWORD,
            "--bootstrap-admin-url",
            &url,
            "--bootstrap-internal-url",
            &url,
            "--bootstrap-public-url",
            &url,
            "--bootstrap-region-id",
            "RegionOne",
        ];
        manage(directory.path(), &bootstrap);
        let mut keystone = Self {
            directory,
            port,
            process: None,
            http: gnocchi_server::outgoing::client().build().unwrap(),
            admin_token: String::new(),
        };
        keystone.serve().await;
        keystone.admin_token = keystone.token("admin", ADMIN_PASSWORD, "admin").await;
        keystone
    }

    /// Starts the process, with all that was there before.
    pub(crate) async fn serve(&mut self) {
        let directory = self.directory.path();
        let log = fs::File::create(directory.join("out")).unwrap();
        // A test that is killed must not leave it behind.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", PYTHON, "-c", PROGRAM])
            .arg(self.port.to_string())
            .env("OS_KEYSTONE_CONFIG_DIR", directory)
            .env("OS_KEYSTONE_CONFIG_FILES", directory.join("keystone.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
        let began = Instant::now();
        while self.http.get(self.url()).send().await.is_err() {
            let log = || fs::read_to_string(directory.join("out")).unwrap();
            assert!(began.elapsed() < PATIENCE, "Keystone: {}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends the process.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.port)
    }

    /// Makes a thing and returns its id; `kind` is `project`, `user` or `role`.
    pub(crate) async fn create(&self, kind: &str, description: Value) -> String {
        let request = self.http.post(format!("{}/{kind}s", self.url()));
        let request = request.json(&json!({ kind: description }));
        let answer = self.admin(request).await;
        answer[kind]["id"].as_str().unwrap().to_owned()
    }

    /// Returns the id of a thing that is there from the beginning.
    pub(crate) async fn find(&self, kind: &str, name: &str) -> String {
        let request = self.http.get(format!("{}/{kind}s?name={name}", self.url()));
        let answer = self.admin(request).await;
        let found = &answer[format!("{kind}s")][0]["id"];
        found.as_str().unwrap().to_owned()
    }

    /// Gives a user a role in a project, all by their ids.
    pub(crate) async fn grant(&self, project: &str, user: &str, role: &str) {
        let path = format!("projects/{project}/users/{user}/roles/{role}");
        let request = self.http.put(format!("{}/{path}", self.url()));
        self.admin(request).await;
    }

    /// Takes a token back.
    pub(crate) async fn revoke(&self, token: &str) {
        let request = self.http.delete(format!("{}/auth/tokens", self.url()));
        self.admin(request.header("X-Subject-Token", token)).await;
    }

    /// Returns a token of a user for a project, both in the domain `default`.
    pub(crate) async fn token(&self, user: &str, password: &str, project: &str) -> String {
        let domain = json!({"id": "default"});
        let user = json!({"name": user, "domain": domain, "password": password});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": project, "domain": domain}},
        }});
        let request = self.http.post(format!("{}/auth/tokens", self.url()));
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let token = &response.headers()["x-subject-token"];
        token.to_str().unwrap().to_owned()
    }

    async fn admin(&self, request: reqwest::RequestBuilder) -> Value {
        let request = request.header("X-Auth-Token", &self.admin_token);
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        let log = || fs::read_to_string(self.directory.path().join("out")).unwrap();
        assert!(status.is_success(), "{status}: {text}\n{}", log());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configure(directory: &Path) {
    for name in ["fernet", "credential", "log"] {
        fs::create_dir(directory.join(name)).unwrap();
    }
    let at = |name: &str| directory.join(name).display().to_string();
    let text = format!(
        "[DEFAULT]\nlog_dir = {}\n[database]\nconnection = sqlite:///{}\n[token]\nprovider = fernet\n[fernet_tokens]\nkey_repository = {}\n[credential]\nkey_repository = {}\n[cache]\nenabled = false\n",
        at("log"),
        at("keystone.db"),
        at("fernet"),
        at("credential"),
    );
    fs::write(directory.join("keystone.conf"), text).unwrap();
}

/// Keystone writes while it reads on another connection, which an SQLite database refuses unless it has a write-ahead log.
fn let_readers_and_writers_pass(directory: &Path) {
    let program =
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode=WAL')";
    let status = Command::new(PYTHON)
        .args(["-c", program])
        .arg(directory.join("keystone.db"))
        .status()
        .unwrap();
    assert!(status.success());
}

fn manage(directory: &Path, arguments: &[&str]) {
    let output = Command::new(MANAGE)
        .arg("--config-file")
        .arg(directory.join("keystone.conf"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
}

/// Returns the name of the user or group that runs this.
fn id(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
