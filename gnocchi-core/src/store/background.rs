//! What waits, and who works on it.

use std::collections::BTreeMap;

use super::Gnocchi;
use crate::driver::{Backlog, BacklogDetails, IndexerCounts};
use crate::error::Error;
use crate::shutdown::Shutdown;

impl Gnocchi {
    /// Reports the measures that wait to be folded.
    ///
    /// # Errors
    /// [`Error::Incoming`] when the driver fails.
    pub async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, Error> {
        Ok(self.drivers().incoming.backlog(details).await?)
    }

    /// Returns whether all back-ends accept writes now; an error says which one does not, and why. Reads may work all the same.
    ///
    /// # Errors
    /// [`Error`] of the first back-end that refuses.
    pub async fn accepts_writes(&self) -> Result<(), Error> {
        let drivers = self.drivers();
        drivers.incoming.accepts_writes().await?;
        drivers.storage.accepts_writes().await?;
        drivers.indexer.accepts_writes().await?;
        Ok(())
    }

    /// Returns how many metrics and resources there are. This may take as long as reading an index from end to end.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the driver fails.
    pub async fn counts(&self) -> Result<IndexerCounts, Error> {
        Ok(self.indexer().counts().await?)
    }

    /// Returns the processing workers of all processes with their counters; `None` when there are none, or the coordinator
    /// keeps no groups.
    ///
    /// # Errors
    /// [`Error::Coordination`] when the coordinator fails.
    pub async fn processing_status(
        &self,
    ) -> Result<Option<Vec<(String, BTreeMap<String, f64>)>>, Error> {
        self.inner.processor.status().await
    }

    /// Folds what is pending in the sacks that no other process works on, each until nothing is left; it has no end while others
    /// append faster. A server calls [`run`](Self::run) instead.
    ///
    /// # Errors
    /// [`Error`] when a driver fails; the measures stay pending.
    pub async fn process(&self) -> Result<(), Error> {
        self.inner.processor.drain().await
    }

    /// Removes the data of deleted metrics now; returns how many metrics that were.
    ///
    /// # Errors
    /// [`Error`] when a driver fails; what is left is removed next time.
    pub async fn expunge(&self) -> Result<usize, Error> {
        self.inner
            .processor
            .expunge(self.indexer(), self.settings().cleanup_batch_size)
            .await
    }

    /// Sets the gauges of pending measures: how many there are, and the age of the oldest.
    ///
    /// # Errors
    /// [`Error::Incoming`] when the driver fails.
    pub async fn observe_backlog(&self) -> Result<(), Error> {
        self.inner.processor.observe_backlog().await
    }

    /// Folds measures as they arrive and cleans up, until `shutdown`; then finishes what is in hand and returns.
    ///
    /// # Errors
    /// [`Error::Coordination`] when the group of workers cannot be joined. Later failures are logged and tried again.
    pub async fn run(&self, shutdown: Shutdown) -> Result<(), Error> {
        let settings = self.settings();
        let processor = &self.inner.processor;
        // The janitor ends with the workers, also when these fail.
        let stop = shutdown.child();
        let janitor = processor.run_janitor(
            self.indexer(),
            settings.cleanup_delay,
            settings.cleanup_batch_size,
            &stop,
        );
        let workers = async {
            let result = processor.run(stop.clone()).await;
            stop.begin();
            result
        };
        let (result, ()) = futures::future::join(workers, janitor).await;
        result
    }
}
