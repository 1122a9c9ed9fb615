//! Computing across many series: `/v1/aggregates`, and what came before it: `/v1/aggregation`.
//!
//! | file | concern |
//! |---|---|
//! | `parameters` | time, granularity and gaps: what both ways of asking share |
//! | `operations` | expressions as JSON or text, and what is said of wrong ones |
//! | `by_ids`, `by_resources` | which series are meant |
//! | `admission` | which series of resources a caller may compute with |
//! | `legacy` | the deprecated calls, which are expressions of one shape |
//! | `misread` | what is said for people of expressions that cannot be read |
//! | `refusal` | why nothing can be computed, as clients know it |
//! | `view` | what was computed as JSON |

mod admission;
mod by_ids;
mod by_resources;
mod legacy;
mod misread;
mod operations;
mod parameters;
mod refusal;
mod view;

use axum::extract::State;
use gnocchi_core::query::KeepResources;
use gnocchi_core::text::nearest::nearest;

pub(super) use legacy::{across_metrics, across_metrics_of_body, across_resources};

pub(super) use view::level_list;

use crate::api::auth::Authenticated;
use crate::api::middleware::paid::Paid;
use crate::api::request::body::RequestBody;
use crate::api::request::query::Query;
use crate::api::request::schema::{Object, Path, string};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;
use by_resources::Scope;
use operations::Operations;
use parameters::{Parameters, UnlessSaid};

/// The keys of a body.
const KEYS: [&str; 3] = ["operations", "resource_type", "search"];

/// `POST /v1/aggregates`
pub(super) async fn compute(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Query,
    body: RequestBody,
) -> ApiResult {
    refuse_resample(&query)?;
    let now = state.gnocchi().clock().now();
    let parameters = Parameters::parse(&query, now, UnlessSaid::DropMissing)?;
    let keep = if query.flag("details", false)? {
        KeepResources::Keep
    } else {
        KeepResources::Drop
    };
    let scope = Scope::parse(&query)?;
    let body = body.json().await?;
    let object = Object::open(&body, &Path::Root, &KEYS)?;
    let operations =
        object.optional("operations", |value, path| Ok(Operations::of(value, path)))?;
    let operations = object.require("operations", operations)??;
    let paid = Paid::begin(&state);
    let Some(resource_type) = object.optional("resource_type", string)? else {
        let computing = by_ids::compute(paid.state(), &caller, &parameters, operations, keep);
        return paid.respond(computing).await;
    };
    let search = object.optional("search", |value, _| Ok(value.clone()))?;
    let search = object.require("search", search)?;
    let call = by_resources::Call {
        state: paid.state(),
        caller: &caller,
        parameters: &parameters,
        scope,
        keep,
    };
    let computing = call.compute(operations, &resource_type, &search);
    // It holds much while it waits, and the handler is made for every request.
    paid.respond(Box::pin(computing)).await
}

/// Refuses the parameter of other calls that looks as if it worked here: the rows would silently be those of the archive policy.
fn refuse_resample(query: &Query) -> ApiResult<()> {
    const RESAMPLE: &str = "resample";
    let sent = query
        .names()
        .find(|name| *name == RESAMPLE || nearest(name, [RESAMPLE]).is_some());
    match sent {
        None => Ok(()),
        Some(name) => Err(ApiError::argument(name, "not a parameter of /v1/aggregates").explained(
            "resampling is an operation here: (resample mean 86400 (metric ...)), with a method, and a span or a letter of the calendar",
        )),
    }
}
