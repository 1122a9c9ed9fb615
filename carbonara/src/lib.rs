//! Pure time-series aggregation engine: series, aggregation methods, frames and blocks.

pub mod aggregate;
pub mod block;
pub mod bucket;
pub mod calendar;
pub mod codec;
pub mod constants;
pub mod fold;
pub mod frame;
pub mod kernel;
pub mod method;
pub mod plan;
pub mod resample;
pub mod series;
pub mod time;
pub mod window;

pub use aggregate::aggregate;
pub use calendar::{CalendarUnit, CalendarUnitError};
pub use fold::{Folded, PointsRequired, RejectReason, Rejected, Retention};
pub use frame::{Frame, FrameError};
pub use method::{
    AggregationMethod, Component, ComponentKind, ComponentSet, MethodError, Percentile, Statistic,
};
pub use plan::{AggregationPlan, Level, PlanError};
pub use resample::{ResampleTo, resample};
pub use series::{Point, Series, SeriesError, SeriesSlice};
pub use time::{TimeError, Timespan, Timestamp};
pub use window::Window;
