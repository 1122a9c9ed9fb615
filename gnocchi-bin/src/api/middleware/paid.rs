//! Requests that compute, each within a budget of its own.

use axum::body::HttpBody;
use axum::response::Response;
use gnocchi_core::Error;

use crate::api::middleware::unsent;
use crate::api::response::error::ApiResult;
use crate::api::state::ApiState;

/// A request whose queries come out of one budget, until its response is sent.
pub(crate) struct Paid {
    state: ApiState,
}

impl Paid {
    /// Begins a query: its time runs from now on, so the body of the request has been read before.
    pub(crate) fn begin(state: &ApiState) -> Self {
        Self {
            state: state.of_query(),
        }
    }

    /// Returns the state whose store has the budget.
    pub(crate) fn state(&self) -> &ApiState {
        &self.state
    }

    /// Computes the response in the time that there is; its memory stays taken until it is sent.
    ///
    /// # Errors
    /// 504 when the time is up, and those of the work.
    pub(crate) async fn respond(&self, work: impl Future<Output = ApiResult>) -> ApiResult {
        let Some(budget) = self.state.gnocchi().budget() else {
            return work.await;
        };
        let response = budget.finish(work).await.map_err(Error::from)??;
        // What is rendered already holds nothing else any more.
        if response.body().size_hint().exact().is_some() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = unsent::streamed(self.state.gnocchi(), budget.clone(), body)?;
        Ok(Response::from_parts(parts, body))
    }
}
