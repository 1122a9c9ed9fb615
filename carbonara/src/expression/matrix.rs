//! [`Matrix`]: the intermediate results of an evaluation.

use std::rc::Rc;

use super::meter::{Interrupted, Meter};
use crate::resample::Granularity;

/// Cells of one column. Shared, so that a series that two operands need is not copied unless both change it.
pub(super) type Cells = Rc<Vec<f64>>;

/// The memory of a cell, in bytes.
pub(super) const CELL_BYTES: usize = size_of::<f64>();

/// A number, or rows of cells.
#[derive(Debug)]
pub(super) enum Value {
    /// The same for all rows.
    Number(f64),
    /// Rows.
    Matrix(Matrix),
}

/// Columns over common timestamps.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) granularity: Granularity,
    pub(super) timestamps_ns: Rc<Vec<i64>>,
    pub(super) columns: Vec<MatrixColumn>,
    /// Whether series were put together.
    pub(super) is_combined: bool,
}

/// A column.
#[derive(Debug)]
pub(super) struct MatrixColumn {
    /// The series that it belongs to, if it belongs to one: always when there are several columns.
    pub(super) source: Option<usize>,
    pub(super) cells: Cells,
}

impl Matrix {
    /// Returns the number of rows.
    pub(super) fn rows(&self) -> usize {
        self.timestamps_ns.len()
    }

    /// Returns whether both have the same timestamps and granularity.
    pub(super) fn has_rows_of(&self, other: &Self) -> bool {
        self.granularity == other.granularity
            && (Rc::ptr_eq(&self.timestamps_ns, &other.timestamps_ns)
                || self.timestamps_ns == other.timestamps_ns)
    }

    /// Changes the cells of each column; all of them keep a common length.
    pub(super) fn change(
        &mut self,
        meter: &dyn Meter,
        mut change: impl FnMut(&mut Vec<f64>),
    ) -> Result<(), Interrupted> {
        for column in &mut self.columns {
            meter.spend(column.cells.len())?;
            change(Rc::make_mut(&mut column.cells));
        }
        Ok(())
    }

    /// Replaces the cells of each column by others.
    pub(super) fn replace(
        &mut self,
        mut cells: impl FnMut(&[f64]) -> Result<Vec<f64>, Interrupted>,
    ) -> Result<(), Interrupted> {
        for column in &mut self.columns {
            column.cells = Rc::new(cells(&column.cells)?);
        }
        Ok(())
    }

    /// Drops the timestamps of the first rows; the cells are up to the caller.
    pub(super) fn drop_timestamps(&mut self, rows: usize) {
        let rows = rows.min(self.rows());
        match Rc::get_mut(&mut self.timestamps_ns) {
            Some(timestamps_ns) => {
                timestamps_ns.drain(..rows);
            }
            None => self.timestamps_ns = Rc::new(self.timestamps_ns[rows..].to_vec()),
        }
    }
}
