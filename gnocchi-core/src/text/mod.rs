//! Moments and lengths of time as people and programs write them, the same in every protocol and in searches.

pub mod timespan;
pub mod timestamp;
