//! A cache of validated tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gnocchi_core::clock::Clock;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::token::{Expired, Identity, TokenError, TokenValidator};

/// How many tokens are remembered: a few MiB.
const TOKENS_MAX: usize = 10_000;

/// The longest token that is looked at, in bytes; those of Keystone have a few hundred.
const TOKEN_BYTES_MAX: usize = 8192;

/// How long an invalid token is remembered at most. It may be new, and known to another Keystone already.
const INVALID_LIFETIME: Duration = Duration::from_secs(30);

/// How long it is remembered that a token could not be validated: requests that wait for the same token fail together, not in turn.
const UNAVAILABLE_LIFETIME: Duration = Duration::from_secs(1);

/// Remembers what another validator said. Many requests with one new token make one validation.
pub struct CachedTokens {
    inner: Arc<dyn TokenValidator>,
    /// Tokens are secrets, so only their digests are kept.
    entries: Cache<Key, Entry>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

type Key = ([u8; 32], Expired);

#[derive(Clone)]
struct Entry {
    outcome: Result<Arc<Identity>, TokenError>,
    until: Instant,
}

impl fmt::Debug for CachedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTokens")
            .field("inner", &self.inner)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl CachedTokens {
    /// Remembers what `inner` says for so long, but no identity longer than its token lives.
    #[must_use]
    pub fn new(inner: Arc<dyn TokenValidator>, lifetime: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            entries: Cache::new(TOKENS_MAX),
            lifetime,
            clock,
        }
    }

    async fn ask(&self, token: &str, expired: Expired) -> Entry {
        let outcome = self.inner.validate(token, expired).await;
        let lifetime = match &outcome {
            Ok(identity) => self.lifetime_of(identity, expired),
            Err(TokenError::Unavailable) => UNAVAILABLE_LIFETIME,
            Err(TokenError::Invalid) => self.lifetime.min(INVALID_LIFETIME),
        };
        Entry {
            outcome,
            until: Instant::now() + lifetime,
        }
    }

    fn lifetime_of(&self, identity: &Identity, expired: Expired) -> Duration {
        if expired == Expired::Accepted {
            return self.lifetime;
        }
        let now = self.clock.now().as_nanosecond();
        let left = identity.expires_at.as_nanosecond().saturating_sub(now);
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or(0));
        self.lifetime.min(left)
    }
}

#[async_trait]
impl TokenValidator for CachedTokens {
    async fn validate(&self, token: &str, expired: Expired) -> Result<Arc<Identity>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let key = (Sha256::digest(token).into(), expired);
        self.entries
            .remove_if(&key, |entry| entry.until <= Instant::now());
        let ask = async { Ok::<_, TokenError>(self.ask(token, expired).await) };
        let entry = self.entries.get_or_insert_async(&key, ask).await?;
        entry.outcome
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
