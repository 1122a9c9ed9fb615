//! Start-up and shutdown: from a configuration to a running server and back.

mod error;
mod impatient;
mod listener;
mod serve;
pub mod signal;
mod store;
pub mod telemetry;

pub use error::ServeError;
pub use listener::{Limits, Listener};
pub use serve::serve;
pub use store::store_config;
