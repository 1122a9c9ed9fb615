//! Pure time-series aggregation engine: series, aggregation methods, frames and blocks.

pub mod constants;
mod frame;
mod method;
mod series;
mod time;

pub use frame::{Frame, FrameError};
pub use method::{
    AggregationMethod, Component, ComponentKind, ComponentSet, MethodError, Percentile, Statistic,
};
pub use series::{Point, Series, SeriesError, SeriesSlice};
pub use time::{TimeError, Timespan, Timestamp};
