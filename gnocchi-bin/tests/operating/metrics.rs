//! `/metrics`: complete from the start, documented, and as Prometheus wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::Server;
use crate::wait_for;

/// A metric: its type, and the names of its labels.
type Described = BTreeMap<String, (String, BTreeSet<String>)>;

/// Reads the table of the documentation.
fn documented() -> Described {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| metric |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3]
            .split(',')
            .map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        (
            cells[1].trim_matches('`').to_owned(),
            (cells[2].to_owned(), labels.collect()),
        )
    })
    .collect()
}

/// Returns the help of each metric of the documentation.
fn documented_help() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 6)
        .map(|cells| (cells[1].trim_matches('`').to_owned(), cells[4].to_owned()))
        .collect()
}

/// Reads what a server shows.
fn shown(text: &str) -> (Described, BTreeMap<String, String>) {
    let (mut metrics, mut help) = (Described::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').unwrap();
            assert!(
                help.insert(name.to_owned(), text.to_owned()).is_none(),
                "{name} twice"
            );
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let before = metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            assert!(before.is_none(), "{name} twice");
        } else {
            let (series, _value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| {
                    name.strip_suffix(end)
                        .filter(|base| metrics.contains_key(*base))
                })
                .unwrap_or(name);
            let (_, names) = metrics.get_mut(base).unwrap_or_else(|| panic!("{line}"));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter_map(|label| label.split_once('='));
            names.extend(
                labels
                    .map(|(name, _)| name.to_owned())
                    .filter(|name| name != "le"),
            );
        }
    }
    (metrics, help)
}

fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{series} ")));
    line.unwrap_or_else(|| panic!("no {series} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn every_metric_is_documented_and_there_from_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let text = server.client().text("/metrics").await;
    let (metrics, help) = shown(&text);
    assert_eq!(metrics, documented());
    assert_eq!(help, documented_help());
    for reason in [
        "too_late",
        "too_far_ahead",
        "metric_deleted",
        "histogram",
        "label_collapse",
    ] {
        let series = format!("gnocchi_measures_rejected_total{{reason=\"{reason}\"}}");
        assert!(value(&text, &series) == 0.0);
    }
    for counter in metrics
        .iter()
        .filter(|(name, (kind, _))| kind == "counter" && !name.starts_with("process_"))
    {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(counter.0.as_str()));
        for line in lines {
            assert!(line.ends_with(" 0"), "{line}");
        }
    }
    for histogram in ["gnocchi_fold_seconds", "gnocchi_commit_seconds"] {
        assert!(value(&text, &format!("{histogram}_count")) == 0.0);
        assert!(value(&text, &format!("{histogram}_bucket{{le=\"+Inf\"}}")) == 0.0);
    }
    server.stop();
}

#[tokio::test]
async fn figures_of_the_process_and_the_store_are_real() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::start(&data, &[]);
    let client = server.client();
    let metrics = json!({"m": {"archive_policy_name": "low"}});
    for id in ["r", "s"] {
        let resource = json!({"id": id, "metrics": metrics});
        client.create("/v1/resource/generic", &resource).await;
    }
    client
        .create("/v1/metric", &json!({"archive_policy_name": "low"}))
        .await;
    let text = client.text("/metrics").await;
    let version = env!("CARGO_PKG_VERSION");
    for line in [
        "gnocchi_metrics 3",
        "gnocchi_resources 2",
        &format!("gnocchi_build_info{{version=\"{version}\"}} 1"),
    ] {
        assert!(
            text.lines().any(|shown| shown == line),
            "no {line} in {text}"
        );
    }
    let resident = server.memory_kib("VmRSS") * 1024;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let resident = resident as f64;
    let found = value(&text, "process_resident_memory_bytes");
    assert!(
        (0.5..2.0).contains(&(found / resident)),
        "{found} {resident}"
    );
    assert!(value(&text, "process_virtual_memory_bytes") > found);
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    let found = value(&text, "process_open_fds");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let difference = (found - open as f64).abs();
    assert!(difference < 10.0, "{found} {open}");
    assert!(value(&text, "process_max_fds") >= found);
    let cpu = value(&text, "process_cpu_seconds_total");
    assert!(cpu > 0.0 && cpu < 60.0, "{cpu}");
    let age = age_of(value(&text, "process_start_time_seconds"));
    assert!((0.0..60.0).contains(&age), "{age}");

    let disk = rustix::fs::statvfs(&data).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "disks are below 2^53 bytes")]
    let size = (disk.f_blocks * disk.f_frsize) as f64;
    assert!((value(&text, "gnocchi_data_directory_size_bytes") - size).abs() < 1.0);
    let free = value(&text, "gnocchi_data_directory_free_bytes");
    assert!(free > 0.0 && free < size, "{free} of {size}");
    server.stop();
}

fn age_of(start: f64) -> f64 {
    use gnocchi_core::clock::{Clock, SystemClock};

    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let now = SystemClock.now().as_nanosecond() as f64 / 1e9;
    now - start
}

#[tokio::test]
async fn promtool_has_nothing_to_say() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    server
        .client()
        .create("/v1/metric", &json!({"archive_policy_name": "low"}))
        .await;
    let text = server.client().text("/metrics").await;
    let checking = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checking) = checking else {
        let required = std::env::var("GNOCCHI_TEST_REQUIRE").unwrap_or_default();
        let is_required = required.split(',').any(|name| name.trim() == "prometheus");
        assert!(
            !is_required,
            "promtool is not installed, and GNOCCHI_TEST_REQUIRE asks for prometheus"
        );
        eprintln!("skipped promtool_has_nothing_to_say: promtool is not installed");
        return;
    };
    checking
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = checking.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
    server.stop();
}

#[test]
fn an_idle_server_reports_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let arguments = ["--debug", "--log-file", log.to_str().unwrap()];
    let server = Server::start(&directory.path().join("data"), &arguments);
    let text = wait_for(&log, "no measures are pending");
    assert!(!text.contains("points="), "{text}");
    server.stop();
}

/// Every name that the sources record stands in the documentation.
#[test]
fn no_metric_is_forgotten() {
    let mut directories = ["gnocchi-core/src", "gnocchi-bin/src", "gnocchi-drivers/src"]
        .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name))
        .to_vec();
    let documented = documented();
    let mut found = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                for (at, _) in text.match_indices(kind) {
                    let argument = text[at + kind.len()..].trim_start();
                    let Some(name) = argument.strip_prefix('"') else {
                        continue;
                    };
                    let name = name.split('"').next().unwrap();
                    found += 1;
                    assert!(
                        documented.contains_key(name),
                        "{name} of {}",
                        path.display()
                    );
                }
            }
        }
    }
    assert!(found > 8, "{found}");
}
