//! Sections that files of existing deployments have and that do nothing here.

use super::option::{OptionSpec, SectionSpec};

/// The daemon for statsd.
pub(super) static STATSD: SectionSpec = SectionSpec::new(
    "statsd",
    "The daemon for statsd, which this build does not have.",
    &[
        OptionSpec::new("host", "address to listen on").accepted(),
        OptionSpec::new("port", "port to listen on").accepted(),
        OptionSpec::new("resource_id", "id of the resource of all metrics").accepted(),
        OptionSpec::new("creator", "creator of new metrics").accepted(),
        OptionSpec::new("archive_policy_name", "archive policy of new metrics").accepted(),
        OptionSpec::new("flush_delay", "seconds between flushes").accepted(),
    ],
);

/// The daemon for AMQP.
pub(super) static AMQP1D: SectionSpec = SectionSpec::new(
    "amqp1d",
    "The daemon for AMQP, which this build does not have.",
    &[
        OptionSpec::new("url", "address of the queue").accepted(),
        OptionSpec::new("data_source", "kind of sender").accepted(),
        OptionSpec::new("resource_type", "type of new resources").accepted(),
        OptionSpec::new("creator", "creator of new metrics").accepted(),
        OptionSpec::new("flush_delay", "seconds between flushes").accepted(),
    ],
);

/// Pools of the SQL library.
pub(super) static DATABASE: SectionSpec = SectionSpec::foreign(
    "database",
    "Pools of the SQL library of the Python Gnocchi.",
);

/// Middleware behind proxies; its one option has moved to `[api]`.
pub(super) static OSLO_MIDDLEWARE: SectionSpec = SectionSpec::new(
    "oslo_middleware",
    "Its one option of interest, `enable_proxy_headers_parsing`, is an \
             older name of that of `[api]`.",
    &[],
);
