//! Archive policies, resources and metrics in memory.

mod archive_policies;
mod metrics;
mod order;
mod resource_types;
mod resources;
mod state;

pub use state::MemoryIndexer;

use async_trait::async_trait;

use crate::driver::{Indexer, IndexerCounts};
use crate::error::IndexerError;
use crate::model::MetricStatus;

#[async_trait]
impl Indexer for MemoryIndexer {
    async fn upgrade(&self) -> Result<(), IndexerError> {
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), IndexerError> {
        Ok(())
    }

    async fn counts(&self) -> Result<IndexerCounts, IndexerError> {
        let state = self.state.lock();
        let stored = state.metrics.values();
        let active = stored.filter(|metric| metric.status == MetricStatus::Active);
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        Ok(IndexerCounts {
            metrics: count(active.count()),
            resources: count(state.resources.len()),
        })
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::indexer::IndexerFixture;

    #[async_trait]
    impl IndexerFixture for MemoryIndexer {
        fn driver(&self) -> &dyn Indexer {
            self
        }

        async fn reopen(&mut self) {
            unreachable!("nothing survives in memory, so no property asks for it");
        }
    }

    #[expect(
        clippy::unused_async,
        reason = "other fixtures have something to wait for"
    )]
    async fn fixture() -> MemoryIndexer {
        MemoryIndexer::new()
    }

    crate::indexer_conformance!(fixture);
}
