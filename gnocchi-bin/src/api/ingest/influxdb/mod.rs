//! The write API of `InfluxDB` 1.x and 2.x, as far as senders need it.
//!
//! A database is a resource type, and a tag (`host` unless a header says otherwise) names the resource. The other tags belong to
//! the name of the metric: `cpu,host=web,core=0 user=1` is a measure of the metric `cpu.user@core=0` of the resource `web`.
//!
//! | file | concern |
//! |---|---|
//! | `line`, `name`, `value` | one line and its parts |
//! | `lines`, `precision`, `write` | a body |
//! | `diagnosis` | why a line cannot be read |
//! | `statement` | the statements that senders begin with |
//! | `endpoint` | the routes, and how a server is recognised |
//! | `query_endpoint`, `write_endpoint` | handlers |
//! | `credentials` | callers in the ways of this protocol |

mod credentials;
mod diagnosis;
mod endpoint;
mod line;
mod lines;
mod name;
mod precision;
mod query_endpoint;
mod statement;
mod value;
mod write;
mod write_endpoint;

pub use diagnosis::{Cause, Diagnosis};
pub use line::{Line, line};
pub use name::Name;
pub use precision::Precision;
pub use statement::{Statement, statement};
pub use write::{LineError, LineFault, WriteOptions, Written, parse};

pub(super) use endpoint::routes;
