//! Whose word about other clients counts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use gnocchi_core::log_limit::LogLimit;
use http::{Extensions, HeaderMap};
use tracing::warn;

use crate::api::AddressRange;
use crate::api::middleware::client;

/// The addresses of this machine.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

/// Headers that a proxy adds about the client and the address that it asked for.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-port",
];

/// How many ignored headers are logged at once, and how long it then takes until one more is.
const LOGGED: u32 = 5;
const INTERVAL: Duration = Duration::from_mins(1);

static IGNORED: LogLimit = LogLimit::new(LOGGED, INTERVAL);

/// The addresses from which headers are accepted that name the user or the client behind a proxy. This machine only by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[AddressRange]>);

impl Default for TrustedProxies {
    fn default() -> Self {
        let ranges = LOOPBACK.map(|range| {
            let range = range.parse();
            range.expect("the ranges of this machine are ranges, as a test shows")
        });
        Self::new(ranges)
    }
}

impl TrustedProxies {
    /// Trusts these addresses.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// Returns whether any address outside of this machine is trusted.
    #[must_use]
    pub fn reach_beyond_this_machine(&self) -> bool {
        *self != Self::default() && !self.0.is_empty()
    }

    /// Returns whether an address is one of a proxy.
    #[must_use]
    pub fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.holds(address))
    }

    /// Returns whether a request with these extensions comes from a proxy. One that came over no connection was made by the
    /// program that embeds the router, whose word counts.
    #[must_use]
    pub fn sent(&self, extensions: &Extensions) -> bool {
        peer(extensions).is_none_or(|peer| self.include(peer))
    }

    /// Returns the client that the proxies saw: the last address of `Forwarded` or `X-Forwarded-For` that is not itself the
    /// address of a proxy. What stands before it may have been made up by the client.
    #[must_use]
    pub(crate) fn client<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        client::forwarded_for(headers, |address| self.include(address))
    }

    /// Logs that a header was ignored, but not each time.
    pub(crate) fn note_ignored(header: &str, extensions: &Extensions) {
        if let (Some(peer), Some(held_back)) = (peer(extensions), IGNORED.pass()) {
            warn!(
                header,
                %peer,
                held_back,
                "a header was ignored that only proxies may set: add the address of the proxy to [api] trusted_proxies, if it is one"
            );
        }
    }

    /// Logs headers about forwarding that do not come from a proxy.
    pub(crate) fn check_forwarding(&self, headers: &HeaderMap, extensions: &Extensions) {
        if !self.sent(extensions)
            && let Some(header) = FORWARDING.iter().find(|name| headers.contains_key(**name))
        {
            Self::note_ignored(header, extensions);
        }
    }
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use crate::api::middleware::trusted_proxies::*;

    fn from(address: &str) -> Extensions {
        let mut extensions = Extensions::new();
        let address: IpAddr = address.parse().unwrap();
        extensions.insert(ConnectInfo(SocketAddr::from((address, 1))));
        extensions
    }

    #[test]
    fn this_machine_is_trusted_by_default() {
        let proxies = TrustedProxies::default();
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(proxies.sent(&from(address)), "{address}");
        }
        for address in ["192.0.2.1", "::2", "::ffff:192.0.2.1", "0.0.0.0"] {
            assert!(!proxies.sent(&from(address)), "{address}");
        }
        assert!(proxies.sent(&Extensions::new()), "an embedding program");
        assert!(!proxies.reach_beyond_this_machine());
    }

    #[test]
    fn others_are_trusted_when_named() {
        let proxies = TrustedProxies::new(["192.0.2.0/24".parse().unwrap()]);
        assert!(proxies.sent(&from("192.0.2.7")));
        assert!(!proxies.sent(&from("127.0.0.1")));
        assert!(proxies.reach_beyond_this_machine());
        assert!(!TrustedProxies::new([]).sent(&from("127.0.0.1")));
    }
}
