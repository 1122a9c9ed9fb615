//! Receivers: measures in the protocols of other systems.
//!
//! A receiver is a folder with `parse` (bytes become lines or messages: pure functions, tested with random input), `map` (which
//! metric of which resource they belong to) and `endpoint` (routes and handlers), and an entry in the list of receivers below. Shared code
//! is in this module; [`gnocchi_core::intake`] finds or creates resources and metrics, and applies the access rules.
//!
//! | file | concern |
//! |---|---|
//! | `influxdb/` | the line protocol of InfluxDB |
//! | `prometheus/` | remote write of Prometheus |
//! | `collector`, `identity` | groups the measures of a request by metric, and names the metrics |
//! | `receiver` | stores a request that was parsed and mapped; the same for every receiver |
//! | `rejected`, `outcome` | counts rejected points, and reports them to the sender |

mod collector;
mod identity;
pub mod influxdb;
mod outcome;
pub mod prometheus;
mod receiver;
mod rejected;

use std::borrow::Cow;

use http::StatusCode;

pub use collector::{Arrival, Arrivals, Exceeded};
use receiver::Receiver;
pub use rejected::{First, Reason, Rejected};

use crate::api::measures::Context;
use crate::api::response::error::ApiError;
use crate::api::routes::Routes;
use crate::api::state::ApiState;

/// The receivers. A new one is a folder, its `mod` and an entry here.
pub(crate) const RECEIVERS: &[Receiver] = &[influxdb::RECEIVER, prometheus::RECEIVER];

/// Returns the routes. Their responses have no body, so they are for clients that accept anything.
pub(crate) fn routes() -> Routes {
    let add = |routes, receiver: &Receiver| (receiver.routes)(routes);
    RECEIVERS.iter().fold(Routes::new(), add)
}

/// Returns whether other systems send to a path, whether there is a route or not.
pub(crate) fn is_for_senders(path: &str) -> bool {
    let mut prefixes = RECEIVERS.iter().flat_map(|receiver| receiver.prefixes);
    prefixes.any(|prefix| path.starts_with(prefix))
}

/// Returns the receiver that a route belongs to.
pub(crate) fn receiver_of(path: &str) -> Option<&'static Receiver> {
    let has = |receiver: &&Receiver| {
        let mut operations = receiver.operations.iter();
        operations.any(|operation| operation.path == path)
    };
    RECEIVERS.iter().find(has)
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

/// Returns the 413 error for a request with too many points or metrics.
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
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
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
