//! `gnocchi import`: measures from CSV files, through the HTTP API of a running server.
//!
//! Every file is read whole, sorted by time and sent in batches. The batches of one metric go one after the other, so that
//! an import never makes its own points too late; those of different metrics and files are in flight together.

mod batch;
mod client;
mod file;
mod instant;
mod report;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use super::Failure;
use super::progress::{Progress, Unit};
use batch::{Batch, Chain};
use client::{Client, ClientError, Target};
use file::{FileError, ParsedFile};
use instant::EpochUnit;
use report::{FileReport, Report};

/// How many requests may be under way at a time; more only wait inside the server.
const REQUESTS_IN_FLIGHT: usize = 8;

/// How many files are read and sent at a time.
const FILES_IN_FLIGHT: usize = 4;

/// The most bad lines of one file that are shown one by one; all are counted.
const BAD_LINES_SHOWN: usize = 20;

/// Sends measures of CSV files to a running server.
///
/// A file has the columns `timestamp,value`, in any order, named by its first line; without such a line the first two columns
/// are meant. Its metric is named after the file (`cpu.csv` gives `cpu`), or by a column `metric` when there is one. Files may be
/// given in any order; of two files with points for the same metric name the older one first.
///
/// Timestamps are ISO 8601 (`2024-05-01 12:00:00`, a `T` instead of the space, fractions of seconds, `Z` or an offset; without
/// zone they are UTC) or count seconds since 1970 (see --epoch-unit). Of several lines with the same timestamp the last one
/// counts. Lines that cannot be read are reported with file and line and left out; the rest is sent.
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
/// [`Failure`] when the server cannot be reached or refuses to create the resource, or the table cannot be printed.
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
    };
    let report = import.files(&arguments.files).await?;
    import.progress.finish();
    writeln!(io::stdout(), "{}", report.table())?;
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
}

impl Import {
    async fn files(&self, files: &[PathBuf]) -> Result<Report, ClientError> {
        let queues = queues(files);
        let done: Vec<Vec<(usize, FileReport)>> = stream::iter(queues)
            .map(|queue| async move {
                let mut reports = Vec::new();
                for (index, path) in queue {
                    reports.push((index, self.file(&path).await?));
                }
                Ok::<_, ClientError>(reports)
            })
            .buffer_unordered(FILES_IN_FLIGHT)
            .try_collect()
            .await?;
        let mut reports: Vec<_> = done.into_iter().flatten().collect();
        reports.sort_by_key(|(index, _)| *index);
        Ok(Report {
            files: reports.into_iter().map(|(_, report)| report).collect(),
        })
    }

    /// Reads and sends one file. Only what makes every further file pointless is an error.
    async fn file(&self, path: &Path) -> Result<FileReport, ClientError> {
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        let parsed = match self.parse(path).await {
            Ok(parsed) => parsed,
            Err(error) => {
                self.progress.line(&error.to_string());
                self.progress.advance(bytes, 0);
                return Ok(FileReport::failed(path));
            }
        };
        for bad in parsed.bad_lines.iter().take(BAD_LINES_SHOWN) {
            self.progress
                .line(&format!("{}:{}: {}", path.display(), bad.line, bad.problem));
        }
        if parsed.bad_count > BAD_LINES_SHOWN {
            let more = parsed.bad_count - BAD_LINES_SHOWN;
            self.progress
                .line(&format!("{}: {more} more bad lines", path.display()));
        }
        let mut report = FileReport::of(path, &parsed);
        let share = Share {
            bytes,
            points: parsed.points(),
        };
        if share.points == 0 {
            self.progress.advance(bytes, 0);
        }
        let chains = batch::chains(parsed.metrics);
        let results: Vec<Result<_, ClientError>> = stream::iter(chains)
            .map(|chain| self.chain(chain, share))
            .buffer_unordered(REQUESTS_IN_FLIGHT)
            .collect()
            .await;
        for result in results {
            match result {
                Ok(sent) => report.add(&sent),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    self.progress.line(&format!("{}: {error}", path.display()));
                    report.incomplete = true;
                }
            }
        }
        self.progress.file_done(&report.summary());
        Ok(report)
    }

    async fn parse(&self, path: &Path) -> Result<ParsedFile, FileError> {
        let (owned, unit) = (path.to_owned(), self.epoch_unit);
        let parsed =
            tokio::task::spawn_blocking(move || file::read(&owned, unit, BAD_LINES_SHOWN)).await;
        parsed.expect("reading a file does not panic")
    }

    /// Sends the batches of a chain, each after the one before was accepted.
    async fn chain(&self, chain: Chain, share: Share) -> Result<Sent, ClientError> {
        let mut sent = Sent::default();
        for batch in chain {
            let permit = self
                .requests
                .acquire()
                .await
                .expect("the semaphore is never closed");
            let reply = self.client.send(&batch).await?;
            drop(permit);
            sent.accepted += reply.accepted;
            for (reason, points) in reply.rejected {
                *sent.rejected.entry(reason).or_default() += points;
            }
            self.progress
                .advance(share.bytes_of(&batch), batch.points());
        }
        Ok(sent)
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
