//! One run: files, pieces, batches, and what is told of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;

use super::Outcome;
use super::advice::{self, Explained, TOO_LATE, TooLate};
use super::arguments::ImportArgs;
use super::batch::{self, Batch, Chain};
use super::client::{Client, ClientError, Target};
use super::credentials::Credentials;
use super::file::{self, FileError, FileReader};
use super::form::FileOptions;
use super::piece::Piece;
use super::report::{FileProgress, FileReport, Report, Taken};
use super::source::is_standard_input;
use crate::cli::Failure;
use crate::cli::progress::{Progress, Unit};

/// How many requests may be under way at a time; more only wait inside the server.
const REQUESTS_IN_FLIGHT: usize = 8;

/// How many files are read and sent at a time.
const FILES_IN_FLIGHT: usize = 4;

/// The most bad cells of one file that are shown one by one; all of their lines are counted.
const BAD_LINES_SHOWN: usize = 20;

/// The most refused requests of one file that are shown one by one; the table counts all of their points.
const REFUSALS_SHOWN: usize = 20;

/// The most metrics of another archive policy than the one of --policy that are named.
const OTHER_POLICIES_SHOWN: usize = 5;

/// Runs the import and prints its table.
///
/// # Errors
/// [`Failure`] when the server cannot be reached or refuses to create the resource, or the table cannot be printed. What ends an
/// import half way is an error after the table is printed.
pub(in crate::cli) async fn run(arguments: ImportArgs) -> Result<Outcome, Failure> {
    let options = arguments.file_options();
    check_files(&arguments.files, &options)?;
    let target = Target {
        resource: arguments.resource,
        policy: arguments.policy,
        create: arguments.create,
    };
    let variable = |name: &str| env::var(name).ok();
    let credentials = Credentials::of(&arguments.server, variable).map_err(ClientError::from)?;
    let client = Client::new(&arguments.server, credentials, target)?;
    client.prepare().await?;

    let progress = Progress::new(Unit::Points, total_bytes(&arguments.files));
    let import = Import {
        client,
        progress,
        options,
        requests: Semaphore::new(REQUESTS_IN_FLIGHT),
        fatal: OnceLock::new(),
        other_policies: Mutex::default(),
    };
    let report = import.files(&arguments.files).await;
    import.progress.finish();
    writeln!(io::stdout(), "{}", report.table())?;
    if let Some(error) = import.fatal.into_inner() {
        return Err(error.into());
    }
    if let Some(late) = report.too_late() {
        explain(&import.client, &late).await;
    }
    Ok(if report.is_complete() {
        Outcome::Complete
    } else {
        Outcome::Incomplete
    })
}

/// Makes sure that files and options go together.
fn check_files(files: &[PathBuf], options: &FileOptions) -> Result<(), Failure> {
    let refuse = |problem: &str| Err(Failure::Tool(problem.into()));
    let inputs = files.iter().filter(|file| is_standard_input(file)).count();
    if inputs > 1 {
        return refuse("the standard input (-) can be read only once");
    }
    if options.metric.is_some() && files.len() > 1 {
        return refuse("--metric names the metric of one file, and several are given");
    }
    Ok(())
}

fn total_bytes(files: &[PathBuf]) -> u64 {
    files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// Says why points were too old, and what can be done.
async fn explain(client: &Client, late: &TooLate) {
    let explained = explanation(client, late).await;
    eprintln!(
        "{}",
        advice::about(late, explained.as_ref(), client.target())
    );
}

async fn explanation<'a>(client: &Client, late: &'a TooLate) -> Option<Explained<'a>> {
    let metric = client.metric(&late.metric).await?;
    let name = metric.name.clone()?;
    let span = late.sent.iter().find(|span| *span.metric == *name)?;
    let window = client.window(&late.metric, metric, span.newest_ns).await?;
    Some(Explained { span, window })
}

/// One run.
struct Import {
    client: Client,
    progress: Progress,
    options: FileOptions,
    requests: Semaphore,
    /// The first error that makes all further calls pointless.
    fatal: OnceLock<ClientError>,
    /// Metrics that were said to have another archive policy than the one that was named.
    other_policies: Mutex<BTreeSet<String>>,
}

impl Import {
    async fn files(&self, files: &[PathBuf]) -> Report {
        let done: Vec<Vec<(usize, FileReport)>> = stream::iter(self.queues(files).await)
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
        let mut report = FileReport::new(path);
        if self.is_over() {
            return report.ended(FileProgress::Untouched);
        }
        let (owned, options) = (path.to_owned(), self.options.clone());
        let open = move || FileReader::open(&owned, &options, BAD_LINES_SHOWN);
        let mut reader = match aside(open).await {
            Ok(reader) => reader,
            Err(error) => return self.unreadable(report, &error),
        };
        let mut told = Told::default();
        loop {
            let read = move || {
                let piece = reader.next_piece();
                (reader, piece)
            };
            let piece;
            (reader, piece) = aside(read).await;
            match piece {
                Ok(Some(piece)) => {
                    report.add_piece(&piece);
                    self.piece(path, piece, &mut report, &mut told).await;
                }
                Ok(None) => break,
                Err(error) => return self.unreadable(report, &error),
            }
            if self.is_over() {
                let is_read = reader.is_at_end();
                let progress = if is_read {
                    FileProgress::Read
                } else {
                    FileProgress::Partial
                };
                return report.ended(progress);
            }
        }
        self.tell_more(path, told.bad, told.bad_shown, "bad lines");
        self.tell_more(path, told.refusals, REFUSALS_SHOWN, "refused requests");
        self.progress.file_done(&report.summary());
        report
    }

    fn unreadable(&self, report: FileReport, error: &FileError) -> FileReport {
        self.progress.line(&error.to_string());
        report.ended(FileProgress::Unreadable)
    }

    /// Sends one piece of a file.
    async fn piece(&self, path: &Path, piece: Piece, report: &mut FileReport, told: &mut Told) {
        for bad in &piece.bad_lines {
            self.progress
                .line(&format!("{}:{}: {}", path.display(), bad.line, bad.problem));
        }
        told.bad += piece.counts.bad;
        told.bad_shown += piece.bad_lines.len();
        let share = Share {
            bytes: piece.bytes,
            points: piece.counts.points,
        };
        if share.points == 0 {
            self.progress.advance(share.bytes, 0);
        }
        let goes_back = piece.goes_back;
        let mut results = stream::iter(batch::chains(piece.metrics))
            .map(|chain| self.chain(chain, share))
            .buffer_unordered(REQUESTS_IN_FLIGHT);
        while let Some(sent) = results.next().await {
            report.add(&sent.taken);
            if let Some(late) = sent.too_late {
                report.note_too_late(TooLate {
                    file: path.to_owned(),
                    goes_back,
                    ..late
                });
            }
            for refusal in &sent.refused {
                told.refusals += 1;
                if told.refusals <= REFUSALS_SHOWN {
                    self.progress
                        .line(&format!("{}: {refusal}", path.display()));
                }
            }
        }
    }

    fn tell_more(&self, path: &Path, count: usize, shown: usize, what: &str) {
        if count > shown {
            let more = count - shown;
            self.progress
                .line(&format!("{}: {more} more {what}", path.display()));
        }
    }

    /// Returns whether further calls are pointless.
    fn is_over(&self) -> bool {
        self.fatal.get().is_some()
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
            let result = self.send(&batch).await;
            drop(permit);
            match result {
                Ok(taken) => {
                    sent.note_too_late(&batch, &taken);
                    sent.taken.add(taken);
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

    /// Sends one batch, and says once which metrics keep another archive policy than the one that was named.
    async fn send(&self, batch: &Batch) -> Result<Taken, ClientError> {
        let others = &self.client.find_resource().await?.of_other_policies;
        if !others.is_empty() {
            let met = batch
                .spans()
                .filter_map(|span| others.get_key_value(&*span.metric));
            self.note_other_policies(met);
        }
        self.client.send(batch).await
    }

    fn note_other_policies<'a>(&self, met: impl Iterator<Item = (&'a String, &'a String)>) {
        let mut told = self
            .other_policies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (metric, policy) in met {
            if told.len() > OTHER_POLICIES_SHOWN || !told.insert(metric.clone()) {
                continue;
            }
            if told.len() > OTHER_POLICIES_SHOWN {
                self.progress
                    .line("further metrics exist with other archive policies, which they keep");
            } else {
                self.progress.line(&format!(
                    "metric {metric} exists with archive policy {policy}, which it keeps: --policy is for metrics that are created"
                ));
            }
        }
    }

    /// Divides files into queues: those that may hold points of the same metric are in one queue, the one that begins first at
    /// its head.
    async fn queues(&self, files: &[PathBuf]) -> Vec<Vec<(usize, Arc<Path>)>> {
        let (owned, options) = (files.to_vec(), self.options.clone());
        let glimpse_at = move || -> Vec<_> {
            let glimpses = owned.iter().map(|path| file::glimpse(path, &options));
            glimpses.collect()
        };
        let glimpses = aside(glimpse_at).await;
        let mut queues: BTreeMap<QueueKey, Vec<_>> = BTreeMap::new();
        for (index, (path, glimpse)) in files.iter().zip(glimpses).enumerate() {
            let key = if glimpse.has_several_metrics {
                QueueKey::SeveralMetrics
            } else {
                QueueKey::Named(file::metric_name(path))
            };
            let item = (glimpse.first_ns, index, Arc::from(path.as_path()));
            queues.entry(key).or_default().push(item);
        }
        queues
            .into_values()
            .map(|mut queue| {
                // Files whose beginning is not known come last.
                queue.sort_by_key(|(first_ns, ..)| first_ns.unwrap_or(i64::MAX));
                queue
                    .into_iter()
                    .map(|(_, index, path)| (index, path))
                    .collect()
            })
            .collect()
    }
}

/// What was told of one file so far.
#[derive(Debug, Default)]
struct Told {
    bad: usize,
    bad_shown: usize,
    refusals: usize,
}

/// How much of the progress some points make up.
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
    taken: Taken,
    /// Why batches were refused as a whole.
    refused: Vec<String>,
    too_late: Option<TooLate>,
}

impl Sent {
    fn note_too_late(&mut self, batch: &Batch, taken: &Taken) {
        let points = taken.rejected.get(TOO_LATE).copied().unwrap_or_default();
        let Some(metric) = taken.late_metrics.first() else {
            return;
        };
        let late = self.too_late.get_or_insert_with(|| TooLate {
            file: PathBuf::new(),
            metric: metric.clone(),
            sent: batch.spans().collect(),
            points: 0,
            goes_back: false,
        });
        late.points += points;
    }
}

/// Runs what reads files beside the runtime.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("reading a file does not panic")
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum QueueKey {
    Named(String),
    SeveralMetrics,
}
