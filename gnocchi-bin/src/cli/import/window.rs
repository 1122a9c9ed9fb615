//! Which points a metric of the server accepts, asked when it has rejected some.

use carbonara::{Timespan, Timestamp};
use http::Method;
use serde::Deserialize;

use super::client::{Client, escaped};
use super::timestamp::shown;
use crate::api::timespan;
use crate::api::timestamp::parse_iso;

/// What decides which points a metric accepts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetricWindow {
    /// The beginning of the newest bucket of the coarsest granularity.
    pub(super) newest_block: Timestamp,
    /// The coarsest granularity.
    pub(super) granularity: Timespan,
    /// The name of its archive policy.
    pub(super) policy: String,
    /// How many buckets of the coarsest granularity older than the newest one are accepted, as the policy says now.
    pub(super) back_window: u64,
}

/// The wire form of a metric, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct MetricView {
    pub(super) name: Option<String>,
    archive_policy: PolicyView,
}

#[derive(Debug, Deserialize)]
struct PolicyView {
    name: String,
    back_window: u64,
    definition: Vec<LevelView>,
    aggregation_methods: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LevelView {
    granularity: String,
}

impl Client {
    /// Returns what a metric is called and how it aggregates; `None` when the server does not say it.
    pub(super) async fn metric(&self, id: &str) -> Option<MetricView> {
        let path = format!("/v1/metric/{}", escaped(id));
        let shown = self.call(&Method::GET, &path, String::new()).await.ok()?;
        serde_json::from_slice(&shown).ok()
    }

    /// Returns what the archive policy of a metric accepts, and the newest point that the metric has at or after a timestamp; `None`
    /// when the server does not say it.
    pub(super) async fn window(
        &self,
        id: &str,
        metric: MetricView,
        after_ns: i64,
    ) -> Option<MetricWindow> {
        let policy = metric.archive_policy;
        let granularities = policy.definition.iter();
        let granularity = granularities
            .filter_map(|level| timespan::parse(&level.granularity).ok())
            .max()?;
        let path = format!(
            "/v1/metric/{}/measures?granularity={}&aggregation={}&start={}",
            escaped(id),
            granularity.as_second_f64(),
            escaped(policy.aggregation_methods.first()?),
            escaped(&shown(after_ns))
        );
        let read = self.call(&Method::GET, &path, String::new()).await.ok()?;
        let rows: Vec<(String, f64, f64)> = serde_json::from_slice(&read).ok()?;
        let (newest, ..) = rows.last()?;
        Some(MetricWindow {
            newest_block: parse_iso(newest.as_bytes()).ok()?,
            granularity,
            policy: policy.name,
            back_window: policy.back_window,
        })
    }
}
