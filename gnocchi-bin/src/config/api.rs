//! `[api]`: the listener and the limits of the HTTP API.

use std::time::Duration;

use gnocchi_core::budget::QueryLimits;

use super::error::ConfigError;
use super::healthcheck;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, Section, defaulted};
use super::request_logs::RequestLogs;
use super::tls::{self, ServerTls};
use super::{auth, cors};
use crate::api::auth::AuthSettings;
use crate::api::settings::ApiSettings;
use crate::api::{AddressRangeError, TrustedProxies};

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "api",
    &[
        OptionSpec::new(
            "host",
            "address or name to listen on; default 0.0.0.0, but 127.0.0.1 while any password is accepted",
        ),
        OptionSpec::new("port", "port to listen on; 0 takes a free one").or("8041"),
        OptionSpec::new(
            "auth_mode",
            "how callers are told apart: basic, keystone or remoteuser",
        )
        .or("basic"),
        OptionSpec::new(
            "trusted_identity_headers",
            "with auth_mode = keystone: take X-User-Id, X-Project-Id, X-Domain-Id and X-Roles from a trusted proxy that has validated the token",
        )
        .or("false"),
        OptionSpec::new(
            "trusted_proxies",
            "addresses of proxies, as 10.0.0.1 or 10.0.0.0/8: headers that name users or clients count from there only",
        )
        .or("127.0.0.0/8,::1")
        .list(),
        OptionSpec::new("max_limit", "largest page of a listing").or("1000"),
        OptionSpec::new(
            "operation_timeout",
            "seconds that a request may wait for another one",
        )
        .or("10")
        .formerly("api", "refresh_timeout"),
        OptionSpec::new(
            "enable_proxy_headers_parsing",
            "take Forwarded and X-Forwarded-* headers from trusted proxies",
        )
        .or("false")
        .formerly("oslo_middleware", "enable_proxy_headers_parsing"),
        OptionSpec::new(
            "request_timeout",
            "seconds that the body of a request may take to arrive",
        )
        .or("60"),
        OptionSpec::new("body_bytes_max", "longest body of a request").or("64M"),
        OptionSpec::new("points_max", "largest number of points in one request").or("2000000"),
        OptionSpec::new("metrics_max", "largest number of metrics in one request").or("200000"),
        OptionSpec::new(
            "new_metrics_max",
            "largest number of metrics that one request creates",
        )
        .or("20000"),
        OptionSpec::new("connections_max", "largest number of open connections").or("10000"),
        OptionSpec::new(
            "connections_per_address_max",
            "largest number of open connections from one address",
        )
        .or("2000"),
        OptionSpec::new(
            "response_timeout",
            "seconds that a client may leave a response unread",
        )
        .or("60"),
        OptionSpec::new(
            "type_change_bytes_max",
            "how much a change of a resource type may write into its resources",
        )
        .or("64M"),
        OptionSpec::new("query_timeout", "seconds that a query may take").or("60"),
        OptionSpec::new(
            "query_cells_max",
            "largest number of cells that a query may compute",
        )
        .or("4000000000"),
        OptionSpec::new(
            "query_memory_bytes",
            "memory that all running queries may hold together",
        )
        .or("512M"),
        OptionSpec::new(
            "query_concurrency",
            "how many large queries compute at the same time; default: the number of processors",
        ),
        OptionSpec::new("query_queue", "how many large queries may wait for that").or("64"),
        OptionSpec::new(
            "access_log",
            "a line for each request: combined:FILE or json:FILE, - as the file is the standard output; none: no log",
        )
        .or("none"),
        OptionSpec::new(
            "slow_request_threshold",
            "requests that take longer are logged, in seconds (0.5) or like 1 minute; none: no such log",
        )
        .or("none"),
        OptionSpec::new("uwsgi_mode", "kind of listener").or("http"),
        OptionSpec::new("workers", "processes of another server").accepted(),
        OptionSpec::new("pecan_debug", "error pages of another server").accepted(),
        OptionSpec::new("middlewares", "middleware of another server").accepted(),
        OptionSpec::new("uwsgi_path", "program of another server").accepted(),
        OptionSpec::new("paste_config", "middleware file of another server").accepted(),
    ],
)
.with_shared(&tls::OPTIONS);

/// The most connections that may be asked for: more than the ports of one peer.
const CONNECTIONS_LIMIT: usize = 1_000_000;

/// The longest body that may be allowed.
const BODY_BYTES_LIMIT: usize = 4 << 30;

/// The least memory that queries may be given: a few ordinary ones must fit.
const QUERY_MEMORY_MIN: usize = 1 << 20;

/// The most queries that may be asked to compute at the same time: each has a thread.
const QUERY_CONCURRENCY_LIMIT: usize = 256;

/// Settings of `[api]`, `[cors]`, `[healthcheck]` and the section of the mode of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The address or name to listen on.
    pub host: String,
    /// The port to listen on; zero takes a free one.
    pub port: u16,
    /// TLS on that port.
    pub tls: Option<ServerTls>,
    /// The largest number of open connections; more wait.
    pub connections_max: usize,
    /// The largest number of open connections from one address; more are closed.
    pub connections_per_address_max: usize,
    /// How long a client may leave a response unread.
    pub response_timeout: Duration,
    /// How much a change of a resource type may write, in bytes.
    pub type_change_bytes_max: u64,
    /// What queries may take.
    pub query_limits: QueryLimits,
    /// What the router needs to know.
    pub settings: ApiSettings,
    /// How callers are told apart.
    pub auth: AuthSettings,
    /// Which requests are logged, and where.
    pub request_logs: RequestLogs,
}

/// Where the API listens unless the configuration says.
const HOST_DEFAULT: &str = "0.0.0.0";

/// The same while every client that can connect can act as the administrator.
const HOST_DEFAULT_OPEN: &str = "127.0.0.1";

impl Api {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        check_listener_kind(section)?;
        let port = section.integer("port", 0..=u16::MAX).map(defaulted)?;
        let settings = ApiSettings {
            max_limit: section
                .integer("max_limit", 1..=usize::MAX)
                .map(defaulted)?,
            operation_timeout: section.seconds("operation_timeout")?,
            request_timeout: section.seconds("request_timeout")?,
            body_bytes_max: section
                .bytes("body_bytes_max", 1..=BODY_BYTES_LIMIT)
                .map(defaulted)?,
            points_max: section
                .integer("points_max", 1..=usize::MAX)
                .map(defaulted)?,
            metrics_max: section
                .integer("metrics_max", 1..=usize::MAX)
                .map(defaulted)?,
            new_metrics_max: section
                .integer("new_metrics_max", 1..=usize::MAX)
                .map(defaulted)?,
            proxy_headers: section.boolean("enable_proxy_headers_parsing")?,
            trusted_proxies: TrustedProxies::new(section.list_of("trusted_proxies", |item| {
                item.parse()
                    .map_err(|error: AddressRangeError| error.to_string())
            })?),
            cors: cors::read(reader)?,
            healthcheck: healthcheck::read(reader, port)?,
        };
        let auth = auth::read(section, reader)?;
        let host_default = if auth.accepts_any_password() {
            HOST_DEFAULT_OPEN
        } else {
            HOST_DEFAULT
        };
        Ok(Self {
            host: section.text("host")?.unwrap_or_else(|| host_default.into()),
            port,
            tls: tls::read(section)?,
            connections_max: section
                .integer("connections_max", 1..=CONNECTIONS_LIMIT)
                .map(defaulted)?,
            connections_per_address_max: section
                .integer("connections_per_address_max", 1..=CONNECTIONS_LIMIT)
                .map(defaulted)?,
            response_timeout: section.seconds_from("response_timeout", 1)?,
            type_change_bytes_max: section
                .bytes("type_change_bytes_max", 1..=u64::MAX)
                .map(defaulted)?,
            query_limits: query_limits(section)?,
            settings,
            auth,
            request_logs: RequestLogs::read(section)?,
        })
    }
}

fn query_limits(section: Section<'_>) -> Result<QueryLimits, ConfigError> {
    Ok(QueryLimits {
        timeout: section.seconds_from("query_timeout", 1)?,
        cells_max: section
            .integer("query_cells_max", 1..=u64::MAX)
            .map(defaulted)?,
        memory_bytes: section
            .bytes("query_memory_bytes", QUERY_MEMORY_MIN..=usize::MAX)
            .map(defaulted)?,
        concurrency: section
            .integer("query_concurrency", 1..=QUERY_CONCURRENCY_LIMIT)?
            .unwrap_or(QueryLimits::default().concurrency),
        queue: section
            .integer("query_queue", 0..=CONNECTIONS_LIMIT)
            .map(defaulted)?,
        queue_timeout: section.seconds("operation_timeout")?,
    })
}

fn check_listener_kind(section: Section<'_>) -> Result<(), ConfigError> {
    match section.text("uwsgi_mode").map(defaulted)?.as_str() {
        "http" | "http-socket" => Ok(()),
        "socket" => Err(section.not_built("uwsgi_mode", "the uwsgi protocol", "http, http-socket")),
        _ => Err(section.refuse("uwsgi_mode", "must be http, http-socket or socket")),
    }
}
