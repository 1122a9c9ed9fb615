//! The all-in-one server.

use std::sync::Arc;
use std::time::Duration;

use gnocchi_core::clock::SystemClock;
use gnocchi_core::{DefaultPolicies, Gnocchi, Shutdown};
use gnocchi_drivers::embedded::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::access::access_control;
use super::descriptors;
use super::error::ServeError;
use super::exposure;
use super::listener::{Limits, Reservation};
use super::request_log::RequestLog;
use super::signal::{Hangups, Signals};
use super::store::store_config;
use super::telemetry::{ProcessCollector, StoreCollector, set_limits};
use super::tls::Tls;
use crate::api::{self, ApiState, ProcessMetrics};
use crate::config::Config;

/// How long the running turn of each worker may take after the last request, within the time for the whole shutdown. What is not folded
/// then is folded after the next start.
const WORKERS_DRAIN: Duration = Duration::from_secs(10);

/// Serves the API and processes measures, on the data directory of the configuration, until the shutdown that `signals` hold; at
/// each hangup, files of access rules, passwords and certificates are read again. `announce` is given the URL once requests are answered.
///
/// # Errors
/// [`ServeError`] when the server cannot start, or processing ends by itself.
pub async fn serve(
    config: &Config,
    default_policies: DefaultPolicies,
    metrics: PrometheusHandle,
    signals: Signals,
    announce: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let Signals { shutdown, hangups } = signals;
    let (access, mut watch) = access_control(config)?;
    let tls = match &config.api.tls {
        Some(settings) => Some(Tls::open(settings, &mut watch)?),
        None => None,
    };
    exposure::warn_of_open_files(&exposure::settings_files(config));
    let (host, port) = (config.api.host.as_str(), config.api.port);
    let cannot_listen = |source| ServeError::Listen {
        host: host.into(),
        port,
        source,
    };
    let reserved = Reservation::make(host, port).await.map_err(cannot_listen)?;
    let address = reserved.address().map_err(cannot_listen)?;
    let proxies = &config.api.settings.trusted_proxies;
    exposure::warn_of_open_access(&config.api.auth, proxies, address);
    let request_log = request_log(config, hangups.clone())?;
    let store = Store::open(store_config(config, default_policies)).await?;
    exposure::warn_of_open_directory(&config.storage.data_dir);
    let listener = reserved.listen().map_err(cannot_listen)?.with_tls(tls);

    let stop_workers = Shutdown::new();
    let mut workers = spawn_workers(store.gnocchi(), &stop_workers);
    let watching = tokio::spawn(watch.run(hangups, stop_workers.clone()));
    let state = ApiState::with_access(
        store.gnocchi().clone(),
        config.api.settings.clone(),
        access,
        Some(collected(metrics, &store, config)),
    );
    let mut router = api::router(state);
    if let Some(log) = &request_log {
        router = log.around(router);
    }
    let connections_max = descriptors::connections(config.api.connections_max);
    set_limits(&store.gnocchi().query_usage().limits, connections_max);
    let limits = Limits {
        connections_max,
        connections_per_address_max: config.api.connections_per_address_max,
        unread: config.api.response_timeout,
        drain: config.general.graceful_shutdown_timeout,
    };

    let url = listener.url();
    announce(&url);
    info!(address = %listener.address(), data_dir = %config.storage.data_dir.display(), "serving");
    let began = tokio::spawn(beginning_of(shutdown.clone()));
    let serving = listener.serve(router, limits, shutdown.clone());
    tokio::pin!(serving);
    let early = tokio::select! {
        () = serving.as_mut() => None,
        result = &mut workers => Some(result),
    };
    if early.is_some() {
        // The workers ended without being stopped: without them measures only pile up.
        shutdown.begin();
    }
    let began = began.await.unwrap_or_else(|_| Instant::now());
    let processed = if let Some(result) = early {
        serving.await;
        Err(match result {
            Ok(Err(error)) => ServeError::Processing(error),
            Ok(Ok(())) | Err(_) => ServeError::Panic,
        })
    } else {
        stop_workers.begin();
        finish(workers, workers_drain(limits.drain, began.elapsed())).await
    };
    watching.abort();
    if let Some(log) = request_log {
        log.close().await;
    }
    match began.checked_add(limits.drain) {
        Some(deadline) => store.close_by(deadline.into_std()).await,
        None => store.close().await,
    }
    processed?;
    info!("stopped");
    Ok(())
}

/// Adds what is looked up when monitoring asks.
fn collected(metrics: PrometheusHandle, store: &Store, config: &Config) -> ProcessMetrics {
    let (gnocchi, data_dir) = (store.gnocchi().clone(), config.storage.data_dir.clone());
    ProcessMetrics::from(metrics)
        .with(Arc::new(StoreCollector::new(gnocchi, data_dir)))
        .with(Arc::new(ProcessCollector::new()))
}

fn request_log(config: &Config, hangups: Hangups) -> Result<Option<RequestLog>, ServeError> {
    let settings = &config.api.request_logs;
    let proxies = config.api.settings.forwarding_proxies();
    let opened = RequestLog::open(settings, proxies, Arc::new(SystemClock), hangups);
    opened.map_err(|source| ServeError::AccessLog {
        target: settings
            .access
            .as_ref()
            .map(|access| access.target.to_string())
            .unwrap_or_default(),
        source,
    })
}

/// Returns when the shutdown begins.
async fn beginning_of(shutdown: Shutdown) -> Instant {
    shutdown.begun().await;
    Instant::now()
}

/// Returns how long workers may take when so much of the time for the whole shutdown is gone.
fn workers_drain(whole: Duration, gone: Duration) -> Duration {
    WORKERS_DRAIN.min(whole.saturating_sub(gone))
}

/// Waits for workers that were told to stop, and cuts them off when that takes too long. None of them runs afterwards.
async fn finish(mut workers: Workers, patience: Duration) -> Result<(), ServeError> {
    let ended = if let Ok(ended) = tokio::time::timeout(patience, &mut workers).await {
        ended
    } else {
        warn!("processing is cut off, it took too long after the shutdown began; nothing is lost");
        workers.abort();
        workers.await
    };
    match ended {
        Ok(result) => result.map_err(ServeError::Processing),
        Err(failure) if failure.is_cancelled() => Ok(()),
        Err(_) => Err(ServeError::Panic),
    }
}

/// The task that runs processing in the background.
type Workers = JoinHandle<Result<(), gnocchi_core::Error>>;

fn spawn_workers(gnocchi: &Gnocchi, stop: &Shutdown) -> Workers {
    let (gnocchi, stop) = (gnocchi.clone(), stop.clone());
    tokio::spawn(async move { gnocchi.run(stop).await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn workers_that_take_too_long_do_not_run_any_more() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let workers = tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(())
        });
        finish(workers, Duration::from_millis(1)).await.unwrap();
        assert_eq!(Arc::strong_count(&alive), 1, "the task is gone");
    }

    #[test]
    fn workers_get_what_requests_leave_of_the_time_for_a_shutdown() {
        let check = |whole, gone, expected| {
            let [whole, gone, expected] = [whole, gone, expected].map(Duration::from_secs);
            assert_eq!(workers_drain(whole, gone), expected);
        };
        check(60, 0, 10);
        check(60, 55, 5);
        check(1, 0, 1);
        check(0, 0, 0);
        check(60, 61, 0);
    }

    #[tokio::test]
    async fn workers_that_panic_are_told_from_those_that_end() {
        finish(tokio::spawn(async { Ok(()) }), WORKERS_DRAIN)
            .await
            .unwrap();
        let panicked = tokio::spawn(async { panic!("a test") });
        let error = finish(panicked, WORKERS_DRAIN).await.unwrap_err();
        assert!(matches!(error, ServeError::Panic), "{error}");
    }
}
