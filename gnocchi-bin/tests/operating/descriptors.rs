//! A process that may open few files goes on serving, loses nothing, and recovers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;

use crate::support::{Server, program};
use crate::{connect, raw};

/// How many files the system lets the process open.
const OPEN_FILES: usize = 128;

/// Starts the program with such a limit.
fn start(directory: &std::path::Path) -> Server {
    let arguments = ["serve", "--host", "127.0.0.1", "--port", "0", "--noverbose"];
    let mut inner = program(&arguments);
    inner.arg("--data-dir").arg(directory.join("data"));
    inner.arg("--log-file").arg(directory.join("log"));
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -n {OPEN_FILES} && exec \"$@\""),
        "sh",
    ]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Server::spawn_program(command).wait_until_it_listens()
}

const STATUS: &str = "HEAD /v1/status HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46\r\n\r\n";

/// Asks on a connection that stays open, for a response without a body.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    let mut byte = [0];
    while !response.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{response:?}");
        response.push(byte[0]);
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_takes_no_files_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let client = server.client();
    let metric = json!({"archive_policy_name": "low"});
    let metric = client.create("/v1/metric", &metric).await;
    let measures = format!("/v1/metric/{}/measures", metric["id"].as_str().unwrap());
    let mut early = connect(&server);
    assert!(ask(&mut early, STATUS).starts_with("HTTP/1.1 200"));

    let flood: Vec<TcpStream> = (0..OPEN_FILES).map(|_| connect(&server)).collect();
    // Who is connected is served, and what is sent is stored, while many more wait. A client with a pool could open another connection.
    for number in 0..200 {
        let body = json!([{"timestamp": 300 * number, "value": number}]).to_string();
        let length = body.len();
        let request = format!(
            "POST {measures} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let stored = ask(&mut early, &request);
        assert!(stored.starts_with("HTTP/1.1 202"), "{stored}");
    }
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    assert!(open < OPEN_FILES, "{open}");
    // When the others have gone, there is room again.
    drop(flood);
    let mut next = connect(&server);
    assert!(ask(&mut next, STATUS).starts_with("HTTP/1.1 200"));
    let request = STATUS.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert!(raw(&server, &request).starts_with("HTTP/1.1 200"));
    server.stop();
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(
        log.contains("fewer connections are accepted than [api] connections_max says"),
        "{log}"
    );
    assert!(!log.contains("Too many open files"), "{log}");

    let server = start(directory.path());
    let query = format!("{measures}?aggregation=count&granularity=300");
    let read = server.client().get(&query).await;
    assert_eq!(read.as_array().unwrap().len(), 200);
    server.stop();
}

#[test]
fn the_limit_is_raised_as_far_as_the_system_allows() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = line.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{limits}");
    server.stop();
}
