//! Refusals by access rules.

use thiserror::Error;

use crate::policy::Action;

/// Why a caller may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    /// The rule of the action does not allow it.
    #[error("the access rule \"{}\" does not allow this request", action.name())]
    ByRule {
        /// The action.
        action: Action,
    },
    /// The rule asks more services than one decision may ask.
    #[error("the access rules ask too many other services about this request")]
    TooManyChecks,
}
