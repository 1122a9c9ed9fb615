//! Remote write of Prometheus, version 1.
//!
//! A series belongs to the resource `<job>@<instance>` of the type `prometheus`. There are two paths, which differ in what
//! names a metric ([`Naming`]): at `/v1/prometheus/write` it is the label `__name__` alone, as existing deployments have it, so
//! that series which differ in other labels only are one metric. At `/api/v1/write`, the path of every receiver, all labels
//! count, and nothing is lost.
//!
//! A request that is refused is not sent again, unless the server is busy. So what cannot be stored of a good request is left
//! out, counted by reason in `gnocchi_measures_rejected_total`, and named in the log and in the response, which is 400; the rest
//! is stored. Only what the protocol or the mapping means to happen is no failure: stale markers, and at
//! `/v1/prometheus/write` series that share a name.
//!
//! | file | concern |
//! |---|---|
//! | `parse/` | bytes become series |
//! | `map` | series become measures of metrics |
//! | `endpoint` | routes and handlers |

mod endpoint;
mod map;
mod parse;

pub use map::{Mapped, MappingError, Naming, Origin, SeriesError, map};
pub use parse::{
    Label, LabelFault, Sample, SnappyError, TimeSeries, WireError, WriteRequest, decompress,
};

use super::receiver::Receiver;

/// This receiver.
pub(super) const RECEIVER: Receiver = Receiver {
    name: "prometheus",
    description: "Writes by Prometheus remote write",
    routes: endpoint::routes,
    operations: endpoint::OPERATIONS,
    prefixes: &["/v1/prometheus/", "/api/"],
};
