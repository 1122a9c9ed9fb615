//! `[api]`: the listener and the limits of the HTTP API.

use std::time::Duration;

use gnocchi_core::budget::QueryLimits;

use super::error::ConfigError;
use super::healthcheck;
use super::option::{OptionSpec, SectionSpec, UNLIMITED};
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
    "The listener, authentication, and the limits of the HTTP API.",
    &[
        OptionSpec::new("host", "address or host name to listen on")
            .otherwise("`0.0.0.0`, but `127.0.0.1` while any password is accepted"),
        OptionSpec::new("port", "port to listen on; 0 chooses a free port")
            .integer(0, 65_535)
            .or("8041"),
        OptionSpec::new("auth_mode", "how callers are authenticated")
            .one_of(&["basic", "keystone", "remoteuser"])
            .or("basic"),
        OptionSpec::new(
            "trusted_identity_headers",
            "with `auth_mode = keystone`: accept `X-User-Id`, `X-Project-Id`, `X-Domain-Id` \
             and `X-Roles` from a trusted proxy that has validated the token. The proxy must \
             remove these headers from the requests of clients",
        )
        .boolean()
        .or("false"),
        OptionSpec::new(
            "trusted_proxies",
            "addresses of trusted proxies, such as `10.0.0.1` or `10.0.0.0/8`. Headers that \
             name users or clients are ignored and logged if they come from other addresses",
        )
        .list("addresses and ranges of addresses")
        .or("127.0.0.0/8,::1"),
        OptionSpec::new("max_limit", "maximum number of items in a page of a listing")
            .integer(1, UNLIMITED)
            .or("1000"),
        OptionSpec::new(
            "operation_timeout",
            "seconds that a request may wait for other requests",
        )
        .seconds(0)
        .or("10")
        .formerly("api", "refresh_timeout"),
        OptionSpec::new(
            "enable_proxy_headers_parsing",
            "accept `Forwarded` and `X-Forwarded-*` from trusted proxies",
        )
        .boolean()
        .or("false")
        .formerly("oslo_middleware", "enable_proxy_headers_parsing"),
        OptionSpec::new(
            "request_timeout",
            "seconds within which the body of a request must arrive",
        )
        .seconds(0)
        .or("60"),
        OptionSpec::new(
            "body_bytes_max",
            "maximum size of the body of a request, after decompression; larger ones are refused with 413",
        )
        .bytes(1, BODY_BYTES_LIMIT)
        .or("64M"),
        OptionSpec::new(
            "points_max",
            "maximum number of points in a request; more are refused with 413",
        )
        .integer(1, UNLIMITED)
        .or("2000000"),
        OptionSpec::new(
            "metrics_max",
            "maximum number of metrics in a request; more are refused with 413",
        )
        .integer(1, UNLIMITED)
        .or("200000"),
        OptionSpec::new(
            "new_metrics_max",
            "maximum number of metrics created by a request; more are refused with 413",
        )
        .integer(1, UNLIMITED)
        .or("20000"),
        OptionSpec::new(
            "connections_max",
            "maximum number of open connections, and at most half of the open files that the \
             system allows; further connections wait",
        )
        .integer(1, CONNECTIONS_LIMIT)
        .or("10000"),
        OptionSpec::new(
            "connections_per_address_max",
            "maximum number of open connections from one address (one /64 for IPv6); further \
             ones are closed",
        )
        .integer(1, CONNECTIONS_LIMIT)
        .or("2000"),
        OptionSpec::new(
            "response_timeout",
            "seconds that a client may leave a response unread",
        )
        .seconds(1)
        .or("60"),
        OptionSpec::new(
            "type_change_bytes_max",
            "maximum number of bytes that a change of a resource type writes into its \
             resources; more is refused with 422. Other changes to the indexer wait for it",
        )
        .bytes(1, u64::MAX)
        .or("64M"),
        OptionSpec::new(
            "query_timeout",
            "maximum duration of a query in seconds; then it ends with 504",
        )
        .seconds(1)
        .or("60"),
        OptionSpec::new(
            "query_cells_max",
            "maximum number of cells that a query computes: points read, values computed, \
             names compared; more are refused with 422",
        )
        .integer(1, UNLIMITED)
        .or("4000000000"),
        OptionSpec::new(
            "query_memory_bytes",
            "maximum memory held by all running queries and by unsent responses of more than \
             4 KiB. A query that needs more by itself gets 422; one that does not fit beside \
             others gets 503",
        )
        .bytes(QUERY_MEMORY_MIN, u64::MAX)
        .or("512M"),
        OptionSpec::new(
            "query_concurrency",
            "maximum number of large queries that run at the same time; small ones neither \
             wait nor count",
        )
        .integer(1, QUERY_CONCURRENCY_LIMIT)
        .otherwise("the number of processors"),
        OptionSpec::new(
            "query_queue",
            "maximum number of large queries that wait to run, each for `operation_timeout`; \
             further ones get 503",
        )
        .integer(0, CONNECTIONS_LIMIT)
        .or("64"),
        OptionSpec::new(
            "access_log",
            "access log: a line for each request. The file `-` is the standard output",
        )
        .form("combined:FILE, json:FILE or none")
        .or("none"),
        OptionSpec::new(
            "slow_request_threshold",
            "requests that take longer are logged",
        )
        .form("a duration in seconds (0.5) or like 1 minute, or none")
        .or("none"),
        OptionSpec::new("uwsgi_mode", "kind of listener; both values have the same effect")
            .one_of(&["http", "http-socket"])
            .or("http"),
        OptionSpec::new("workers", "processes of another server").accepted(),
        OptionSpec::new("pecan_debug", "error pages of another server").accepted(),
        OptionSpec::new("middlewares", "middleware of another server").accepted(),
        OptionSpec::new("uwsgi_path", "program of another server").accepted(),
        OptionSpec::new("paste_config", "middleware file of another server").accepted(),
    ],
)
.with_shared(&tls::OPTIONS);

/// The most connections that may be asked for: more than the ports of one peer.
const CONNECTIONS_LIMIT: i128 = 1_000_000;

/// The longest body that may be allowed.
const BODY_BYTES_LIMIT: u64 = 4 << 30;

/// The least memory that queries may be given: a few ordinary ones must fit.
const QUERY_MEMORY_MIN: u64 = 1 << 20;

/// The most queries that may be asked to compute at the same time: each has a thread.
const QUERY_CONCURRENCY_LIMIT: i128 = 256;

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
        let port = section.integer("port").map(defaulted)?;
        let settings = ApiSettings {
            max_limit: section.integer("max_limit").map(defaulted)?,
            operation_timeout: section.seconds("operation_timeout")?,
            request_timeout: section.seconds("request_timeout")?,
            body_bytes_max: section.bytes("body_bytes_max").map(defaulted)?,
            points_max: section.integer("points_max").map(defaulted)?,
            metrics_max: section.integer("metrics_max").map(defaulted)?,
            new_metrics_max: section.integer("new_metrics_max").map(defaulted)?,
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
            connections_max: section.integer("connections_max").map(defaulted)?,
            connections_per_address_max: section
                .integer("connections_per_address_max")
                .map(defaulted)?,
            response_timeout: section.seconds("response_timeout")?,
            type_change_bytes_max: section.bytes("type_change_bytes_max").map(defaulted)?,
            query_limits: query_limits(section)?,
            settings,
            auth,
            request_logs: RequestLogs::read(section)?,
        })
    }
}

fn query_limits(section: Section<'_>) -> Result<QueryLimits, ConfigError> {
    Ok(QueryLimits {
        timeout: section.seconds("query_timeout")?,
        cells_max: section.integer("query_cells_max").map(defaulted)?,
        memory_bytes: section.bytes("query_memory_bytes").map(defaulted)?,
        concurrency: section
            .integer("query_concurrency")?
            .unwrap_or(QueryLimits::default().concurrency),
        queue: section.integer("query_queue").map(defaulted)?,
        queue_timeout: section.seconds("operation_timeout")?,
    })
}

fn check_listener_kind(section: Section<'_>) -> Result<(), ConfigError> {
    match section.text("uwsgi_mode").map(defaulted)?.as_str() {
        "http" | "http-socket" => Ok(()),
        "socket" => Err(section.not_built("uwsgi_mode", "the uwsgi protocol", "http, http-socket")),
        _ => Err(section.misfit("uwsgi_mode")),
    }
}
