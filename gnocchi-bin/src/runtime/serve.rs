//! The all-in-one server.

use std::time::Duration;

use gnocchi_core::{DefaultPolicies, Gnocchi};
use gnocchi_drivers::embedded::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::ServeError;
use super::listener::{Limits, Listener};
use super::store::store_config;
use crate::api::{self, ApiState};
use crate::config::Config;

/// How long the turn in hand of each worker may take after the shutdown began. What is not folded then is folded at the next
/// start.
const WORKERS_DRAIN: Duration = Duration::from_secs(20);

/// Serves until `shutdown`: the API and processing, on the data directory of the configuration. `announce` is told the URL
/// once requests are answered.
///
/// # Errors
/// [`ServeError`] when the server cannot start, or processing ends by itself.
pub async fn serve(
    config: &Config,
    default_policies: DefaultPolicies,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
    announce: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let (host, port) = (config.api.host.as_str(), config.api.port);
    let listener = Listener::bind(host, port).await;
    let listener = listener.map_err(|source| ServeError::Listen {
        host: host.into(),
        port,
        source,
    })?;
    let store = Store::open(store_config(config, default_policies)).await?;

    let stop_workers = CancellationToken::new();
    let mut workers = spawn_workers(store.gnocchi(), &stop_workers);
    let state = ApiState::new(
        store.gnocchi().clone(),
        config.api.settings.clone(),
        Some(metrics),
    );
    let router = api::router(state);
    let limits = Limits {
        connections_max: config.api.connections_max,
        drain: config.general.graceful_shutdown_timeout,
    };

    let url = listener.url();
    announce(&url);
    info!(address = %listener.address(), data_dir = %config.storage.data_dir.display(), "serving");
    let serving = listener.serve(router, limits, shutdown.clone());
    tokio::pin!(serving);
    let early = tokio::select! {
        () = serving.as_mut() => None,
        result = &mut workers => Some(result),
    };
    if let Some(result) = early {
        // Nobody told the workers to stop: without them measures only pile up.
        shutdown.cancel();
        serving.await;
        return Err(match result {
            Ok(Err(error)) => ServeError::Processing(error),
            Ok(Ok(())) | Err(_) => ServeError::Panic,
        });
    }
    stop_workers.cancel();
    match tokio::time::timeout(WORKERS_DRAIN, workers).await {
        Ok(Ok(result)) => result.map_err(ServeError::Processing)?,
        Ok(Err(_)) => return Err(ServeError::Panic),
        Err(_) => warn!(
            "processing is cut off, it took too long after the shutdown began; nothing is lost"
        ),
    }
    store.close().await;
    info!("stopped");
    Ok(())
}

fn spawn_workers(
    gnocchi: &Gnocchi,
    stop: &CancellationToken,
) -> JoinHandle<Result<(), gnocchi_core::Error>> {
    let (gnocchi, stop) = (gnocchi.clone(), stop.clone());
    tokio::spawn(async move { gnocchi.run(stop).await })
}
