//! Signals: reloading, and an end that is not hurried by the second one.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Server, write};
use crate::{connect, wait_for, wait_until};

/// The longest time that a program may take to end at once.
const AT_ONCE: Duration = Duration::from_secs(5);

const BODY: &str = r#"{"name": "late"}"#;

/// A server with a log file.
fn start(directory: &Path, arguments: &[&str]) -> Server {
    let log = directory.join("log");
    let all = [
        &["--log-file", log.to_str().unwrap(), "--verbose"],
        arguments,
    ]
    .concat();
    Server::start(&directory.join("data"), &all)
}

/// Sends a request but for the end of its body, and waits until the server has it.
async fn half_a_request(server: &Server) -> TcpStream {
    let mut slow = connect(server);
    let head = format!(
        "POST /v1/metric HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&BODY.as_bytes()[..5]).unwrap();
    server.client().get("/v1/metric").await;
    slow
}

#[tokio::test]
async fn a_second_signal_is_harmless() {
    for second in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let server = start(directory.path(), &[]);
        let mut slow = half_a_request(&server).await;
        server.signal("TERM");
        wait_for(&log, "shutting down");
        server.signal(second);
        wait_for(&log, "already shutting down");
        server.signal("HUP");
        wait_for(&log, "opened the log file anew");
        slow.write_all(&BODY.as_bytes()[5..]).unwrap();
        let mut response = String::new();
        slow.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 201"), "{response}");
        assert!(server.wait().success());
    }
}

#[tokio::test]
async fn the_third_signal_ends_the_program_at_once_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let server = start(directory.path(), &[]);
    let metric = serde_json::json!({"archive_policy_name": "low"});
    let metric = server.client().create("/v1/metric", &metric).await;
    let path = format!("/v1/metric/{}/measures", metric["id"].as_str().unwrap());
    let measures = serde_json::json!([{"timestamp": 1_700_000_000, "value": 1}]);
    server.client().create(&path, &measures).await;
    let slow = half_a_request(&server).await;
    server.signal("TERM");
    wait_for(&log, "shutting down");
    server.signal("TERM");
    wait_for(&log, "already shutting down");
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130));
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    drop(slow);
    let server = start(directory.path(), &[]);
    let found = server
        .client()
        .get(&format!("{path}?aggregation=count"))
        .await;
    assert!(!found.as_array().unwrap().is_empty(), "{found}");
    server.stop();
}

#[tokio::test]
async fn hangups_never_end_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &[]);
    let client = server.client();
    for _ in 0..100 {
        server.signal("HUP");
        client.get("/v1/metric").await;
    }
    server.stop();
}

#[tokio::test]
async fn a_hangup_opens_logs_anew() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let access = at.join("access");
    let config = format!("[api]\naccess_log = json:{}\n", access.display());
    let config = write(at, "gnocchi.conf", &config);
    let server = start(at, &["--config-file", &config]);
    let client = server.client();
    client.get("/v1/metric?limit=1").await;
    wait_for(&access, "limit=1");
    let renamed = |name: &str| at.join(format!("{name}.1"));
    for name in ["log", "access"] {
        fs::rename(at.join(name), renamed(name)).unwrap();
    }
    client.get("/v1/metric?limit=2").await;
    wait_for(&renamed("access"), "limit=2");
    server.signal("HUP");
    wait_for(&at.join("log"), "opened the log file anew");
    // Which of the two comes first is not fixed, so neither is the file in which the other one is noted.
    while !access.exists() {
        std::thread::yield_now();
    }
    client.get("/v1/metric?limit=3").await;
    let content = wait_for(&access, "limit=3");
    assert!(!content.contains("limit=2"), "{content}");
    server.stop();
    assert!(
        fs::read_to_string(at.join("log"))
            .unwrap()
            .contains("stopped")
    );
    let old = fs::read_to_string(renamed("log")).unwrap();
    assert!(old.contains("serving") && !old.contains("stopped"), "{old}");
}

#[tokio::test]
async fn a_hangup_without_a_place_for_the_log_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (log, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    let server = start(directory.path(), &[]);
    fs::rename(&log, &moved).unwrap();
    fs::create_dir(&log).unwrap();
    server.signal("HUP");
    wait_for(&moved, "the earlier one stays in use");
    server.client().get("/v1/metric").await;
    server.stop();
    assert!(fs::read_to_string(&moved).unwrap().contains("stopped"));
}

#[test]
fn a_pipe_in_place_of_the_passwords_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let users = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
    let users = write(at, "users", users);
    let config = format!("[basic]\npassword_file = {users}\n");
    let config = write(at, "gnocchi.conf", &config);
    let server = start(at, &["--config-file", &config]);
    fs::remove_file(&users).unwrap();
    crate::pipe(Path::new(&users));
    server.signal("HUP");
    let log = wait_for(&at.join("log"), "it is a named pipe, not a regular file");
    assert!(log.contains("the earlier passwords stay in use"), "{log}");
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[test]
fn a_hangup_reads_passwords_and_rules_again() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let users = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
    let users = write(at, "users", users);
    write(at, "rules.yaml", "\"get status\": \"user:jd\"\n");
    let config =
        format!("[basic]\npassword_file = {users}\n[oslo_policy]\npolicy_file = rules.yaml\n");
    let config = write(at, "gnocchi.conf", &config);
    let server = start(at, &["--config-file", &config]);
    // Nothing has changed, so nothing else than the signal makes it read them.
    let is_read = |content: &str| {
        content.contains("the password file was read again and is in use")
            && content.contains("the access rules were read again and are in use")
    };
    server.signal("HUP");
    wait_until(&at.join("log"), "reloading", is_read);
    fs::write(at.join("users"), "").unwrap();
    server.signal("HUP");
    wait_for(
        &at.join("log"),
        "has no user any more: no login can succeed",
    );
    server.stop();
}
