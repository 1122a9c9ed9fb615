//! Reading aggregates.

mod measures;
mod overlay;
mod rows;

pub use measures::{LevelGranularity, LevelMeasures, MeasuresQuery, Resample};
