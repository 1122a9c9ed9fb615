//! The store that a configuration describes.

use gnocchi_core::{DefaultPolicies, Settings};
use gnocchi_drivers::embedded::{EmbeddedConfig, StoreConfig};

use crate::config::Config;

/// Translates the configuration into that of the store.
#[must_use]
pub fn store_config(config: &Config, default_policies: DefaultPolicies) -> StoreConfig {
    let described = StoreConfig::new(config.storage.data_dir.clone());
    StoreConfig {
        embedded: EmbeddedConfig {
            sacks: config.incoming.sacks,
            pending_bytes_max: config.incoming.max_pending_bytes,
            cache_bytes: config.storage.block_cache_bytes,
            disk_reserve_bytes: config.storage.disk_reserve_bytes,
            ..described.embedded
        },
        settings: settings(config),
        default_policies,
        path: described.path,
    }
}

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
        type_change_bytes_max: config.api.type_change_bytes_max,
        query_limits: config.api.query_limits,
        ..Settings::default()
    }
}
