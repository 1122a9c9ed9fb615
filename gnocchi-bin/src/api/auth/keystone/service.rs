//! Validating tokens with the token of a service user.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::clock::Clock;
use gnocchi_core::log_limit::LogLimit;
use quick_cache::sync::Cache;
use tokio::time::{Instant, timeout};

use super::client::{Answer, Client, ClientError, Login};
use super::settings::{CatalogEntry, KeystoneSettings, Secret};
use super::token::{Expired, Identity, TokenError, TokenValidator};
use crate::causes::with_causes;
use crate::outgoing::OutgoingError;

/// How long before its end the service token is renewed: longer than any request takes.
const RENEW_BEFORE: Duration = Duration::from_mins(1);

/// How long one validation may take, all retries included.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing is asked after there was no connection to Keystone or it did not let the service user in, so that requests
/// don't queue up in front of it, and a wrong password of the service user does not lock that user out.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How many failures are logged at once, and how long it then takes until one more is.
static FAILURES: LogLimit = LogLimit::new(10, Duration::from_secs(1));

/// Asks Keystone.
#[derive(Debug)]
pub struct KeystoneService {
    client: Client,
    catalog: Option<CatalogEntry>,
    clock: Arc<dyn Clock>,
    /// The one service token; a cache, since it lets many requests wait for one login.
    login: Cache<(), Arc<ServiceToken>>,
    asks_again_at: Mutex<Option<Instant>>,
}

/// A token of the service user, and what follows from it.
#[derive(Debug)]
struct ServiceToken {
    token: Secret,
    endpoint: Option<String>,
    renew_at: Instant,
}

impl KeystoneService {
    /// Makes one. Reads files of certificates, connects to nothing.
    ///
    /// # Errors
    /// [`OutgoingError`] when such a file cannot be read or understood.
    pub fn new(settings: KeystoneSettings, clock: Arc<dyn Clock>) -> Result<Self, OutgoingError> {
        Ok(Self {
            client: Client::new(&settings)?,
            catalog: settings.catalog,
            clock,
            login: Cache::new(1),
            asks_again_at: Mutex::new(None),
        })
    }

    async fn look_up(
        &self,
        token: &str,
        expired: Expired,
    ) -> Result<Option<Identity>, ClientError> {
        let mut login = self.login().await?;
        let mut renewed = false;
        loop {
            let endpoint = login.endpoint.as_deref();
            let answer = self.client.look_up(endpoint, &login.token, token, expired);
            match answer.await? {
                Answer::Known(identity) => return Ok(Some(identity)),
                Answer::Unknown => return Ok(None),
                Answer::LoginExpired if renewed => {
                    let status = reqwest::StatusCode::UNAUTHORIZED;
                    return Err(ClientError::Status { status });
                }
                Answer::LoginExpired => {
                    // A concurrent request may have renewed it already.
                    self.login.remove_if(&(), |kept| Arc::ptr_eq(kept, &login));
                    login = self.login().await?;
                    renewed = true;
                }
            }
        }
    }

    async fn login(&self) -> Result<Arc<ServiceToken>, ClientError> {
        self.login
            .remove_if(&(), |login| login.renew_at <= Instant::now());
        let log_in = async { self.service_token(self.client.log_in().await?) };
        let kept = self.login.get_or_insert_async(&(), log_in).await;
        kept.inspect_err(|_| self.pause())
    }

    fn service_token(&self, login: Login) -> Result<Arc<ServiceToken>, ClientError> {
        let expires_at = login.document.expires_at().ok_or(ClientError::Body)?;
        let endpoint = self.catalog.as_ref().and_then(|wanted| {
            let found = login.document.endpoint(wanted);
            if found.is_none() {
                tracing::warn!(
                    interface = wanted.interface,
                    region = wanted.region,
                    "the catalog does not name the identity service, auth_url is used"
                );
            }
            found.map(ToOwned::to_owned)
        });
        Ok(Arc::new(ServiceToken {
            token: login.token,
            endpoint,
            renew_at: Instant::now() + renew_after(self.clock.now(), expires_at),
        }))
    }

    fn is_pausing(&self) -> bool {
        let asks_again_at = *self.asks_again_at();
        asks_again_at.is_some_and(|asks_again_at| Instant::now() < asks_again_at)
    }

    fn pause(&self) {
        *self.asks_again_at() = Some(Instant::now() + PAUSE_AFTER_FAILURE);
    }

    fn asks_again_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asks_again_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: &dyn StdError) -> TokenError {
    if let Some(held_back) = FAILURES.pass() {
        let error = with_causes(error);
        tracing::error!(error, held_back, "cannot validate tokens with Keystone");
    }
    TokenError::Unavailable
}

/// Returns after how long a token is renewed: a while before its end, but not at once when it lives shortly.
fn renew_after(now: Timestamp, expires_at: Timestamp) -> Duration {
    let left = expires_at
        .as_nanosecond()
        .saturating_sub(now.as_nanosecond());
    let left = Duration::from_nanos(u64::try_from(left).unwrap_or(0));
    left.saturating_sub(RENEW_BEFORE).max(left / 2)
}

#[async_trait]
impl TokenValidator for KeystoneService {
    async fn validate(&self, token: &str, expired: Expired) -> Result<Arc<Identity>, TokenError> {
        if self.is_pausing() {
            return Err(TokenError::Unavailable);
        }
        match timeout(PATIENCE, self.look_up(token, expired)).await {
            // Whatever Keystone says: its clock may be behind, or its cache.
            Ok(Ok(Some(identity)))
                if expired == Expired::Refused && identity.expires_at <= self.clock.now() =>
            {
                Err(TokenError::Invalid)
            }
            Ok(Ok(Some(identity))) => Ok(Arc::new(identity)),
            Ok(Ok(None)) => Err(TokenError::Invalid),
            Ok(Err(error)) => {
                if error.is_outage() {
                    self.pause();
                }
                Err(failed(&error))
            }
            Err(elapsed) => Err(failed(&elapsed)),
        }
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
