//! The access log and the log of slow requests.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Server, write};
use crate::{connect, raw, wait_for, wait_until};

/// A server with these options of `[api]`, and the file that they call `LOG`.
fn start(directory: &Path, options: &str) -> (Server, PathBuf) {
    let log = directory.join("requests");
    let options = options.replace("LOG", log.to_str().unwrap());
    let config = write(directory, "gnocchi.conf", &format!("[api]\n{options}\n"));
    let program_log = directory.join("log");
    let arguments = [
        "--config-file",
        &config,
        "--log-file",
        program_log.to_str().unwrap(),
    ];
    (Server::start(&directory.join("data"), &arguments), log)
}

/// Requests with secrets wherever one may put them.
fn send_secrets(server: &Server) {
    for target in [
        "/v1/influxdb/query?db=d&u=hunter2&p=hunter2",
        "/v1/influxdb/query?q=CREATE+USER+x+WITH+PASSWORD+'hunter2'",
        "/v1/metric?X-Auth-Token=hunter2&limit=1",
    ] {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46aHVudGVyMg==\r\nX-Auth-Token: hunter2\r\n\
             Cookie: hunter2\r\nReferer: http://u:hunter2@h/?p=hunter2\r\nUser-Agent: a \"b\" \\\r\nConnection: close\r\n\r\n"
        );
        raw(server, &request);
    }
}

#[tokio::test]
async fn every_request_is_a_json_object_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let (server, log) = start(directory.path(), "access_log = json:LOG");
    send_secrets(&server);
    let response = raw(
        &server,
        "GET /v1/nothing HTTP/1.1\r\nHost: h\r\nX-Request-Id: one\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: close\r\n\r\n",
    );
    let body = response.split("\r\n\r\n").nth(1).unwrap();
    let text = wait_for(&log, "/v1/nothing");
    server.stop();
    assert!(
        !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
        "{text}"
    );
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0]["target"], "/v1/influxdb/query?db=d&u=***&p=***");
    assert_eq!(lines[1]["target"], "/v1/influxdb/query?q=***");
    assert_eq!(lines[2]["target"], "/v1/metric?X-Auth-Token=***&limit=1");
    assert_eq!(
        (&lines[2]["user"], &lines[2]["status"], &lines[2]["referer"]),
        (&json!("admin"), &json!(200), &json!("http://***@h/?p=***"))
    );
    assert_eq!(lines[2]["user_agent"], "a \"b\" \\");
    let last = &lines[3];
    for (field, expected) in [
        ("client", json!("127.0.0.1")),
        ("user", Value::Null),
        ("method", json!("GET")),
        ("version", json!("HTTP/1.1")),
        ("status", json!(404)),
        ("bytes", json!(body.len())),
        ("request_id", json!("one")),
        ("user_agent", Value::Null),
    ] {
        assert_eq!(last[field], expected, "{field}: {last}");
    }
    let seconds = last["seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 20.0, "{last}");
    assert!(last["time"].as_str().unwrap().ends_with('Z'), "{last}");
}

#[tokio::test]
async fn combined_lines_have_the_columns_that_tools_know() {
    let directory = tempfile::tempdir().unwrap();
    let options = "access_log = combined:LOG\nenable_proxy_headers_parsing = true";
    let (server, log) = start(directory.path(), options);
    send_secrets(&server);
    raw(
        &server,
        "GET /?a=%22b HTTP/1.0\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nConnection: close\r\n\r\n",
    );
    let text = wait_for(&log, "GET /?a=");
    server.stop();
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let (before, after) = lines[2].split_once(" [").unwrap();
    assert_eq!(before, "127.0.0.1 - admin");
    let (time, after) = after.split_once("] ").unwrap();
    assert_eq!(time.len(), "01/Jan/2026:00:00:00 +0000".len(), "{time}");
    assert_eq!(
        after,
        "\"GET /v1/metric?X-Auth-Token=***&limit=1 HTTP/1.1\" 200 2 \"http://***@h/?p=***\" \"a \\x22b\\x22 \\x5C\""
    );
    assert!(lines[3].starts_with("10.0.0.2 - - ["), "{text}");
}

#[tokio::test]
async fn a_client_that_goes_away_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let (server, log) = start(directory.path(), "access_log = json:LOG");
    let mut leaving = connect(&server);
    let head = "POST /v1/metric HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    leaving.write_all(head.as_bytes()).unwrap();
    server.client().get("/v1/metric").await;
    drop(leaving);
    let text = wait_for(&log, "\"POST\"");
    let line = text.lines().find(|line| line.contains("\"POST\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let status = line["status"].as_u64().unwrap();
    assert!(status == 499 || status == 400, "{line}");
    server.stop();
}

#[tokio::test]
async fn lines_that_cannot_be_written_are_counted_and_hold_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start(directory.path(), "access_log = json:/dev/full");
    let client = server.client();
    for _ in 0..10 {
        client.get("/v1/metric").await;
    }
    let log = directory.path().join("log");
    wait_for(&log, "cannot write the access log");
    let lost = async || {
        let text = client.text("/metrics").await;
        let line = text
            .lines()
            .find(|line| line.starts_with("gnocchi_access_log_lost_total"));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let began = Instant::now();
    while lost().await < 10 {
        assert!(began.elapsed() < PATIENCE, "lines are not counted as lost");
    }
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(
        text.matches("cannot write the access log").count(),
        1,
        "{text}"
    );
    server.stop();
}

#[test]
fn the_standard_output_is_a_place_too() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(
        directory.path(),
        "gnocchi.conf",
        "[api]\naccess_log = combined:-\n",
    );
    let mut command = crate::support::program(&["serve", "--port", "0", "--config-file", &config]);
    command.arg("--data-dir").arg(directory.path().join("data"));
    let [output, errors] = ["output", "errors"].map(|name| directory.path().join(name));
    command.stdout(fs::File::create(&output).unwrap());
    command.stderr(fs::File::create(&errors).unwrap());
    let mut child = command.spawn().unwrap();
    let text = wait_for(&errors, "Gnocchi listens on http://127.0.0.1:");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Gnocchi listens on http://"));
    let address = line.unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let text = wait_for(&output, "\"GET / HTTP/1.1\" 200 ");
    assert_eq!(text.lines().count(), 1, "nothing but the log: {text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn slow_requests_are_named_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start(directory.path(), "slow_request_threshold = 0.000001");
    send_secrets(&server);
    let is_complete = |text: &str| text.matches("a request was slow").count() == 3;
    let text = wait_until(&directory.path().join("log"), "three lines", is_complete);
    assert!(!text.contains("hunter2"), "{text}");
    let line = text.lines().find(|line| line.contains("limit=1")).unwrap();
    for part in [
        " WARN ",
        "method=\"GET\"",
        "target=\"/v1/metric?X-Auth-Token=***&limit=1\"",
        "status=200",
        "seconds=0.",
        "client=\"127.0.0.1\"",
        "user=\"admin\"",
        "id=\"req-",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    server.stop();

    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start(directory.path(), "slow_request_threshold = 1 hour");
    send_secrets(&server);
    server.stop();
    let text = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(!text.contains("slow"), "{text}");
}
