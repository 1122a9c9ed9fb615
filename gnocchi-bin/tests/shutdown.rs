//! The real program starts, stops and refuses to start as it should.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{PATIENCE, Server, program, run, texts, write};

/// The longest time that a server without work may take to end.
const PROMPT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_signal_ends_the_server_promptly_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    for (round, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let server = Server::start(directory.path(), &[]);
        let client = server.client();
        if round == 0 {
            client
                .create(
                    "/v1/resource/generic",
                    &json!({"id": "r", "metrics": {"m": {"archive_policy_name": "low"}}}),
                )
                .await;
        }
        let measures = json!([{"timestamp": 1_700_000_000 + 300 * round, "value": round}]);
        client
            .create("/v1/resource/generic/r/metric/m/measures", &measures)
            .await;
        // A connection that was used and is kept alive must not hold the server back.
        let mut idle = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        idle.write_all(b"GET /healthcheck HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        let mut answer = [0; 12];
        idle.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");

        let began = Instant::now();
        server.signal(signal);
        let status = server.wait();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(began.elapsed() < PROMPT, "{signal}: {:?}", began.elapsed());
    }
    let server = Server::start(directory.path(), &[]);
    let measures = server
        .client()
        .get("/v1/resource/generic/r/metric/m/measures?aggregation=count")
        .await;
    assert_eq!(measures.as_array().unwrap().len(), 2, "{measures}");
    server.stop();
}

#[tokio::test]
async fn a_request_in_hand_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let mut slow = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let body = r#"{"name": "late"}"#;
    let head = format!(
        "POST /v1/metric HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..5]).unwrap();
    // Another request on another connection shows that the first one has reached the server.
    server.client().get("/v1/metric").await;
    server.signal("TERM");
    while TcpStream::connect(server.url.trim_start_matches("http://")).is_ok() {
        tokio::task::yield_now().await;
    }
    slow.write_all(&body.as_bytes()[5..]).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(server.wait().success());
}

#[tokio::test]
async fn what_a_shutdown_leaves_pending_is_folded_after_the_next_start() {
    const POINTS: usize = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let options = "[DEFAULT]\ngraceful_shutdown_timeout = 0\n";
    let file = write(directory.path(), "gnocchi.conf", options);
    let data = directory.path().join("data");
    let server = Server::start(&data, &["--config-file", &file]);
    let client = server.client();
    let policy = json!({
        "name": "much",
        "aggregation_methods": ["mean", "count", "median", "99pct", "rate:mean", "std"],
        "definition": [{"granularity": 1, "timespan": 1_000_000}, {"granularity": 60, "timespan": 1_000_000}],
    });
    client.create("/v1/archive_policy", &policy).await;
    let metric = json!({"archive_policy_name": "much"});
    let metric = client.create("/v1/metric", &metric).await;
    let path = format!("/v1/metric/{}/measures", metric["id"].as_str().unwrap());
    let points: Value = (0..POINTS)
        .map(|second| json!({"timestamp": 1_700_000_000 + second, "value": second % 7}))
        .collect();
    client.create(&path, &points).await;
    // It is being folded now, or waits for that.
    server.stop();
    let server = Server::start(&data, &[]);
    let client = server.client();
    let began = Instant::now();
    while client.get("/v1/status").await["storage"]["summary"]["measures"] != 0 {
        assert!(began.elapsed() < PATIENCE * 6, "measures stay pending");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let count = format!("{path}?aggregation=count&granularity=1");
    let counts = client.get(&count).await;
    assert_eq!(counts.as_array().unwrap().len(), POINTS);
    server.stop();
}

fn refused(output: &Output, expected: &[&str]) {
    let (stdout, stderr) = texts(output);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert_eq!(stdout, "");
    for text in expected {
        assert!(stderr.contains(text), "{text:?} is missing in {stderr:?}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn serve(data_dir: &Path, arguments: &[&str]) -> Output {
    let data_dir = data_dir.to_str().unwrap();
    run(&[
        &[
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--data-dir",
            data_dir,
        ],
        arguments,
    ]
    .concat())
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data");
    refused(
        &serve(&below, &[]),
        &[
            "cannot write to the data directory",
            below.to_str().unwrap(),
            "--data-dir",
        ],
    );

    let used = root.path().join("used");
    let server = Server::start(&used, &[]);
    refused(
        &serve(&used, &[]),
        &[
            "in use by another process",
            used.to_str().unwrap(),
            "--data-dir",
        ],
    );
    // Looking is allowed; saving would miss what is written meanwhile.
    let verify = run(&["verify", "--data-dir", used.to_str().unwrap()]);
    assert!(verify.status.success(), "{:?}", texts(&verify));
    let saved = root.path().join("saved");
    let repair = run(&["repair", used.to_str().unwrap(), saved.to_str().unwrap()]);
    assert_eq!(repair.status.code(), Some(2), "{:?}", texts(&repair));
    let (_, stderr) = texts(&repair);
    assert!(stderr.contains("in use by another process"), "{stderr}");
    assert!(!saved.exists());
    server.stop();
}

#[test]
fn a_directory_with_missing_or_foreign_files_is_refused_untouched() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    Server::start(&data, &[]).stop();
    let mut parts: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    parts.retain(|path| path.is_dir());
    assert_eq!(
        parts.len(),
        1,
        "one directory belongs to the engine: {parts:?}"
    );
    let engine = &parts[0];
    let aside = root.path().join("aside");

    // Aggregates are gone while the indexer still knows metrics: starting afresh would hide the loss.
    fs::rename(engine, &aside).unwrap();
    refused(&serve(&data, &[]), &[data.to_str().unwrap(), "incomplete"]);
    fs::create_dir(engine).unwrap();
    refused(&serve(&data, &[]), &[data.to_str().unwrap(), "incomplete"]);
    fs::remove_dir(engine).unwrap();

    fs::rename(&aside, engine).unwrap();
    Server::start(&data, &[]).stop();

    // The other half is gone.
    let indexer = data.join("indexer.db");
    fs::rename(&indexer, root.path().join("indexer.db")).unwrap();
    refused(&serve(&data, &[]), &[data.to_str().unwrap(), "incomplete"]);
    assert!(!indexer.exists());
}

#[tokio::test]
async fn delays_of_zero_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gnocchi.conf");
    let zeros =
        ["processing", "reporting", "cleanup"].map(|name| format!("metric_{name}_delay = 0\n"));
    fs::write(&file, format!("[metricd]\n{}", zeros.concat())).unwrap();
    let data = directory.path().join("data");
    let server = Server::start(&data, &["--config-file", file.to_str().unwrap()]);
    let client = server.client();
    let metric = json!({"archive_policy_name": "low"});
    let metric = client.create("/v1/metric", &metric).await;
    let path = format!("/v1/metric/{}/measures", metric["id"].as_str().unwrap());
    client
        .create(&path, &json!([{"timestamp": 1_700_000_000, "value": 1}]))
        .await;
    let began = Instant::now();
    while client.get("/v1/status").await["storage"]["summary"]["measures"] != 0 {
        assert!(began.elapsed() < PROMPT, "nothing is processed");
        tokio::task::yield_now().await;
    }
    server.stop();
}

#[test]
fn paths_of_flags_are_taken_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    for name in [" sp ", "a$b"] {
        let data = root.path().join(name);
        let log = root.path().join(format!("{name}.log "));
        Server::start(&data, &["--log-file", log.to_str().unwrap(), "--verbose"]).stop();
        assert!(data.join("complete").is_file(), "{name:?}");
        assert!(log.is_file(), "{name:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let output = run(&[
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    refused(&output, &["cannot listen on 127.0.0.1:", &port, "--port"]);
    assert!(
        !data.exists(),
        "nothing is created for a server that cannot start"
    );
}

#[test]
fn secrets_of_the_configuration_reach_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gnocchi.conf");
    let log = directory.path().join("gnocchi.log");
    fs::write(&file, "debug = true\n[storage]\nswift_key = hunter2\n[keystone_authtoken]\npassword = hunter2\n[oslo_policy]\ncolour = hunter2\n").unwrap();
    let data = directory.path().join("data");
    Server::start(
        &data,
        &[
            "--config-file",
            file.to_str().unwrap(),
            "--log-file",
            log.to_str().unwrap(),
            "--debug",
        ],
    )
    .stop();
    let logged = fs::read_to_string(&log).unwrap();
    assert!(!logged.contains("hunter2"), "{logged}");
    assert!(
        logged.contains("section [oslo_policy] has no option colour; it is ignored"),
        "{logged}"
    );
    let mut command = program(&["serve", "--data-dir", data.to_str().unwrap()]);
    refused(
        &command
            .env("GNOCCHI_INDEXER__URL", "mysql://u:hunter2@h/db")
            .output()
            .unwrap(),
        &["GNOCCHI_INDEXER__URL", "[indexer] url", "mysql"],
    );
}
