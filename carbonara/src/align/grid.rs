//! [`Grid`]: columns of cells over common timestamps.

use super::error::AlignError;
use super::fill::Fill;
use super::overlap::Overlap;
use super::union::{scatter, union};
use crate::series::Series;

/// Most cells of one grid: half a gigabyte of numbers.
///
/// A grid is larger than its series when they have no timestamps in common, up to the square of their number; without a limit, a thousand small
/// metrics could ask for all memory there is.
pub const GRID_CELLS_MAX: usize = 1 << 26;

/// What becomes of missing cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alignment {
    /// They get a value.
    Fill(Fill),
    /// They stay NaN, and there must not be too many.
    Overlap(Overlap),
}

/// Which values of a result are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// Those that are neither NaN nor infinite.
    Finite,
}

/// Columns of cells over common timestamps.
///
/// Equality is that of `f64`: a grid that holds a NaN is not equal to itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    timestamps_ns: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

impl Alignment {
    /// Returns which values of a result are shown: under the modes that leave NaN as a mark for "nothing there", only finite ones.
    #[must_use]
    pub const fn keep(self) -> Keep {
        match self {
            Self::Fill(Fill::Number(_) | Fill::Null) | Self::Overlap(_) => Keep::All,
            Self::Fill(
                Fill::DropMissing
                | Fill::Forward
                | Fill::Backward
                | Fill::FullForward
                | Fill::FullBackward,
            ) => Keep::Finite,
        }
    }
}

impl Keep {
    /// Returns whether a value is shown.
    #[must_use]
    pub const fn shows(self, value: f64) -> bool {
        match self {
            Self::All => true,
            Self::Finite => value.is_finite(),
        }
    }
}

impl Grid {
    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.timestamps_ns.len()
    }

    /// Returns the timestamp of each row: nanoseconds since the epoch, strictly ascending.
    #[must_use]
    pub fn timestamps_ns(&self) -> &[i64] {
        &self.timestamps_ns
    }

    /// Returns the columns, one for each series, in their order; each has a cell for each row.
    #[must_use]
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Returns the timestamps, then the columns.
    #[must_use]
    pub fn into_parts(self) -> (Vec<i64>, Vec<Vec<f64>>) {
        (self.timestamps_ns, self.columns)
    }
}

/// Puts series on one grid, a column for each.
///
/// Series that all have the same timestamps become columns as they are, without a copy.
///
/// # Errors
/// [`AlignError::NoOverlap`] and [`AlignError::TooLittleOverlap`] when an [`Overlap`] is asked for and not found,
/// [`AlignError::TooManyCells`] beyond [`GRID_CELLS_MAX`].
///
/// # Examples
/// ```
/// use carbonara::Series;
/// use carbonara::align::{Alignment, Fill, align};
///
/// let one = Series::from_points(vec![10, 20], vec![1.0, 2.0])?;
/// let other = Series::from_points(vec![20, 30], vec![5.0, 6.0])?;
/// let grid = align(vec![one, other], Alignment::Fill(Fill::Number(0.0)))?;
/// assert_eq!(grid.timestamps_ns(), [10, 20, 30]);
/// assert_eq!(grid.columns(), [[1.0, 2.0, 0.0], [0.0, 5.0, 6.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn align(series: Vec<Series>, alignment: Alignment) -> Result<Grid, AlignError> {
    align_admitted(series, alignment, |_cells| Ok(()))
}

/// Puts series on one grid once `admit` has agreed to so many cells.
pub(crate) fn align_admitted<E: From<AlignError>>(
    series: Vec<Series>,
    alignment: Alignment,
    admit: impl FnOnce(usize) -> Result<(), E>,
) -> Result<Grid, E> {
    let blank = match alignment {
        Alignment::Fill(fill) => fill.blank(),
        Alignment::Overlap(_) => f64::NAN,
    };
    let mut grid = place(series, blank, admit)?;
    match alignment {
        Alignment::Fill(fill) => {
            for column in &mut grid.columns {
                fill.spread(column);
            }
        }
        Alignment::Overlap(overlap) => grid.cut(overlap)?,
    }
    Ok(grid)
}

/// Puts series on the rows of all their timestamps.
fn place<E: From<AlignError>>(
    series: Vec<Series>,
    blank: f64,
    admit: impl FnOnce(usize) -> Result<(), E>,
) -> Result<Grid, E> {
    let union_ns = union(&series);
    let rows = match (&union_ns, series.first()) {
        (Some(union_ns), _) => union_ns.len(),
        (None, Some(first)) => first.len(),
        (None, None) => 0,
    };
    let cells = rows.saturating_mul(series.len());
    if cells > GRID_CELLS_MAX {
        let columns = series.len();
        return Err(AlignError::TooManyCells { rows, columns }.into());
    }
    admit(cells)?;
    let mut grid = Grid {
        timestamps_ns: Vec::new(),
        columns: Vec::with_capacity(series.len()),
    };
    let Some(union_ns) = union_ns else {
        for one in series {
            let (timestamps_ns, values) = one.into_parts();
            grid.timestamps_ns = timestamps_ns;
            grid.columns.push(values);
        }
        return Ok(grid);
    };
    for one in series {
        // As many points as there are rows: the same timestamps.
        let column = if one.len() == rows {
            one.into_parts().1
        } else {
            scatter(&one, &union_ns, blank)
        };
        grid.columns.push(column);
    }
    grid.timestamps_ns = union_ns;
    Ok(grid)
}

impl Grid {
    /// Drops the rows outside the overlap.
    fn cut(&mut self, overlap: Overlap) -> Result<(), AlignError> {
        let rows = overlap.rows(self.rows(), &self.columns)?;
        if rows.len() < self.rows() {
            self.timestamps_ns.truncate(rows.end);
            self.timestamps_ns.drain(..rows.start);
            for column in &mut self.columns {
                column.truncate(rows.end);
                column.drain(..rows.start);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::overlap::RangeEnd;
    use super::*;

    fn series(points: &[(i64, f64)]) -> Series {
        let (timestamps_ns, values) = points.iter().copied().unzip();
        Series::from_points(timestamps_ns, values).expect("valid points")
    }

    #[test]
    fn alike_series_are_moved() {
        let one = series(&[(1, 1.0), (2, 2.0)]);
        let other = series(&[(1, 3.0), (2, 4.0)]);
        let place = other.values().as_ptr();
        let grid = align(vec![one, other], Alignment::Fill(Fill::Null)).expect("a grid");
        assert_eq!(grid.columns(), [[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(grid.columns()[1].as_ptr(), place);
    }

    #[test]
    fn missing_cells_get_what_the_mode_says() {
        let given = || vec![series(&[(1, 1.0), (3, 3.0)]), series(&[(2, 5.0)])];
        let grid = align(given(), Alignment::Fill(Fill::Number(9.0))).expect("a grid");
        assert_eq!(grid.columns(), [[1.0, 9.0, 3.0], [9.0, 5.0, 9.0]]);
        let grid = align(given(), Alignment::Fill(Fill::FullForward)).expect("a grid");
        assert_eq!(grid.columns(), [[1.0, 1.0, 3.0], [5.0, 5.0, 5.0]]);
        let grid = align(given(), Alignment::Fill(Fill::DropMissing)).expect("a grid");
        assert!(grid.columns()[1][0].is_nan());
    }

    #[test]
    fn a_stored_nan_is_not_filled_with_a_number_but_by_neighbours() {
        let given = || vec![series(&[(1, 1.0), (2, f64::NAN)])];
        let grid = align(given(), Alignment::Fill(Fill::Number(9.0))).expect("a grid");
        assert!(grid.columns()[0][1].is_nan());
        let grid = align(given(), Alignment::Fill(Fill::Forward)).expect("a grid");
        assert_eq!(grid.columns(), [[1.0, 1.0]]);
    }

    #[test]
    fn overlap_cuts_rows() {
        let given = vec![
            series(&[(1, 1.0), (2, 2.0), (3, 3.0)]),
            series(&[(2, 5.0), (3, 6.0), (4, 7.0)]),
        ];
        let overlap = Overlap {
            needed_percent: 100.0,
            start: RangeEnd::Open,
            stop: RangeEnd::Open,
        };
        let grid = align(given, Alignment::Overlap(overlap)).expect("a grid");
        assert_eq!(grid.timestamps_ns(), [2, 3]);
        assert_eq!(grid.columns(), [[2.0, 3.0], [5.0, 6.0]]);
    }

    #[test]
    fn nothing_gives_an_empty_grid() {
        let dropped = Alignment::Fill(Fill::DropMissing);
        assert_eq!(align(vec![], dropped), Ok(Grid::default()));
        let grid = align(vec![Series::new()], dropped).expect("a grid");
        assert_eq!((grid.rows(), grid.columns().len()), (0, 1));
    }

    #[test]
    fn a_grid_that_is_too_large_is_refused() {
        // Each series has its own timestamps: 10,000 of them make 10^8 cells out of 10,000 points.
        let given = (0..10_000).map(|at| series(&[(at, 1.0)])).collect();
        assert_eq!(
            align(given, Alignment::Fill(Fill::Null)),
            Err(AlignError::TooManyCells {
                rows: 10_000,
                columns: 10_000
            })
        );
    }

    #[test]
    fn what_is_shown() {
        let shown = |fill| Alignment::Fill(fill).keep();
        assert_eq!(shown(Fill::Number(0.0)), Keep::All);
        assert_eq!(shown(Fill::Null), Keep::All);
        assert_eq!(shown(Fill::DropMissing), Keep::Finite);
        assert_eq!(shown(Fill::FullBackward), Keep::Finite);
        assert!(!Keep::Finite.shows(f64::NEG_INFINITY) && Keep::Finite.shows(-0.0));
        assert!(Keep::All.shows(f64::NAN));
    }
}
