#![doc = include_str!("../../docs/format.md")]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod bytes;
mod column;
mod compression;
mod envelope;
mod error;
pub mod frame;
pub mod measures;
pub mod points;
mod timestamps;

pub use error::{Corruption, DecodeError};

/// How much work goes into short bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Written often, read soon: columns as they are in memory.
    Fresh,
    /// Written once and kept: columns compressed, which costs far more time to write.
    Sealed,
}
