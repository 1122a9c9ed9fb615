//! One CSV file: what its first lines say of its form, and its measures, piece by piece.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use super::columns::{Values, metric_name_problem};
use super::form::{FileOptions, Form, StoredLine};
use super::line::Lines;
use super::piece::{Gathered, Piece};
use super::record::Record;
use super::source::{self, Source};
use super::timestamp::TimestampReader;

/// How many lines are looked at before the first one is read, to find out how they are written.
const LINES_LOOKED_AT: usize = 1000;

/// How many bytes of them.
const BYTES_LOOKED_AT: usize = 1 << 20;

/// How many points are held at once: files of up to so many are sorted as a whole, longer ones piece by piece. Their columns
/// take 64 MB, sorting them as much again.
const POINTS_PER_PIECE: usize = 4 << 20;

/// A file that cannot be imported, or not further.
#[derive(Debug, Error)]
pub(super) enum FileError {
    /// It cannot be read.
    #[error("{}: cannot read the file: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not known which columns hold what, or how they are separated.
    #[error("{}:{line}: {problem}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line that shows it.
        line: u64,
        /// What is missing or ambiguous.
        problem: String,
    },
}

/// Returns the name that the metric of a file has: its name without the extensions. A slash cannot occur.
pub(super) fn metric_name(path: &Path) -> String {
    let unpacked = match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => path.with_extension(""),
        _ => path.to_owned(),
    };
    unpacked
        .file_stem()
        .unwrap_or(unpacked.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// What can be told of a file without reading it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Glimpse {
    /// Whether it may hold several metrics.
    pub(super) has_several_metrics: bool,
    /// The timestamp of its first measure, in nanoseconds.
    pub(super) first_ns: Option<i64>,
}

/// Looks at the first lines of a file. Of an unreadable file nothing can be told; reading it later says why. What can be read
/// only once, such as a pipe, is left alone.
pub(super) fn glimpse(path: &Path, options: &FileOptions) -> Glimpse {
    let is_read_once = path.metadata().is_ok_and(|found| !found.is_file());
    if source::is_standard_input(path) || is_read_once {
        return Glimpse {
            has_several_metrics: true,
            first_ns: None,
        };
    }
    let Ok(mut file) = FileReader::open(path, options, 0) else {
        return Glimpse::default();
    };
    Glimpse {
        has_several_metrics: file.form.layout.has_several_metrics(),
        first_ns: file.first_ns(),
    }
}

/// A file that is being read.
pub(super) struct FileReader {
    path: PathBuf,
    lines: Lines<Box<dyn BufRead + Send>>,
    /// The lines that were looked at and are still to be read, the next one last.
    looked_at: Vec<StoredLine>,
    bytes_read: Arc<AtomicU64>,
    /// How many of them belong to earlier pieces.
    bytes_reported: u64,
    form: Form,
    record: Record,
    timestamps: TimestampReader,
    file_metric: Arc<str>,
    points_per_piece: usize,
    /// How many more bad cells are described.
    bad_lines_left: usize,
    /// The newest timestamp of earlier pieces.
    newest_ns: Option<i64>,
    is_at_end: bool,
}

impl FileReader {
    /// Opens a file and looks at its first lines; the first `bad_lines_max` bad cells are described.
    ///
    /// # Errors
    /// [`FileError`] when the file cannot be read, or does not show what its columns are.
    pub(super) fn open(
        path: &Path,
        options: &FileOptions,
        bad_lines_max: usize,
    ) -> Result<Self, FileError> {
        let unreadable = |source| FileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let Source { text, bytes_read } = source::open(path).map_err(unreadable)?;
        let mut lines = Lines::new(text);
        let mut looked_at = Vec::new();
        let mut bytes = 0;
        while looked_at.len() < LINES_LOOKED_AT
            && bytes < BYTES_LOOKED_AT
            && let Some((number, line)) = lines.next().map_err(unreadable)?
        {
            bytes += line.as_ref().map_or(0, |text| text.len());
            looked_at.push((number, line.map(ToOwned::to_owned)));
        }
        let found = Form::find(&mut looked_at, options);
        let form = found.map_err(|(line, problem)| FileError::Form {
            path: path.to_owned(),
            line,
            problem,
        })?;
        looked_at.reverse();
        let of_form = |problem| FileError::Form {
            path: path.to_owned(),
            line: 1,
            problem,
        };
        let file_metric = match &options.metric {
            Some(name) => name.clone(),
            None => metric_name(path),
        };
        if let Values::OfFile(_) = form.layout.values {
            // Shells call pipes of their own `/dev/fd/63`.
            let is_nameless = source::is_standard_input(path)
                || path.starts_with("/dev")
                || path.starts_with("/proc");
            if options.metric.is_none() && is_nameless {
                return Err(of_form(
                    "this input has no name that its metric could have; see --metric".into(),
                ));
            }
            if let Some(problem) = metric_name_problem(&file_metric) {
                return Err(of_form(format!(
                    "the metric of the file cannot be created: {problem}"
                )));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            lines,
            looked_at,
            bytes_read,
            bytes_reported: 0,
            form,
            record: Record::default(),
            timestamps: TimestampReader::new(options.timestamps.clone()),
            file_metric: file_metric.into(),
            points_per_piece: POINTS_PER_PIECE,
            bad_lines_left: bad_lines_max,
            newest_ns: None,
            is_at_end: false,
        })
    }

    /// Reads the next piece; `None` at the end of the file. The first piece is there even when it is empty.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] when reading fails; what was read before it is lost.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>, FileError> {
        if self.is_at_end {
            return Ok(None);
        }
        let mut gathered = Gathered::new(&self.form.layout, &self.file_metric);
        while gathered.weight < self.points_per_piece {
            let looked_at = self.looked_at.pop();
            let next = match &looked_at {
                Some((number, line)) => Some((*number, line.as_deref().map_err(String::clone))),
                None => (self.lines.next()).map_err(|source| FileError::Unreadable {
                    path: self.path.clone(),
                    source,
                })?,
            };
            let Some((number, line)) = next else {
                self.is_at_end = true;
                break;
            };
            self.form.read(
                number,
                line,
                &mut self.record,
                &mut self.timestamps,
                &mut gathered,
            );
            gathered.keep_bad_lines(self.bad_lines_left);
        }
        self.bad_lines_left -= gathered.bad_lines.len();
        let mut piece = gathered.finish();
        let first = piece
            .metrics
            .iter()
            .filter_map(|(_, series)| series.timestamps_ns().first());
        let last = piece
            .metrics
            .iter()
            .filter_map(|(_, series)| series.timestamps_ns().last());
        piece.goes_back = first
            .min()
            .is_some_and(|first| self.newest_ns.is_some_and(|newest| *first < newest));
        self.newest_ns = self.newest_ns.max(last.max().copied());
        let bytes = self.bytes_read.load(Ordering::Relaxed);
        piece.bytes = bytes - self.bytes_reported;
        self.bytes_reported = bytes;
        Ok(Some(piece))
    }

    /// Returns whether nothing is left to read.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Returns the timestamp of the first measure among the lines that were looked at.
    fn first_ns(&mut self) -> Option<i64> {
        let column = self.form.layout.timestamp;
        let delimiter = self.form.delimiter.byte();
        self.looked_at.iter().rev().find_map(|(_, line)| {
            self.record.split(line.as_deref().ok()?, delimiter).ok()?;
            let timestamp = self.timestamps.read(self.record.get(column)?).ok()?;
            Some(timestamp.as_nanosecond())
        })
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
