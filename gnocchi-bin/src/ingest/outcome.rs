//! What a sender is told about a request of which not everything is stored.

use gnocchi_core::policy::Caller;

use super::{Rejected, shortened};
use crate::api::response::error::ApiError;
use crate::api::response::error_body::sentence;
use crate::api::state::ApiState;

/// What became of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How many measures are stored.
    pub(super) stored: usize,
    /// What is not.
    pub(super) rejected: Rejected<ApiError>,
}

/// What a sender must be told.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    /// What is wrong with the first part that is not stored.
    pub(super) first: &'a ApiError,
    /// Where that part is.
    pub(super) place: usize,
    /// The error in words.
    pub(super) reason: String,
    /// How many measures are not stored, of how many, and why.
    pub(super) numbers: String,
}

impl Outcome {
    /// Counts what is not stored by reason, and logs the first of it, as often as the limit allows.
    pub(super) fn report(&self, state: &ApiState, protocol: &str, sender: &Caller) {
        for (reason, measures) in self.rejected.counts() {
            // The store has counted what it did not take.
            if !reason.is_of_store() {
                state.gnocchi().count_rejected(reason.as_str(), measures);
            }
        }
        if let Some(first) = self.rejected.first()
            && let Some(not_logged) = state.rejections_logged().pass()
        {
            tracing::warn!(
                protocol,
                %sender,
                place = first.place,
                first = ?shortened(&sentence(&first.error)),
                rejected = self.rejected.summary(|_| true),
                stored = self.stored,
                not_logged,
                "measures of a request are not stored"
            );
        }
    }

    /// Returns what went wrong; `None` when everything is stored that the sender wants to be.
    pub(super) fn failure(&self) -> Option<Failure<'_>> {
        let failures = self.rejected.failures();
        let first = self.rejected.first().filter(|_| failures > 0)?;
        let reasons = self.rejected.summary(|reason| !reason.is_by_design());
        Some(Failure {
            first: &first.error,
            place: first.place,
            reason: shortened(&sentence(&first.error)).into_owned(),
            numbers: format!("{failures} of {} ({reasons})", self.stored + failures),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Reason;

    #[test]
    fn what_happens_by_design_is_no_failure() {
        let mut outcome = Outcome {
            stored: 3,
            rejected: Rejected::default(),
        };
        let error = |text: &str| ApiError::bad_request(text);
        (outcome.rejected).add(Reason::LabelCollapse, 9, 1, || error("collapse"));
        assert!(outcome.failure().is_none());
        outcome
            .rejected
            .add(Reason::NoName, 2, 2, || error("first"));
        outcome.rejected.add(Reason::Nul, 1, 3, || error("second"));
        let failure = outcome.failure().unwrap();
        assert_eq!(failure.first, &error("first"));
        assert_eq!((failure.place, failure.reason.as_str()), (2, "first"));
        assert_eq!(failure.numbers, "3 of 6 (1 nul, 2 no_name)");
    }
}
