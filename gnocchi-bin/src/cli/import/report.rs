//! The table at the end of an import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::advice::TooLate;
use super::piece::{Counts, Piece};
use crate::plural::counted;

/// What became of the lines of one file.
#[derive(Debug, Default)]
pub(super) struct FileReport {
    path: PathBuf,
    metrics: usize,
    counts: Counts,
    accepted: usize,
    rejected: BTreeMap<String, usize>,
    /// What is known of points that were too old.
    too_late: Option<TooLate>,
    /// How far the work on the file came.
    progress: FileProgress,
}

/// How far the work on a file came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum FileProgress {
    /// It was read.
    #[default]
    Read,
    /// It could not be read, or not to its end.
    Unreadable,
    /// The import ended before.
    Untouched,
    /// The import ended before the end of the file.
    Partial,
}

/// What the server did with some points.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    pub(super) accepted: usize,
    pub(super) rejected: BTreeMap<String, usize>,
    /// The ids of metrics of which points were too old.
    pub(super) late_metrics: Vec<String>,
}

impl Taken {
    /// Adds what it did with others.
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        for (reason, points) in other.rejected {
            *self.rejected.entry(reason).or_default() += points;
        }
    }
}

impl FileReport {
    /// Begins the report on a file.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// Says how far the work on the file came.
    pub(super) fn ended(self, progress: FileProgress) -> Self {
        Self { progress, ..self }
    }

    /// Counts a piece that was read.
    pub(super) fn add_piece(&mut self, piece: &Piece) {
        // Pieces of a file mostly hold the same metrics.
        self.metrics = self.metrics.max(piece.metrics.len());
        self.counts.add(piece.counts);
    }

    /// Adds what the server did with some points.
    pub(super) fn add(&mut self, taken: &Taken) {
        self.accepted += taken.accepted;
        for (reason, points) in &taken.rejected {
            *self.rejected.entry(reason.clone()).or_default() += points;
        }
    }

    /// Keeps what is known of points that were too old: how many there are, and the first of them.
    pub(super) fn note_too_late(&mut self, late: TooLate) {
        match &mut self.too_late {
            Some(first) => {
                first.points += late.points;
                first.goes_back |= late.goes_back;
            }
            None => self.too_late = Some(late),
        }
    }

    fn rejected_points(&self) -> usize {
        self.rejected.values().sum()
    }

    /// Returns the points that never reached the server or whose response is missing.
    fn unsent(&self) -> usize {
        self.counts
            .points
            .saturating_sub(self.accepted + self.rejected_points())
    }

    fn is_complete(&self) -> bool {
        self.progress == FileProgress::Read
            && self.counts.bad == 0
            && self.rejected_points() == 0
            && self.unsent() == 0
    }

    /// Returns one line about the file.
    pub(super) fn summary(&self) -> String {
        let Counts {
            lines,
            bad,
            empty,
            repeated,
            ..
        } = self.counts;
        let path = self.path.display();
        if lines == 0 {
            return format!("{path}: no lines with measures");
        }
        let mut text = format!(
            "{path}: {}, {} accepted, {} rejected, {}",
            counted(lines, "line"),
            counted(self.accepted, "point"),
            self.rejected_points(),
            counted(bad, "bad line"),
        );
        for (count, noun) in [(empty, "empty cell"), (repeated, "repeated timestamp")] {
            if count > 0 {
                text.push_str(", ");
                text.push_str(&counted(count, noun));
            }
        }
        text
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

    fn row(&self) -> [String; 9] {
        let numbers = [
            self.metrics,
            self.counts.lines,
            self.counts.bad,
            self.counts.empty,
            self.counts.repeated,
            self.accepted,
        ];
        let [metrics, lines, bad, empty, repeated, accepted] =
            numbers.map(|number| number.to_string());
        let unsent = match self.progress {
            FileProgress::Read => self.unsent().to_string(),
            FileProgress::Unreadable => "unreadable".into(),
            FileProgress::Untouched => "all".into(),
            FileProgress::Partial => format!("{} and the rest", self.unsent()),
        };
        [
            self.path.display().to_string(),
            metrics,
            lines,
            bad,
            empty,
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
    /// Returns whether every line of every file was accepted.
    pub(super) fn is_complete(&self) -> bool {
        self.files.iter().all(FileReport::is_complete)
    }

    /// Returns what is known of the points of all files that were too old: the first of them, and how many there are.
    pub(super) fn too_late(&self) -> Option<TooLate> {
        let mut all = self.files.iter().filter_map(|file| file.too_late.as_ref());
        let first = all.next()?;
        Some(TooLate {
            points: first.points + all.map(|late| late.points).sum::<usize>(),
            ..first.clone()
        })
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
            "empty",
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
        let mut total = FileReport::new(Path::new("total"));
        for file in &self.files {
            total.metrics += file.metrics;
            total.counts.add(file.counts);
            total.add(&Taken {
                accepted: file.accepted,
                rejected: file.rejected.clone(),
                ..Taken::default()
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
            counts: Counts {
                lines,
                points: lines,
                ..Counts::default()
            },
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
            !FileReport::new(Path::new("a.csv"))
                .ended(FileProgress::Unreadable)
                .is_complete(),
            "unreadable"
        );
        assert!(
            !FileReport::new(Path::new("a.csv"))
                .ended(FileProgress::Untouched)
                .is_complete(),
            "not looked at"
        );
        let with = |change: fn(&mut Counts)| {
            let mut report = report(3, 3, 0);
            change(&mut report.counts);
            report.is_complete()
        };
        assert!(!with(|counts| counts.bad = 1), "bad line");
        assert!(with(|counts| counts.empty = 1), "an empty cell is no loss");
        assert!(
            with(|counts| counts.repeated = 1),
            "a repeated timestamp is no loss"
        );
    }

    #[test]
    fn the_line_about_a_file_counts_everything() {
        assert_eq!(
            report(1, 1, 0).summary(),
            "a.csv: 1 line, 1 point accepted, 0 rejected, 0 bad lines"
        );
        let mut report = report(3, 1, 1);
        (report.counts.empty, report.counts.repeated) = (1, 2);
        assert_eq!(
            report.summary(),
            "a.csv: 3 lines, 1 point accepted, 1 rejected, 0 bad lines, 1 empty cell, 2 repeated timestamps"
        );
        assert_eq!(
            FileReport::new(Path::new("a.csv")).summary(),
            "a.csv: no lines with measures"
        );
    }

    #[test]
    fn the_table_has_a_line_for_each_file_and_one_for_all() {
        let table = Report {
            files: vec![
                report(3, 3, 0),
                report(10, 6, 3),
                FileReport::new(Path::new("b.csv")).ended(FileProgress::Unreadable),
                FileReport::new(Path::new("c.csv")).ended(FileProgress::Untouched),
            ],
        }
        .table();
        let lines: Vec<String> = table
            .to_string()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(
            lines.contains(&"│ a.csv ┆ 1 ┆ 3 ┆ 0 ┆ 0 ┆ 0 ┆ 3 ┆ 0 ┆ 0 │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ a.csv ┆ 1 ┆ 10 ┆ 0 ┆ 0 ┆ 0 ┆ 6 ┆ 3 (too_late 3) ┆ 1 │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ b.csv ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ unreadable │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ c.csv ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ 0 ┆ all │".to_owned()),
            "{table}"
        );
        assert!(
            lines.contains(&"│ total ┆ 2 ┆ 13 ┆ 0 ┆ 0 ┆ 0 ┆ 9 ┆ 3 (too_late 3) ┆ 1 │".to_owned()),
            "{table}"
        );
    }
}
