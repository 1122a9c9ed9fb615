//! The embedded driver: the suites, and what only a database on a real disk can go through.
#![cfg(feature = "embedded")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests panic like tests; a child tells its parent what it did"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carbonara::{Series, Timestamp};
use gnocchi_core::clock::{ManualClock, SystemClock};
use gnocchi_core::conformance::coordinator::CoordinatorFixture;
use gnocchi_core::conformance::incoming::IncomingFixture;
use gnocchi_core::conformance::storage::StorageFixture;
use gnocchi_core::driver::{BacklogDetails, Coordinator, IncomingDriver, SackCount, StorageDriver};
use gnocchi_core::error::{BackendErrorKind, IncomingError};
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_drivers::embedded::{Durability, Embedded, EmbeddedConfig};
use tempfile::TempDir;

/// An open directory that goes away with the test.
struct Fixture {
    directory: TempDir,
    durability: Durability,
    opened: Option<Embedded>,
}

impl Fixture {
    async fn new(durability: Durability) -> Self {
        let directory = TempDir::new().unwrap();
        let mut fixture = Self {
            directory,
            durability,
            opened: None,
        };
        fixture.open().await;
        fixture
    }

    async fn open(&mut self) {
        // The directory is locked until the one before is gone.
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let config = EmbeddedConfig {
            durability: self.durability,
            ..EmbeddedConfig::new(self.directory.path())
        };
        self.opened = Some(Embedded::open(config, Arc::new(SystemClock)).await.unwrap());
    }

    fn opened(&self) -> &Embedded {
        self.opened.as_ref().unwrap()
    }
}

#[async_trait]
impl IncomingFixture for Fixture {
    fn driver(&self) -> &dyn IncomingDriver {
        &*self.opened().incoming
    }

    async fn reopen(&mut self) {
        self.open().await;
    }
}

#[async_trait]
impl StorageFixture for Fixture {
    fn driver(&self) -> &dyn StorageDriver {
        &*self.opened().storage
    }

    async fn reopen(&mut self) {
        self.open().await;
    }
}

impl CoordinatorFixture for Fixture {
    fn driver(&self) -> &dyn Coordinator {
        &*self.opened().coordinator
    }
}

async fn with_incoming() -> Fixture {
    Fixture::new(Durability::WithIncoming).await
}

async fn each_commit() -> Fixture {
    Fixture::new(Durability::EachCommit).await
}

mod incoming {
    gnocchi_core::incoming_conformance!(super::with_incoming, durable);
}

mod storage {
    gnocchi_core::storage_conformance!(super::with_incoming, durable);
}

mod storage_that_synchronizes {
    gnocchi_core::storage_conformance!(super::each_commit, durable);
}

mod coordinator {
    gnocchi_core::coordinator_conformance!(super::with_incoming);
}

fn metric(number: u128) -> MetricId {
    MetricId::from_u128(number)
}

/// Makes as many points as values, one nanosecond apart.
fn measures(number: u128, values: Vec<f64>) -> Measures {
    let timestamps_ns = (0_i64..).take(values.len()).collect();
    Measures {
        metric: metric(number),
        series: Series::from_points(timestamps_ns, values).unwrap(),
    }
}

async fn open(path: &Path) -> Embedded {
    Embedded::open(EmbeddedConfig::new(path), Arc::new(SystemClock))
        .await
        .unwrap()
}

async fn open_error(path: &Path) -> BackendErrorKind {
    let error = Embedded::open(EmbeddedConfig::new(path), Arc::new(SystemClock))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error} does not name the directory"
    );
    error.kind()
}

#[tokio::test]
async fn one_process_at_a_time_has_the_directory() {
    let directory = TempDir::new().unwrap();
    let first = open(directory.path()).await;
    assert_eq!(
        open_error(directory.path()).await,
        BackendErrorKind::Unavailable
    );
    drop(first);
    open(directory.path()).await;
}

#[tokio::test]
async fn a_path_that_cannot_be_a_directory_is_a_matter_of_configuration() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(
        open_error(&file.join("below")).await,
        BackendErrorKind::Config
    );
    assert_eq!(open_error(&file).await, BackendErrorKind::Config);
}

#[tokio::test]
async fn fences_grow_from_opening_to_opening() {
    let directory = TempDir::new().unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let embedded = open(directory.path()).await;
        let lease = embedded
            .coordinator
            .acquire("sack-1")
            .await
            .unwrap()
            .unwrap();
        assert!(lease.fence > last + (1 << 31));
        last = lease.fence;
    }
}

#[tokio::test]
async fn the_time_of_arrival_survives() {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_000).unwrap()));
    let embedded = Embedded::open(
        EmbeddedConfig::new(directory.path()),
        Arc::clone(&clock) as _,
    )
    .await
    .unwrap();
    embedded
        .incoming
        .append(vec![measures(1, vec![1.0])])
        .await
        .unwrap();
    clock.set(Timestamp::from_second(2_000).unwrap());
    embedded
        .incoming
        .append(vec![measures(2, vec![1.0])])
        .await
        .unwrap();
    embedded.close().await;
    let embedded = open(directory.path()).await;
    let oldest = async || {
        embedded
            .incoming
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .oldest
    };
    assert_eq!(oldest().await, Some(Timestamp::from_second(1_000).unwrap()));
    let sack = embedded.incoming.sacks().sack_of(metric(1));
    let claim = embedded.incoming.claim(sack, 1).await.unwrap();
    embedded
        .incoming
        .acknowledge(sack, &claim.receipt)
        .await
        .unwrap();
    assert_eq!(oldest().await, Some(Timestamp::from_second(2_000).unwrap()));
}

#[tokio::test]
async fn a_full_backlog_refuses_and_drains() {
    let directory = TempDir::new().unwrap();
    let config = EmbeddedConfig {
        pending_bytes_max: 10_000,
        ..EmbeddedConfig::new(directory.path())
    };
    let incoming = Embedded::open(config, Arc::new(SystemClock))
        .await
        .unwrap()
        .incoming;
    let mut taken = 0;
    let refused = loop {
        match incoming.append(vec![measures(1, vec![0.5; 100])]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(
        refused,
        IncomingError::BacklogFull {
            limit_bytes: 10_000,
            ..
        }
    ));
    assert!((5..10).contains(&taken), "{taken} appends of 1600 bytes");
    assert_eq!(
        incoming
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .batches,
        taken
    );
    let sack = incoming.sacks().sack_of(metric(1));
    let claim = incoming.claim(sack, usize::MAX).await.unwrap();
    incoming.acknowledge(sack, &claim.receipt).await.unwrap();
    incoming
        .append(vec![measures(1, vec![0.5; 100])])
        .await
        .unwrap();
}

#[tokio::test]
async fn the_number_of_sacks_changes_when_nothing_waits() {
    let directory = TempDir::new().unwrap();
    let embedded = open(directory.path()).await;
    let ten = SackCount::new(10).unwrap();
    let sack = embedded.incoming.sacks().sack_of(metric(1));
    embedded.storage.acquire(sack, 33).await.unwrap();
    let commit = gnocchi_core::driver::Commit {
        receipt: None,
        sequence: 5,
        metrics: Vec::new(),
    };
    embedded.storage.commit(sack, 33, commit).await.unwrap();
    embedded
        .incoming
        .append(vec![measures(1, vec![1.0])])
        .await
        .unwrap();
    assert_eq!(
        embedded.change_sacks(ten).await.unwrap_err().kind(),
        BackendErrorKind::Config
    );
    let claim = embedded.incoming.claim(sack, 1).await.unwrap();
    embedded
        .incoming
        .acknowledge(sack, &claim.receipt)
        .await
        .unwrap();
    embedded.change_sacks(ten).await.unwrap();
    embedded.close().await;
    let embedded = open(directory.path()).await;
    assert_eq!(embedded.incoming.sacks(), ten);
    for sack in ten.sacks() {
        assert!(
            embedded.storage.acquire(sack, 32).await.is_err(),
            "writers of before are locked out"
        );
        assert_eq!(
            embedded.storage.acquire(sack, 33).await.unwrap().sequence,
            5
        );
    }
}

/// The directory in which a child process works. Where it is set, a test of this file plays the part of its child.
const CHILD_DIRECTORY: &str = "GNOCCHI_TEST_CHILD_DIRECTORY";

fn child_directory() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from)
}

fn child(program: &str, arguments: &[&str], test: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_DIRECTORY, directory);
    command
}

fn this_program() -> String {
    std::env::current_exe()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// Every round appends to these metrics at once.
const KILLED_METRICS: u128 = 20;

/// Appends until the process is killed.
async fn append_for_ever(directory: &Path) {
    let embedded = open(directory).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4_u32 {
        let incoming = Arc::clone(&embedded.incoming);
        writers.spawn(async move {
            for round in 0.. {
                let value = f64::from(writer * 1_000_000 + round);
                incoming
                    .append(
                        (0..KILLED_METRICS)
                            .map(|number| measures(number, vec![value]))
                            .collect(),
                    )
                    .await
                    .unwrap();
                println!("stored {value}");
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing() {
    if let Some(directory) = child_directory() {
        return append_for_ever(&directory).await;
    }
    let directory = TempDir::new().unwrap();
    for kills in 1..=3 {
        let mut child = child(
            &this_program(),
            &[],
            "a_killed_process_loses_nothing",
            directory.path(),
        );
        let mut child = child
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stored: Vec<String> = Vec::new();
        let mut told = |line: std::io::Result<String>| {
            // A line that the kill cut is not an acknowledgement.
            stored.extend(line.unwrap().strip_prefix("stored ").map(ToOwned::to_owned));
            stored.len()
        };
        while told(lines.next().unwrap()) < 200 * kills {}
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest: Vec<String> = lines.map(Result::unwrap).collect();
        rest.pop();
        for line in rest {
            told(Ok(line));
        }
        let embedded = open(directory.path()).await;
        let ids: Vec<MetricId> = (0..KILLED_METRICS).map(metric).collect();
        let pending = embedded.incoming.pending(&ids).await.unwrap();
        let values = |batches: &[Arc<Series>]| {
            batches
                .iter()
                .map(|series| series.values()[0].to_string())
                .collect::<Vec<_>>()
        };
        let found = values(&pending[0]);
        for value in &stored {
            assert!(
                found.contains(value),
                "{value} was acknowledged and is lost"
            );
        }
        for batches in &pending {
            assert_eq!(values(batches), found, "a part of an append was stored");
        }
        embedded.incoming.discard(&ids).await.unwrap();
    }
}

/// The size of the disk of the test below, and of a file on it that is removed to make room.
const DISK_BYTES: usize = 96 << 20;
const BALLAST_BYTES: usize = 48 << 20;

/// Fills a small disk, makes room on it, and looks at what is there.
async fn fill(disk: &Path) {
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let database = disk.join("database");
    let embedded = open(&database).await;
    // Values are numbered, so that nothing can be mistaken for something else.
    let append = async |number: u32| {
        embedded
            .incoming
            .append(vec![measures(
                u128::from(number),
                vec![f64::from(number); 50_000],
            )])
            .await
    };
    let mut stored = Vec::new();
    let mut refused = Vec::new();
    for number in 0_u32.. {
        match append(number).await {
            Ok(()) => stored.push(number),
            Err(error) => {
                let kind = error.backend().unwrap().kind();
                assert_eq!(kind, BackendErrorKind::Full, "{error:?}");
                refused.push(number);
                break;
            }
        }
        assert!(number < 1_000, "the disk is not as small as it should be");
    }
    // It stays refused, without harm, while there is no room.
    refused.push(1_000);
    assert_eq!(
        append(1_000).await.unwrap_err().backend().unwrap().kind(),
        BackendErrorKind::Full
    );
    std::fs::remove_file(&ballast).unwrap();
    let begin = tokio::time::Instant::now();
    while let Err(error) = append(2_000).await {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "does not recover: {error:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stored.push(2_000);
    embedded.close().await;
    let embedded = open(&database).await;
    for (numbers, batches) in [(&stored, 1), (&refused, 0)] {
        for number in numbers {
            let pending = embedded
                .incoming
                .pending(&[metric(u128::from(*number))])
                .await
                .unwrap();
            assert_eq!(pending[0].len(), batches, "append {number}");
        }
    }
    let report = embedded
        .incoming
        .backlog(BacklogDetails::Summary)
        .await
        .unwrap();
    assert_eq!(report.batches, stored.len());
    println!("stored {} appends on a full disk", stored.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_reported_and_survived() {
    if let Some(disk) = child_directory() {
        return fill(&disk).await;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    let script = format!("mount -t tmpfs -o size={DISK_BYTES} none '{path}' && exec \"$@\"");
    let unshare = ["--mount", "--map-root-user", "sh", "-c"];
    let allowed = Command::new("unshare")
        .args(unshare)
        .args([&script, "sh", "true"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        assert!(
            !required("mount"),
            "a small disk cannot be mounted, and GNOCCHI_TEST_REQUIRE asks for it"
        );
        eprintln!(
            "skipped a_full_disk_is_reported_and_survived: this process may not mount a small disk"
        );
        return;
    }
    let program = this_program();
    let arguments = [&unshare[..], &[&script, "sh", &program]].concat();
    let output = child(
        "unshare",
        &arguments,
        "a_full_disk_is_reported_and_survived",
        directory.path(),
    )
    .output()
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("appends on a full disk"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Returns whether a test must not be skipped for want of something.
fn required(what: &str) -> bool {
    std::env::var("GNOCCHI_TEST_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == what))
}
