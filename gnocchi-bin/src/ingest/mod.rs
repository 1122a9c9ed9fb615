//! Measures in the protocols of other systems, and what they share with batches: metrics that are named by resource and name,
//! and come into being when the first measure does.
//!
//! | file | concern |
//! |---|---|
//! | `influxdb/` | the line protocol of InfluxDB |
//! | `prometheus/` | remote write of Prometheus |
//! | `collector`, `identity` | measures by metric while a request is read, and the names that metrics get |
//! | `named`, `on_demand` | the metrics of a batch by resource and name, all of them or none |
//! | `receiver/`, `resource_kind` | those that other systems send to, found or created one by one |
//! | `rejected`, `outcome` | what is not stored, and what the sender is told |
//!
//! What reads bytes is a pure function; handlers are in the endpoints of each protocol.

mod collector;
mod identity;
pub mod influxdb;
mod named;
mod on_demand;
mod outcome;
pub mod prometheus;
mod receiver;
mod rejected;
mod resource_kind;

use std::borrow::Cow;

use http::StatusCode;

pub use collector::{Arrival, Arrivals, Exceeded};
pub(crate) use named::NamedBatch;
pub(crate) use on_demand::{Missing, OnDemand, require_posts, unknown};
pub use rejected::{First, Reason, Rejected};

use crate::api::error::ApiError;
use crate::api::measures::Context;
use crate::api::routes::Routes;
use crate::api::state::ApiState;

/// Returns the routes. Their answers have no body, so they are for clients that take anything.
pub(crate) fn routes() -> Routes {
    prometheus::routes(influxdb::routes(Routes::new()))
}

/// Returns whether a path is one that other systems send to, whether there is a route or not.
pub(crate) fn is_for_senders(path: &str) -> bool {
    ["/v1/influxdb/", "/v1/prometheus/", "/api/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// How much of a text that a sender made is repeated in errors and logs, in characters: enough for every id and name that is stored.
const REPEATED_CHARACTERS_MAX: usize = 300;

/// Returns what parsers need to know beside the body.
pub(crate) fn context(state: &ApiState) -> Context {
    Context {
        now: state.gnocchi().clock().now(),
        points_max: state.settings().points_max,
        metrics_max: state.settings().metrics_max,
    }
}

/// Says that a request holds too much.
pub(crate) fn too_many(exceeded: Exceeded, context: Context) -> ApiError {
    let (things, limit) = match exceeded {
        Exceeded::Points => ("points", context.points_max),
        Exceeded::Metrics => ("metrics", context.metrics_max),
    };
    ApiError::text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The request holds more {things} than the limit of {limit}; send it in several parts"
        ),
    )
}

/// Cuts off what is too long to be repeated.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(REPEATED_CHARACTERS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_cut_between_characters() {
        let longest = "é".repeat(REPEATED_CHARACTERS_MAX);
        assert_eq!(shortened(&longest), longest);
        assert_eq!(shortened(&format!("{longest}é")), format!("{longest}..."));
    }
}
