//! Bytes become lines and statements: pure functions, tested with random input.
//!
//! | file | concern |
//! |---|---|
//! | `lines` | where each line of a body begins and ends |
//! | `line`, `name`, `value` | one line and its parts |
//! | `diagnosis` | why a line cannot be read |
//! | `precision` | units of timestamps |
//! | `statement` | the statements that clients send before they write |

mod diagnosis;
mod line;
mod lines;
mod name;
mod precision;
mod statement;
mod value;

pub(super) use diagnosis::diagnose;
pub use diagnosis::{Cause, Diagnosis};
pub(super) use line::series;
pub use line::{Line, line};
pub(super) use lines::{Lines, Piece};
pub use name::Name;
pub use precision::Precision;
pub use statement::{Statement, statement};
