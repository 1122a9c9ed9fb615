//! Files in the forms that spreadsheets, databases and loggers write.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::support::{Server, program, rows, run, texts};

/// A file and what it must give.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    options: &'static [&'static str],
    /// Names of metrics and their values at the seconds after 2024-05-01T00:00:00Z.
    metrics: &'static [(&'static str, &'static [(u32, f64)])],
    /// Lines, bad lines, empty cells, repeated, accepted.
    counts: [&'static str; 5],
}

/// A file of one metric that is named after it.
fn case(name: &'static str, text: impl Into<Vec<u8>>, options: &'static [&'static str]) -> Case {
    Case {
        name,
        bytes: text.into(),
        options,
        metrics: &[("x", &[(0, 1.5), (1, 2.5)])],
        counts: ["2", "0", "0", "0", "2"],
    }
}

fn utf16(text: &str) -> Vec<u8> {
    let units = format!("\u{feff}{text}");
    units.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[expect(clippy::too_many_lines, reason = "a table of one entry a form")]
fn cases() -> Vec<Case> {
    let plain = "timestamp,value\n2024-05-01 00:00:00,1.5\n2024-05-01 00:00:01,2.5\n";
    let semicolons = "Zeit;Wert\r\n2024-05-01 00:00:00;1,5\r\n2024-05-01 00:00:01;2,5\r\n";
    let named: &[&str] = &["--timestamp-column", "zeit", "--value-column", "Wert"];
    vec![
        case("x.csv", plain, &[]),
        case("x.csv", plain.replace('\n', "\r"), &[]),
        case("x.tsv", plain.replace(',', "\t"), &[]),
        case("x.csv", plain.replace(',', "|"), &["--delimiter", "|"]),
        case("x.csv", semicolons, named),
        case("x.csv", format!("sep=;\r\n{semicolons}"), named),
        case(
            "x.csv",
            semicolons,
            &[
                "--timestamp-column",
                "1",
                "--value-column",
                "2",
                "--delimiter",
                "semicolon",
                "--decimal",
                ",",
            ],
        ),
        case("x.csv", utf16(&plain.replace(',', "\t")), &[]),
        case("x.csv.gz", gzip(plain.as_bytes()), &[]),
        case(
            "x.csv",
            "\u{feff}\"Timestamp\",\"Value\"\r\n\"2024-05-01 00:00:00\",\"1.5\"\r\n\"2024-05-01 00:00:01\",\" 2.5 \"\r\n",
            &[],
        ),
        case(
            "x.csv",
            "timestamp,value\n2024-05-01 02:00:00+02,1.5\n2024-05-01 02:00:01.0 +02:00,2.5\n",
            &[],
        ),
        case(
            "x.csv",
            "timestamp,value\n2024-05-01 00:00:00 UTC,1.5\n2024-05-01 02:00:01 +0200,2.5\n",
            &[],
        ),
        case(
            "x.csv",
            "1714521600000,1.5\n1714521601000,2.5\n",
            &["--epoch-unit", "ms"],
        ),
        case(
            "x.csv",
            "1714521600000000,1.5\n1714521601000000,2.5\n",
            &["--epoch-unit", "us"],
        ),
        case(
            "x.csv",
            "1714521600000000000,1.5\n1714521601000000000,2.5\n",
            &["--epoch-unit", "ns"],
        ),
        case(
            "x.csv",
            "Datum;Wert\n01.05.2024 00:00:00;1,5\n01.05.2024 00:00:01;2,5\n",
            &[
                "--timestamp-column",
                "Datum",
                "--timestamp-format",
                "%d.%m.%Y %H:%M:%S",
                "--value-column",
                "Wert",
            ],
        ),
        case("other.csv", plain, &["--metric", "x"]),
        Case {
            metrics: &[("x", &[(0, 1234.5), (1, 1.0)])],
            ..case(
                "x.csv",
                "time;value\n2024-05-01 00:00:00;1.234,5\n2024-05-01 00:00:01;1\n",
                &[],
            )
        },
        Case {
            metrics: &[
                ("cpu", &[(0, 1.0), (1, 3.0)]),
                ("mem", &[(1, 8.0)]),
                ("disk", &[(0, 3.0)]),
            ],
            counts: ["2", "0", "2", "0", "4"],
            ..case(
                "x.csv",
                "time,cpu,mem,disk\n2024-05-01 00:00:00,1,,3\n2024-05-01 00:00:01,3,8,\n",
                &[],
            )
        },
        Case {
            metrics: &[("cpu", &[(0, 1.0)]), ("value", &[(0, 2.0)])],
            counts: ["1", "0", "0", "0", "2"],
            ..case(
                "x.csv",
                "time,cpu,value\n2024-05-01 00:00:00,1,2\n",
                &["--wide"],
            )
        },
        Case {
            metrics: &[("cpu", &[(0, 1.0)]), ("mem", &[(0, 2.0)])],
            counts: ["1", "0", "0", "0", "2"],
            ..case(
                "x.csv",
                "time,host,cpu,mem\n2024-05-01 00:00:00,web-1,1,2\n",
                &["--value-column", "cpu", "--value-column", "4"],
            )
        },
        Case {
            metrics: &[("web-1", &[(0, 1.0)]), ("web-2", &[(0, 2.0)])],
            counts: ["2", "0", "0", "0", "2"],
            ..case(
                "x.csv",
                "time,host,cpu\n2024-05-01 00:00:00,web-1,1\n2024-05-01 00:00:00,web-2,2\n",
                &["--metric-column", "host", "--value-column", "cpu"],
            )
        },
        Case {
            counts: ["6", "1", "3", "0", "2"],
            ..case(
                "x.csv",
                format!(
                    "{plain}2024-05-01 00:00:02,\n2024-05-01 00:00:03,NaN\n2024-05-01 00:00:04,null\n2024-05-01 00:00:05,x\n"
                ),
                &[],
            )
        },
        Case {
            metrics: &[("x", &[(0, 3.5)])],
            counts: ["2", "0", "0", "1", "1"],
            ..case(
                "x.csv",
                "time,value\n2024-05-01 00:00:00,1.5\n2024-05-01 00:00:00,3.5\n",
                &[],
            )
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_many_forms_give_the_same_measures() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    create_policy(&server).await;
    for (number, case) in cases().into_iter().enumerate() {
        let resource = format!("r{number}");
        let path = directory.path().join(&resource).join(case.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &case.bytes).unwrap();
        let text = String::from_utf8_lossy(&case.bytes);
        let output = import(&server, &resource, case.options, &path);
        let (stdout, stderr) = texts(&output);
        let complete = case.counts[1] == "0";
        assert_eq!(output.status.success(), complete, "{text}: {stderr}");
        let row = &rows(&stdout)[1];
        assert_eq!(row[2..7], case.counts, "{text}: {stdout}{stderr}");
        for (metric, expected) in case.metrics {
            let found = measures(&server, &resource, metric).await;
            assert_eq!(found, expected_measures(expected), "{metric} of {text}");
        }
    }
    server.stop();
}

/// Creates the policy `second`, which keeps everything as it was sent.
async fn create_policy(server: &Server) {
    let policy = json!({"name": "second", "aggregation_methods": ["mean"], "definition": [{"granularity": 1}]});
    server.client().create("/v1/archive_policy", &policy).await;
}

fn import(server: &Server, resource: &str, options: &[&str], path: &Path) -> std::process::Output {
    let server = [
        "import",
        "--endpoint",
        &server.url,
        "--create",
        "--policy",
        "second",
    ];
    let path = ["--resource", resource, path.to_str().unwrap()];
    run(&[&server, options, &path].concat())
}

async fn measures(server: &Server, resource: &str, metric: &str) -> Value {
    let path = format!("/v1/resource/generic/{resource}/metric/{metric}/measures");
    server.client().get(&path).await
}

fn expected_measures(points: &[(u32, f64)]) -> Value {
    let points = points.iter();
    points
        .map(|(second, value)| json!([format!("2024-05-01T00:00:0{second}+00:00"), 1.0, value]))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standard_input_is_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    create_policy(&server).await;
    let options = ["--create", "--policy", "second", "--metric", "x"];
    let arguments = [&["import", "--endpoint", &server.url][..], &options, &["-"]].concat();
    let mut child = program(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(b"time;value\n2024-05-01 00:00:00;1,5\n")
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    assert_eq!(
        measures(&server, "import", "x").await,
        expected_measures(&[(0, 1.5)])
    );
    let (_, stderr) = texts(&run(&["import", "--endpoint", &server.url, "-", "-"]));
    assert!(stderr.contains("can be read only once"), "{stderr}");
    server.stop();
}

#[test]
fn files_that_cannot_be_understood_say_why() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    for (text, expected) in [
        (&b"time value\n1 2\n"[..], ":1: no separator between fields"),
        (b"time;Gr\xf6\xdfe\n1;2\n", ":1: byte 8 (0xf6) is not UTF-8"),
        (b"when,value\n1,2\n", ":1: no column has a known name"),
        (
            b"time,cpu,cpu\n1,2,3\n",
            ":1: columns 2 and 3 are both named cpu",
        ),
        (b"PK\x03\x04.......", "a spreadsheet (.xlsx, .ods)"),
    ] {
        let path = directory.path().join("x.csv");
        fs::write(&path, text).unwrap();
        let output = run(&["import", "--endpoint", &server.url, path.to_str().unwrap()]);
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let named = stderr
            .lines()
            .any(|line| line.starts_with(path.to_str().unwrap()) && line.contains(expected));
        assert!(named, "{expected}: {stderr}");
        assert_eq!(rows(&stdout)[1][8], "unreadable");
    }
    server.stop();
}
