//! Timestamps and durations as people and programs write them, the same in every protocol and in searches.

pub mod epoch;
pub mod method;
pub mod nearest;
pub mod timespan;
pub mod timestamp;
