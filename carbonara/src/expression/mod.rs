//! Operations over many series: `(aggregate mean (rolling max 5 (metric cpu.util mean)))`.
//!
//! A [`Grammar`] parses an [`Expression`] from text, or from an [`Item`] that an adapter constructs from its own lists. [`evaluate`]
//! aligns the series that it refers to on one grid (see [`align`](crate::align)) and computes column by column, in place: an operation
//! allocates only if it must, and copies a column only if another operand still needs it.
//!
//! # Operations
//!
//! | operation | result |
//! |---|---|
//! | `(metric NAME METHOD)`, `(metric (NAME METHOD) ...)` | the series of these references, in the order in which they were given to [`evaluate`] |
//! | `(F X)`, a [`UnaryFunction`] | the function of each cell |
//! | `(F X Y)`, a [`BinaryFunction`] | cells of both, row by row |
//! | `(clip X LOWEST)`, `(clip X LOWEST HIGHEST)` | each cell, limited to a range |
//! | `(rateofchange X)`, `(rateofchangesec X)` | differences between neighbouring rows |
//! | `(aggregate METHOD X ...)`, a [`CellMethod`] | one column: a statistic across the columns of each row, those of all operands |
//! | `(rolling METHOD ROWS X)`, a [`CellMethod`] | a statistic of each window of rows, stamped with its last row |
//! | `(resample METHOD SPAN X)`, a [`ResampleMethod`] | a statistic of the rows of each bucket; a span in seconds or a letter of a [`CalendarUnit`](crate::CalendarUnit), in the time zone of the evaluation |
//!
//! An operand `X` is an operation or a number. Missing cells are NaN: `aggregate` and `rolling` ignore them, `resample` does not (its rules are those of
//! [`kernel`](crate::kernel)), and in functions they give NaN.
//!
//! # Operations between series
//!
//! Both operands must have the same rows and the same granularity; they differ only after `resample`, `rolling` or a rate. They have the same number of columns, or one
//! of them has a single column, which is then combined with each column of the other. A result with one column is *aggregated*: it belongs to no
//! series in particular. If a result has several columns, each one belongs to the series of its column in the wider operand, or in the left operand
//! if both are equally wide; so no column is lost and each has a name. If one operand has no column, neither has the result.
//! `aggregate` returns a column even then, as if all cells were missing: for a reference without any series, the sum and the number
//! of values are zero, and all other statistics are missing.
//!
//! # Limits
//!
//! An expression is at most [`DEPTH_MAX`] lists deep and has at most [`OPERATIONS_MAX`] operations; computing it takes at most [`EVALUATION_CELLS_MAX`] cells
//! at once, which is known before anything is computed. [`evaluate_metered`] reports to a [`Meter`] what it is about to compute and to hold, and stops if the
//! meter refuses.
//!
//! # Examples
//!
//! ```
//! use carbonara::align::{Alignment, Fill};
//! use carbonara::expression::{Expression, Input, InputColumn, evaluate};
//! use carbonara::{Series, Timespan};
//! use jiff::tz::TimeZone;
//!
//! let expression: Expression = "(* 100 (/ (metric used mean) (metric size mean)))".parse()?;
//! let series = |values| Series::from_points(vec![0, 60_000_000_000], values);
//! let outcome = evaluate(
//!     &expression,
//!     Input {
//!         granularity: Timespan::from_second(60)?,
//!         columns: vec![
//!             InputColumn { reference: 0, series: series(vec![1.0, 3.0])? },
//!             InputColumn { reference: 1, series: series(vec![4.0, 4.0])? },
//!         ],
//!         alignment: Alignment::Fill(Fill::DropMissing),
//!         time_zone: &TimeZone::UTC,
//!     },
//! )?;
//! assert_eq!(outcome.columns[0].values, [25.0, 75.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ast;
mod constants;
mod error;
mod evaluate;
mod functions;
mod item;
mod matrix;
mod memory;
mod meter;
mod operate;
mod outcome;
mod parse;
mod print;
mod seconds;

pub use ast::{Expression, RateUnit, Reference};
pub use constants::{DEPTH_MAX, EVALUATION_CELLS_MAX, OPERATIONS_MAX};
pub use error::{InvalidOperation, ParseError, ParseErrorKind, TextPlace, Unreadable};
pub use evaluate::{evaluate, evaluate_metered};
pub use functions::{
    BinaryFunction, CellMethod, FunctionError, ResampleMethod, ResampleStatistic, UnaryFunction,
};
pub use item::Item;
pub use meter::{Interrupted, Meter};
pub use outcome::{EvaluateError, Input, InputColumn, Origin, Outcome, OutcomeColumn, Shape};
pub use parse::Grammar;

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
