//! Computing expressions.

use std::collections::HashMap;
use std::rc::Rc;

use jiff::tz::TimeZone;

use super::ast::{Expression, Reference};
use super::functions::BinaryFunction;
use super::matrix::{CELL_BYTES, Cells, Matrix, MatrixColumn, Value};
use super::meter::{Meter, Unmetered};
use super::operate;
use super::outcome::{EvaluateError, Input, Origin, Outcome, OutcomeColumn, Shape};
use crate::align::{Keep, align_admitted};
use crate::resample::Granularity;
use crate::series::Series;

/// Computes an expression over the series that it refers to.
///
/// Sums across columns run in the order of [`Input::columns`]; a `metric` operation gives the columns of its references in that order, whatever the order in
/// which it names them.
///
/// # Errors
/// [`EvaluateError::Align`] when the series have no common grid or do not overlap as asked, [`EvaluateError::TooManyCells`] when
/// the operands would take too much memory; others when they do not fit together.
///
/// # Panics
/// In debug builds when the reference of a column is none of the expression.
pub fn evaluate(expression: &Expression, input: Input<'_>) -> Result<Outcome, EvaluateError> {
    evaluate_metered(expression, input, &Unmetered)
}

/// Computes an expression as [`evaluate`] does, as long as a meter lets it.
///
/// # Errors
/// [`EvaluateError::Interrupted`] when the meter ends it, otherwise as [`evaluate`].
///
/// # Panics
/// As [`evaluate`].
pub fn evaluate_metered(
    expression: &Expression,
    input: Input<'_>,
    meter: &dyn Meter,
) -> Result<Outcome, EvaluateError> {
    let (references, series): (Vec<usize>, Vec<Series>) = input
        .columns
        .into_iter()
        .map(|column| (column.reference, column.series))
        .unzip();
    let admit = |cells: usize| -> Result<(), EvaluateError> {
        meter.spend(cells)?;
        Ok(meter.hold(cells * CELL_BYTES)?)
    };
    let (timestamps_ns, columns) = align_admitted(series, input.alignment, admit)?.into_parts();
    let copied = expression.check_memory(timestamps_ns.len(), columns.len())?;
    meter.hold(copied * CELL_BYTES)?;
    let slots = references
        .into_iter()
        .zip(columns)
        .map(|(reference, cells)| Slot {
            reference,
            cells: Rc::new(cells),
            uses: 0,
        })
        .collect();
    let mut evaluator = Evaluator {
        granularity: Granularity::Span(input.granularity),
        timestamps_ns: Rc::new(timestamps_ns),
        slots,
        references: HashMap::new(),
        time_zone: input.time_zone,
        meter,
    };
    evaluator.count_uses(expression);
    let value = evaluator.value(expression)?;
    // Columns are not shared then, so none is copied.
    drop(evaluator);
    match value {
        Value::Number(_) => Err(EvaluateError::NotASeries),
        Value::Matrix(matrix) => Ok(outcome(matrix, input.alignment.keep())),
    }
}

fn outcome(matrix: Matrix, keep: Keep) -> Outcome {
    let shape = if matrix.is_combined && matrix.columns.len() < 2 {
        Shape::Aggregated
    } else {
        Shape::PerSeries
    };
    let columns = matrix.columns.into_iter().map(|column| OutcomeColumn {
        origin: match (shape, column.source) {
            (Shape::PerSeries, Some(source)) => Origin::Input(source),
            _ => Origin::Aggregated,
        },
        values: Rc::unwrap_or_clone(column.cells),
    });
    Outcome {
        granularity: matrix.granularity,
        shape,
        columns: columns.collect(),
        timestamps_ns: Rc::unwrap_or_clone(matrix.timestamps_ns),
        keep,
    }
}

struct Evaluator<'a> {
    granularity: Granularity,
    timestamps_ns: Rc<Vec<i64>>,
    slots: Vec<Slot>,
    /// The index of each reference.
    references: HashMap<&'a Reference, usize>,
    time_zone: &'a TimeZone,
    meter: &'a dyn Meter,
}

/// A column of the grid.
struct Slot {
    reference: usize,
    cells: Cells,
    /// How many operations still need it.
    uses: usize,
}

impl<'a> Evaluator<'a> {
    /// Finds out how often each column is needed, so that the last one who needs it gets it for himself.
    fn count_uses(&mut self, expression: &'a Expression) {
        let Self {
            references, slots, ..
        } = self;
        for reference in expression.references() {
            references.insert(reference, references.len());
        }
        debug_assert!(
            slots.iter().all(|slot| slot.reference < references.len()),
            "a column of an unknown reference"
        );
        expression.visit_metrics(&mut |listed| {
            let wanted = wanted(references, listed);
            for slot in slots.iter_mut().filter(|slot| wanted.has(slot)) {
                slot.uses += 1;
            }
        });
    }

    fn value(&mut self, expression: &'a Expression) -> Result<Value, EvaluateError> {
        match expression {
            Expression::Number(number) => Ok(Value::Number(*number)),
            Expression::Metric(listed) => Ok(Value::Matrix(self.metric(listed))),
            Expression::Unary(function, of) => {
                Ok(operate::unary(*function, self.value(of)?, self.meter)?)
            }
            Expression::Binary(function, left, right) => {
                let left = self.value(left)?;
                operate::binary(*function, left, self.value(right)?, self.meter)
            }
            Expression::Clip {
                of,
                lowest,
                highest,
            } => {
                let (of, lowest) = (self.value(of)?, self.value(lowest)?);
                let bounded = operate::binary(BinaryFunction::NotBelow, of, lowest, self.meter)?;
                match highest {
                    Some(highest) => {
                        let highest = self.value(highest)?;
                        operate::binary(BinaryFunction::NotAbove, bounded, highest, self.meter)
                    }
                    None => Ok(bounded),
                }
            }
            Expression::RateOfChange(unit, of) => self.rows(of, |matrix, meter| {
                Ok(operate::rate_of_change(*unit, matrix, meter)?)
            }),
            Expression::Aggregate(method, of) => self.rows(of, |matrix, meter| {
                Ok(operate::aggregate(*method, matrix, meter)?)
            }),
            Expression::Columns(operands) => self.columns(operands),
            Expression::Rolling { method, window, of } => self.rows(of, |matrix, meter| {
                operate::roll(*method, *window, matrix, meter)
            }),
            Expression::Resample { method, to, of } => {
                let zone = self.time_zone;
                let to = to.counted_in(zone)?;
                self.rows(of, |matrix, meter| {
                    operate::resample(*method, to.in_zone(zone), matrix, meter)
                })
            }
        }
    }

    /// Computes an operand that must have rows, and changes it.
    fn rows(
        &mut self,
        of: &'a Expression,
        change: impl FnOnce(&mut Matrix, &dyn Meter) -> Result<(), EvaluateError>,
    ) -> Result<Value, EvaluateError> {
        match self.value(of)? {
            Value::Number(_) => Err(EvaluateError::NotASeries),
            Value::Matrix(mut matrix) => {
                change(&mut matrix, self.meter)?;
                Ok(Value::Matrix(matrix))
            }
        }
    }

    /// Computes operands that must have the same rows, and puts their columns one after the other.
    fn columns(&mut self, operands: &'a [Expression]) -> Result<Value, EvaluateError> {
        let mut all: Option<Matrix> = None;
        for operand in operands {
            let Value::Matrix(matrix) = self.value(operand)? else {
                return Err(EvaluateError::NotASeries);
            };
            match &mut all {
                None => all = Some(matrix),
                Some(all) if all.has_rows_of(&matrix) => all.columns.extend(matrix.columns),
                Some(all) => {
                    return Err(EvaluateError::RowsDiffer {
                        left: all.granularity,
                        right: matrix.granularity,
                    });
                }
            }
        }
        all.map(Value::Matrix).ok_or(EvaluateError::NotASeries)
    }

    fn metric(&mut self, listed: &[Reference]) -> Matrix {
        let wanted = wanted(&self.references, listed);
        let slots = self.slots.iter_mut().enumerate();
        let columns = slots
            .filter(|(_, slot)| wanted.has(slot))
            .map(|(index, slot)| MatrixColumn {
                source: Some(index),
                cells: slot.give(),
            });
        Matrix {
            granularity: self.granularity,
            columns: columns.collect(),
            timestamps_ns: Rc::clone(&self.timestamps_ns),
            is_combined: false,
        }
    }
}

impl Slot {
    /// Gives the column away when this was its last use.
    fn give(&mut self) -> Cells {
        self.uses = self.uses.saturating_sub(1);
        if self.uses == 0 {
            std::mem::take(&mut self.cells)
        } else {
            Rc::clone(&self.cells)
        }
    }
}

/// Which references an operation lists.
struct Wanted(Vec<bool>);

fn wanted(references: &HashMap<&Reference, usize>, listed: &[Reference]) -> Wanted {
    let mut wanted = vec![false; references.len()];
    for reference in listed {
        if let Some(index) = references.get(reference) {
            wanted[*index] = true;
        }
    }
    Wanted(wanted)
}

impl Wanted {
    fn has(&self, slot: &Slot) -> bool {
        self.0.get(slot.reference).copied().unwrap_or(false)
    }
}
