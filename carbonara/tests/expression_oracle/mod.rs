//! Plain, slow versions of aligning series and evaluating expressions: rows of cells, one after the other, copied for each operation.

#![expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "small numbers, and equality is meant"
)]

use std::collections::{BTreeMap, BTreeSet};

use carbonara::align::{AlignError, Alignment, Fill, Overlap, RangeEnd};
use carbonara::expression::{
    BinaryFunction, CellMethod, EvaluateError, Expression, RateUnit, Reference, ResampleMethod,
    ResampleStatistic, UnaryFunction,
};
use carbonara::kernel::{CellStatistic, ORDERED_WINDOW_MAX, RankScratch, statistic};
use carbonara::{Granularity, Statistic, Timespan};

/// The cells of each row by timestamp.
pub(crate) type Rows = BTreeMap<i64, Vec<f64>>;

/// Points by timestamp.
pub(crate) type Points = BTreeMap<i64, f64>;

/// An intermediate result.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(f64),
    Table(Table),
}

/// Rows, and the series that each column belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) granularity: Granularity,
    pub(crate) rows: Rows,
    pub(crate) sources: Vec<usize>,
    pub(crate) combined: bool,
}

/// Puts series on one grid.
pub(crate) fn align(series: &[Points], alignment: Alignment) -> Result<Rows, AlignError> {
    let moments: BTreeSet<i64> = series
        .iter()
        .flat_map(|points| points.keys().copied())
        .collect();
    let blank = match alignment {
        Alignment::Fill(Fill::Number(number)) => number,
        _ => f64::NAN,
    };
    let cell = |points: &Points, at: i64| points.get(&at).copied().unwrap_or(blank);
    let mut rows: Rows = moments
        .iter()
        .map(|at| (*at, series.iter().map(|points| cell(points, *at)).collect()))
        .collect();
    match alignment {
        Alignment::Overlap(overlap) => return cut(&rows, overlap),
        Alignment::Fill(fill) => {
            for column in 0..series.len() {
                let cells: Vec<f64> = rows.values().map(|row| row[column]).collect();
                for (index, row) in rows.values_mut().enumerate() {
                    row[column] = filled(&cells, index, fill);
                }
            }
        }
    }
    Ok(rows)
}

/// The cell of a column after filling.
fn filled(cells: &[f64], index: usize, fill: Fill) -> f64 {
    if !cells[index].is_nan() {
        return cells[index];
    }
    let before = cells[..index].iter().rev().find(|cell| !cell.is_nan());
    let after = cells[index..].iter().find(|cell| !cell.is_nan());
    let found = match fill {
        Fill::Number(_) | Fill::Null | Fill::DropMissing => None,
        Fill::Forward => before,
        Fill::Backward => after,
        Fill::FullForward => before.or(after),
        Fill::FullBackward => after.or(before),
    };
    found.copied().unwrap_or(f64::NAN)
}

fn cut(rows: &Rows, overlap: Overlap) -> Result<Rows, AlignError> {
    let is_complete = |row: &Vec<f64>| !row.is_empty() && row.iter().all(|cell| !cell.is_nan());
    let complete: Vec<i64> = rows
        .iter()
        .filter(|(_, row)| is_complete(row))
        .map(|(at, _)| *at)
        .collect();
    let (Some(first), Some(last)) = (complete.first(), complete.last()) else {
        return if overlap.needed_percent > 0.0 {
            Err(AlignError::NoOverlap)
        } else {
            Ok(rows.clone())
        };
    };
    let from = if overlap.start == RangeEnd::Open {
        *first
    } else {
        i64::MIN
    };
    let to = if overlap.stop == RangeEnd::Open {
        *last
    } else {
        i64::MAX
    };
    let kept: Rows = rows
        .range(from..=to)
        .map(|(at, row)| (*at, row.clone()))
        .collect();
    let found_percent = complete.len() as f64 * 100.0 / kept.len() as f64;
    if found_percent < overlap.needed_percent {
        return Err(AlignError::TooLittleOverlap {
            needed_percent: overlap.needed_percent,
            found_percent,
        });
    }
    Ok(kept)
}

/// Evaluates an expression over rows whose column i belongs to `references[i]`.
pub(crate) fn evaluate(
    expression: &Expression,
    granularity: Timespan,
    rows: &Rows,
    references: &[Reference],
) -> Result<Value, EvaluateError> {
    let value = |of: &Expression| evaluate(of, granularity, rows, references);
    let table = |of: &Expression| match value(of)? {
        Value::Number(_) => Err(EvaluateError::NotASeries),
        Value::Table(table) => Ok(table),
    };
    match expression {
        Expression::Number(number) => Ok(Value::Number(*number)),
        Expression::Metric(listed) => {
            let sources: Vec<usize> = (0..references.len())
                .filter(|column| listed.contains(&references[*column]))
                .collect();
            Ok(Value::Table(Table {
                granularity: Granularity::Span(granularity),
                rows: each_row(rows, |row| {
                    sources.iter().map(|column| row[*column]).collect()
                }),
                sources,
                combined: false,
            }))
        }
        Expression::Unary(function, of) => Ok(match value(of)? {
            Value::Number(number) => Value::Number(unary(*function, number)),
            Value::Table(table) => Value::Table(table.cells(|cell| unary(*function, cell))),
        }),
        Expression::Binary(function, left, right) => pair(*function, value(left)?, value(right)?),
        Expression::Clip {
            of,
            lowest,
            highest,
        } => {
            let bounded = pair(BinaryFunction::NotBelow, value(of)?, value(lowest)?)?;
            match highest {
                Some(highest) => pair(BinaryFunction::NotAbove, bounded, value(highest)?),
                None => Ok(bounded),
            }
        }
        Expression::RateOfChange(RateUnit::Row, of) => Ok(Value::Table(table(of)?.differences())),
        Expression::RateOfChange(RateUnit::Second, of) => Ok(Value::Table(table(of)?.per_second())),
        Expression::Aggregate(method, of) => Ok(Value::Table(across(*method, &table(of)?))),
        Expression::Columns(operands) => {
            // An operand that is wrong comes before one that does not fit.
            let mut tables: Vec<Table> = Vec::new();
            for operand in operands {
                tables.push(table(operand)?);
                beside(tables.clone())?;
            }
            beside(tables).map(Value::Table)
        }
        Expression::Rolling { method, window, of } => {
            rolling(*method, window.get(), &table(of)?).map(Value::Table)
        }
        Expression::Resample { method, to, of } => {
            Ok(Value::Table(resample(*method, *to, table(of)?)))
        }
    }
}

fn each_row(rows: &Rows, row: impl Fn(&Vec<f64>) -> Vec<f64>) -> Rows {
    rows.iter().map(|(at, cells)| (*at, row(cells))).collect()
}

impl Table {
    fn cells(self, change: impl Fn(f64) -> f64) -> Self {
        let rows = each_row(&self.rows, |row| {
            row.iter().map(|cell| change(*cell)).collect()
        });
        Self { rows, ..self }
    }

    fn differences(self) -> Self {
        let (earlier, later) = (self.rows.iter(), self.rows.iter().skip(1));
        let rows = earlier
            .zip(later)
            .map(|((_, earlier), (at, later))| {
                (
                    *at,
                    later
                        .iter()
                        .zip(earlier)
                        .map(|(later, earlier)| later - earlier)
                        .collect(),
                )
            })
            .collect();
        Self { rows, ..self }
    }

    fn per_second(self) -> Self {
        let mut rows = Rows::new();
        let mut before: Option<(i64, &Vec<f64>)> = None;
        for (at, row) in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| match before {
                None => f64::NAN,
                Some((earlier, cells)) => (cell - cells[column]) / seconds(at - earlier),
            });
            rows.insert(*at, cells.collect());
            before = Some((*at, row));
        }
        Self { rows, ..self }
    }
}

fn seconds(nanoseconds: i64) -> f64 {
    Timespan::from_nanosecond(nanoseconds)
        .expect("ascending")
        .as_second_f64()
}

fn pair(function: BinaryFunction, left: Value, right: Value) -> Result<Value, EvaluateError> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => Value::Number(binary(function, left, right)),
        (Value::Table(left), Value::Number(right)) => {
            Value::Table(left.cells(|cell| binary(function, cell, right)))
        }
        (Value::Number(left), Value::Table(right)) => {
            Value::Table(right.cells(|cell| binary(function, left, cell)))
        }
        (Value::Table(left), Value::Table(right)) => Value::Table(tables(function, left, right)?),
    })
}

fn tables(function: BinaryFunction, left: Table, right: Table) -> Result<Table, EvaluateError> {
    if left.granularity != right.granularity || !left.rows.keys().eq(right.rows.keys()) {
        return Err(EvaluateError::RowsDiffer {
            left: left.granularity,
            right: right.granularity,
        });
    }
    let (wide, narrow) = (left.sources.len(), right.sources.len());
    let columns = match (wide, narrow) {
        (0, _) | (_, 0) => 0,
        (left, right) if left == right || right == 1 => left,
        (1, right) => right,
        (left, right) => return Err(EvaluateError::ColumnsDiffer { left, right }),
    };
    let mut rows = Rows::new();
    for (at, row) in &left.rows {
        let other = &right.rows[at];
        let cells = (0..columns).map(|column| {
            binary(
                function,
                row[column.min(wide - 1)],
                other[column.min(narrow - 1)],
            )
        });
        rows.insert(*at, cells.collect());
    }
    let mut sources = if narrow > wide {
        right.sources
    } else {
        left.sources
    };
    sources.truncate(columns);
    Ok(Table {
        rows,
        sources,
        combined: true,
        granularity: left.granularity,
    })
}

fn across(method: CellMethod, table: &Table) -> Table {
    let rows = each_row(&table.rows, |row| {
        let cells = if row.is_empty() {
            &[f64::NAN]
        } else {
            &row[..]
        };
        vec![of_cells(cells, method.statistic)]
    });
    let combined = Table {
        rows,
        sources: vec![usize::MAX],
        combined: true,
        granularity: table.granularity,
    };
    if method.of_rate {
        combined.differences()
    } else {
        combined
    }
}

/// Puts the columns of tables with the same rows one after the other.
fn beside(tables: Vec<Table>) -> Result<Table, EvaluateError> {
    let mut tables = tables.into_iter();
    let mut all = tables.next().expect("at least two operands");
    for table in tables {
        if all.granularity != table.granularity || !all.rows.keys().eq(table.rows.keys()) {
            return Err(EvaluateError::RowsDiffer {
                left: all.granularity,
                right: table.granularity,
            });
        }
        for (row, cells) in all.rows.values_mut().zip(table.rows.into_values()) {
            row.extend(cells);
        }
        all.sources.extend(table.sources);
    }
    Ok(all)
}

fn rolling(method: CellMethod, window: usize, table: &Table) -> Result<Table, EvaluateError> {
    let rows = table.rows.len();
    if rows < window {
        return Err(EvaluateError::WindowTooLong { window, rows });
    }
    let listed: Vec<(&i64, &Vec<f64>)> = table.rows.iter().collect();
    let columns = table.sources.len();
    let results = listed.windows(window).map(|window| {
        let cells = (0..columns).map(|column| {
            let cells: Vec<f64> = window.iter().map(|(_, row)| row[column]).collect();
            of_window(&cells, method.statistic)
        });
        (*window[window.len() - 1].0, cells.collect())
    });
    let rolled = Table {
        rows: results.collect(),
        ..table.clone()
    };
    Ok(if method.of_rate {
        rolled.differences()
    } else {
        rolled
    })
}

fn resample(method: ResampleMethod, to: Granularity, table: Table) -> Table {
    let Granularity::Span(span) = to else {
        panic!("calendars have tests of their own");
    };
    let table = if method.of_rate {
        table.differences()
    } else {
        table
    };
    let mut buckets: BTreeMap<i64, Vec<&Vec<f64>>> = BTreeMap::new();
    for (at, row) in &table.rows {
        let start = at / span.as_nanosecond() * span.as_nanosecond();
        buckets.entry(start).or_default().push(row);
    }
    let columns = table.sources.len();
    let mut rows = Rows::new();
    for (start, bucket) in buckets {
        let deviates = matches!(
            method.statistic,
            ResampleStatistic::Variance | ResampleStatistic::Of(Statistic::Std)
        );
        if deviates && bucket.len() < 2 {
            continue;
        }
        let cells = (0..columns).map(|column| {
            let cells: Vec<f64> = bucket.iter().map(|row| row[column]).collect();
            let of = |wanted| statistic(&cells, wanted, &mut RankScratch::new()).expect("cells");
            match method.statistic {
                ResampleStatistic::Of(wanted) => of(wanted),
                ResampleStatistic::Variance => of(Statistic::Std).powi(2),
            }
        });
        rows.insert(start, cells.collect());
    }
    Table {
        rows,
        granularity: to,
        ..table
    }
}

/// A statistic of cells, those that are NaN ignored.
fn of_cells(cells: &[f64], wanted: CellStatistic) -> f64 {
    let mut numbers: Vec<f64> = cells
        .iter()
        .copied()
        .filter(|cell| !cell.is_nan())
        .collect();
    let count = numbers.len() as f64;
    let sum = numbers.iter().fold(0.0, |sum, number| sum + number);
    match wanted {
        CellStatistic::Count => count,
        CellStatistic::Sum => sum,
        CellStatistic::Mean => sum / count,
        CellStatistic::Min => numbers
            .into_iter()
            .reduce(|a, b| if b < a { b } else { a })
            .unwrap_or(f64::NAN),
        CellStatistic::Max => numbers
            .into_iter()
            .reduce(|a, b| if b > a { b } else { a })
            .unwrap_or(f64::NAN),
        CellStatistic::Var | CellStatistic::Std => {
            let mean = sum / count;
            let squares = numbers
                .iter()
                .map(|number| (number - mean) * (number - mean));
            let variance = squares.fold(0.0, |sum, square| sum + square) / count;
            if wanted == CellStatistic::Var {
                variance
            } else {
                variance.sqrt()
            }
        }
        CellStatistic::Median => {
            numbers.sort_by(f64::total_cmp);
            match numbers.len() {
                0 => f64::NAN,
                count if count % 2 == 1 => numbers[count / 2],
                count => f64::midpoint(numbers[count / 2 - 1], numbers[count / 2]),
            }
        }
    }
}

/// A statistic of a window; sums of long ones are put together of pieces.
fn of_window(cells: &[f64], wanted: CellStatistic) -> f64 {
    if cells.len() <= ORDERED_WINDOW_MAX {
        return of_cells(cells, wanted);
    }
    let present: Vec<f64> = cells
        .iter()
        .map(|cell| if cell.is_nan() { 0.0 } else { cell + 0.0 })
        .collect();
    match wanted {
        CellStatistic::Sum => pieces(&present),
        CellStatistic::Mean => pieces(&present) / of_cells(cells, CellStatistic::Count),
        other => of_cells(cells, other),
    }
}

fn pieces(cells: &[f64]) -> f64 {
    if let [cell] = cells {
        *cell
    } else if cells.len().is_power_of_two() {
        let (left, right) = cells.split_at(cells.len() / 2);
        pieces(left) + pieces(right)
    } else {
        // All pieces but the longest, then that one.
        let longest = 1 << cells.len().ilog2();
        let (left, right) = cells.split_at(cells.len() - longest);
        pieces(left) + pieces(right)
    }
}

fn unary(function: UnaryFunction, cell: f64) -> f64 {
    match function {
        UnaryFunction::Absolute => cell.abs(),
        UnaryFunction::Negative => -cell,
        UnaryFunction::Cosine => cell.cos(),
        UnaryFunction::Sine => cell.sin(),
        UnaryFunction::Tangent => cell.tan(),
        UnaryFunction::Floor => cell.floor(),
        UnaryFunction::Ceiling => cell.ceil(),
    }
}

fn binary(function: BinaryFunction, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    let any_nan = left.is_nan() || right.is_nan();
    match function {
        BinaryFunction::Equal => truth(left == right),
        BinaryFunction::NotEqual => truth(left != right),
        BinaryFunction::Less => truth(left < right),
        BinaryFunction::Greater => truth(left > right),
        BinaryFunction::LessOrEqual => truth(left <= right),
        BinaryFunction::GreaterOrEqual => truth(left >= right),
        BinaryFunction::Add => left + right,
        BinaryFunction::Subtract => left - right,
        BinaryFunction::Multiply => left * right,
        BinaryFunction::Divide => left / right,
        BinaryFunction::Power => left.powf(right),
        BinaryFunction::Modulo => {
            let rest = left % right;
            match rest {
                0.0 => 0.0_f64.copysign(right),
                rest if rest.is_sign_negative() == right.is_sign_negative() => rest,
                rest => rest + right,
            }
        }
        BinaryFunction::Larger if left.is_nan() => right,
        BinaryFunction::Larger if right.is_nan() => left,
        BinaryFunction::NotBelow | BinaryFunction::NotAbove if any_nan => f64::NAN,
        BinaryFunction::Larger | BinaryFunction::NotBelow => {
            if left < right {
                right
            } else {
                left
            }
        }
        BinaryFunction::NotAbove => {
            if left > right {
                right
            } else {
                left
            }
        }
    }
}
