//! Limits of expressions.

use crate::align::GRID_CELLS_MAX;

/// Most lists in lists of one expression.
///
/// Reading and evaluating are recursive; each level takes some hundred bytes of stack.
pub const DEPTH_MAX: usize = 64;

/// Most operations of one expression.
///
/// Each is a pass over the grid: the limit keeps the cost of a request bounded by its data.
pub const OPERATIONS_MAX: usize = 1000;

/// Most cells of all grids that one evaluation holds at once: two gigabytes of numbers.
///
/// An operand that was changed is a copy of the grid, and waits as one while the other operand is computed: `(+ (abs A) (+ (abs B) ...))` holds as many
/// as it is deep. The largest grid may be held four times.
pub const EVALUATION_CELLS_MAX: usize = 4 * GRID_CELLS_MAX;
