//! Passwords that were right recently, and checks that are running, so that not every request of a client takes the time of
//! a check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Verdict;
use super::hash::Hash;

/// How many are remembered: more than the clients that send often.
const REMEMBERED: usize = 4096;

/// What stands for a name with a password.
pub(super) type Digest = [u8; 32];

/// Digests of names with passwords that were right.
pub(super) struct Verified {
    known: Cache<Digest, ()>,
    /// Makes digests that mean nothing outside of this process.
    key: [u128; 2],
    running: Mutex<HashMap<Digest, Arc<OnceCell<Verdict>>>>,
}

impl Verified {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::new(REMEMBERED),
            key: [Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128()],
            running: Mutex::default(),
        }
    }

    /// Returns whether this password was right for this hash.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.known.get(digest).is_some()
    }

    /// Remembers that it was.
    pub(super) fn add(&self, digest: Digest) {
        self.known.insert(digest, ());
    }

    /// Forgets everything.
    pub(super) fn forget_all(&self) {
        self.known.clear();
    }

    /// Runs a check, or waits for the one of the same credentials from the same client that is running already.
    ///
    /// # Cancel safety
    /// May be dropped at any point; another one that waits runs the check then.
    pub(super) async fn once(
        &self,
        client: &str,
        digest: &Digest,
        check: impl Future<Output = Verdict>,
    ) -> Verdict {
        let key = self.digest_of(&[client.as_bytes(), digest]);
        let cell = Arc::clone(self.running().entry(key).or_default());
        let shared = Shared {
            verified: self,
            key,
            cell,
        };
        *shared.cell.get_or_init(|| check).await
    }

    /// Returns the digest of credentials. The hash is part of it: what was right for the hash of an older file says nothing about
    /// that of a newer one.
    pub(super) fn digest(&self, hash: &Hash, name: &str, password: &str) -> Digest {
        self.digest_of(&[hash.text().as_bytes(), name.as_bytes(), password.as_bytes()])
    }

    /// Returns a number for a name, below `end`, always the same one and not to be foreseen outside of this process.
    pub(super) fn number(&self, name: &str, end: usize) -> usize {
        let digest = self.digest_of(&[name.as_bytes()]);
        let number = u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"));
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(number % end).unwrap_or_default()
    }

    fn digest_of(&self, parts: &[&[u8]]) -> Digest {
        let mut digest = Sha256::new();
        for half in self.key {
            digest.update(half.to_be_bytes());
        }
        for part in parts {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Digest, Arc<OnceCell<Verdict>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part in a check that is running. The last one to go takes the check out.
struct Shared<'a> {
    verified: &'a Verified,
    key: Digest,
    cell: Arc<OnceCell<Verdict>>,
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        let mut running = self.verified.running();
        // This one and that of the map.
        if Arc::strong_count(&self.cell) <= 2 {
            running.remove(&self.key);
        }
    }
}
