//! What monitoring asks: whether the server is well, and its metrics.

pub(crate) mod health;
mod scrapes;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;

use super::state::ApiState;
use crate::api::middleware::unsent::Counted;
use crate::api::probes::health::{health, live};
use crate::api::probes::scrapes::Scrapes;
use crate::api::response::error::{ApiError, ApiResult};

/// The content type of the text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<ApiState> {
    let scrapes = Arc::new(Scrapes::default());
    Router::new()
        .route("/healthcheck", any(health))
        .route("/healthcheck/", any(health))
        .route("/healthcheck/live", any(live))
        .route("/healthcheck/{*below}", any(health))
        .route(
            "/metrics",
            get(async move |State(state): State<ApiState>| metrics(&state, &scrapes).await),
        )
}

/// Looks up figures when monitoring asks for them: those that no event updates.
#[async_trait]
pub trait Collector: fmt::Debug + Send + Sync + 'static {
    /// Appends metrics to a text in the format of Prometheus, or sets gauges of the global recorder. What cannot be looked up is left
    /// out: that is no reason to hide everything else.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    async fn collect(&self, text: &mut String);
}

/// The metrics of this process, as `/metrics` shows them.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    recorded: PrometheusHandle,
    collectors: Vec<Arc<dyn Collector>>,
}

impl From<PrometheusHandle> for ProcessMetrics {
    /// Shows what is recorded, and nothing else.
    fn from(recorded: PrometheusHandle) -> Self {
        Self {
            recorded,
            collectors: Vec::new(),
        }
    }
}

impl ProcessMetrics {
    /// Adds figures that are looked up.
    #[must_use]
    pub fn with(mut self, collector: Arc<dyn Collector>) -> Self {
        self.collectors.push(collector);
        self
    }

    async fn render(&self) -> String {
        let mut collected = String::new();
        for collector in &self.collectors {
            collector.collect(&mut collected).await;
        }
        // After the collectors, some of which set gauges.
        let mut text = self.recorded.render();
        text.push_str(&collected);
        text
    }
}

/// Renders the metrics of this process.
async fn metrics(state: &ApiState, scrapes: &Scrapes) -> ApiResult {
    let metrics = state.metrics().ok_or_else(ApiError::no_such_address)?;
    if let Err(error) = state.gnocchi().observe_backlog().await {
        tracing::warn!(%error, "cannot look up how much is pending");
    }
    let content_type = HeaderValue::from_static(PROMETHEUS_TEXT);
    let text = scrapes.text(metrics.render()).await;
    let mut response = ([(CONTENT_TYPE, content_type)], text).into_response();
    response.extensions_mut().insert(Counted);
    Ok(response)
}
