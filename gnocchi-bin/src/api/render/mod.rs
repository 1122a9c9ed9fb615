//! Response bodies: JSON as clients of this API expect it, down to the spaces.

mod json;
mod measures;
mod text;

pub use json::{to_bytes, write};
pub use measures::{Rows, measures};
pub use text::{archive_policy_timespan, iso_microseconds};
