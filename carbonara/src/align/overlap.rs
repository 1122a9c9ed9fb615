//! Asking that series have their points at the same moments.

use std::ops::Range;

use super::error::AlignError;

/// How much series must overlap. A row *overlaps* when none of its cells is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// The smallest share of complete rows, in percent. With zero or less, anything goes.
    pub needed_percent: f64,
    /// Whether the caller asked for a start; without one, rows before the first complete row don't count and are cut.
    pub start: RangeEnd,
    /// Whether the caller asked for a stop; without one, rows after the last complete row don't count and are cut.
    pub stop: RangeEnd,
}

/// Whether an end of the time range was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// By the caller.
    Given,
    /// The range goes as far as there are points.
    Open,
}

impl Overlap {
    /// Returns the rows that stay.
    ///
    /// # Errors
    /// [`AlignError::NoOverlap`], [`AlignError::TooLittleOverlap`].
    pub(super) fn rows(
        self,
        rows: usize,
        columns: &[Vec<f64>],
    ) -> Result<Range<usize>, AlignError> {
        let complete = complete_rows(rows, columns);
        let first = complete.iter().position(|complete| *complete);
        let last = complete.iter().rposition(|complete| *complete);
        let (Some(first), Some(last)) = (first, last) else {
            return if self.needed_percent > 0.0 {
                Err(AlignError::NoOverlap)
            } else {
                Ok(0..rows)
            };
        };
        let from = match self.start {
            RangeEnd::Given => 0,
            RangeEnd::Open => first,
        };
        let to = match self.stop {
            RangeEnd::Given => rows,
            RangeEnd::Open => last + 1,
        };
        let overlapping = complete.iter().filter(|complete| **complete).count();
        let found_percent = percent(overlapping, to - from);
        if found_percent < self.needed_percent {
            return Err(AlignError::TooLittleOverlap {
                needed_percent: self.needed_percent,
                found_percent,
            });
        }
        Ok(from..to)
    }
}

/// Tells for each row whether all columns have a number there; without columns no row is complete.
fn complete_rows(rows: usize, columns: &[Vec<f64>]) -> Vec<bool> {
    let mut complete = vec![!columns.is_empty(); rows];
    for column in columns {
        for (complete, cell) in complete.iter_mut().zip(column) {
            *complete &= !cell.is_nan();
        }
    }
    complete
}

#[expect(clippy::cast_precision_loss, reason = "2^53 rows do not fit in memory")]
fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    /// Rows: incomplete, complete, incomplete, complete, incomplete.
    fn rows(
        needed_percent: f64,
        start: RangeEnd,
        stop: RangeEnd,
    ) -> Result<Range<usize>, AlignError> {
        let columns = [vec![1.0, 2.0, GAP, 4.0, 5.0], vec![GAP, 2.0, 3.0, 4.0, GAP]];
        let overlap = Overlap {
            needed_percent,
            start,
            stop,
        };
        overlap.rows(5, &columns)
    }

    #[test]
    fn open_ends_are_cut() {
        use RangeEnd::{Given, Open};
        assert_eq!(rows(50.0, Open, Open), Ok(1..4));
        assert_eq!(rows(50.0, Given, Open), Ok(0..4));
        assert_eq!(rows(50.0, Open, Given), Ok(1..5));
        assert_eq!(rows(40.0, Given, Given), Ok(0..5));
    }

    #[test]
    fn the_share_is_that_of_the_rows_that_stay() {
        use RangeEnd::{Given, Open};
        let error = |found_percent| {
            Err(AlignError::TooLittleOverlap {
                needed_percent: 70.0,
                found_percent,
            })
        };
        assert_eq!(rows(70.0, Open, Open), error(200.0 / 3.0));
        assert_eq!(rows(70.0, Given, Given), error(40.0));
    }

    #[test]
    fn without_a_complete_row() {
        let overlap = |needed_percent| Overlap {
            needed_percent,
            start: RangeEnd::Open,
            stop: RangeEnd::Open,
        };
        let columns = [vec![1.0, GAP], vec![GAP, 2.0]];
        assert_eq!(overlap(1.0).rows(2, &columns), Err(AlignError::NoOverlap));
        assert_eq!(overlap(0.0).rows(2, &columns), Ok(0..2));
        assert_eq!(overlap(0.0).rows(0, &[vec![]]), Ok(0..0));
        assert_eq!(overlap(0.1).rows(0, &[]), Err(AlignError::NoOverlap));
    }
}
