//! Buckets that follow the clocks and calendars of a time zone.
//!
//! | bucket | starts |
//! |---|---|
//! | [`CalendarUnit`] | at midnight of the first day of a year, half, quarter, month, week, or of a day |
//! | [`LocalSpan`] of whole days | at midnight of every n-th day, counted from 1 January 1970 |
//! | [`LocalSpan`] that divides a day | whenever the clocks show a multiple of it, counted from midnight |
//!
//! # Changes of the clocks
//!
//! Every timestamp lies in exactly one bucket, and each bucket ends where the next one begins; their lengths differ where the clocks
//! are changed.
//!
//! - A day has 23 or 25 hours then. It starts with the first timestamp at which the clocks show midnight or more: where midnight is
//!   skipped, at the change, and where it comes twice, the first time.
//! - Of a span of six hours, the bucket that holds the change has five or seven hours.
//! - Spans of an hour and less keep their length where the clocks are changed by a multiple of them: an hour that the clocks show twice
//!   is two buckets.

mod clock;
mod local_span;
mod unit;

pub use local_span::{LocalSpan, LocalSpanError};
pub use unit::{CalendarUnit, CalendarUnitError, floor, next};

pub(crate) use clock::Clock;
