//! The import of files by the real program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "import/forms.rs"]
mod forms;
#[path = "import/late.rs"]
mod late;
#[path = "import/remarks.rs"]
mod remarks;
mod support;
#[path = "import/tls.rs"]
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Server, rows, run, texts, whole, write};

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

#[expect(clippy::too_many_lines, reason = "one story of four files")]
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
            "{small}:3: column 1 (timestamp): \"nonsense\" is neither ISO 8601"
        )),
        "{stderr}"
    );
    assert!(
        stderr.contains(&format!("{unreadable}: cannot read the file")),
        "{stderr}"
    );
    let rows = rows(&stdout);
    let row = |cells: [&str; 9]| cells.map(str::to_owned).to_vec();
    assert_eq!(
        rows[0],
        row([
            "file",
            "metrics",
            "lines",
            "bad lines",
            "empty",
            "repeated",
            "accepted",
            "rejected",
            "not sent"
        ])
    );
    assert_eq!(
        rows[1],
        row([&large, "1", "45000", "0", "0", "0", "45000", "0", "0"])
    );
    assert_eq!(
        rows[2],
        row([&small, "1", "4", "1", "0", "1", "2", "0", "0"])
    );
    assert_eq!(
        rows[3],
        row([&several, "2", "3", "0", "0", "0", "3", "0", "0"])
    );
    assert_eq!(
        rows[4],
        row([&unreadable, "0", "0", "0", "0", "0", "0", "0", "unreadable"])
    );
    assert_eq!(
        rows[5],
        row(["total", "4", "45007", "1", "0", "1", "45005", "0", "0"])
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
        rows(&stdout)[1][6..8],
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
        rows(&stdout)[1][6..8],
        ["1", "1 (too_late 1)"].map(str::to_owned),
        "{stdout}"
    );
    assert_eq!(
        rows(&stdout)[2][6..8],
        ["0", "1 (too_late 1)"].map(str::to_owned),
        "{stdout}"
    );
    server.stop();
}

#[test]
fn one_bad_metric_does_not_lose_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &["--no-default-policies"]);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = server.client();
        let policy = json!({"name": "p", "definition": [{"granularity": 60}]});
        client.create("/v1/archive_policy", &policy).await;
        let rule = json!({"name": "r", "archive_policy_name": "p", "metric_pattern": "good*"});
        client.create("/v1/archive_policy_rule", &rule).await;
    });
    let text = format!(
        "timestamp,metric,value\n10,good1,1\n10,norule,2\n10,{},3\n10,good2,4\n",
        "x".repeat(300)
    );
    let file = write(directory.path(), "m.csv", &text);
    let (status, stdout, stderr) = import(&server, &["--create", &file]);
    assert_eq!(status, Some(1), "{stderr}");
    assert_eq!(
        rows(&stdout)[1][1..],
        ["3", "4", "1", "0", "0", "2", "0", "1"].map(str::to_owned),
        "{stdout}{stderr}"
    );
    assert!(
        stderr.contains(&format!(
            "{file}:4: column 2 (metric): its name is longer than 255 characters"
        )),
        "{stderr}"
    );
    assert!(
        stderr.contains(&format!("{file}: norule: the server responded 400: ")),
        "{stderr}"
    );
    server.stop();
}

/// Answers one request on each connection, as told, and then refuses everything as unauthorized.
fn fake_server(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut answers = answers.into_iter();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let line = line.trim().to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let (status, body) = match answers.next() {
                Some(body) => ("200 OK", body),
                None => ("401 Unauthorized", String::new()),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn an_import_that_ends_half_way_says_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let line = |i: u64| format!("{i},1\n");
    let lines: String = (0..45_000).map(line).collect();
    let large = write(directory.path(), "large.csv", &lines);
    let answer = |points: usize| json!({"id": {"accepted": points, "rejected": {}}}).to_string();
    // What the server can do, then two of three batches.
    let url = fake_server(vec!["{}".into(), answer(20_000), answer(19_990)]);
    let output = run(&["import", "--endpoint", &url, &large]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        rows(&stdout)[1][1..],
        ["1", "45000", "0", "0", "0", "39990", "0", "5010"].map(str::to_owned),
        "{stdout}{stderr}"
    );
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("gnocchi: the server responded 401"),
        "{stderr}"
    );
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
    let output = run(&["import", "--endpoint", "localhost:8041", &file]);
    assert!(
        texts(&output)
            .1
            .contains("localhost:8041 is not the address of a server"),
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(1));

    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    for more in [&[][..], &["--create"]] {
        let began = Instant::now();
        let output = run(&[&["import", "--endpoint", &url, &file], more].concat());
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(began.elapsed() < Duration::from_secs(5), "{stderr}");
        assert!(
            stderr.starts_with(&format!(
                "gnocchi: cannot talk to {url}; is a server running there? (gnocchi serve)"
            )),
            "{stderr}"
        );
        assert_eq!(stdout, "");
    }
}
