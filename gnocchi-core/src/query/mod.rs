//! Reading aggregates.

mod measures;

pub use measures::{LevelGranularity, LevelMeasures, MeasuresQuery, Resample};
