//! Start-up and shutdown: from a configuration to a running server and back.

mod access;
pub(crate) mod descriptors;
mod error;
pub(crate) mod exposure;
mod half_closed;
mod impatient;
mod lingering;
mod listener;
mod log_file;
mod neighbours;
mod policy_files;
mod request_log;
mod serve;
pub mod signal;
mod store;
pub mod telemetry;
mod tls;
mod unfinished;
mod unread;
mod watch;

pub use access::AccessError;
pub use error::ServeError;
pub use listener::{Limits, Listener, Reservation};
pub use policy_files::PolicyFileError;
pub use serve::serve;
pub use store::store_config;
pub use tls::TlsError;
