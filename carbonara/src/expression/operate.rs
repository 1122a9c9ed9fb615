//! What each operation does to a matrix.

use std::num::NonZeroUsize;
use std::rc::Rc;

use super::ast::RateUnit;
use super::functions::{
    BinaryFunction, CellMethod, CellPairs, ResampleMethod, ResampleStatistic, UnaryFunction,
};
use super::matrix::{Matrix, MatrixColumn, Value};
use super::meter::{Interrupted, Meter};
use super::outcome::EvaluateError;
use crate::kernel::{Accumulator, RankScratch, across, rolling, statistic};
use crate::method::Statistic;
use crate::resample::{Group, ResampleTo, groups_of_rows};
use crate::time::{Timespan, Timestamp};

/// How many rows are computed before the meter is asked again.
const ROWS_AT_ONCE: usize = 1 << 18;

/// How many rows are computed at once for each row of a window: the pieces overlap by a window, which costs a quarter at most.
const WINDOWS_AT_ONCE: usize = 4;

/// Applies a function of one number.
pub(super) fn unary(
    function: UnaryFunction,
    of: Value,
    meter: &dyn Meter,
) -> Result<Value, Interrupted> {
    Ok(match of {
        Value::Number(mut number) => {
            function.apply(std::slice::from_mut(&mut number));
            Value::Number(number)
        }
        Value::Matrix(mut matrix) => {
            matrix.change(meter, |cells| function.apply(cells))?;
            Value::Matrix(matrix)
        }
    })
}

/// Applies a function of two numbers.
pub(super) fn binary(
    function: BinaryFunction,
    left: Value,
    right: Value,
    meter: &dyn Meter,
) -> Result<Value, EvaluateError> {
    Ok(match (left, right) {
        (Value::Number(mut left), Value::Number(right)) => {
            let into = std::slice::from_mut(&mut left);
            function.apply(WithRight { into, right });
            Value::Number(left)
        }
        (Value::Matrix(mut matrix), Value::Number(right)) => {
            matrix.change(meter, |into| function.apply(WithRight { into, right }))?;
            Value::Matrix(matrix)
        }
        (Value::Number(left), Value::Matrix(mut matrix)) => {
            matrix.change(meter, |into| function.apply(WithLeft { left, into }))?;
            Value::Matrix(matrix)
        }
        (Value::Matrix(left), Value::Matrix(right)) => {
            Value::Matrix(between_series(function, left, right, meter)?)
        }
    })
}

/// Applies a function to each column of one matrix and its partner in the other.
fn between_series(
    function: BinaryFunction,
    mut left: Matrix,
    mut right: Matrix,
    meter: &dyn Meter,
) -> Result<Matrix, EvaluateError> {
    if !left.has_rows_of(&right) {
        return Err(EvaluateError::RowsDiffer {
            left: left.granularity,
            right: right.granularity,
        });
    }
    match (left.columns.len(), right.columns.len()) {
        (0, _) | (_, 0) => left.columns.clear(),
        (wide, narrow) if wide == narrow => {
            let pairs = left.columns.into_iter().zip(right.columns);
            left.columns = pairs
                .map(|(left, right)| {
                    meter.spend(left.cells.len())?;
                    Ok(pair(function, left, right))
                })
                .collect::<Result<_, Interrupted>>()?;
        }
        (_, 1) => {
            let from = Rc::clone(&right.columns[0].cells);
            left.change(meter, |into| {
                function.apply(IntoLeft { into, from: &from });
            })?;
        }
        (1, _) => {
            let from = Rc::clone(&left.columns[0].cells);
            right.change(meter, |into| {
                function.apply(IntoRight { from: &from, into });
            })?;
            left.columns = right.columns;
        }
        (left, right) => return Err(EvaluateError::ColumnsDiffer { left, right }),
    }
    left.is_combined = true;
    Ok(left)
}

/// Combines two columns, in the memory of one that is not shared.
fn pair(function: BinaryFunction, mut left: MatrixColumn, mut right: MatrixColumn) -> MatrixColumn {
    if let (None, Some(into)) = (Rc::get_mut(&mut left.cells), Rc::get_mut(&mut right.cells)) {
        function.apply(IntoRight {
            from: &left.cells,
            into,
        });
        left.cells = right.cells;
    } else {
        let into = Rc::make_mut(&mut left.cells);
        function.apply(IntoLeft {
            into,
            from: &right.cells,
        });
    }
    left
}

struct WithRight<'a> {
    into: &'a mut [f64],
    right: f64,
}

struct WithLeft<'a> {
    left: f64,
    into: &'a mut [f64],
}

struct IntoLeft<'a> {
    into: &'a mut [f64],
    from: &'a [f64],
}

struct IntoRight<'a> {
    from: &'a [f64],
    into: &'a mut [f64],
}

impl CellPairs for WithRight<'_> {
    fn fill(self, function: impl Fn(f64, f64) -> f64) {
        for cell in self.into {
            *cell = function(*cell, self.right);
        }
    }
}

impl CellPairs for WithLeft<'_> {
    fn fill(self, function: impl Fn(f64, f64) -> f64) {
        for cell in self.into {
            *cell = function(self.left, *cell);
        }
    }
}

impl CellPairs for IntoLeft<'_> {
    fn fill(self, function: impl Fn(f64, f64) -> f64) {
        for (cell, other) in self.into.iter_mut().zip(self.from) {
            *cell = function(*cell, *other);
        }
    }
}

impl CellPairs for IntoRight<'_> {
    fn fill(self, function: impl Fn(f64, f64) -> f64) {
        for (other, cell) in self.from.iter().zip(self.into) {
            *cell = function(*other, *cell);
        }
    }
}

/// Replaces each row by its difference to the one before; the first row goes.
pub(super) fn difference(matrix: &mut Matrix, meter: &dyn Meter) -> Result<(), Interrupted> {
    matrix.change(meter, |cells| {
        for row in 1..cells.len() {
            cells[row - 1] = cells[row] - cells[row - 1];
        }
        cells.pop();
    })?;
    matrix.drop_timestamps(1);
    Ok(())
}

/// Replaces each row by its difference to the one before, in units of `unit`.
pub(super) fn rate_of_change(
    unit: RateUnit,
    matrix: &mut Matrix,
    meter: &dyn Meter,
) -> Result<(), Interrupted> {
    match unit {
        RateUnit::Row => difference(matrix, meter),
        RateUnit::Second => {
            let seconds: Vec<f64> = matrix
                .timestamps_ns
                .windows(2)
                .map(|pair| seconds_between(pair[0], pair[1]))
                .collect();
            matrix.change(meter, |cells| {
                // From the end, so that what is still needed is not overwritten.
                for row in (1..cells.len()).rev() {
                    cells[row] = (cells[row] - cells[row - 1]) / seconds[row - 1];
                }
                if let Some(first) = cells.first_mut() {
                    *first = f64::NAN;
                }
            })
        }
    }
}

fn seconds_between(earlier_ns: i64, later_ns: i64) -> f64 {
    // Timestamps ascend strictly.
    Timespan::from_nanosecond(later_ns - earlier_ns).map_or(f64::NAN, Timespan::as_second_f64)
}

/// Takes a statistic across the columns of each row.
pub(super) fn aggregate(
    method: CellMethod,
    matrix: &mut Matrix,
    meter: &dyn Meter,
) -> Result<(), Interrupted> {
    matrix.is_combined = true;
    // Without any column each row lacks its only cell.
    let missing = if matrix.columns.is_empty() {
        vec![f64::NAN; matrix.rows()]
    } else {
        Vec::new()
    };
    let columns: Vec<&[f64]> = match matrix.columns.as_slice() {
        [] => vec![&missing],
        columns => columns
            .iter()
            .map(|column| column.cells.as_slice())
            .collect(),
    };
    let mut cells = Vec::with_capacity(matrix.rows());
    let rows_at_once = (ROWS_AT_ONCE / columns.len()).max(1024);
    while cells.len() < matrix.rows() {
        let rows = cells.len()..matrix.rows().min(cells.len() + rows_at_once);
        meter.spend(rows.len() * columns.len())?;
        let piece: Vec<&[f64]> = columns.iter().map(|cells| &cells[rows.clone()]).collect();
        cells.extend(across(&piece, method.statistic));
    }
    matrix.columns = vec![MatrixColumn {
        source: None,
        cells: Rc::new(cells),
    }];
    if method.of_rate {
        difference(matrix, meter)?;
    }
    Ok(())
}

/// Takes a statistic of each window of rows.
pub(super) fn roll(
    method: CellMethod,
    window: NonZeroUsize,
    matrix: &mut Matrix,
    meter: &dyn Meter,
) -> Result<(), EvaluateError> {
    if matrix.rows() < window.get() {
        return Err(EvaluateError::WindowTooLong {
            window: window.get(),
            rows: matrix.rows(),
        });
    }
    let rows = matrix.rows() - (window.get() - 1);
    let rows_at_once = ROWS_AT_ONCE.max(window.get().saturating_mul(WINDOWS_AT_ONCE));
    // What one row costs grows with the number of digits of the window.
    let cells_a_row = window.get().ilog2() as usize + 1;
    matrix.replace(|cells| {
        let mut results = Vec::new();
        while results.len() < rows {
            let from = results.len();
            let to = rows.min(from + rows_at_once);
            meter.spend((to - from) * cells_a_row)?;
            let piece = rolling(
                &cells[from..to + window.get() - 1],
                window,
                method.statistic,
            );
            if to - from == rows {
                return Ok(piece);
            }
            results.reserve_exact(rows - from);
            results.extend(piece);
        }
        Ok(results)
    })?;
    matrix.drop_timestamps(window.get() - 1);
    if method.of_rate {
        difference(matrix, meter)?;
    }
    Ok(())
}

/// Takes a statistic of the rows of each bucket.
pub(super) fn resample(
    method: ResampleMethod,
    to: ResampleTo<'_>,
    matrix: &mut Matrix,
    meter: &dyn Meter,
) -> Result<(), EvaluateError> {
    if method.of_rate {
        difference(matrix, meter)?;
    }
    let mut groups = groups_of_rows(&matrix.timestamps_ns, matrix.granularity, to)?;
    groups.retain(|group| method.statistic.exists_for(group.points.len()));
    let mut scratch = RankScratch::new();
    matrix.replace(|cells| {
        meter.spend(cells.len())?;
        let groups = groups.iter().map(|group| {
            let cells = &cells[group.points.clone()];
            method.statistic.of(cells, &mut scratch)
        });
        Ok(groups.collect())
    })?;
    let starts = groups
        .iter()
        .map(|group: &Group| Timestamp::as_nanosecond(group.start));
    matrix.timestamps_ns = Rc::new(starts.collect());
    matrix.granularity = to.into();
    Ok(())
}

impl ResampleStatistic {
    /// Returns whether a group of that many rows has a result; which values they hold does not matter.
    const fn exists_for(self, rows: usize) -> bool {
        match self {
            Self::Variance | Self::Of(Statistic::Std) => rows > 1,
            Self::Of(_) => rows > 0,
        }
    }

    /// Returns the result of a group that has one.
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows do not fit in memory")]
    fn of(self, values: &[f64], scratch: &mut RankScratch) -> f64 {
        match self {
            Self::Of(wanted) => statistic(values, wanted, scratch).unwrap_or(f64::NAN),
            Self::Variance => {
                let mut accumulator = Accumulator::new();
                accumulator.extend(values);
                accumulator.squared_deviations() / (values.len() - 1) as f64
            }
        }
    }
}
