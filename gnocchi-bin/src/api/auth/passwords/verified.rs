//! Passwords that were right recently, so that not every request of a client takes the time of a check.

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::hash::Hash;

/// How many are remembered: more than the clients that send often.
const REMEMBERED: usize = 4096;

/// Digests of names with passwords that were right.
pub(super) struct Verified {
    known: Cache<[u8; 32], ()>,
    /// Makes digests that mean nothing outside of this process.
    key: [u128; 2],
}

impl Verified {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::new(REMEMBERED),
            key: [Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128()],
        }
    }

    /// Returns whether this password was right for this hash.
    pub(super) fn contains(&self, hash: &Hash, name: &str, password: &str) -> bool {
        self.known.get(&self.digest(hash, name, password)).is_some()
    }

    /// Remembers that it was.
    pub(super) fn add(&self, hash: &Hash, name: &str, password: &str) {
        self.known.insert(self.digest(hash, name, password), ());
    }

    /// Forgets everything.
    pub(super) fn forget_all(&self) {
        self.known.clear();
    }

    /// The hash is part of it: what was right for the hash of an older file says nothing about that of a newer one.
    fn digest(&self, hash: &Hash, name: &str, password: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        for half in self.key {
            digest.update(half.to_be_bytes());
        }
        for part in [hash.text().as_str(), name, password] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}
