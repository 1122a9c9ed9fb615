//! Searching points by their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use carbonara::expression::BinaryFunction;
use carbonara::{AggregationMethod, Timespan};
use gnocchi_core::Error;
use gnocchi_core::model::{Metric, MetricId};
use gnocchi_core::policy::{Action, Caller, MetricTarget};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery, Operand, Operation, Predicate};
use serde_json::{Map, Value, json};

use super::metric;
use crate::api::auth::{Authenticated, require};
use crate::api::body::RequestBody;
use crate::api::error::{ApiError, ApiResult};
use crate::api::query::Query;
use crate::api::schema::{Checked, Invalid, Path, list};
use crate::api::state::ApiState;
use crate::api::{timespan, timestamp};

/// `POST /v1/search/metric`
pub(super) async fn search(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    let metrics = metrics(&state, &caller, &query).await?;
    todo!()
}
