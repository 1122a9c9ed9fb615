//! Bytes become series: pure functions, tested with random input.
//!
//! | file | concern |
//! |---|---|
//! | `snappy` | decompresses a body |
//! | `wire` | fields of a message |
//! | `message` | series, labels and samples |

mod message;
mod snappy;
mod wire;

pub use message::{Label, LabelFault, Sample, TimeSeries, WriteRequest};
pub(super) use snappy::length;
pub use snappy::{SnappyError, decompress};
pub use wire::WireError;
