//! The tools of the real program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use gnocchi_core::driver::{Commit, MetricChanges, StoredFrame, Stream};
use gnocchi_core::model::MetricId;
use gnocchi_drivers::embedded;
use serde_json::{Value, json};
use support::{Server, program, rows, run, texts, write};

#[test]
fn help_is_what_it_was() {
    for (name, arguments) in [
        ("gnocchi", &["--help"][..]),
        ("serve", &["serve", "--help"]),
        ("import", &["import", "--help"]),
        ("verify", &["verify", "--help"]),
        ("passwd", &["passwd", "--help"]),
        ("repair", &["repair", "--help"]),
        ("config-sample", &["config-sample", "--help"]),
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
        &["repair", "x"],
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

#[test]
fn a_sample_of_the_configuration_starts_a_server() {
    let printed = run(&["config-sample"]);
    assert!(printed.status.success(), "{printed:?}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gnocchi.conf");
    let file = file.to_str().unwrap();
    let written = run(&["config-generator", "--output-file", file]);
    assert!(written.status.success(), "{written:?}");
    let sample = fs::read_to_string(file).unwrap();
    assert_eq!(texts(&printed).0, sample);
    assert!(sample.contains("\n[api]\n") && sample.contains("\n#port = 8041\n"));
    Server::start(&directory.path().join("data"), &["--config-file", file]).stop();

    let failed = run(&[
        "config-sample",
        "--output-file",
        "/nonexistent/gnocchi.conf",
    ]);
    assert_eq!(failed.status.code(), Some(1));
    let expected = "gnocchi: cannot write /nonexistent/gnocchi.conf: ";
    assert!(texts(&failed).1.starts_with(expected), "{failed:?}");
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
        stdout.contains("2 metrics, ")
            && stdout.contains("points: no damage\nindexer: no damage\n"),
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
    let file = Path::new(&rows[1][0]);
    assert!(
        file.extension().is_some_and(|found| found == "jnl"),
        "{stdout}"
    );
    assert_eq!(rows[1][2..5], expected);
    assert!(rows[1][7].contains("checksum"), "{stdout}");

    // The server still runs, answers for what is intact, and says what is not.
    let server = Server::start(&data, &[]);
    server.client().get("/v1/resource/generic/r").await;
    server.stop();
}

/// Flips one bit of a stored frame through the driver, which does not look into frames.
async fn damage_one_frame(data: &Path) -> (MetricId, StoredFrame) {
    let store = embedded::open(data).await.unwrap();
    let drivers = store.drivers();
    let metric = drivers.storage.metrics(None, 1).await.unwrap()[0];
    let frames = drivers.storage.frames(metric).await.unwrap();
    let mut damaged = frames
        .into_iter()
        .find(|frame| matches!(frame.key.stream, Stream::Level(_)))
        .unwrap();
    let mut bytes = damaged.bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    damaged.bytes = bytes.into();
    let sack = drivers.incoming.sacks().sack_of(metric);
    let lease = drivers.coordinator.acquire("damage").await.unwrap();
    let fence = lease.unwrap().fence;
    let state = drivers.storage.acquire(sack, fence).await.unwrap();
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
    drivers.storage.commit(sack, fence, commit).await.unwrap();
    store.close().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_a_damaged_indexer() {
    let directory = tempfile::tempdir().unwrap();
    let data = filled(directory.path()).await;
    let indexer = data.join("indexer.db");
    let intact = fs::read(&indexer).unwrap();
    // The first page belongs to every call, the others to one table each.
    let headless = [&[0; 512], &intact[512..]].concat();
    let mut rubble = intact.clone();
    rubble[8192..].fill(0xaa);
    for damaged in [headless, rubble, intact[..4096].to_vec()] {
        fs::write(&indexer, damaged).unwrap();
        let (status, stdout, stderr) = verify(&data);
        assert_eq!(status, Some(1), "{stdout}{stderr}");
        assert!(
            stdout.contains("\nindexer: ") && stdout.trim_end().ends_with(" damaged"),
            "{stdout}"
        );
        let is_indexer = |row: &Vec<String>| row[0] == "indexer";
        assert!(rows(&stdout).iter().any(is_indexer), "{stdout}");
    }
    fs::write(&indexer, intact).unwrap();
    assert_eq!(verify(&data).0, Some(0));
}

#[test]
fn verify_needs_a_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let (status, _, stderr) = verify(&missing);
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains(&format!(
            "there is no store in the directory {}",
            missing.display()
        )),
        "{stderr}"
    );
    assert!(!missing.exists());
    let (status, _, stderr) = verify(directory.path());
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("there is no store in the directory")
            && fs::read_dir(directory.path()).unwrap().next().is_none(),
        "{stderr}"
    );
}
