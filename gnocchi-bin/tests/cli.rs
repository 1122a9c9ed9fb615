//! The tools of the real program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gnocchi_core::clock::SystemClock;
use gnocchi_core::driver::{
    Commit, Coordinator, IncomingDriver, MetricChanges, StorageDriver, StoredFrame, Stream,
};
use gnocchi_core::model::MetricId;
use gnocchi_drivers::embedded::{Embedded, EmbeddedConfig};
use serde_json::{Value, json};
use support::{Server, program, run, texts, whole};

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Returns the cells of each row of a printed table.
fn rows(output: &str) -> Vec<Vec<String>> {
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

#[test]
fn help_is_what_it_was() {
    for (name, arguments) in [
        ("gnocchi", &["--help"][..]),
        ("serve", &["serve", "--help"]),
        ("import", &["import", "--help"]),
        ("verify", &["verify", "--help"]),
    ] {
        let output = run(arguments);
        assert!(output.status.success());
        insta::assert_snapshot!(format!("help_{name}"), texts(&output).0);
    }
}

#[test]
fn a_wrong_command_line_is_status_2() {
    for arguments in [
        &["--nonsense"][..],
        &["serve", "--port", "x"],
        &["import"],
        &["verify", "x"],
        &["import", "--policy", "p", "f.csv"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            texts(&output).1.starts_with("error: "),
            "{arguments:?}: {output:?}"
        );
    }
}

#[test]
fn a_wrong_option_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "gnocchi.conf",
        "[storage]\ndriver = redis\n",
    );
    let output = run(&["serve", "--config-file", &file]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "gnocchi: {file}:2: [storage] driver = redis: storage driver redis is not part of this build; supported: embedded\n"
    );
    assert_eq!(texts(&output).1, expected);
    let output = program(&["serve"])
        .env("GNOCCHI_API__PORT", "none")
        .output()
        .unwrap();
    let expected = "gnocchi: environment variable GNOCCHI_API__PORT: [api] port = none: must be a whole number from 0 to 65535\n";
    assert_eq!(texts(&output).1, expected);
}

#[tokio::test]
async fn the_environment_and_files_configure_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "gnocchi.conf",
        "[api]\nmax_limit = 2\n[archive_policy]\ndefault_aggregation_methods = last\n",
    );
    let server = Server::start(
        &directory.path().join("data"),
        &["--config-file", &file, "--no-default-policies"],
    );
    let client = server.client();
    assert_eq!(client.get("/v1/archive_policy").await, json!([]));
    let policy = json!({"name": "p", "definition": [{"granularity": 60}]});
    assert_eq!(
        client.create("/v1/archive_policy", &policy).await["aggregation_methods"],
        json!(["last"])
    );
    for _ in 0..3 {
        client
            .create("/v1/metric", &json!({"archive_policy_name": "p"}))
            .await;
    }
    assert_eq!(client.get("/v1/metric").await.as_array().unwrap().len(), 2);
    assert!(
        client
            .text("/metrics")
            .await
            .contains("gnocchi_http_request_seconds")
    );
    server.stop();
}

async fn count(server: &Server, metric: &str, granularity: u32) -> u64 {
    let path = format!(
        "/v1/resource/generic/import/metric/{metric}/measures?aggregation=count&granularity={granularity}"
    );
    let answer = server.client().get(&path).await;
    answer
        .as_array()
        .unwrap()
        .iter()
        .map(|row| whole(&row[2]))
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_sends_files_whole_and_says_what_became_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    // 45,000 points in three batches, with a step of the clock backwards in the middle.
    let line = |i: u64| format!("{},{}\n", 1_700_000_000 + i, i % 7);
    let large: String = (30_000..45_000).chain(0..30_000).map(line).collect();
    let large = write(
        directory.path(),
        "large.csv",
        &format!("timestamp,value\n{large}"),
    );
    let small = write(
        directory.path(),
        "small.csv",
        "timestamp,value\n2024-05-01 12:00:00,1\nnonsense,2\n2024-05-01T12:05:00+00:00,3\n2024-05-01 12:05:00,4\n",
    );
    let several = write(
        directory.path(),
        "several.csv",
        "time,metric,value\n1700000000,a,1\n1700000000,b,2\n1700000300,a,3\n",
    );
    let unreadable = directory
        .path()
        .join("missing.csv")
        .to_str()
        .unwrap()
        .to_owned();

    let arguments = [
        "import",
        "--endpoint",
        &server.url,
        "--create",
        "--policy",
        "medium",
        &large,
        &small,
        &several,
        &unreadable,
    ];
    let output = tokio::task::spawn_blocking({
        let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        move || run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let output = output.await.unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(
        output.status.code(),
        Some(1),
        "a bad line and a missing file: {stderr}"
    );
    assert!(
        stderr.contains(&format!(
            "{small}:3: the timestamp is neither ISO 8601 nor a number"
        )),
        "{stderr}"
    );
    assert!(
        stderr.contains(&format!("{unreadable}: cannot read the file")),
        "{stderr}"
    );
    let rows = rows(&stdout);
    let row = |cells: [&str; 8]| cells.map(str::to_owned).to_vec();
    assert_eq!(
        rows[0],
        row([
            "file",
            "metrics",
            "lines",
            "bad lines",
            "repeated",
            "accepted",
            "rejected",
            "not sent"
        ])
    );
    assert_eq!(
        rows[1],
        row([&large, "1", "45000", "0", "0", "45000", "0", "0"])
    );
    assert_eq!(rows[2], row([&small, "1", "4", "1", "1", "2", "0", "0"]));
    assert_eq!(rows[3], row([&several, "2", "3", "0", "0", "3", "0", "0"]));
    assert_eq!(
        rows[4],
        row([&unreadable, "0", "0", "0", "0", "0", "0", "unreadable"])
    );
    assert_eq!(
        rows[5],
        row(["total", "4", "45007", "1", "1", "45005", "0", "0"])
    );

    for (metric, points) in [("large", 45_000), ("small", 2), ("a", 2), ("b", 1)] {
        assert_eq!(count(&server, metric, 3600).await, points, "{metric}");
    }
    let path = "/v1/resource/generic/import/metric/small/measures?aggregation=max&granularity=60";
    let expected = json!([
        ["2024-05-01T12:00:00+00:00", 60.0, 1.0],
        ["2024-05-01T12:05:00+00:00", 60.0, 4.0]
    ]);
    assert_eq!(server.client().get(path).await, expected);
    server.stop();
}

fn import(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["import", "--endpoint", &server.url], arguments].concat());
    let (stdout, stderr) = texts(&output);
    (output.status.code(), stdout, stderr)
}

#[test]
fn import_counts_what_the_server_rejects() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(
        directory.path(),
        "gnocchi.conf",
        "[incoming]\nmax_future = 3600\n",
    );
    let server = Server::start(&directory.path().join("data"), &["--config-file", &config]);
    let future = write(
        directory.path(),
        "m.csv",
        "timestamp,value\n2024-01-01 00:00:00,1\n2200-01-01 00:00:00,2\n2200-01-01 00:00:01,3\n",
    );
    let (status, stdout, stderr) = import(&server, &["--create", &future]);
    assert_eq!(status, Some(1), "{stderr}");
    assert_eq!(
        rows(&stdout)[1][5..7],
        ["1", "2 (too_far_ahead 2)"].map(str::to_owned)
    );

    // The back window of policy low is one block of five minutes: what is older than the newest point's block is late.
    let late = write(
        directory.path(),
        "late/m.csv",
        "timestamp,value\n2023-12-31 23:00:00,1\n2024-01-01 00:10:00,2\n",
    );
    let later = write(
        directory.path(),
        "later/m.csv",
        "timestamp,value\n2024-01-01 00:00:01,1\n",
    );
    let (status, stdout, stderr) = import(&server, &[&late, &later]);
    assert_eq!(status, Some(1), "{stderr}");
    assert_eq!(
        rows(&stdout)[1][5..7],
        ["1", "1 (too_late 1)"].map(str::to_owned),
        "{stdout}"
    );
    assert_eq!(
        rows(&stdout)[2][5..7],
        ["0", "1 (too_late 1)"].map(str::to_owned),
        "{stdout}"
    );
    server.stop();
}

#[test]
fn import_creates_nothing_without_being_told() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let file = write(directory.path(), "m.csv", "timestamp,value\n1700000000,1\n");
    let (status, _, stderr) = import(&server, &[&file]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("Unknown ") && stderr.contains("--create creates what is missing"),
        "{stderr}"
    );
    let (status, _, stderr) = import(&server, &["--create", "--policy", "nope", &file]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("Archive policy nope does not exist"),
        "{stderr}"
    );
    assert_eq!(import(&server, &["--create", &file]).0, Some(0));
    assert_eq!(import(&server, &[&file]).0, Some(0));
    server.stop();
}

#[test]
fn import_says_when_no_server_answers() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "m.csv", "timestamp,value\n1700000000,1\n");
    let output = run(&["import", "--endpoint", "https://localhost", &file]);
    assert!(
        texts(&output)
            .1
            .contains("https://localhost is not the address of a server"),
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// Stores a few metrics with aggregates and raw windows, and returns the directory.
async fn filled(directory: &Path) -> PathBuf {
    let data = directory.join("data");
    let server = Server::start(&data, &[]);
    let client = server.client();
    let metrics =
        json!({"a": {"archive_policy_name": "medium"}, "b": {"archive_policy_name": "high"}});
    client
        .create(
            "/v1/resource/generic",
            &json!({"id": "r", "metrics": metrics}),
        )
        .await;
    for name in ["a", "b"] {
        let measures: Vec<Value> = (0..5000)
            .map(|i| json!({"timestamp": 1_700_000_000 + i * 10, "value": i}))
            .collect();
        client
            .create(
                &format!("/v1/resource/generic/r/metric/{name}/measures"),
                &json!(measures),
            )
            .await;
    }
    server.stop();
    data
}

fn verify(data: &Path) -> (Option<i32>, String, String) {
    let output = run(&["verify", "--data-dir", data.to_str().unwrap()]);
    let (stdout, stderr) = texts(&output);
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code(), stdout, stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_a_damaged_frame() {
    let directory = tempfile::tempdir().unwrap();
    let data = filled(directory.path()).await;
    let (status, stdout, stderr) = verify(&data);
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    assert!(
        stdout.contains("2 metrics, ") && stdout.contains(": no damage"),
        "{stdout}"
    );

    let (metric, damaged) = damage_one_frame(&data).await;
    let (status, stdout, stderr) = verify(&data);
    assert_eq!(status, Some(1), "{stdout}{stderr}");
    let rows = rows(&stdout);
    assert_eq!(rows.len(), 2, "{stdout}");
    let Stream::Level(granularity) = damaged.key.stream else {
        panic!("a level was damaged")
    };
    let expected = [
        metric.to_string(),
        format!("{} s", granularity.as_second_f64()),
        damaged.key.block.to_string(),
    ];
    assert_eq!(rows[1][..3], expected);
    assert!(rows[1][5].contains("checksum"), "{stdout}");

    // The server still runs, answers for what is intact, and says what is not.
    let server = Server::start(&data, &[]);
    server.client().get("/v1/resource/generic/r").await;
    server.stop();
}

/// Flips one bit of a stored frame through the driver, which does not look into frames.
async fn damage_one_frame(data: &Path) -> (MetricId, StoredFrame) {
    let config = EmbeddedConfig::new(data.join("measures"));
    let embedded = Embedded::open(config, Arc::new(SystemClock)).await.unwrap();
    let metric = embedded.storage.metrics(None, 1).await.unwrap()[0];
    let frames = embedded.storage.frames(metric).await.unwrap();
    let mut damaged = frames
        .into_iter()
        .find(|frame| matches!(frame.key.stream, Stream::Level(_)))
        .unwrap();
    let mut bytes = damaged.bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    damaged.bytes = bytes.into();
    let sack = embedded.incoming.sacks().sack_of(metric);
    let fence = embedded
        .coordinator
        .acquire("damage")
        .await
        .unwrap()
        .unwrap()
        .fence;
    let state = embedded.storage.acquire(sack, fence).await.unwrap();
    let changes = MetricChanges {
        metric,
        removed: Vec::new(),
        put: vec![damaged.clone()],
    };
    let commit = Commit {
        receipt: None,
        sequence: state.sequence + 1,
        metrics: vec![changes],
    };
    embedded.storage.commit(sack, fence, commit).await.unwrap();
    (metric, damaged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_survives_damaged_files() {
    let directory = tempfile::tempdir().unwrap();
    let data = filled(directory.path()).await;
    let mut files = Vec::new();
    let mut directories = vec![data.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    // The largest file holds the measures or the frames, whatever the engine calls it.
    files.sort_by_key(|file| file.metadata().unwrap().len());
    let largest = files.last().unwrap();
    let mut bytes = fs::read(largest).unwrap();
    let end = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    for place in [end / 4, end / 2, end * 3 / 4] {
        bytes[place] ^= 0x55;
    }
    fs::write(largest, &bytes).unwrap();
    let (status, stdout, stderr) = verify(&data);
    assert_eq!(status, Some(1), "{}: {stdout}{stderr}", largest.display());
}

#[test]
fn verify_needs_a_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let (status, _, stderr) = verify(&missing);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains(&format!(
            "there is no store in the directory {}",
            missing.display()
        )),
        "{stderr}"
    );
    assert!(!missing.exists());
    let (status, _, stderr) = verify(directory.path());
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("there is no store in the directory")
            && fs::read_dir(directory.path()).unwrap().next().is_none(),
        "{stderr}"
    );
}
