//! How much memory an evaluation takes, known before it begins.

use super::ast::Expression;
use super::constants::EVALUATION_CELLS_MAX;
use super::outcome::EvaluateError;

/// Copies of the grid that an operation makes.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    /// How many are held at once while it is computed.
    most: usize,
    /// How many its result is made of.
    kept: usize,
}

impl Expression {
    /// Checks that an evaluation over a grid of that size stays within [`EVALUATION_CELLS_MAX`], and returns how many cells it holds beside
    /// those of the grid.
    ///
    /// # Errors
    /// [`EvaluateError::TooManyCells`].
    pub(super) fn check_memory(&self, rows: usize, columns: usize) -> Result<usize, EvaluateError> {
        let grids = self.grids_held();
        let cells = rows.saturating_mul(columns);
        if cells.saturating_mul(grids) > EVALUATION_CELLS_MAX {
            return Err(EvaluateError::TooManyCells {
                rows,
                columns,
                grids,
            });
        }
        Ok(cells * (grids - 1))
    }

    /// Returns how many grids are held at once at most, the one of the series included.
    ///
    /// No operation has more cells than the grid: results of several columns have those of an operand, and no operation adds rows.
    fn grids_held(&self) -> usize {
        1 + self.copies().most
    }

    fn copies(&self) -> Copies {
        match self {
            // Shared with the grid until it is changed.
            Self::Number(_) | Self::Metric(_) => Copies::default(),
            Self::Unary(_, of)
            | Self::RateOfChange(_, of)
            | Self::Aggregate(_, of)
            | Self::Rolling { of, .. }
            | Self::Resample { of, .. } => of.copies().changed(),
            Self::Binary(_, left, right) => left.copies().beside(right.copies()).changed(),
            Self::Columns(operands) => operands
                .iter()
                .map(Self::copies)
                .fold(Copies::default(), Copies::beside),
            Self::Clip {
                of,
                lowest,
                highest,
            } => {
                let bounded = of.copies().beside(lowest.copies()).changed();
                match highest {
                    Some(highest) => bounded.beside(highest.copies()).changed(),
                    None => bounded,
                }
            }
        }
    }
}

impl Copies {
    /// Keeps the result while another operand is computed.
    fn beside(self, other: Self) -> Self {
        Self {
            most: self.most.max(self.kept + other.most),
            kept: self.kept + other.kept,
        }
    }

    /// Changes the result: in place where it is a copy already.
    fn changed(self) -> Self {
        Self {
            most: self.most.max(1),
            kept: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::GRID_CELLS_MAX;

    fn expression(text: &str) -> Expression {
        let metric = text.replace("$m", "(metric a x)");
        metric.parse().expect("an expression")
    }

    #[track_caller]
    fn check(text: &str, grids: usize) {
        assert_eq!(expression(text).grids_held(), grids, "{text}");
    }

    #[test]
    fn only_changed_operands_are_copies() {
        check("$m", 1);
        check("(abs (abs $m))", 2);
        check("(+ $m $m)", 2);
        check("(+ $m (+ $m (+ $m $m)))", 2);
        check("(+ (+ (abs $m) $m) $m)", 2);
        check("(+ (abs $m) 1)", 2);
        check("(+ (abs $m) (abs $m))", 3);
        check("(+ (+ (abs $m) (abs $m)) (abs $m))", 3);
        check("(+ (abs $m) (+ (abs $m) (abs $m)))", 4);
        check("(aggregate sum $m (abs $m))", 2);
        check("(aggregate sum (abs $m) (abs $m) $m)", 3);
        check("(clip (abs $m) 0 1)", 2);
        check("(clip (abs $m) (abs $m) (abs $m))", 3);
        check("(rolling sum 2 (clip $m 0 (abs $m)))", 3);
    }

    #[test]
    fn the_limit_counts_all_grids() {
        let largest = |text: &str| expression(text).check_memory(GRID_CELLS_MAX, 1);
        assert_eq!(
            largest("(+ (abs $m) (+ (abs $m) (abs $m)))"),
            Ok(3 * GRID_CELLS_MAX)
        );
        assert_eq!(
            largest("(+ (abs $m) (+ (abs $m) (+ (abs $m) (abs $m))))"),
            Err(EvaluateError::TooManyCells {
                rows: GRID_CELLS_MAX,
                columns: 1,
                grids: 5
            })
        );
        assert!(expression("$m").check_memory(usize::MAX, 2).is_err());
    }
}
