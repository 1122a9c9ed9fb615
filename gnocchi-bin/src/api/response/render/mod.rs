//! Response bodies: JSON as clients of this API expect it, down to the spaces.

mod json;
mod rows;
mod stream;
mod text;

pub use json::{to_bytes, write};
pub use rows::LevelRows;
pub use stream::{Document, PIECE_BYTES_MAX};
pub use text::{archive_policy_timespan, iso_microseconds};
