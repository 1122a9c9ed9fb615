//! The rules as they are now.

use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::Enforcer;

/// Rules that can be replaced while requests are handled; clones share them.
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

impl Default for Policy {
    /// Starts with the default rules.
    fn default() -> Self {
        Self::new(Enforcer::default())
    }
}
