//! `[storage]`: where aggregates are kept.

use std::path::PathBuf;

use gnocchi_drivers::embedded;

use super::backend;
use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, defaulted};

/// The options that the embedded back-end declares.
static OF_EMBEDDED: [OptionSpec; embedded::STORAGE_OPTIONS.len()] =
    OptionSpec::declared(&embedded::STORAGE_OPTIONS);

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "storage",
    "Where aggregates are stored.",
    &[
        OptionSpec::new("driver", "back-end for aggregates")
            .one_of(&[backend::EMBEDDED])
            .or(backend::EMBEDDED),
        OptionSpec::new(
            "window_cache_bytes",
            "memory for the open windows of metrics",
        )
        .bytes(0, u64::MAX)
        .or("256M"),
    ],
)
.with_driver(&OF_EMBEDDED)
.with_shared(&backend::OPTIONS);

/// Settings of `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The directory of the embedded back-end.
    pub data_dir: PathBuf,
    /// How much memory blocks read from it may take.
    pub block_cache_bytes: u64,
    /// How much memory the open windows of metrics may take.
    pub window_cache_bytes: usize,
    /// How much of the file system stays free.
    pub disk_reserve_bytes: u64,
}

impl Storage {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        backend::check_driver(section, "storage")?;
        Ok(Self {
            data_dir: section.path("data_dir").map(defaulted)?,
            block_cache_bytes: section.bytes("block_cache_bytes").map(defaulted)?,
            window_cache_bytes: section.bytes("window_cache_bytes").map(defaulted)?,
            disk_reserve_bytes: section.bytes("disk_reserve_bytes").map(defaulted)?,
        })
    }
}
