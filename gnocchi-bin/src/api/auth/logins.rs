//! Who logs in: counted, and failures named in the log.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::ConnectInfo;
use gnocchi_core::log_limit::LogLimit;
use gnocchi_core::policy::Caller;
use http::request::Parts;
use metrics::{Counter, counter};
use quick_cache::sync::Cache;
use tracing::warn;

use super::authenticator::{Attempt, Refusal};
use crate::api::TrustedProxies;

/// How many failures of one address are logged at once, and how long it then takes until one more is.
const LOGGED_OF_ONE_ADDRESS: u32 = 5;
const INTERVAL_OF_ONE_ADDRESS: Duration = Duration::from_secs(10);

/// The same for all addresses together.
const LOGGED_OF_ALL: u32 = 100;
const INTERVAL_OF_ALL: Duration = Duration::from_millis(200);

/// How many addresses with failures are remembered.
const ADDRESSES_MAX: usize = 1024;

/// How much of a name or address is logged, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// Counts logins and logs those that fail.
pub(crate) struct Logins {
    successes: Counter,
    failures: Counter,
    limits: Cache<String, Arc<LogLimit>>,
    limit_of_all: LogLimit,
    /// Proxies that may name the addresses of clients.
    proxies: Option<TrustedProxies>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

impl Logins {
    /// Starts counting; clients are who these proxies say.
    pub(crate) fn new(proxies: Option<TrustedProxies>) -> Self {
        Self {
            successes: counter!("gnocchi_logins_total", "result" => "success"),
            failures: counter!("gnocchi_logins_total", "result" => "failure"),
            limits: Cache::new(ADDRESSES_MAX),
            limit_of_all: LogLimit::new(LOGGED_OF_ALL, INTERVAL_OF_ALL),
            proxies,
        }
    }

    /// Notes how a request was authenticated. One without credentials is no login.
    pub(super) fn note(&self, parts: &Parts, outcome: &Result<Caller, Refusal>) {
        match outcome {
            Ok(caller) => {
                self.successes.increment(1);
                if let (Some(slot), Some(name)) =
                    (parts.extensions.get::<CallerName>(), &caller.creator)
                {
                    slot.set(name);
                }
            }
            Err(refusal) => {
                if let Attempt::Failed { user } = refusal.attempt() {
                    self.failures.increment(1);
                    self.log_failure(parts, user.as_deref());
                }
            }
        }
    }

    fn log_failure(&self, parts: &Parts, user: Option<&str>) {
        let client = self.client(parts).unwrap_or_default();
        let limit = self.limits.get_or_insert_with(&client, || {
            let limit = LogLimit::new(LOGGED_OF_ONE_ADDRESS, INTERVAL_OF_ONE_ADDRESS);
            Ok::<_, Infallible>(Arc::new(limit))
        });
        let Ok(limit) = limit;
        // That of one address first: a flood from one must not hide the others.
        let (Some(held_back), Some(_)) = (limit.pass(), self.limit_of_all.pass()) else {
            return;
        };
        let user = user.map(shortened);
        warn!(user, client, held_back, "a login failed");
    }

    /// Returns the address of the client, if it is known.
    pub(super) fn client(&self, parts: &Parts) -> Option<String> {
        if let Some(proxies) = &self.proxies
            && proxies.sent(&parts.extensions)
            && let Some(named) = proxies.client(&parts.headers)
        {
            return Some(shortened(named));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.0.ip().to_canonical().to_string())
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(NAME_CHARACTERS_MAX).collect()
}

/// Where the name of the caller of a request is put for the request log, which has added this to the extensions of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerName(Arc<OnceLock<String>>);

impl CallerName {
    fn set(&self, name: &str) {
        // A request is authenticated once, or every time with the same outcome.
        self.0.get_or_init(|| name.to_owned());
    }

    /// Returns the name, if the caller is known by now.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
