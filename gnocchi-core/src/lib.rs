//! Model, driver contracts and domain rules of a metric store that keeps aggregates.

pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod directory;
pub mod driver;
pub mod error;
mod intake;
pub mod memory;
pub mod model;
mod processing;
pub mod query;
mod store;
mod telemetry;

pub use error::Error;
pub use intake::Appended;
pub use store::{DefaultPolicies, Drivers, Gnocchi, Settings};
