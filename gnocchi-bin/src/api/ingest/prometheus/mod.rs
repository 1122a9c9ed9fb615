//! Remote write of Prometheus, version 1.
//!
//! A series belongs to the resource `<job>@<instance>` of the type `prometheus`. There are two paths, which differ in what
//! names a metric ([`Naming`]): at `/v1/prometheus/write` it is the label `__name__` alone, as existing deployments have it, so
//! that series which differ in other labels only are one metric. At `/api/v1/write`, the path of every receiver, all labels
//! count, and nothing is lost.
//!
//! A request that is refused is not sent again, unless the server is busy. So what cannot be stored of a good request is left
//! out, counted by reason in `gnocchi_measures_rejected_total`, and named in the log; the rest is stored.

mod endpoint;
mod mapping;
mod message;
mod rejected;
mod snappy;
mod wire;

pub use mapping::{Mapped, MappingError, Naming, map};
pub use message::{Label, Sample, TimeSeries, WriteRequest};
pub use rejected::{Reason, Rejected};
pub use snappy::{SnappyError, decompress};
pub use wire::WireError;

pub(super) use endpoint::routes;
