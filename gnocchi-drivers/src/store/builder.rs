//! Opening a store in a directory.

use std::path::PathBuf;

use futures::future::BoxFuture;
use gnocchi_core::{DefaultPolicies, Settings};

use super::error::Error;
use super::runtime::require_runtime;
use super::{Processing, Store};
use crate::embedded::{self, EmbeddedConfig, StoreConfig};

/// How a store in a directory is opened; made by [`Store::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `open` is called"]
pub struct StoreBuilder {
    pub(super) config: StoreConfig,
    pub(super) creator: Option<String>,
    processing: Processing,
}

impl StoreBuilder {
    /// Sets who folds measures; [`Processing::Background`] by default.
    pub fn processing(mut self, processing: Processing) -> Self {
        self.processing = processing;
        self
    }

    /// Sets how the store behaves: limits of queries, how far ahead of the clock measures may lie, how many tasks fold.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.config.settings = settings;
        self
    }

    /// Changes how files are used: memory, durability, threads. The path is that of the store.
    pub fn files(mut self, change: impl FnOnce(&mut EmbeddedConfig)) -> Self {
        change(&mut self.config.embedded);
        self
    }

    /// Sets whether a new store gets the archive policies of the server (`low`, `medium`, `high`, `bool`); it does by default.
    pub fn default_policies(mut self, policies: DefaultPolicies) -> Self {
        self.config.default_policies = policies;
        self
    }

    /// Sets the creator of the resources and metrics of this program, none by default. Names of resources are those of their creator:
    /// a user of the HTTP API with this name finds them by name.
    pub fn creator(mut self, creator: impl Into<String>) -> Self {
        self.creator = Some(creator.into());
        self
    }

    /// Opens the store, after creating the directory where it is absent. It belongs to this process until the store is closed or dropped.
    ///
    /// # Errors
    /// [`Error::Open`] when another process has the directory open, it is damaged, or cannot be written; [`Error::Runtime`] without a
    /// runtime that will do.
    pub async fn open(self) -> Result<Store, Error> {
        require_runtime()?;
        let opened = embedded::Store::open(self.config).await?;
        Ok(Store::over_opened(opened, self.creator, self.processing))
    }
}

impl Store {
    pub(super) fn over_opened(
        opened: embedded::Store,
        creator: Option<String>,
        processing: Processing,
    ) -> Self {
        let gnocchi = opened.gnocchi().clone();
        let release = move || -> BoxFuture<'static, ()> { Box::pin(opened.close()) };
        Self::with(gnocchi, creator, processing, Some(Box::new(release)))
    }

    /// Describes the store of a directory, which [`StoreBuilder::open`] opens.
    ///
    /// # Examples
    /// ```
    /// use gnocchi_drivers::Store;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// # let directory = tempfile::tempdir().expect("a directory for temporary files");
    /// # let path = directory.path();
    /// let store = Store::builder(path).open().await?;
    /// store.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(path: impl Into<PathBuf>) -> StoreBuilder {
        StoreBuilder {
            config: StoreConfig::new(path),
            creator: None,
            processing: Processing::default(),
        }
    }
}
