#![doc = include_str!("docs.md")]

mod config;
mod database;
mod dialect;
mod document;
mod error;
mod indexer;
mod outcome;
mod schema;
mod sqlite;
mod statement;

use std::sync::Arc;

use crate::disk::Disk;

pub use config::SqliteConfig;
use database::Database;
use indexer::PolicyCache;
use sqlite::SqliteEngine;
#[cfg(feature = "embedded")]
pub(crate) use sqlite::{
    CopySource, IndexerCopy, LogState, Proof, check_log, copy_database, log_path, salvage,
};
pub use sqlite::{Glance, file_log, glance};

/// Keeps archive policies, resources and metrics in an SQL database.
///
/// # Cancel safety
/// A dropped call may or may not have been carried out, but never a part of it.
#[derive(Debug)]
pub struct SqlIndexer {
    database: Database,
    policies: Arc<PolicyCache>,
}

impl SqlIndexer {
    /// Names the SQLite database to use. Nothing is opened before the first call, which must come from inside a Tokio runtime.
    #[must_use]
    pub fn open(config: SqliteConfig) -> Self {
        Self::on(SqliteEngine::new(Some(config.path)))
    }

    /// Names an SQLite database that does not change while it is open. Calls that would change it fail.
    #[must_use]
    pub fn open_immutable(config: SqliteConfig) -> Self {
        Self::on(SqliteEngine::immutable(config.path))
    }

    /// Makes an empty SQLite database that lives in memory as long as the indexer.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::on(SqliteEngine::new(None))
    }

    fn on(engine: SqliteEngine) -> Self {
        Self {
            database: Database::new(engine),
            policies: Arc::default(),
        }
    }

    /// Refuses new data from now on while the disk is nearly full; deletions work.
    #[must_use]
    pub fn with_disk(mut self, disk: Arc<Disk>) -> Self {
        self.database.watch(disk);
        self
    }

    /// Waits for the calls in hand and closes the database. Later calls fail as unavailable.
    ///
    /// Without it nothing acknowledged is lost, but the log beside the database file stays until it is opened again.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
