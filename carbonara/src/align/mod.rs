//! Many series on one grid.
//!
//! Series of different metrics have their points at different moments. [`align`] puts them on one [`Grid`]: a row for each timestamp
//! that occurs in any of them, a column for each series. A cell that has no point is *missing*, and so is a cell whose
//! value is NaN; an [`Alignment`] says what becomes of missing cells.

mod error;
mod fill;
mod grid;
mod overlap;
mod union;

pub use error::AlignError;
pub use fill::{Fill, FillError};
pub(crate) use grid::align_admitted;
pub use grid::{Alignment, GRID_CELLS_MAX, Grid, Keep, align};
pub use overlap::{Overlap, RangeEnd};
