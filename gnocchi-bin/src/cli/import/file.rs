//! One CSV file: columns, lines, points.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use carbonara::Series;
use csv::StringRecord;
use gnocchi_core::model::METRIC_NAME_CHARACTERS_MAX;
use thiserror::Error;

use super::instant::{self, EpochUnit};
use super::line::Lines;

/// How much of a file is read at a time.
const READ_BYTES: usize = 256 << 10;

/// A file that cannot be imported at all.
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
    /// Its first line names columns, but not those that are needed.
    #[error("{}:1: the columns need names, among them timestamp and value (and maybe metric); found: {found}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The first line.
        found: String,
    },
}

/// A line that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its number in the file, counted from one.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct ParsedFile {
    /// The number of lines that should hold a measure.
    pub(super) lines: usize,
    /// The first bad lines.
    pub(super) bad_lines: Vec<BadLine>,
    /// The number of all bad lines.
    pub(super) bad_count: usize,
    /// The number of lines whose timestamp a later line repeats.
    pub(super) repeated: usize,
    /// The points of each metric, sorted.
    pub(super) metrics: Vec<(String, Series)>,
}

impl ParsedFile {
    /// Returns the number of points to send.
    pub(super) fn points(&self) -> usize {
        self.metrics.iter().map(|(_, series)| series.len()).sum()
    }
}

/// Where the columns stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    timestamp: usize,
    value: usize,
    metric: Option<usize>,
}

impl Columns {
    /// Reads the first line; `None` when it names no columns.
    fn of_header(header: &StringRecord) -> Option<Self> {
        let position = |names: &[&str]| {
            header
                .iter()
                .position(|field| names.iter().any(|name| field.eq_ignore_ascii_case(name)))
        };
        Some(Self {
            timestamp: position(&["timestamp", "time"])?,
            value: position(&["value"])?,
            metric: position(&["metric", "name"]),
        })
    }

    /// The columns of a file without header.
    const PLAIN: Self = Self {
        timestamp: 0,
        value: 1,
        metric: None,
    };
}

/// Returns the name that the metric of a file has: its name without the extension. A slash cannot occur.
pub(super) fn metric_name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Tells whether the lines of a file name their metric. An unreadable file doesn't; reading it later tells why.
pub(super) fn has_metric_column(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(lines(file).next(), Ok(Some((_, Ok(first))))
        if Columns::of_header(first).is_some_and(|columns| columns.metric.is_some()))
}

/// Reads a whole file; keeps the first `bad_lines_max` bad lines.
pub(super) fn read(
    path: &Path,
    unit: EpochUnit,
    bad_lines_max: usize,
) -> Result<ParsedFile, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut lines = lines(File::open(path).map_err(unreadable)?);
    let mut collected = Collected {
        file_metric: metric_name(path),
        unit,
        bad_lines_max,
        ..Collected::default()
    };
    let mut columns: Option<Columns> = None;
    while let Some((number, line)) = lines.next().map_err(unreadable)? {
        let record = match line {
            Ok(record) => record,
            // Which columns are meant cannot be guessed from later lines.
            Err(problem) if columns.is_none() => {
                return Err(FileError::Columns {
                    path: path.to_owned(),
                    found: problem.to_owned(),
                });
            }
            Err(problem) => {
                collected.add_bad(number, problem);
                continue;
            }
        };
        if columns.is_none() {
            columns = Columns::of_header(record);
            if columns.is_some() {
                continue;
            }
            if point(record, Columns::PLAIN, &collected.file_metric, unit).is_err() {
                let found = record.iter().collect::<Vec<_>>().join(",");
                return Err(FileError::Columns {
                    path: path.to_owned(),
                    found,
                });
            }
        }
        collected.add(number, record, *columns.get_or_insert(Columns::PLAIN));
    }
    Ok(collected.finish())
}

/// What was read so far.
#[derive(Debug, Default)]
struct Collected {
    file_metric: String,
    unit: EpochUnit,
    bad_lines_max: usize,
    parsed: ParsedFile,
    /// Timestamps and values of each metric, in the order of the file.
    points: BTreeMap<String, (Vec<i64>, Vec<f64>)>,
}

impl Collected {
    fn add(&mut self, line: u64, record: &StringRecord, columns: Columns) {
        match point(record, columns, &self.file_metric, self.unit) {
            Ok((metric, timestamp_ns, value)) => {
                self.parsed.lines += 1;
                // Only the first line of a metric copies its name.
                if !self.points.contains_key(metric) {
                    self.points.insert(metric.to_owned(), Default::default());
                }
                let (times, values) = self.points.get_mut(metric).expect("it was inserted above");
                times.push(timestamp_ns);
                values.push(value);
            }
            Err(problem) => self.add_bad(line, problem),
        }
    }

    fn add_bad(&mut self, line: u64, problem: impl Into<String>) {
        self.parsed.lines += 1;
        self.parsed.bad_count += 1;
        if self.parsed.bad_lines.len() < self.bad_lines_max {
            self.parsed.bad_lines.push(BadLine {
                line,
                problem: problem.into(),
            });
        }
    }

    fn finish(mut self) -> ParsedFile {
        for (metric, (times, values)) in self.points {
            let lines = times.len();
            let series = Series::from_points(times, values)
                .expect("they were pushed in pairs, none before 1970");
            self.parsed.repeated += lines - series.len();
            self.parsed.metrics.push((metric, series));
        }
        self.parsed
    }
}

fn lines(file: File) -> Lines<BufReader<File>> {
    Lines::new(BufReader::with_capacity(READ_BYTES, file))
}

/// Takes one line apart: metric, timestamp in nanoseconds, value.
fn point<'a>(
    record: &'a StringRecord,
    columns: Columns,
    file_metric: &'a str,
    unit: EpochUnit,
) -> Result<(&'a str, i64, f64), String> {
    let field = |column: usize, name: &str| {
        record
            .get(column)
            .ok_or_else(|| format!("the {name} is missing"))
    };
    let timestamp = instant::parse(field(columns.timestamp, "timestamp")?, unit)?;
    let text = field(columns.value, "value")?;
    if text.is_empty() {
        return Err("the value is missing".into());
    }
    let value: f64 = text
        .parse()
        .map_err(|_| format!("the value {text:?} is not a number"))?;
    if !value.is_finite() {
        return Err(format!("the value {text:?} is not a finite number"));
    }
    let metric = match columns.metric {
        None => file_metric,
        Some(column) => field(column, "metric")?,
    };
    if metric.is_empty() {
        return Err("the name of the metric is missing".into());
    }
    if metric.contains('/') {
        return Err(format!("the name of a metric has no slash: {metric:?}"));
    }
    // Bytes are counted first since they are never fewer than characters, and known.
    if metric.len() > METRIC_NAME_CHARACTERS_MAX
        && metric.chars().count() > METRIC_NAME_CHARACTERS_MAX
    {
        return Err(format!(
            "the name of the metric is longer than {METRIC_NAME_CHARACTERS_MAX} characters"
        ));
    }
    Ok((metric, timestamp.as_nanosecond(), value))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
