//! The measures of some lines, while they are read and when they are ready to be sent.

use std::collections::HashMap;
use std::sync::Arc;

use carbonara::Series;

use super::columns::{Layout, Values};

/// What a metric counts among the points that are held, for its name and its columns.
const POINTS_PER_METRIC: usize = 16;

/// Something that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its line in the file, counted from one.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// What the lines of a file, or of a piece of it, hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Lines that should hold measures.
    pub(super) lines: usize,
    /// Lines of which something is left out.
    pub(super) bad: usize,
    /// Cells without measure.
    pub(super) empty: usize,
    /// Points whose timestamp a later line of the same piece repeats.
    pub(super) repeated: usize,
    /// Points to send.
    pub(super) points: usize,
}

impl Counts {
    /// Adds the counts of other lines.
    pub(super) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.bad += other.bad;
        self.empty += other.empty;
        self.repeated += other.repeated;
        self.points += other.points;
    }
}

/// The measures of some lines.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) counts: Counts,
    /// The first bad cells of the file, as far as they are in this piece.
    pub(super) bad_lines: Vec<BadLine>,
    /// The points of each metric, sorted.
    pub(super) metrics: Vec<(Arc<str>, Series)>,
    /// Whether some points are older than points of an earlier piece.
    pub(super) goes_back: bool,
    /// How much of the file was read for it, in bytes.
    pub(super) bytes: u64,
}

/// The measures of a piece while it is read.
pub(super) struct Gathered {
    pub(super) counts: Counts,
    pub(super) bad_lines: Vec<BadLine>,
    metrics: Vec<Columns>,
    /// Where metrics are that a column names.
    places: HashMap<Arc<str>, usize>,
    /// The metric of the line before, which mostly is that of the next line, or its neighbour is.
    last_place: usize,
    /// How many points are held, with what metrics count.
    pub(super) weight: usize,
}

/// Timestamps and values of a metric in the order of the file.
struct Columns {
    name: Arc<str>,
    timestamps_ns: Vec<i64>,
    values: Vec<f64>,
}

impl Gathered {
    pub(super) fn new(layout: &Layout, file_metric: &Arc<str>) -> Self {
        let names: Vec<Arc<str>> = match &layout.values {
            Values::OfFile(_) => vec![Arc::clone(file_metric)],
            Values::Named { .. } => Vec::new(),
            Values::Wide(columns) => columns
                .iter()
                .map(|column| {
                    layout
                        .header
                        .get(*column)
                        .map_or_else(|| "".into(), |name| name.as_str().into())
                })
                .collect(),
        };
        Self {
            counts: Counts::default(),
            bad_lines: Vec::new(),
            metrics: names.into_iter().map(Columns::new).collect(),
            places: HashMap::new(),
            last_place: 0,
            weight: 0,
        }
    }

    /// Returns the place of a metric that a column names.
    pub(super) fn place(&mut self, name: &str) -> usize {
        let count = self.metrics.len();
        for place in [self.last_place, self.last_place + 1] {
            if self
                .metrics
                .get(place)
                .is_some_and(|metric| &*metric.name == name)
            {
                self.last_place = place;
                return place;
            }
        }
        let known = self.places.get(name).copied();
        let place = known.unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.weight += POINTS_PER_METRIC + name.len() / 8;
            self.metrics.push(Columns::new(Arc::clone(&name)));
            self.places.insert(name, count);
            count
        });
        self.last_place = place;
        place
    }

    pub(super) fn add(&mut self, place: usize, timestamp_ns: i64, value: f64) {
        let metric = &mut self.metrics[place];
        metric.timestamps_ns.push(timestamp_ns);
        metric.values.push(value);
        self.weight += 1;
    }

    /// Counts a line that is left out.
    pub(super) fn add_bad(&mut self, line: u64, problem: String) {
        self.counts.bad += 1;
        self.describe(line, problem);
    }

    pub(super) fn describe(&mut self, line: u64, problem: String) {
        self.bad_lines.push(BadLine { line, problem });
    }

    /// Drops the descriptions beyond the first ones.
    pub(super) fn keep_bad_lines(&mut self, max: usize) {
        self.bad_lines.truncate(max);
    }

    pub(super) fn finish(self) -> Piece {
        let mut counts = self.counts;
        let mut metrics = Vec::with_capacity(self.metrics.len());
        for metric in self.metrics {
            let pushed = metric.values.len();
            if pushed == 0 {
                continue;
            }
            let series = Series::from_points(metric.timestamps_ns, metric.values)
                .expect("they were pushed in pairs, none before 1970");
            counts.repeated += pushed - series.len();
            counts.points += series.len();
            metrics.push((metric.name, series));
        }
        Piece {
            counts,
            bad_lines: self.bad_lines,
            metrics,
            ..Piece::default()
        }
    }
}

impl Columns {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            timestamps_ns: Vec::new(),
            values: Vec::new(),
        }
    }
}
