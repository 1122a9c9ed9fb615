//! The write API of `InfluxDB` 1.x and 2.x, as far as senders need it.
//!
//! A database is a resource type, and a tag (`host` unless a header says otherwise) names the resource. The other tags belong to
//! the name of the metric: `cpu,host=web,core=0 user=1` is a measure of the metric `cpu.user@core=0` of the resource `web`.
//!
//! | file | concern |
//! |---|---|
//! | `parse/` | bytes become lines and statements |
//! | `map` | lines become measures of metrics |
//! | `endpoint/` | routes, handlers, and the ways in which clients of this protocol send credentials |

mod endpoint;
mod map;
mod parse;

pub use map::{LineError, LineFault, WriteOptions, Written, parse};
pub use parse::{Cause, Diagnosis, Line, Name, Precision, Statement, line, statement};

use super::receiver::Receiver;

/// This receiver.
pub(super) const RECEIVER: Receiver = Receiver {
    name: "influxdb",
    description: "Writes in the protocols of InfluxDB",
    routes: endpoint::routes,
    operations: endpoint::OPERATIONS,
    prefixes: &["/v1/influxdb/"],
};
