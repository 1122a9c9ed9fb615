//! Model, driver contracts and domain rules of a metric store that keeps aggregates.

pub mod clock;
pub mod driver;
pub mod error;
pub mod model;
