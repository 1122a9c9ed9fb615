//! Everything that decides who calls and what he may: the part of the state that an operator chooses.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use gnocchi_core::policy::{Enforcer, RemoteCheck};

use super::Authenticator;

/// Who calls, and what he may.
#[derive(Debug, Clone)]
pub struct AccessControl {
    /// How callers are told apart.
    pub authenticator: Authenticator,
    /// The rules of who may do what.
    pub policy: Policy,
    /// Asks the services that rules name.
    pub remote: Arc<dyn RemoteChecker>,
}

impl Default for AccessControl {
    /// Believes names without passwords, and takes the default rules.
    fn default() -> Self {
        Self {
            authenticator: Authenticator::default(),
            policy: Policy::new(Enforcer::default()),
            remote: Arc::new(NoRemoteChecks),
        }
    }
}

/// Rules that may be replaced while requests are answered; clones share them.
#[derive(Debug, Clone)]
pub struct Policy(Arc<RwLock<Arc<Enforcer>>>);

impl Policy {
    /// Starts with these rules.
    #[must_use]
    pub fn new(enforcer: Enforcer) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(enforcer))))
    }

    /// Returns the rules as they are now.
    #[must_use]
    pub fn current(&self) -> Arc<Enforcer> {
        // No holder of this lock can panic: only a pointer is copied under it.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the rules for every decision that begins later.
    pub fn replace(&self, enforcer: Enforcer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(enforcer);
    }
}

/// Asks other services whether they allow something.
#[async_trait]
pub trait RemoteChecker: fmt::Debug + Send + Sync + 'static {
    /// Returns whether the service allows it. What cannot be asked is not allowed.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    async fn allows(&self, check: &RemoteCheck) -> bool;
}

/// Makes no remote checks, so rules that rely on one deny access.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRemoteChecks;

#[async_trait]
impl RemoteChecker for NoRemoteChecks {
    async fn allows(&self, check: &RemoteCheck) -> bool {
        tracing::warn!(rule = check.rule, "nothing asks other services: denied");
        false
    }
}
