//! `gnocchi repair`: saves what is readable of a damaged data directory into a new one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use gnocchi_drivers::embedded::{self, MetricReport, RepairReport, StoreFiles};

use super::Failure;
use super::verify::{beside_the_runtime, check_frame};

/// The exit status when something could not be saved.
const INCOMPLETE: u8 = 1;

/// Save the readable data of a damaged data directory into a new one.
///
/// Nothing in the damaged directory is changed, and nothing is invented: damaged data is left out and named. No server may run on
/// the directory. The report in the new directory has a line for each metric; metrics with losses are also printed.
/// The exit status is 0 if everything was saved, 1 if something was not, and 2 if nothing could be saved.
#[derive(Debug, Clone, Args)]
pub(super) struct RepairArgs {
    /// The damaged data directory.
    #[arg(value_name = "DIR")]
    damaged: PathBuf,
    /// The new data directory; it must be empty or not exist.
    #[arg(value_name = "NEW_DIR")]
    new: PathBuf,
}

/// The name of the report in the new directory.
const REPORT_FILE: &str = "repair-report.csv";

/// Saves what is readable and prints what was not saved.
///
/// # Errors
/// [`Failure`] when the directories cannot be used or the report cannot be written.
pub(super) async fn run(arguments: RepairArgs) -> Result<ExitCode, Failure> {
    let RepairArgs { damaged, new } = arguments;
    let files = beside_the_runtime(move || StoreFiles::look(&damaged)).await?;
    let report = embedded::repair(files, &new, |frame| {
        check_frame(frame).map_err(|problem| problem.to_string())
    })
    .await?;
    let file = new.join(REPORT_FILE);
    write_file(&report, &file)?;
    let mut out = io::stdout().lock();
    for line in report.general.iter().chain(&report.remarks) {
        writeln!(out, "{line}")?;
    }
    for line in &report.indexer {
        writeln!(out, "indexer: {line}")?;
    }
    if let Some(table) = table(&report) {
        writeln!(out, "{table}")?;
    }
    writeln!(out, "{}", summary(&report))?;
    writeln!(out, "every metric has a line in {}", file.display())?;
    Ok(if report.is_complete() {
        ExitCode::SUCCESS
    } else {
        INCOMPLETE.into()
    })
}

fn summary(report: &RepairReport) -> String {
    let metrics = report.metrics.values();
    let (mut frames, mut pending, mut damaged, mut unknown) = (0, 0, 0, 0);
    for metric in metrics {
        frames += metric.frames;
        pending += metric.pending_points;
        damaged += usize::from(!metric.losses.is_empty());
        unknown += usize::from(!metric.is_known);
    }
    format!(
        "saved: {} metrics, {frames} frames, {pending} pending points; {damaged} metrics lost something, {unknown} are unknown to the indexer",
        report.metrics.len()
    )
}

/// Makes a table of the metrics that lost something; `None` when there is none.
fn table(report: &RepairReport) -> Option<Table> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "metric",
        "frames saved",
        "pending points saved",
        "not saved",
    ]);
    for (id, metric) in &report.metrics {
        let mut losses = metric.losses.clone();
        if !metric.is_known {
            losses.push("the indexer does not know it: nothing leads to what was saved".to_owned());
        }
        if !losses.is_empty() {
            table.add_row([
                id.to_string(),
                metric.frames.to_string(),
                metric.pending_points.to_string(),
                losses.join("\n"),
            ]);
        }
    }
    (table.row_count() > 0).then_some(table)
}

fn write_file(report: &RepairReport, path: &Path) -> io::Result<()> {
    let mut writer = BufWriter::new(File::create_new(path)?);
    writeln!(writer, "metric,known,frames,pending_points,not_saved")?;
    for (id, metric) in &report.metrics {
        let MetricReport {
            is_known,
            frames,
            pending_points,
            losses,
        } = metric;
        let losses = quoted(&losses.join("; "));
        writeln!(writer, "{id},{is_known},{frames},{pending_points},{losses}")?;
    }
    writer.into_inner()?.sync_all()
}

/// Writes a text as a field of a CSV file: it may hold commas, quotation marks and line ends.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
