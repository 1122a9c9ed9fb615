//! Why series have no common grid.

use std::fmt;

/// Why series were not aligned.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AlignError {
    /// No row is complete.
    NoOverlap,
    /// Fewer rows are complete than needed.
    TooLittleOverlap {
        /// The smallest share of complete rows, in percent, that was asked for.
        needed_percent: f64,
        /// The share that is complete.
        found_percent: f64,
    },
    /// The grid would have more than [`GRID_CELLS_MAX`](super::GRID_CELLS_MAX) cells.
    TooManyCells {
        /// Number of distinct timestamps.
        rows: usize,
        /// Number of series.
        columns: usize,
    },
}

impl fmt::Display for AlignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOverlap => f.write_str("no overlap"),
            Self::TooLittleOverlap {
                needed_percent,
                found_percent,
            } => write!(
                f,
                "less than {needed_percent:.6}% of datapoints overlap in this timespan ({found_percent:.2}%)"
            ),
            Self::TooManyCells { rows, columns } => {
                write!(
                    f,
                    "{rows} timestamps of {columns} series are too many cells"
                )
            }
        }
    }
}

impl std::error::Error for AlignError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let check = |error: AlignError, expected: &str| assert_eq!(error.to_string(), expected);
        check(AlignError::NoOverlap, "no overlap");
        check(
            AlignError::TooLittleOverlap {
                needed_percent: 100.0,
                found_percent: 200.0 / 3.0,
            },
            "less than 100.000000% of datapoints overlap in this timespan (66.67%)",
        );
        check(
            AlignError::TooManyCells {
                rows: 7,
                columns: 3,
            },
            "7 timestamps of 3 series are too many cells",
        );
    }
}
