//! The table at the end of an import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::Sent;
use super::file::ParsedFile;

/// What became of the lines of one file.
#[derive(Debug, Default)]
pub(super) struct FileReport {
    path: PathBuf,
    metrics: usize,
    lines: usize,
    bad: usize,
    repeated: usize,
    accepted: usize,
    rejected: BTreeMap<String, usize>,
    /// How far the work on the file came.
    progress: FileProgress,
}

/// How far the work on a file came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum FileProgress {
    /// It was read.
    #[default]
    Read,
    /// It could not be read.
    Unreadable,
    /// The import ended before.
    Untouched,
}

impl FileReport {
    /// Begins the report on a file that was read.
    pub(super) fn of(path: &Path, parsed: &ParsedFile) -> Self {
        Self {
            path: path.to_owned(),
            metrics: parsed.metrics.len(),
            lines: parsed.lines,
            bad: parsed.bad_count,
            repeated: parsed.repeated,
            ..Self::default()
        }
    }

    /// Reports a file that could not be read.
    pub(super) fn failed(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            progress: FileProgress::Unreadable,
            ..Self::default()
        }
    }

    /// Reports a file that was not looked at because the import ended before.
    pub(super) fn untouched(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            progress: FileProgress::Untouched,
            ..Self::default()
        }
    }

    /// Adds what the server did with some points.
    pub(super) fn add(&mut self, sent: &Sent) {
        self.accepted += sent.accepted;
        for (reason, points) in &sent.rejected {
            *self.rejected.entry(reason.clone()).or_default() += points;
        }
    }

    fn rejected_points(&self) -> usize {
        self.rejected.values().sum()
    }

    /// Returns the points that never reached the server or whose answer is missing.
    fn unsent(&self) -> usize {
        self.lines
            .saturating_sub(self.bad + self.repeated + self.accepted + self.rejected_points())
    }

    fn is_complete(&self) -> bool {
        self.progress == FileProgress::Read
            && self.bad == 0
            && self.rejected_points() == 0
            && self.unsent() == 0
    }

    /// Returns one line about the file.
    pub(super) fn summary(&self) -> String {
        let (accepted, rejected) = (self.accepted, self.rejected_points());
        format!(
            "{}: {} lines, {accepted} accepted, {rejected} rejected, {} bad",
            self.path.display(),
            self.lines,
            self.bad
        )
    }

    fn rejected_text(&self) -> String {
        match self.rejected_points() {
            0 => "0".into(),
            points => {
                let reasons: Vec<_> = self
                    .rejected
                    .iter()
                    .map(|(reason, points)| format!("{reason} {points}"))
                    .collect();
                format!("{points} ({})", reasons.join(", "))
            }
        }
    }

    fn row(&self) -> [String; 8] {
        let numbers = [
            self.metrics,
            self.lines,
            self.bad,
            self.repeated,
            self.accepted,
        ];
        let [metrics, lines, bad, repeated, accepted] = numbers.map(|number| number.to_string());
        let unsent = match self.progress {
            FileProgress::Read => self.unsent().to_string(),
            FileProgress::Unreadable => "unreadable".into(),
            FileProgress::Untouched => "all".into(),
        };
        [
            self.path.display().to_string(),
            metrics,
            lines,
            bad,
            repeated,
            accepted,
            self.rejected_text(),
            unsent,
        ]
    }
}

/// What became of all files.
#[derive(Debug)]
pub(super) struct Report {
    /// One report a file, in the order given.
    pub(super) files: Vec<FileReport>,
}

impl Report {
    /// Tells whether every line of every file was accepted.
    pub(super) fn is_complete(&self) -> bool {
        self.files.iter().all(FileReport::is_complete)
    }

    /// Returns the table.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header([
            "file",
            "metrics",
            "lines",
            "bad lines",
            "repeated",
            "accepted",
            "rejected",
            "not sent",
        ]);
        for file in &self.files {
            table.add_row(file.row());
        }
        if self.files.len() > 1 {
            table.add_row(self.total().row());
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn total(&self) -> FileReport {
        let mut total = FileReport {
            path: "total".into(),
            ..FileReport::default()
        };
        for file in &self.files {
            total.metrics += file.metrics;
            total.lines += file.lines;
            total.bad += file.bad;
            total.repeated += file.repeated;
            total.add(&Sent {
                accepted: file.accepted,
                rejected: file.rejected.clone(),
                refused: Vec::new(),
            });
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: usize, accepted: usize, late: usize) -> FileReport {
        let rejected = BTreeMap::from([
            ("too_late".to_owned(), late),
            ("too_far_ahead".to_owned(), 0),
        ]);
        let rejected = rejected
            .into_iter()
            .filter(|(_, points)| *points > 0)
            .collect();
        FileReport {
            path: "a.csv".into(),
            metrics: 1,
            lines,
            accepted,
            rejected,
            ..FileReport::default()
        }
    }

    #[test]
    fn only_a_whole_import_is_complete() {
        assert!(report(3, 3, 0).is_complete());
        assert!(!report(3, 2, 1).is_complete(), "rejected");
        assert!(!report(3, 2, 0).is_complete(), "not sent");
        assert!(
            !FileReport::failed(Path::new("a.csv")).is_complete(),
            "unreadable"
        );
        assert!(
            !FileReport::untouched(Path::new("a.csv")).is_complete(),
            "not looked at"
        );
        assert!(
            !FileReport {
                bad: 1,
                ..report(4, 3, 0)
            }
            .is_complete(),
            "bad line"
        );
        assert!(
            FileReport {
                repeated: 1,
                ..report(4, 3, 0)
            }
            .is_complete(),
            "a repeated timestamp is no loss"
        );
    }

    #[test]
    fn the_table_has_a_line_for_each_file_and_one_for_all() {
        let table = Report {
            files: vec![
                report(3, 3, 0),
                report(10, 6, 3),
                FileReport::failed(Path::new("b.csv")),
                FileReport::untouched(Path::new("c.csv")),
            ],
        }
        .table();
        let lines: Vec<String> = table
            .to_string()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(
            lines.contains(&"│ a.csv ┆ 1 ┆ 3 ┆ 0 ┆ 0 ┆ 3 ┆ 0 ┆ 0 │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ a.csv ┆ 1 ┆ 10 ┆ 0 ┆ 0 ┆ 6 ┆ 3 (too_late 3) ┆ 1 │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ b.csv ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ unreadable │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ c.csv ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ all │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ total ┆ 2 ┆ 13 ┆ 0 ┆ 0 ┆ 9 ┆ 3 (too_late 3) ┆ 1 │".to_owned()),
            "{table}"
        );
    }
}
