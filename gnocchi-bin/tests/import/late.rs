//! Data that is older than what a metric has, and the ways out.

use std::path::Path;

use serde_json::json;

use super::support::{Server, rows, run, texts, write};

fn import(server: &Server, arguments: &[&str]) -> (bool, String, String) {
    let output = run(&[&["import", "--endpoint", &server.url], arguments].concat());
    let (stdout, stderr) = texts(&output);
    (output.status.success(), stdout, stderr)
}

/// Writes a file of `cpu` with a point every hour of a day in May 2024.
fn day(directory: &Path, day: u32) -> String {
    let line = |hour: u32| format!("2024-05-{day:02} {hour:02}:00:00,{hour}\n");
    let lines: String = (0..24).map(line).collect();
    let name = format!("{day}/cpu.csv");
    write(directory, &name, &format!("timestamp,value\n{lines}"))
}

#[test]
fn points_that_are_too_old_come_with_the_options_that_help() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let (old, new) = (day(directory.path(), 1), day(directory.path(), 10));
    let create = ["--create", "--policy", "medium"];
    let (good, _, stderr) = import(&server, &[&create[..], &[&new]].concat());
    assert!(good, "{stderr}");
    let (good, stdout, stderr) = import(&server, &[&create[..], &[&old]].concat());
    assert!(!good);
    assert_eq!(
        rows(&stdout)[1][6..8],
        ["0", "24 (too_late 24)"],
        "{stdout}"
    );
    for part in [
        "24 points were older than the back window",
        "metric cpu has archive policy medium (back_window 0 of 3600 s) and a point of 2024-05-10T23:00:00Z or newer",
        "begins at 2024-05-01T00:00:00Z",
        // Nine days and 23 hours.
        "\"back_window\": 239 or more",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    // What is said to help does help, word by word.
    let advised = stderr
        .lines()
        .filter_map(|line| line.split_once("gnocchi import "))
        .map(|(_, options)| options.split(' ').collect::<Vec<_>>());
    let advised: Vec<Vec<&str>> = advised.collect();
    let expected = [
        "--create",
        "--policy",
        "medium",
        "--resource",
        "import-history",
        &old,
    ];
    assert_eq!(advised[0], expected);
    assert!(import(&server, &advised[0]).0);

    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let policy = json!({"name": "THAT_POLICY", "back_window": 239, "definition": [{"granularity": 3600}]});
        server.client().create("/v1/archive_policy", &policy).await;
    });
    assert_eq!(
        advised[1][..5],
        ["--create", "--policy", "THAT_POLICY", "--resource", "OTHER"]
    );
    let newer_first = [&advised[1][..5], &[new.as_str()]].concat();
    assert!(import(&server, &newer_first).0);
    assert!(import(&server, &advised[1]).0);
    server.stop();
}

#[test]
fn of_several_files_the_one_that_begins_first_is_sent_first() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let days: Vec<String> = [3, 1, 2]
        .map(|number| day(directory.path(), number))
        .to_vec();
    let files: Vec<&str> = days.iter().map(String::as_str).collect();
    let options = ["--create", "--policy", "medium"];
    let (good, stdout, stderr) = import(&server, &[&options[..], &files].concat());
    assert!(good, "{stdout}{stderr}");
    let names: Vec<String> = rows(&stdout)[1..4]
        .iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(names, days, "the table keeps the order of the command line");
    server.stop();
}
