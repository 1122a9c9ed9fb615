//! What an import says beside its table, so that nothing happens silently.

use serde_json::json;

use super::support::{Server, program, rows, run, texts, write};

fn import(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["import", "--endpoint", &server.url], arguments].concat());
    let (stdout, stderr) = texts(&output);
    (output.status.code(), stdout, stderr)
}

/// Returns the ids of all resources, as they were given.
async fn resources(server: &Server) -> Vec<String> {
    let listed = server.client().get("/v1/resource/generic").await;
    let ids = listed.as_array().unwrap().iter();
    ids.map(|resource| {
        resource["original_resource_id"]
            .as_str()
            .unwrap()
            .to_owned()
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_that_do_not_fit_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let cpu = write(directory.path(), "cpu.csv", "timestamp,value\n10,1\n");
    let long = write(
        directory.path(),
        "long.csv",
        "timestamp,metric,value\n10,a,1\n",
    );
    let bad = write(directory.path(), "bad.csv", "timestamp,value\nsoon,1\n");
    let refused = |arguments: &[&str], expected: &str| {
        let (status, _, stderr) = import(&server, arguments);
        assert_ne!(status, Some(0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    refused(
        &["--create", "--metric", "foo", &long],
        "--metric foo names one metric, and column 2 (metric) names the one of each line",
    );
    refused(
        &["--delimiter", ":", &cpu],
        ": is part of timestamps; allowed are tab, space",
    );
    refused(&["--create", &bad], "\"soon\" is neither ISO 8601");
    refused(
        &["--create", "--policy", "nope", &cpu],
        "Archive policy nope does not exist",
    );
    assert_eq!(
        resources(&server).await,
        [""; 0],
        "nothing was sent, and nothing created"
    );
    refused(
        &["--create", "--resource", "a/b", &cpu],
        "cannot create the resource \"a/b\": the server responded 400: Invalid input: '/' is not supported in resource id",
    );
    refused(&["--metric", "nope", &cpu], "Unknown metrics: ");
    let below = format!("{}/v1", server.url);
    let output = run(&["import", "--endpoint", &below, &cpu]);
    assert!(
        texts(&output)
            .1
            .contains("--endpoint names a server without /v1"),
        "{output:?}"
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_done_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let cpu = write(directory.path(), "cpu.csv", "timestamp,value\n10,1\n10,2\n");
    let (status, _, stderr) = import(&server, &["--create", "--policy", "low", &cpu]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains(&format!(
            "{cpu}: 2 lines, 1 point accepted, 0 rejected, 0 bad lines, 1 repeated timestamp"
        )),
        "{stderr}"
    );
    let (status, _, stderr) = import(&server, &["--create", "--policy", "medium", &cpu]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("metric cpu exists with archive policy low, which it keeps"),
        "{stderr}"
    );
    let (_, _, stderr) = import(&server, &["--create", "--policy", "low", &cpu]);
    assert!(!stderr.contains("which it keeps"), "{stderr}");
    for text in ["", "timestamp,value\n"] {
        let empty = write(directory.path(), "empty.csv", text);
        let (status, stdout, stderr) = import(&server, &["--create", &empty]);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(
            stderr.contains(&format!("{empty}: no lines with measures")),
            "{stderr}"
        );
        assert_eq!(rows(&stdout)[1][2], "0");
    }
    server.stop();
}

#[test]
fn the_metric_of_the_standard_input_needs_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let import = |text: &str, name: &str| {
        let input = write(directory.path(), "input.csv", text);
        let output = program(&["import", "--endpoint", &server.url, "--create", name])
            .stdin(std::fs::File::open(input).unwrap())
            .output()
            .unwrap();
        (output.status.success(), texts(&output).1)
    };
    for name in ["-", "/dev/stdin"] {
        let (good, stderr) = import("timestamp,value\n10,1\n", name);
        assert!(!good);
        assert!(
            stderr.contains("this input has no name that its metric could have; see --metric"),
            "{stderr}"
        );
    }
    let (good, stderr) = import("timestamp,metric,value\n10,a,1\n", "-");
    assert!(good, "{stderr}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_window_that_is_enlarged_counts_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let policy = |days: u32| json!({"name": "p", "back_window": days, "definition": [{"granularity": 86400}]});
    server
        .client()
        .create("/v1/archive_policy", &policy(0))
        .await;
    let day = |name: &str, days: &[u32]| {
        let line = |day: &u32| format!("2024-05-{day:02} 12:00:00,1\n");
        let lines: String = days.iter().map(line).collect();
        write(
            directory.path(),
            &format!("{name}/cpu.csv"),
            &format!("timestamp,value\n{lines}"),
        )
    };
    let create = ["--create", "--policy", "p"];
    let import = |file: &str| import(&server, &[&create[..], &[file]].concat());
    assert_eq!(import(&day("first", &[10])).0, Some(0));
    let definition = json!({"back_window": 20, "definition": [{"granularity": 86400}]});
    let client = server.client();
    let change = client.send("PATCH", "/v1/archive_policy/p", &definition);
    assert_eq!(change.await.status, 200);

    let (status, _, stderr) = import(&day("old", &[8]));
    assert_eq!(status, Some(1), "{stderr}");
    for part in [
        "metric cpu has archive policy p (back_window 20 of 86400 s) and a point of 2024-05-10T00:00:00Z or newer",
        "begins at 2024-05-08T12:00:00Z; that back window would be long enough, but was shorter when the metric got its points",
        "what its metrics reject by now they keep rejecting",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    // What comes later than the change can be followed by what is older.
    assert_eq!(import(&day("new", &[15])).0, Some(0));
    assert_eq!(import(&day("between", &[12])).0, Some(0));
    assert_eq!(import(&day("old", &[8])).0, Some(1));
    server.stop();
}
