#![doc = include_str!("docs.md")]

mod catalog;
mod committer;
mod config;
#[cfg(feature = "sqlite")]
mod copy;
#[cfg(feature = "sqlite")]
mod data_directory;
mod database;
mod engine;
mod error;
mod files;
#[cfg(feature = "sqlite")]
mod identity;
mod incoming;
#[cfg(feature = "sqlite")]
mod indexer_log;
#[cfg(feature = "sqlite")]
mod indexer_sums;
mod inspection;
mod keeper;
mod keys;
#[cfg(feature = "sqlite")]
mod parts;
mod preparation;
mod progress;
#[cfg(feature = "sqlite")]
mod reader;
mod recovery;
mod renewal;
#[cfg(feature = "sqlite")]
mod repair;
mod storage;
#[cfg(feature = "sqlite")]
mod store;
#[cfg(feature = "sqlite")]
mod store_error;
#[cfg(feature = "sqlite")]
mod store_files;

use std::sync::Arc;

use gnocchi_core::clock::Clock;
use gnocchi_core::driver::SackCount;
use gnocchi_core::error::BackendError;

pub use config::{Durability, EmbeddedConfig, INCOMING_OPTIONS, STORAGE_OPTIONS};
pub use files::Damage;
pub use incoming::EmbeddedIncoming;
pub use storage::EmbeddedStorage;
#[cfg(feature = "sqlite")]
pub use {
    data_directory::DataDirectoryError,
    repair::{CheckFrame, MetricReport, RepairReport, repair},
    store::{Store, StoreConfig, open},
    store_error::StoreError,
    store_files::{FoundFrame, InterruptedWrite, Records, StoreFiles},
};

#[cfg(feature = "sqlite")]
pub(crate) use copy::copy_store;

use crate::coordination::MemoryCoordinator;
use crate::disk::Disk;
use database::Database;
use error::EmbeddedError;
use preparation::Prepared;

/// By how much the fences of one opening of a database are larger than those of the one before: more leases than one process
/// gives out.
const FENCES_PER_GENERATION_BITS: u32 = 32;

/// An open directory: incoming and storage, and leases that suit them.
///
/// The directory is free for another process when all three and this are dropped after [`close`](Self::close). Without it, that takes
/// a moment longer.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Keeps measures until they are folded.
    pub incoming: Arc<EmbeddedIncoming>,
    /// Keeps frames.
    pub storage: Arc<EmbeddedStorage>,
    /// Gives out leases within this process, with fences that grow from opening to opening.
    pub coordinator: Arc<MemoryCoordinator>,
    /// Watches the file system of the directory.
    pub disk: Arc<Disk>,
}

impl Embedded {
    /// Opens a directory, after creating what is absent, and reads what waits in its log.
    ///
    /// # Errors
    /// [`BackendError`] of the kind [`Unavailable`](gnocchi_core::error::BackendErrorKind::Unavailable) when another process has the
    /// directory open, `Denied` when it may not be written, `Full` when there is no room, `Config` when it cannot be a directory or
    /// was written by a later version, `Corrupt` when what it holds cannot be read; the error then names the record.
    pub async fn open(config: EmbeddedConfig, clock: Arc<dyn Clock>) -> Result<Self, BackendError> {
        let operation = format!("open {}", config.path.display());
        let opened = tokio::task::spawn_blocking(move || Self::open_now(config, clock)).await;
        let opened = opened.unwrap_or_else(|error| Err(EmbeddedError::Task(error)));
        opened.map_err(|error| error.into_backend(operation))
    }

    fn open_now(config: EmbeddedConfig, clock: Arc<dyn Clock>) -> Result<Self, EmbeddedError> {
        let prepared = Prepared::take_alone(&config.path)?;
        Self::open_prepared(config, clock, prepared)
    }

    fn open_prepared(
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
        prepared: Prepared,
    ) -> Result<Self, EmbeddedError> {
        let database = Arc::new(Database::open_prepared(config, prepared)?);
        let first_fence = database.facts().generation << FENCES_PER_GENERATION_BITS;
        let incoming = EmbeddedIncoming::start(Arc::clone(&database), clock)?;
        let disk = Arc::clone(database.disk());
        Ok(Self {
            disk,
            incoming: Arc::new(incoming),
            storage: Arc::new(EmbeddedStorage::new(database)),
            coordinator: Arc::new(MemoryCoordinator::with_first_fence(first_fence)),
        })
    }

    /// Changes the number of sacks. It takes effect when the directory is opened the next time; nothing may be appended, folded
    /// or acquired until then.
    ///
    /// # Errors
    /// [`BackendError`] of the kind [`Config`](gnocchi_core::error::BackendErrorKind::Config) when measures wait to be folded, others as
    /// [`open`](Self::open).
    pub async fn change_sacks(&self, sacks: SackCount) -> Result<(), BackendError> {
        self.change_sacks_now(sacks)
            .await
            .map_err(|error| error.into_backend("change the number of sacks"))
    }

    async fn change_sacks_now(&self, sacks: SackCount) -> Result<(), EmbeddedError> {
        self.incoming.require_empty()?;
        self.incoming.tidy_now().await?;
        let storage = Arc::clone(&self.storage);
        tokio::task::spawn_blocking(move || storage.change_sacks(sacks))
            .await
            .map_err(EmbeddedError::Task)?
    }

    /// Finishes the calls in hand, deletes acknowledged measures from the log, and closes the files unless another owner still holds
    /// a part of this.
    pub async fn close(self) {
        self.incoming.close().await;
        // The last one waits for threads of the engine. Lost is nothing when the runtime shuts down meanwhile.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }
}

#[cfg(test)]
mod tests;
