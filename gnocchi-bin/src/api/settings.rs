//! Settings of the HTTP API: plain data, built from the configuration.

use std::path::PathBuf;
use std::time::Duration;

use http::Extensions;

use crate::api::middleware::address_range::AddressRange;
use crate::api::middleware::trusted_proxies::TrustedProxies;

/// Which web pages of other origins may call the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsSettings {
    /// Origins that may call, each as `scheme://host[:port]`, or `*`; none by default.
    pub allowed_origins: Vec<String>,
    /// Whether such a page may send credentials.
    pub allow_credentials: bool,
    /// Response headers that such a page may read.
    pub expose_headers: Vec<String>,
    /// For how long a browser may cache the response to a preflight request, in seconds.
    pub max_age_seconds: u64,
    /// Methods that such a page may use.
    pub allow_methods: Vec<String>,
    /// Request headers that such a page may send.
    pub allow_headers: Vec<String>,
}

/// What load balancers are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthcheckSettings {
    /// Whether responses list the result of each check.
    pub detailed: bool,
    /// Files that take this server out of service while one of them exists.
    pub disabled_by: Vec<PathBuf>,
    /// Files that must all exist for this server to be in service.
    pub enabled_by: Vec<PathBuf>,
    /// Addresses of the clients that may see it; all when there is none. They are known only where the router is served with
    /// [`ConnectInfo`](axum::extract::ConnectInfo) of a [`SocketAddr`](std::net::SocketAddr).
    pub allowed_source_ranges: Vec<AddressRange>,
    /// Whether it is hidden from requests that come through a proxy.
    pub ignores_proxied_requests: bool,
}

/// Settings of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// The largest page of a listing, and the default one.
    pub max_limit: usize,
    /// How long a request may wait for others: for one that creates the same thing, or for the memory that bodies take.
    pub operation_timeout: Duration,
    /// How long the body of a request may take to arrive; a slower one is given up with 408.
    pub request_timeout: Duration,
    /// The longest request body, in bytes, after it is decompressed; a longer one is refused with 413.
    pub body_bytes_max: usize,
    /// The largest number of points in one request; more are refused with 413.
    pub points_max: usize,
    /// The largest number of metrics in one request with measures; more are refused with 413.
    pub metrics_max: usize,
    /// The largest number of metrics that one request creates; more are refused with 413.
    pub new_metrics_max: usize,
    /// Whether `Forwarded` and `X-Forwarded-*` headers of trusted proxies are used.
    pub proxy_headers: bool,
    /// Which proxies may name the user or the client behind them. Addresses are known only where the router is served with
    /// [`ConnectInfo`](axum::extract::ConnectInfo) of a [`SocketAddr`](std::net::SocketAddr); without, every request is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Access by web pages of other origins.
    pub cors: CorsSettings,
    /// What load balancers are told.
    pub healthcheck: HealthcheckSettings,
}

impl Default for CorsSettings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            allowed_origins: Vec::new(),
            allow_credentials: true,
            expose_headers: Vec::new(),
            max_age_seconds: 3600,
            allow_methods: owned(&[
                "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH",
            ]),
            allow_headers: owned(&[
                "Authorization",
                "X-Auth-Token",
                "X-Subject-Token",
                "X-User-Id",
                "X-Domain-Id",
                "X-Project-Id",
                "X-Roles",
            ]),
        }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            max_limit: 1000,
            operation_timeout: Duration::from_secs(10),
            // 64 MiB in this time are nine megabits a second.
            request_timeout: Duration::from_mins(1),
            // A million points of 60 bytes of JSON each fit.
            body_bytes_max: 64 << 20,
            points_max: 2_000_000,
            // Each costs a few hundred bytes and a look-up, even without a point.
            metrics_max: 200_000,
            // About a second in which the indexer makes no other change.
            new_metrics_max: 20_000,
            proxy_headers: false,
            trusted_proxies: TrustedProxies::default(),
            cors: CorsSettings::default(),
            healthcheck: HealthcheckSettings::default(),
        }
    }
}

impl ApiSettings {
    /// Returns whether the headers about forwarding of a request with these extensions count.
    pub(crate) fn uses_forwarding(&self, extensions: &Extensions) -> bool {
        self.proxy_headers && self.trusted_proxies.sent(extensions)
    }

    /// Returns the proxies whose headers about forwarding count, if they do.
    pub(crate) fn forwarding_proxies(&self) -> Option<TrustedProxies> {
        self.proxy_headers.then(|| self.trusted_proxies.clone())
    }
}
