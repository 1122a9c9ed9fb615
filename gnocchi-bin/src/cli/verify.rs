//! `gnocchi verify`: reads everything that is stored and checks that it is intact.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use carbonara::block::BlockKey;
use carbonara::codec::{self, DecodeError};
use carbonara::{Timespan, Timestamp};
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use gnocchi_core::Drivers;
use gnocchi_core::driver::{StorageDriver, StoredFrame, Stream};
use gnocchi_core::model::MetricId;
use gnocchi_drivers::embedded::Store;
use gnocchi_drivers::sql::SqlIndexer;
use thiserror::Error;

use super::Failure;
use super::progress::{Progress, Unit};
use crate::causes::with_causes;

/// How many metrics are listed at a time.
const METRICS_PER_PAGE: usize = 1000;

/// How many bytes of frames are decoded in one piece of work beside the runtime.
const BYTES_PER_CHECK: usize = 4 << 20;

/// Checks a data directory: that every frame and every pending measure decodes, and that the database of the indexer is sound.
///
/// No server may run on the directory, and it must be writable: opening it replays the journal of an interrupted run, as the start
/// of a server does. Nothing else in it is changed. A damaged entry of the log of pending measures stops the opening with an error
/// that names it. The exit status is 0 when everything is intact, else 1.
#[derive(Debug, Clone, Args)]
pub(super) struct VerifyArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "gnocchi-data")]
    data_dir: PathBuf,
}

/// Checks a data directory and prints what is damaged.
///
/// # Errors
/// [`Failure`] when the directory cannot be opened or the table cannot be printed.
pub(super) async fn run(arguments: VerifyArgs) -> Result<ExitCode, Failure> {
    let store = Store::open_for_inspection(&arguments.data_dir).await?;
    let report = check(store.drivers()).await?;
    let indexer = check_indexer(store.indexer()).await;
    store.close().await;
    let mut out = io::stdout().lock();
    if !report.damage.is_empty() || !indexer.is_empty() {
        writeln!(out, "{}", table(report.damage.iter().chain(&indexer)))?;
    }
    writeln!(out, "{}: {}", report.summary(), verdict(&report.damage))?;
    writeln!(out, "indexer: {}", verdict(&indexer))?;
    Ok(if report.damage.is_empty() && indexer.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn verdict(damage: &[Damage]) -> String {
    match damage.len() {
        0 => "no damage".into(),
        count => format!("{count} damaged"),
    }
}

/// Looks for damage in the database of the indexer. That it cannot be looked at is damage, too.
async fn check_indexer(indexer: &SqlIndexer) -> Vec<Damage> {
    let problems = match indexer.check_integrity().await {
        Ok(problems) => problems,
        Err(error) => vec![with_causes(&error)],
    };
    let damage = |problem| Damage {
        place: Place::Indexer,
        problem,
    };
    problems.into_iter().map(damage).collect()
}

/// One thing that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Damage {
    place: Place,
    problem: String,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A frame.
    Frame {
        metric: MetricId,
        stream: Stream,
        block: u64,
        sequence: u64,
    },
    /// All frames of a metric.
    Metric(MetricId),
    /// Pending measures of a sack.
    Pending { sack: u16 },
    /// The database of the indexer.
    Indexer,
}

/// What was read.
#[derive(Debug, Default)]
struct Report {
    metrics: usize,
    frames: usize,
    bytes: usize,
    pending_points: usize,
    damage: Vec<Damage>,
}

impl Report {
    fn summary(&self) -> String {
        let Self {
            metrics,
            frames,
            bytes,
            pending_points,
            ..
        } = self;
        format!(
            "{metrics} metrics, {frames} frames, {bytes} bytes, {pending_points} pending points"
        )
    }
}

async fn check(drivers: &Drivers) -> Result<Report, Failure> {
    let mut report = Report::default();
    check_pending(drivers, &mut report).await;
    let metrics = all_metrics(&*drivers.storage).await?;
    let progress = Progress::new(
        Unit::Frames,
        u64::try_from(metrics.len()).unwrap_or(u64::MAX),
    );
    report.metrics = metrics.len();
    let mut waiting = Vec::new();
    let mut waiting_bytes = 0;
    for metric in metrics {
        match drivers.storage.frames(metric).await {
            Ok(frames) => {
                report.frames += frames.len();
                waiting_bytes += frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
                progress.advance(1, frames.len());
                waiting.push((metric, frames));
            }
            Err(error) => {
                progress.advance(1, 0);
                report.damage.push(Damage {
                    place: Place::Metric(metric),
                    problem: with_causes(&error),
                });
            }
        }
        if waiting_bytes >= BYTES_PER_CHECK {
            report.bytes += std::mem::take(&mut waiting_bytes);
            report
                .damage
                .extend(damage_in(std::mem::take(&mut waiting)).await);
        }
    }
    report.bytes += waiting_bytes;
    report.damage.extend(damage_in(waiting).await);
    progress.finish();
    Ok(report)
}

/// Claims what waits, without acknowledging it: that changes nothing.
async fn check_pending(drivers: &Drivers, report: &mut Report) {
    for sack in drivers.incoming.sacks().sacks() {
        match drivers.incoming.claim(sack, usize::MAX).await {
            Ok(claim) => report.pending_points += claim.points(),
            Err(error) => {
                let place = Place::Pending {
                    sack: sack.number(),
                };
                report.damage.push(Damage {
                    place,
                    problem: with_causes(&error),
                });
            }
        }
    }
}

async fn all_metrics(storage: &dyn StorageDriver) -> Result<Vec<MetricId>, Failure> {
    let mut metrics: Vec<MetricId> = Vec::new();
    loop {
        let page = storage
            .metrics(metrics.last().copied(), METRICS_PER_PAGE)
            .await
            .map_err(|error| Failure::Tool(error.into()))?;
        if page.is_empty() {
            return Ok(metrics);
        }
        metrics.extend(page);
    }
}

async fn damage_in(frames: Vec<(MetricId, Vec<StoredFrame>)>) -> Vec<Damage> {
    let work = move || {
        let all = frames
            .iter()
            .flat_map(|(metric, frames)| frames.iter().map(move |frame| (*metric, frame)));
        all.filter_map(|(metric, frame)| damage_of(metric, frame))
            .collect()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(damage) => damage,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

/// What is wrong with the bytes of a frame.
#[derive(Debug, Error)]
enum FrameDamage {
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    #[error("it contains aggregates of another granularity")]
    Granularity,
    #[error("it contains aggregates of another block")]
    Block,
}

fn damage_of(metric: MetricId, frame: &StoredFrame) -> Option<Damage> {
    let result = match frame.key.stream {
        Stream::Window => codec::points::decode_all(&frame.bytes)
            .map(|_| ())
            .map_err(FrameDamage::from),
        Stream::Level(_) => check_level(frame),
    };
    result.err().map(|problem| Damage {
        place: place_of(metric, frame),
        problem: problem.to_string(),
    })
}

fn place_of(metric: MetricId, frame: &StoredFrame) -> Place {
    let key = frame.key;
    Place::Frame {
        metric,
        stream: key.stream,
        block: key.block,
        sequence: key.sequence,
    }
}

fn check_level(frame: &StoredFrame) -> Result<(), FrameDamage> {
    for rows in codec::frame::decode_all(&frame.bytes)? {
        if Stream::Level(rows.granularity()) != frame.key.stream {
            return Err(FrameDamage::Granularity);
        }
        let number = i64::try_from(frame.key.block).map_err(|_| FrameDamage::Block)?;
        let block = BlockKey {
            granularity: rows.granularity(),
            number,
        };
        let buckets = block.first_bucket()..block.end_bucket();
        if rows
            .buckets()
            .iter()
            .any(|bucket| !buckets.contains(bucket))
        {
            return Err(FrameDamage::Block);
        }
    }
    Ok(())
}

fn table<'a>(damage: impl Iterator<Item = &'a Damage>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "metric",
        "stream",
        "block",
        "begins at",
        "commit",
        "problem",
    ]);
    for one in damage {
        let cells = one.place.cells();
        table.add_row(cells.iter().chain([&one.problem]));
    }
    table
}

impl Place {
    /// Returns the cells that say where this is: metric, stream, block, its first timestamp, commit.
    fn cells(&self) -> [String; 5] {
        let mut cells: [String; 5] = Default::default();
        match *self {
            Self::Pending { sack } => cells[1] = format!("pending, sack {sack}"),
            Self::Indexer => cells[1] = "indexer".into(),
            Self::Metric(metric) => {
                cells[0] = metric.to_string();
                cells[1] = "all".into();
            }
            Self::Frame {
                metric,
                stream,
                block,
                sequence,
            } => {
                cells[0] = metric.to_string();
                cells[2] = block.to_string();
                cells[4] = sequence.to_string();
                match stream {
                    Stream::Window => cells[1] = "window".into(),
                    Stream::Level(granularity) => {
                        cells[1] = format!("{} s", granularity.as_second_f64());
                        cells[3] = block_start(granularity, block)
                            .map(|begin| begin.to_string())
                            .unwrap_or_default();
                    }
                }
            }
        }
        cells
    }
}

/// Returns when the first bucket of a block begins.
fn block_start(granularity: Timespan, block: u64) -> Option<Timestamp> {
    let block = BlockKey {
        granularity,
        number: i64::try_from(block).ok()?,
    };
    Timestamp::from_nanosecond(
        granularity
            .as_nanosecond()
            .checked_mul(block.first_bucket())?,
    )
    .ok()
}
