//! What most programs that embed a store import: `use gnocchi_drivers::prelude::*;`.

pub use crate::span::{DAY, HOUR, MINUTE, SECOND, days, hours, minutes, seconds};
pub use crate::store::{MetricHandle, Policy, Store};
pub use carbonara::{AggregationMethod, Series, Timespan, Timestamp};
pub use gnocchi_core::clock::Now;
