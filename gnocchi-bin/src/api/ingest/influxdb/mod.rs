//! The write API of `InfluxDB` 1.x, as far as senders need it.
//!
//! A database is a resource type, and a tag (`host` unless a header says otherwise) names the resource. The other tags belong to
//! the name of the metric: `cpu,host=web,core=0 user=1` is a measure of the metric `cpu.user@core=0` of the resource `web`.

mod endpoint;
mod line;
mod name;
mod query;
mod value;
mod write;

pub use line::{Line, line};
pub use name::Name;
pub use query::{Statement, statement};
pub use write::{Precision, WriteError, WriteOptions, parse};

pub(super) use endpoint::routes;
