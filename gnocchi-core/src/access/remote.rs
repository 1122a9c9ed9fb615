//! Other services that rules ask.

use std::fmt;

use async_trait::async_trait;

use crate::policy::RemoteCheck;

/// Asks other services whether they allow something.
#[async_trait]
pub trait RemoteChecker: fmt::Debug + Send + Sync + 'static {
    /// Returns whether the service allows it. A service that cannot be asked denies.
    ///
    /// # Cancel safety
    /// The future may be dropped at any point.
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
