//! The real program as a child process, and a client for it.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

pub(crate) mod creator;
pub(crate) mod faulty_disk;
pub(crate) mod load;
pub(crate) mod small_disk;
pub(crate) mod writers;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long the program may take for what it should do at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the program with these arguments, kept from the configuration of this machine.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gnocchi"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("GNOCCHI_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME");
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

/// Returns what a finished program wrote.
pub(crate) fn texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Writes a file and returns its path.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Returns the cells of each row of a printed table.
pub(crate) fn rows(output: &str) -> Vec<Vec<String>> {
    let row = |line: &str| {
        line.trim_matches(['│', ' '])
            .split('┆')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    output
        .lines()
        .filter(|line| line.starts_with('│'))
        .map(row)
        .collect()
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    /// How long it took until it did.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts a server on a directory and a free port, and waits until it listens.
    pub(crate) fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn(data_dir, arguments).wait_until_it_listens()
    }

    /// Starts a server without waiting.
    pub(crate) fn spawn(data_dir: &Path, arguments: &[&str]) -> Starting {
        let data_dir = data_dir.to_str().unwrap();
        let mut command = program(&[
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--noverbose",
            "--data-dir",
            data_dir,
        ]);
        command.args(arguments);
        Self::spawn_program(command)
    }

    /// Starts the program that a command describes, without waiting.
    pub(crate) fn spawn_program(mut command: Command) -> Starting {
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        Starting {
            child,
            began: Instant::now(),
        }
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end and returns the status.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::yield_now();
        }
    }

    /// Ends the server the polite way and checks that it was pleased to.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        assert!(self.wait().success());
    }

    /// Ends the server at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns a field of `/proc/<pid>/status` in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .unwrap()
    }

    /// Returns a client for this server.
    pub(crate) fn client(&self) -> Client {
        Client {
            http: gnocchi_server::outgoing::client().build().unwrap(),
            url: self.url.clone(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that may not listen yet.
pub(crate) struct Starting {
    child: Child,
    began: Instant,
}

impl Starting {
    /// Waits until it listens.
    pub(crate) fn wait_until_it_listens(self) -> Server {
        self.listening()
            .unwrap_or_else(|mut child| panic!("the server did not start: {:?}", child.wait()))
    }

    /// Ends it at once, wherever it is.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn listening(mut self) -> Result<Server, Child> {
        let mut line = String::new();
        let read = BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line);
        match line
            .trim()
            .rsplit(' ')
            .next()
            .filter(|url| url.starts_with("http://") || url.starts_with("https://"))
        {
            Some(url) if read.is_ok() => Ok(Server {
                url: url.to_owned(),
                start: self.began.elapsed(),
                child: self.child,
            }),
            _ => Err(self.child),
        }
    }
}

/// Returns the whole number that a JSON number must be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number was checked to be whole and in range"
)]
pub(crate) fn whole(value: &Value) -> u64 {
    let number = value.as_f64().unwrap();
    assert!(
        number.fract() == 0.0 && (0.0..1e15).contains(&number),
        "{value}"
    );
    number as u64
}

/// A whole response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

/// Calls the API as `admin`.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// Posts JSON and returns the status and the answer (null when it is empty or no JSON).
    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .basic_auth("admin", Some(""));
        let response = request
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
            .await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }

    /// Posts JSON that must be accepted.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await.unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Gets JSON that must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self
            .http
            .get(format!("{}{path}", self.url))
            .basic_auth("admin", Some(""));
        let response = request
            .header("Accept", "application/json")
            .send()
            .await
            .unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends JSON and returns the whole response, whatever it is.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .basic_auth("admin", Some(""));
        let response = request
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        Response {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// Gets a status and a text as an anonymous client.
    pub(crate) async fn status_and_text(&self, path: &str) -> (u16, String) {
        let response = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Gets a text.
    pub(crate) async fn text(&self, path: &str) -> String {
        self.http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }
}

/// Waits until the health of the server is this status; returns what it says.
pub(crate) async fn wait_for_health(client: &Client, status: u16) -> String {
    let began = Instant::now();
    loop {
        let found = client.status_and_text("/healthcheck").await;
        if found.0 == status {
            return found.1;
        }
        assert!(began.elapsed() < PATIENCE, "health is {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
