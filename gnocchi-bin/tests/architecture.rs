//! Rules about the code that a machine can check. Who may depend on whom is checked with `cargo tree` by `.ci/run`.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files above this length have more than one purpose.
const LINES_MAX: usize = 600;

/// What a program's own file may have: options and one call.
const PROGRAM_LINES_MAX: usize = 50;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Returns the Rust files below a directory of the repository, with their text.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "{directory} has no source");
    files
}

/// Fails for each file below `directory` that holds one of the texts outside comments.
fn forbid(directory: &str, texts: &[&str], but: &[&str], rule: &str) {
    let mut broken = Vec::new();
    for (path, source) in sources(directory) {
        if but.iter().any(|allowed| path.ends_with(allowed)) {
            continue;
        }
        for (index, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(text) = texts.iter().find(|text| code.contains(**text)) {
                broken.push(format!("{}:{}: {text}", path.display(), index + 1));
            }
        }
    }
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn the_engine_does_no_input_or_output() {
    let texts = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread",
        "async fn",
        "SystemTime::now",
        "Instant::",
        "println!",
        "tracing::",
    ];
    forbid("carbonara/src", &texts, &[], "carbonara is pure");
}

#[test]
fn core_reads_the_clock_in_one_place() {
    let texts = ["SystemTime::now", "Timestamp::now", "Zoned::now"];
    forbid(
        "gnocchi-core/src",
        &texts,
        &["src/clock.rs"],
        "core asks its clock",
    );
    forbid(
        "gnocchi-drivers/src",
        &texts,
        &[],
        "drivers ask the clock that they are given",
    );
    forbid(
        "gnocchi-bin/src",
        &texts,
        &[],
        "adapters ask the clock of the store",
    );
}

#[test]
fn core_touches_no_files_and_no_environment() {
    forbid(
        "gnocchi-core/src",
        &["std::fs", "std::env", "std::net", "tokio::fs", "tokio::net"],
        &[],
        "core has no back-end",
    );
}

#[test]
fn adapters_know_no_back_end() {
    let texts = ["fjall", "sqlx", "SELECT ", "INSERT "];
    forbid(
        "gnocchi-bin/src",
        &texts,
        &["src/runtime/telemetry/mod.rs"],
        "only drivers speak to back-ends (telemetry names their logs)",
    );
}

#[test]
fn only_frames_of_one_room_are_decoded_by_it() {
    forbid(
        "gnocchi-drivers/src",
        &["codec::frame", "codec::points"],
        &[],
        "drivers do not look into frames",
    );
}

#[test]
fn no_code_is_unsafe_or_unfinished() {
    for room in [
        "carbonara",
        "gnocchi-core",
        "gnocchi-drivers",
        "gnocchi-bin/src",
        "benches",
        "fuzz",
    ] {
        forbid(
            room,
            &["unsafe {", "unsafe fn", "todo!(", "unimplemented!("],
            &[],
            "finished and safe",
        );
    }
}

#[test]
fn files_have_one_purpose() {
    let mut long = Vec::new();
    for room in [
        "carbonara",
        "gnocchi-core",
        "gnocchi-drivers",
        "gnocchi-bin",
        "benches",
        "fuzz",
    ] {
        for (path, source) in sources(room) {
            let lines = source.lines().count();
            if lines > LINES_MAX {
                long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn programs_are_short() {
    for (path, source) in sources("gnocchi-bin/src/bin") {
        let lines = source.lines().count();
        assert!(
            lines <= PROGRAM_LINES_MAX,
            "{}: {lines} lines",
            path.display()
        );
    }
}

#[test]
fn the_readme_names_options_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| section | option |").unwrap();
    let mut section = "";
    let mut named = 0;
    for row in table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if !cells[1].is_empty() {
            section = cells[1].trim_matches('`');
        }
        let spec = gnocchi_server::config::SECTIONS
            .iter()
            .find(|spec| spec.name == section);
        for option in cells[2].split(", ") {
            let option = option.trim_matches('`');
            let known = spec.and_then(|spec| spec.option(option));
            assert!(known.is_some(), "[{section}] {option} of README.md");
            named += 1;
        }
    }
    assert_eq!(
        named, 10,
        "the most used ones; docs/configuration.md has all"
    );
}
