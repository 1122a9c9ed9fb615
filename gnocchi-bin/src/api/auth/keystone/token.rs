//! Tokens and the identities behind them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::policy::Caller;
use thiserror::Error;

/// Who a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user_id: Option<String>,
    /// The project that the token is for.
    pub project_id: Option<String>,
    /// The domain that the token is for.
    pub domain_id: Option<String>,
    /// The names of the user's roles there.
    pub roles: Vec<String>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Returns the caller that it stands for.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::of_project(
            self.user_id.clone(),
            self.project_id.clone(),
            self.domain_id.clone(),
            self.roles.clone(),
        )
    }

    /// Returns whether the user has one of these roles, whatever the case.
    #[must_use]
    pub fn has_any_role(&self, wanted: &[String]) -> bool {
        let has = |role: &String| wanted.iter().any(|one| one.eq_ignore_ascii_case(role));
        self.roles.iter().any(has)
    }
}

/// Whether a token that has expired counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expired {
    /// It does not.
    Refused,
    /// It does, for a while: a service finishes what a user began.
    Accepted,
}

/// An invalid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no such token, or it has expired or was revoked.
    #[error("the token is not valid")]
    Invalid,
    /// It cannot be validated at present.
    #[error("the identity service does not respond")]
    Unavailable,
}

/// Finds out who a token stands for.
#[async_trait]
pub trait TokenValidator: fmt::Debug + Send + Sync + 'static {
    /// Returns the identity behind a token.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when it is invalid, [`TokenError::Unavailable`] when it cannot be validated.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    async fn validate(&self, token: &str, expired: Expired) -> Result<Arc<Identity>, TokenError>;
}
