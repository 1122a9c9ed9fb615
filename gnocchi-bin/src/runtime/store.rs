//! Opening the store that a configuration describes.

use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use thiserror::Error;

use super::data_directory::DataDirectory;
use crate::config::Config;

/// A store that cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// TMP
    #[error("x")]
    Upgrade(#[from] gnocchi_core::Error),
}

/// Opens the store of a data directory, creates or migrates what is missing.
///
/// # Errors
/// [`StoreError`] when what the directory holds cannot be used.
pub async fn open(config: &Config, directory: &DataDirectory, default_policies: DefaultPolicies) -> Result<Gnocchi, StoreError> {
    let gnocchi = Gnocchi::new(drivers(directory), settings(config));
    gnocchi.upgrade(default_policies).await?;
    Ok(gnocchi)
}

/// Opens the store of a data directory as it is.
///
/// # Errors
/// [`StoreError`] when what the directory holds cannot be used.
pub async fn open_for_inspection(directory: &DataDirectory) -> Result<Gnocchi, StoreError> {
    Ok(Gnocchi::new(drivers(directory), Settings::default()))
}

fn drivers(_: &DataDirectory) -> Drivers { gnocchi_core::memory::drivers() }

fn settings(config: &Config) -> Settings {
    Settings {
        max_future: config.incoming.max_future,
        default_aggregation_methods: config.archive_policy.default_aggregation_methods.clone(),
        workers: config.metricd.workers,
        processing_delay: config.metricd.processing_delay,
        cleanup_delay: config.metricd.cleanup_delay,
        cleanup_batch_size: config.metricd.cleanup_batch_size,
        reporting_delay: config.metricd.reporting_delay,
        window_cache_bytes: config.storage.window_cache_bytes,
        ..Settings::default()
    }
}
