//! Limits of expressions.

/// Most lists in lists of one expression.
///
/// Reading and evaluating are recursive; each level takes some hundred bytes of stack, and may hold a copy of the grid.
pub const DEPTH_MAX: usize = 64;

/// Most operations of one expression.
///
/// Each is a pass over the grid: the limit keeps the cost of a request bounded by its data.
pub const OPERATIONS_MAX: usize = 1000;
