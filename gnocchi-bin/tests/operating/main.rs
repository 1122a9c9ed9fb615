//! The real program as an operator sees it: where it listens, signals, passwords, logs, metrics, files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod descriptors;
mod exposure;
mod logins;
mod metrics;
mod passwd;
mod proxies;
mod request_log;
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod unsent;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use support::{PATIENCE, Server};

/// Waits until a file has a text, and returns all of it.
fn wait_for(path: &Path, text: &str) -> String {
    wait_until(path, text, |content| content.contains(text))
}

/// Waits until the content of a file is as it should be, and returns it.
fn wait_until(path: &Path, what: &str, is_right: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let content = fs::read_to_string(path).unwrap_or_default();
        if is_right(&content) {
            return content;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "no {what:?} in {}: {content}",
            path.display()
        );
        std::thread::yield_now();
    }
}

/// Sends a request as it is and returns the whole response; the request must ask to close the connection.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).unwrap()
}

/// Makes a named pipe.
fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}
