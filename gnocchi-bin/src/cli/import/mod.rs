//! `gnocchi import`: measures from CSV files, through the HTTP API of a running server.
//!
//! Every file is read whole, sorted by time and sent in batches. The batches of one metric go one after the other, so that
//! an import never makes its own points too late; those of different metrics and files are in flight together.

mod batch;
mod client;
mod file;
mod instant;
mod line;
mod report;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use clap::Args;
use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;

use super::Failure;
use super::progress::{Progress, Unit};
use batch::{Batch, Chain};
use client::{Client, ClientError, Reply, Target};
use file::{FileError, ParsedFile};
use instant::EpochUnit;
use report::{FileReport, Report};

/// How many requests may be under way at a time; more only wait inside the server.
const REQUESTS_IN_FLIGHT: usize = 8;

/// How many files are read and sent at a time.
const FILES_IN_FLIGHT: usize = 4;

/// The most bad lines of one file that are shown one by one; all are counted.
const BAD_LINES_SHOWN: usize = 20;

/// The most refused requests of one file that are shown one by one; the table counts all of their points.
const REFUSALS_SHOWN: usize = 20;

/// Sends measures of CSV files to a running server.
///
/// A file has the columns `timestamp,value`, in any order, named by its first line; without such a line the first two columns
/// are meant. Its metric is named after the file (`cpu.csv` gives `cpu`), or by a column `metric` when there is one. Files may be
/// given in any order; of two files with points for the same metric name the older one first.
///
/// Timestamps are ISO 8601 (`2024-05-01 12:00:00`, a `T` instead of the space, fractions of seconds, `Z` or an offset; without
/// zone they are UTC) or count seconds since 1970 (see --epoch-unit). Of several lines with the same timestamp the last one
/// counts. Lines that cannot be read are reported with file and line and left out; the rest is sent. A quoted field ends on the
/// line on which it begins.
///
/// All metrics belong to one resource, `import` unless --resource names another one. Without --create it and its metrics must
/// exist.
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ImportArgs {
    /// The CSV files.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// The resource that the metrics belong to: a UUID or a name.
    #[arg(long, value_name = "ID", default_value = "import")]
    resource: String,
    /// The archive policy of metrics that are created; without it the rules of the server choose.
    #[arg(long, value_name = "NAME", requires = "create")]
    policy: Option<String>,
    /// Create the resource (of type `generic`) and its metrics where they are missing.
    #[arg(long)]
    create: bool,
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        env = "GNOCCHI_ENDPOINT",
        default_value = "http://127.0.0.1:8041"
    )]
    endpoint: String,
    /// The user to call the server as. A password is taken from the environment
    /// variable `GNOCCHI_PASSWORD`.
    #[arg(
        long,
        value_name = "USER",
        env = "GNOCCHI_USER",
        default_value = "admin"
    )]
    user: String,
    /// What a timestamp that is a plain number counts.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t = EpochUnit::Seconds)]
    epoch_unit: EpochUnit,
}

/// The environment variable that holds the password.
const PASSWORD_VARIABLE: &str = "GNOCCHI_PASSWORD";

/// How an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every line was accepted.
    Complete,
    /// Something was rejected, could not be read or could not be sent.
    Incomplete,
}

/// Runs the import and prints its table.
///
/// # Errors
/// [`Failure`] when the server cannot be reached or refuses to create the resource, or the table cannot be printed. What ends an
/// import half way is an error after the table is printed.
pub(super) async fn run(arguments: ImportArgs) -> Result<Outcome, Failure> {
    let target = Target {
        resource: arguments.resource,
        policy: arguments.policy,
        create: arguments.create,
    };
    let password = std::env::var(PASSWORD_VARIABLE).unwrap_or_default();
    let client = Client::new(&arguments.endpoint, arguments.user, password, target)?;
    client.prepare().await?;

    let progress = Progress::new(Unit::Points, total_bytes(&arguments.files));
    let import = Import {
        client,
        progress,
        epoch_unit: arguments.epoch_unit,
        requests: Semaphore::new(REQUESTS_IN_FLIGHT),
        fatal: OnceLock::new(),
    };
    let report = import.files(&arguments.files).await;
    import.progress.finish();
    writeln!(io::stdout(), "{}", report.table())?;
    if let Some(error) = import.fatal.into_inner() {
        return Err(error.into());
    }
    Ok(if report.is_complete() {
        Outcome::Complete
    } else {
        Outcome::Incomplete
    })
}

fn total_bytes(files: &[PathBuf]) -> u64 {
    files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// One run.
struct Import {
    client: Client,
    progress: Progress,
    epoch_unit: EpochUnit,
    requests: Semaphore,
    /// The first error that makes all further calls pointless.
    fatal: OnceLock<ClientError>,
}

impl Import {
    async fn files(&self, files: &[PathBuf]) -> Report {
        let queues = queues(files);
        let done: Vec<Vec<(usize, FileReport)>> = stream::iter(queues)
            .map(|queue| async move {
                let mut reports = Vec::new();
                for (index, path) in queue {
                    reports.push((index, self.file(&path).await));
                }
                reports
            })
            .buffer_unordered(FILES_IN_FLIGHT)
            .collect()
            .await;
        let mut reports: Vec<_> = done.into_iter().flatten().collect();
        reports.sort_by_key(|(index, _)| *index);
        Report {
            files: reports.into_iter().map(|(_, report)| report).collect(),
        }
    }

    /// Reads and sends one file, if that is not pointless by now.
    async fn file(&self, path: &Path) -> FileReport {
        if self.is_over() {
            return FileReport::untouched(path);
        }
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        let parsed = match self.parse(path).await {
            Ok(parsed) => parsed,
            Err(error) => {
                self.progress.line(&error.to_string());
                self.progress.advance(bytes, 0);
                return FileReport::failed(path);
            }
        };
        let bad_lines = parsed.bad_lines.iter().take(BAD_LINES_SHOWN);
        for bad in bad_lines {
            self.progress
                .line(&format!("{}:{}: {}", path.display(), bad.line, bad.problem));
        }
        self.tell_more(path, parsed.bad_count, BAD_LINES_SHOWN, "bad lines");
        let mut report = FileReport::of(path, &parsed);
        let share = Share {
            bytes,
            points: parsed.points(),
        };
        if share.points == 0 {
            self.progress.advance(bytes, 0);
        }
        let chains = batch::chains(parsed.metrics);
        let mut results = stream::iter(chains)
            .map(|chain| self.chain(chain, share))
            .buffer_unordered(REQUESTS_IN_FLIGHT);
        let mut refusals = 0;
        while let Some(sent) = results.next().await {
            report.add(&sent);
            for refusal in &sent.refused {
                refusals += 1;
                if refusals <= REFUSALS_SHOWN {
                    self.progress
                        .line(&format!("{}: {refusal}", path.display()));
                }
            }
        }
        self.tell_more(path, refusals, REFUSALS_SHOWN, "refused requests");
        self.progress.file_done(&report.summary());
        report
    }

    fn tell_more(&self, path: &Path, count: usize, shown: usize, what: &str) {
        if count > shown {
            let more = count - shown;
            self.progress
                .line(&format!("{}: {more} more {what}", path.display()));
        }
    }

    /// Tells whether further calls are pointless.
    fn is_over(&self) -> bool {
        self.fatal.get().is_some()
    }

    async fn parse(&self, path: &Path) -> Result<ParsedFile, FileError> {
        let (owned, unit) = (path.to_owned(), self.epoch_unit);
        let parsed =
            tokio::task::spawn_blocking(move || file::read(&owned, unit, BAD_LINES_SHOWN)).await;
        parsed.expect("reading a file does not panic")
    }

    /// Sends the batches of a chain, each after the one before was accepted; of a batch of several metrics that is refused, each
    /// metric by itself. Whatever happens, the result says what the server has.
    async fn chain(&self, chain: Chain, share: Share) -> Sent {
        let mut sent = Sent::default();
        let mut waiting: VecDeque<Batch> = chain.into();
        while let Some(batch) = waiting.pop_front() {
            let permit = self
                .requests
                .acquire()
                .await
                .expect("the semaphore is never closed");
            if self.is_over() {
                break;
            }
            let result = self.client.send(&batch).await;
            drop(permit);
            match result {
                Ok(reply) => {
                    sent.add(reply);
                    self.progress
                        .advance(share.bytes_of(&batch), batch.points());
                }
                Err(error) if error.is_about_content() && batch.is_shared() => {
                    // Such a batch is the only one of its chain, hence no order is lost.
                    waiting.extend(batch.into_single());
                }
                Err(error) if error.is_fatal() => {
                    // Only the first one counts: the others are its consequences.
                    let _ = self.fatal.set(error);
                    break;
                }
                Err(error) => {
                    let metric = batch.first_metric().to_owned();
                    if batch.is_shared() {
                        sent.refused.push(error.to_string());
                    } else {
                        sent.refused.push(format!("{metric}: {error}"));
                    }
                    // Later points of the same metric would make these too late for another try.
                    waiting.retain(|later| later.first_metric() != metric);
                }
            }
        }
        sent
    }
}

/// How much of the progress one file makes up.
#[derive(Debug, Clone, Copy)]
struct Share {
    bytes: u64,
    points: usize,
}

impl Share {
    fn bytes_of(self, batch: &Batch) -> u64 {
        let share = u128::from(self.bytes) * batch.points() as u128 / self.points.max(1) as u128;
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// What the server did with the points of one chain.
#[derive(Debug, Default)]
struct Sent {
    accepted: usize,
    rejected: BTreeMap<String, usize>,
    /// Why batches were refused as a whole.
    refused: Vec<String>,
}

impl Sent {
    fn add(&mut self, reply: Reply) {
        self.accepted += reply.accepted;
        for (reason, points) in reply.rejected {
            *self.rejected.entry(reason).or_default() += points;
        }
    }
}

/// Divides files into queues: those that may hold points of the same metric stand in one queue, in the order given.
fn queues(files: &[PathBuf]) -> Vec<Vec<(usize, Arc<Path>)>> {
    let mut queues: BTreeMap<QueueKey, Vec<(usize, Arc<Path>)>> = BTreeMap::new();
    for (index, path) in files.iter().enumerate() {
        let key = if file::has_metric_column(path) {
            QueueKey::MetricColumn
        } else {
            QueueKey::Named(file::metric_name(path))
        };
        queues
            .entry(key)
            .or_default()
            .push((index, path.as_path().into()));
    }
    queues.into_values().collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum QueueKey {
    Named(String),
    MetricColumn,
}
