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
use gnocchi_core::driver::{StoredFrame, Stream};
use gnocchi_core::model::MetricId;
use gnocchi_drivers::embedded::{self, FoundFrame, StoreError, StoreFiles};
use thiserror::Error;

use super::Failure;
use super::progress::{Progress, Unit};
use crate::causes::with_causes;

/// The exit status when something is damaged.
const DAMAGED: u8 = 1;

/// Check that a data directory is intact.
///
/// Verifies the checksum of every file, decodes every frame and every pending measure, and checks that all parts belong to one store
/// and that the database of the indexer is consistent.
///
/// Nothing is changed, and the directory may be read-only. A server may run on it; the database of the indexer is then copied to the
/// directory for temporary files (TMPDIR) first. The exit status is 0 if everything is intact, 1 if something is damaged, and 2
/// if the directory cannot be read.
#[derive(Debug, Clone, Args)]
pub(super) struct VerifyArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "gnocchi-data")]
    data_dir: PathBuf,
}

/// Checks a data directory and prints what is damaged.
///
/// # Errors
/// [`Failure`] when the directory cannot be read or the table cannot be printed.
pub(super) async fn run(arguments: VerifyArgs) -> Result<ExitCode, Failure> {
    let (files, report) = beside_the_runtime(move || {
        let files = StoreFiles::look(&arguments.data_dir)?;
        let report = check(&files)?;
        Ok((files, report))
    })
    .await?;
    let mut damage = report.damage.clone();
    damage.extend(
        files
            .check_identity()
            .await?
            .into_iter()
            .map(Damage::of_file),
    );
    let indexer = check_indexer(&files).await;
    let mut out = io::stdout().lock();
    if !damage.is_empty() || !indexer.is_empty() {
        writeln!(out, "{}", table(damage.iter().chain(&indexer)))?;
    }
    for write in files.interrupted_writes() {
        let acknowledged = if write.is_unacknowledged {
            "nothing of it was acknowledged"
        } else {
            "without the index of the log (-shm) it is not known whether it was acknowledged"
        };
        writeln!(
            out,
            "{} ends with {} bytes, from byte {} on, of an unfinished write; {acknowledged}; the next start keeps it aside",
            write.journal.display(),
            write.bytes,
            write.offset
        )?;
    }
    writeln!(out, "{}: {}", report.summary(), verdict(&damage))?;
    writeln!(out, "indexer: {}", verdict(&indexer))?;
    Ok(if damage.is_empty() && indexer.is_empty() {
        ExitCode::SUCCESS
    } else {
        DAMAGED.into()
    })
}

/// Runs work that waits for files and computes.
pub(super) async fn beside_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

fn verdict(damage: &[Damage]) -> String {
    match damage.len() {
        0 => "no damage".into(),
        count => format!("{count} damaged"),
    }
}

/// Looks for damage in the database of the indexer. That it cannot be looked at is damage, too.
async fn check_indexer(files: &StoreFiles) -> Vec<Damage> {
    let problems = match files.check_indexer().await {
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

impl Damage {
    fn of_file(damage: embedded::Damage) -> Self {
        Self {
            place: Place::File {
                file: damage.file,
                offset: damage.offset,
            },
            problem: damage.problem,
        }
    }
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A file, and where in it, if that is known.
    File { file: PathBuf, offset: Option<u64> },
    /// A frame, and the block or batch of a file that it is in.
    Frame {
        metric: MetricId,
        stream: Stream,
        block: u64,
        sequence: u64,
        file: PathBuf,
        offset: u64,
    },
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

fn check(files: &StoreFiles) -> Result<Report, StoreError> {
    let mut report = Report::default();
    // Each table is read twice: its bytes, then what they mean.
    let tables = u64::try_from(files.tables()).unwrap_or(u64::MAX);
    let progress = Progress::new(Unit::Frames, tables.saturating_mul(2));
    let mut damage = [files.damage(), files.harmless_damage()].concat();
    damage.extend(files.check_tables(|| progress.advance(1, 0))?);
    let records = files.records()?;
    report.pending_points = records.pending_points;
    damage.extend(records.damage);
    let mut last_metric = None;
    let mut broken_frames = Vec::new();
    damage.extend(files.frames(|found| {
        report.metrics += usize::from(last_metric.replace(found.metric) != Some(found.metric));
        report.frames += 1;
        report.bytes += found.frame.bytes.len();
        progress.advance(0, 1);
        broken_frames.extend(damage_of(&found));
    })?);
    progress.finish();
    damage.sort();
    damage.dedup();
    report.damage = damage.into_iter().map(Damage::of_file).collect();
    report.damage.append(&mut broken_frames);
    Ok(report)
}

/// What is wrong with the bytes of a frame.
#[derive(Debug, Error)]
pub(super) enum FrameDamage {
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    #[error("it contains aggregates of another granularity")]
    Granularity,
    #[error("it contains aggregates of another block")]
    Block,
}

/// Checks that the bytes of a frame are what its key says.
pub(super) fn check_frame(frame: &StoredFrame) -> Result<(), FrameDamage> {
    match frame.key.stream {
        Stream::Window => Ok(codec::points::decode_all(&frame.bytes).map(drop)?),
        Stream::Level(_) => check_level(frame),
    }
}

fn damage_of(found: &FoundFrame) -> Option<Damage> {
    let problem = check_frame(&found.frame).err()?;
    let key = found.frame.key;
    Some(Damage {
        place: Place::Frame {
            metric: found.metric,
            stream: key.stream,
            block: key.block,
            sequence: key.sequence,
            file: found.file.clone(),
            offset: found.offset,
        },
        problem: problem.to_string(),
    })
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
        "file",
        "byte",
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
    /// Returns the cells that say where this is: file, byte, metric, stream, block, its first timestamp, commit.
    fn cells(&self) -> [String; 7] {
        let mut cells: [String; 7] = Default::default();
        match self {
            Self::File { file, offset } => {
                cells[0] = file.display().to_string();
                cells[1] = offset.map(|offset| offset.to_string()).unwrap_or_default();
            }
            Self::Indexer => cells[0] = "indexer".into(),
            Self::Frame {
                metric,
                stream,
                block,
                sequence,
                file,
                offset,
            } => {
                cells[0] = file.display().to_string();
                cells[1] = offset.to_string();
                cells[2] = metric.to_string();
                cells[4] = block.to_string();
                cells[6] = sequence.to_string();
                match stream {
                    Stream::Window => cells[3] = "window".into(),
                    Stream::Level(granularity) => {
                        cells[3] = format!("{} s", granularity.as_second_f64());
                        cells[5] = block_start(*granularity, *block)
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
pub(super) fn block_start(granularity: Timespan, block: u64) -> Option<Timestamp> {
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
