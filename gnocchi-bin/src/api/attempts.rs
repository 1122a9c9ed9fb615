//! What is decided and written in two steps is tried again when something changes between them.

use std::time::{Duration, Instant};

use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;

use super::state::ApiState;
use crate::api::response::error::{ApiError, ApiResult};

/// The attempts of one request to change something that others change as well.
///
/// Each attempt reads, asks the access rules, and writes only if nothing has changed meanwhile. An attempt fails when another
/// request was faster, so of all that compete one always gets through.
#[derive(Debug)]
pub(crate) struct Attempts {
    started: Instant,
    limit: Duration,
}

impl Attempts {
    pub(crate) fn new(state: &ApiState) -> Self {
        Self {
            started: Instant::now(),
            limit: state.settings().operation_timeout,
        }
    }

    /// Allows another attempt.
    ///
    /// # Errors
    /// 503 when they take too long.
    pub(crate) fn again(&self) -> ApiResult<()> {
        if self.started.elapsed() <= self.limit {
            return Ok(());
        }
        Err(ApiError::busy(
            "The resource is changed by other requests at the same time: try again",
        ))
    }
}

/// Returns whether something was changed between the decision and the write.
pub(crate) fn was_overtaken(error: &Error) -> bool {
    matches!(error, Error::Indexer(IndexerError::RevisionChanged { .. }))
}
