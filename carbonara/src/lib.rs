//! Pure time-series aggregation engine: series, aggregation methods, frames and blocks, expressions over many series.
//!
//! The engine folds the points of a metric into the aggregates of every bucket that they belong to, for each granularity of its archive
//! policy, as columns that can be encoded, stored, merged and read again. The result of every function depends only on its arguments:
//! this crate does no I/O, reads no clock, starts no thread and has no global state.
//!
//! It is not a database: the caller stores the bytes. The crate `gnocchi-drivers` stores them in a directory. The package is named
//! `gnocchi-carbonara`, the library `carbonara`.
//!
//! # Example
//!
//! ```
//! use carbonara::{AggregationPlan, Level, Series, Timespan, Window};
//!
//! let minute = Level { granularity: Timespan::MINUTE, timespan: Some(Timespan::HOUR) };
//! let mean = "mean".parse()?;
//! let plan = AggregationPlan::new(vec![minute], &[mean, "max".parse()?], 1)?;
//!
//! let mut window = Window::empty(&plan);
//! let measures = Series::from_points(vec![61_000_000_000, 62_000_000_000], vec![1.0, 4.0])?;
//! let folded = window.fold(&plan, &[&measures])?;
//!
//! let means = folded.frames[0].series(mean).ok_or("the plan has no such method")?;
//! assert_eq!((means.timestamps_ns(), means.values()), (&[60_000_000_000][..], &[2.5][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//!
//! - A [`Series`] holds points: timestamps in nanoseconds, strictly ascending, and values.
//! - An [`AggregationPlan`] is the engine's form of an archive policy: levels (granularity and timespan), methods, and a back window.
//! - A [`Window`] is the state of a metric that is needed to [`fold`](Window::fold) more points into its aggregates, late ones included.
//!   For every order of arrival within the back window, the aggregates are bit-identical to those of a single batch.
//! - A [`Frame`] holds aggregated points of one granularity: a row for each bucket, a column for each [`Component`]. An
//!   [`AggregationMethod`] is computed from components when it is read: `mean` is `sum / count`.
//! - A [`block`] is the part of all frames of a granularity that falls into one aligned span of 3600 buckets; [`codec`] turns frames, points and
//!   batches of measures into bytes.
//! - [`aggregate()`] is the underlying pass from points to a frame for each level. [`kernel`] defines the treatment of NaN, infinities and zeros.
//! - [`resample()`] groups a series further, by a span or by a [`CalendarUnit`], in UTC or in a time zone (see [`calendar`]).
//! - [`align`] aligns the series of many metrics on one grid, and an [`expression`] is evaluated on them:
//!   `(rolling mean 60 (aggregate max (metric cpu.util mean)))`.
//!
//! # Names
//!
//! | in Gnocchi's Python | here |
//! |---|---|
//! | `carbonara.TimeSerie` | [`Series`] |
//! | `carbonara.BoundTimeSerie` | [`Window`] |
//! | `carbonara.AggregatedTimeSerie` | one method of a [`Frame`] |
//! | `carbonara.SplitKey` | [`block::BlockKey`] |
//! | `POINTS_PER_SPLIT` | [`constants::POINTS_PER_BLOCK`] |
//! | `Aggregation(method, granularity, timespan)` | [`AggregationMethod`] and [`Level`] |
//! | `ArchivePolicyItem` | [`Level`] |
//! | `round_timestamp` | [`Timestamp::floor`] |
//! | `group_serie(...).mean()` and its siblings | [`aggregate()`] |
//! | `serie.resample` | [`resample()`] |
//! | `first_block_timestamp()` | [`Window::first_block`] |
//! | `aggregates.processor`: `fill`, `needed_overlap` | [`align::Fill`], [`align::Overlap`] |
//! | `aggregates.operations` | [`expression::evaluate`] |
//! | `OperationsSchema`, the operations grammar | [`expression::Grammar`] |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `serde` | no | (de)serialization of [`AggregationMethod`] as its text |

/// The examples of the page on the registry compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod aggregate;
pub mod align;
pub mod block;
pub mod bucket;
pub mod calendar;
pub mod codec;
pub mod constants;
mod convert;
pub mod expression;
pub mod fold;
pub mod frame;
mod groups;
pub mod kernel;
pub mod method;
pub mod plan;
pub mod resample;
pub mod series;
pub mod time;
pub mod window;

pub use aggregate::aggregate;
pub use calendar::{CalendarUnit, CalendarUnitError, LocalSpan, LocalSpanError};
pub use fold::{Folded, PointsRequired, RejectReason, Rejected, Retention};
pub use frame::{Frame, FrameError};
pub use method::{
    AggregationMethod, Component, ComponentKind, ComponentSet, MethodError, Percentile, Statistic,
};
pub use plan::{AggregationPlan, Level, PlanError};
pub use resample::{DividedRow, Granularity, ResampleTo, resample, resample_rows};
pub use series::{Point, Series, SeriesError, SeriesSlice};
pub use time::{TimeError, Timespan, Timestamp};
pub use window::Window;
