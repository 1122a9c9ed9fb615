//! What every receiver does with a request that it has parsed and mapped, and how the server knows a receiver.

use gnocchi_core::Reported;
use gnocchi_core::intake::{IntakeError, Missing, NamedBatch, ResourceKind};
use gnocchi_core::policy::Caller;

use super::outcome::Outcome;
use super::{Reason, Rejected};
use crate::api::response::error::ApiError;
use crate::api::routes::Routes;
use crate::api::state::ApiState;
use crate::api::v1::operations::Operation;

/// A receiver of HTTP requests as the server knows it.
#[derive(Clone, Copy)]
pub(crate) struct Receiver {
    /// Its name: the group of its operations in the description of the API.
    pub(crate) name: &'static str,
    /// What it is for, in the description of the API.
    pub(crate) description: &'static str,
    /// What can be asked of it: an entry for each route.
    pub(crate) operations: &'static [Operation],
    /// Adds its routes.
    pub(super) routes: fn(Routes) -> Routes,
    /// What its paths begin with, whether there is a route or not: responses there are written for the clients of its protocol.
    pub(super) prefixes: &'static [&'static str],
}

/// Stores what a caller sends in a protocol, in resources of a type that come into being with their first measure. `rejected` has
/// what parsing and mapping left out. What is not stored is counted by reason, and logged.
///
/// # Errors
/// [`IntakeError`] when nothing is stored. What is sent again then is not counted twice.
pub(super) async fn store(
    state: &ApiState,
    caller: &Caller,
    protocol: &str,
    kind: &ResourceKind,
    (batch, mut rejected): (NamedBatch, Rejected<ApiError>),
) -> Result<Outcome, IntakeError> {
    let missing = Missing::CreateResources(kind);
    // No success of these protocols hides a measure that is not stored.
    let intake = state.intake(caller);
    let report = intake.store(batch, missing, Reported::All).await?;
    let stored = report.stored();
    for verdict in report.verdicts {
        for refused in verdict.refused {
            let refusal = &*refused.refusal;
            let error = || ApiError::from(refusal);
            rejected.add(Reason::of(refusal), refused.points, verdict.place, error);
        }
    }
    let outcome = Outcome { stored, rejected };
    outcome.report(state, protocol, caller);
    Ok(outcome)
}
