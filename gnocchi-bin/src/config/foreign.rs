//! Sections that files of existing deployments have and that do nothing here, or may not be left out silently.

use super::option::SectionSpec;

/// The daemon for statsd.
pub(super) static STATSD: SectionSpec = SectionSpec::foreign("statsd");

/// The daemon for AMQP.
pub(super) static AMQP1D: SectionSpec = SectionSpec::foreign("amqp1d");

/// Pools of the SQL library.
pub(super) static DATABASE: SectionSpec = SectionSpec::foreign("database");

/// Middleware behind proxies; its one option has moved to `[api]`.
pub(super) static OSLO_MIDDLEWARE: SectionSpec = SectionSpec::new("oslo_middleware", &[]);
