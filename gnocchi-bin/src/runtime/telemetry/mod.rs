//! Logs and metrics of the program itself.

mod catalogue;
mod process;
mod store;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

pub(super) use process::ProcessCollector;
pub(super) use store::{StoreCollector, set_limits};

use super::log_file::LogFile;
use super::signal::Hangups;
use crate::config::{General, LogLevel};

/// The environment variable that chooses what is logged per module; it wins over the configuration.
const FILTER_VARIABLE: &str = "RUST_LOG";

/// Libraries whose debug messages say nothing about this program.
const QUIET_LIBRARIES: &str =
    "hyper=info,hyper_util=info,reqwest=info,sqlx=warn,fjall=warn,lsm_tree=warn";

/// Upper ends of the buckets of every histogram of durations, in seconds.
const DURATION_BUCKETS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// How often recorded durations are moved into their histograms.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Telemetry that cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The log file cannot be opened.
    #[error("cannot write the log file {}", path.display())]
    LogFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another part of the process has taken the global logger or recorder.
    #[error("telemetry is set up twice in this process")]
    Twice,
}

/// The log of this process.
#[derive(Debug, Clone)]
pub struct Logs {
    /// `None` is the standard error stream.
    file: Option<Arc<LogFile>>,
}

impl Logs {
    /// Opens the log file anew at each hangup, so that `logrotate` can rename it.
    pub async fn follow(self, mut hangups: Hangups) {
        let Some(file) = self.file else { return };
        loop {
            hangups.next().await;
            let file = Arc::clone(&file);
            let reopened = spawn_blocking(move || reopen(&file)).await;
            if let Err(error) = reopened {
                tracing::error!(%error, "cannot open the log file anew");
            }
        }
    }
}

fn reopen(file: &LogFile) {
    let path = file.path().display();
    match file.reopen() {
        Ok(()) => tracing::info!(%path, "opened the log file anew"),
        Err(error) => {
            tracing::error!(%path, %error, "cannot open the log file anew, the earlier one stays in use");
        }
    }
}

/// Sends the logs of this process where the configuration says.
///
/// # Errors
/// [`TelemetryError`] when the log file cannot be opened or the process has a logger.
pub fn start_logs(general: &General) -> Result<Logs, TelemetryError> {
    let level = match general.log_level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warn",
    };
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},{QUIET_LIBRARIES}")));
    let file = match &general.log_file {
        None => None,
        Some(path) => {
            let opened = LogFile::open(path.clone());
            let file = opened.map_err(|source| TelemetryError::LogFile {
                path: path.clone(),
                source,
            })?;
            Some(Arc::new(file))
        }
    };
    let (writer, colours) = match &file {
        None => (
            BoxMakeWriter::new(io::stderr),
            io::IsTerminal::is_terminal(&io::stderr()),
        ),
        Some(file) => {
            let file = Arc::clone(file);
            (BoxMakeWriter::new(move || file.current()), false)
        }
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours);
    subscriber.try_init().map_err(|_| TelemetryError::Twice)?;
    if let Some(file) = &file {
        file.report_new_directory();
    }
    Ok(Logs { file })
}

/// Installs the recorder behind `/metrics` and returns what renders it. Needs a running runtime.
///
/// # Errors
/// [`TelemetryError::Twice`] when the process has a recorder.
pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let durations = Matcher::Suffix("_seconds".into());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &DURATION_BUCKETS);
    let recorder = builder
        .expect("there is at least one bucket")
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Twice)?;
    catalogue::register();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
