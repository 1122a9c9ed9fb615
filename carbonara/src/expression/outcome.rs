//! What goes into an evaluation, and what comes out.

use std::fmt;

use jiff::tz::TimeZone;

use super::meter::Interrupted;
use crate::align::{AlignError, Alignment, Keep};
use crate::calendar::LocalSpanError;
use crate::resample::{DividedRow, Granularity};
use crate::series::{Point, Series};
use crate::time::{Timespan, Timestamp};

/// The series that an expression refers to, at one granularity.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The granularity of all series.
    pub granularity: Timespan,
    /// The series; several may have the same reference, when it is a pattern.
    pub columns: Vec<InputColumn>,
    /// What becomes of missing cells.
    pub alignment: Alignment,
    /// Whose clocks and calendar `resample` follows.
    pub time_zone: &'a TimeZone,
}

/// A series that an expression refers to.
#[derive(Clone, Debug)]
pub struct InputColumn {
    /// Index of its reference in [`Expression::references`](super::Expression::references).
    pub reference: usize,
    /// Its points.
    pub series: Series,
}

/// The result of an expression.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long the buckets of the rows are.
    pub granularity: Granularity,
    /// Whether the columns belong to series.
    pub shape: Shape,
    /// The timestamp of each row: nanoseconds since the epoch, strictly ascending.
    pub timestamps_ns: Vec<i64>,
    /// The columns, each with a value for each row. At most one when they are aggregated.
    pub columns: Vec<OutcomeColumn>,
    /// Which values are shown.
    pub keep: Keep,
}

/// Whether the columns of a result belong to series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each column belongs to a series.
    PerSeries,
    /// The only column belongs to none, or to several.
    Aggregated,
}

/// A column of a result.
#[derive(Clone, Debug)]
pub struct OutcomeColumn {
    /// Whose column it is.
    pub origin: Origin,
    /// A value for each row, before [`Outcome::keep`] is applied.
    pub values: Vec<f64>,
}

/// Whose column it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// That of a series, by its index in [`Input::columns`].
    Input(usize),
    /// That of no series in particular.
    Aggregated,
}

/// Why an expression has no result.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The series have no common grid.
    Align(AlignError),
    /// An operation has two operands whose rows differ.
    RowsDiffer {
        /// The granularity of the first.
        left: Granularity,
        /// The granularity of the second.
        right: Granularity,
    },
    /// An operation has two operands of several columns each, and not as many.
    ColumnsDiffer {
        /// The number of columns of the first.
        left: usize,
        /// The number of columns of the second.
        right: usize,
    },
    /// A window is longer than there are rows.
    WindowTooLong {
        /// Rows of the window.
        window: usize,
        /// Rows that are there.
        rows: usize,
    },
    /// A number stands where rows are needed.
    NotASeries,
    /// A span is to be counted in a time zone, and no clock counts it.
    NotLocal(LocalSpanError),
    /// Rows would have to be divided between two buckets of a time zone.
    DividedRow(DividedRow),
    /// The grids that are held at once would have more than [`EVALUATION_CELLS_MAX`](super::EVALUATION_CELLS_MAX) cells.
    TooManyCells {
        /// Rows of the grid.
        rows: usize,
        /// Columns of the grid.
        columns: usize,
        /// How many of its size are held at once.
        grids: usize,
    },
    /// The [`Meter`](super::Meter) of the evaluation has ended it.
    Interrupted,
}

impl Outcome {
    /// Iterates over the points of a column that are shown, oldest first; nothing when there is no such column.
    pub fn points(&self, column: usize) -> impl Iterator<Item = Point> + '_ {
        let values = self.columns.get(column).map(|column| &column.values);
        self.timestamps_ns
            .iter()
            .zip(values.into_iter().flatten())
            .filter(|(_, value)| self.keep.shows(**value))
            .map(|(timestamp_ns, value)| Point {
                timestamp: Timestamp::from_valid_ns(*timestamp_ns),
                value: *value,
            })
    }
}

impl From<AlignError> for EvaluateError {
    fn from(error: AlignError) -> Self {
        Self::Align(error)
    }
}

impl From<LocalSpanError> for EvaluateError {
    fn from(error: LocalSpanError) -> Self {
        Self::NotLocal(error)
    }
}

impl From<Interrupted> for EvaluateError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<DividedRow> for EvaluateError {
    fn from(divided: DividedRow) -> Self {
        Self::DividedRow(divided)
    }
}

impl fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Align(error) => error.fmt(f),
            Self::RowsDiffer { left, right } => write!(
                f,
                "cannot compute timeseries with different granularity {left} <> {right}"
            ),
            Self::ColumnsDiffer { left, right } => {
                write!(f, "cannot compute {left} series with {right}")
            }
            Self::WindowTooLong { window, rows } => write!(
                f,
                "rolling window '{window}' is greater than serie length '{rows}'"
            ),
            Self::NotASeries => f.write_str("a number has no rows"),
            Self::NotLocal(error) => error.fmt(f),
            Self::DividedRow(divided) => divided.fmt(f),
            Self::TooManyCells {
                rows,
                columns,
                grids,
            } => write!(
                f,
                "{rows} timestamps of {columns} series, held {grids} times, are too many cells"
            ),
            Self::Interrupted => f.write_str("the evaluation was interrupted"),
        }
    }
}

impl std::error::Error for EvaluateError {}
