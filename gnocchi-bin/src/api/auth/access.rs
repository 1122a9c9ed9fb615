//! The part of the state that decides who calls and what callers may do: an operator chooses it.

use std::sync::Arc;

use gnocchi_core::access::{NoRemoteChecks, Policy, RemoteChecker};

use super::Authenticator;

/// Who calls, and what they may do.
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
    /// Accepts any password, and takes the default rules.
    fn default() -> Self {
        Self {
            authenticator: Authenticator::default(),
            policy: Policy::default(),
            remote: Arc::new(NoRemoteChecks),
        }
    }
}
