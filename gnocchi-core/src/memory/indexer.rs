//! Archive policies, resources and metrics in memory.

mod archive_policies;
mod metrics;
mod order;
mod resource_types;
mod resources;

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::driver::{Indexer, IndexerCounts};
use crate::error::IndexerError;
use crate::model::{
    ArchivePolicy, ArchivePolicyRule, GENERIC, MetricId, MetricStatus, NewMetric, Resource,
    ResourceId, ResourceType,
};

/// Keeps archive policies, resources and metrics in memory.
///
/// The reference for every other indexer, and enough for tests and for programs whose metrics don't outlive them. Each call
/// holds one lock, so calls are atomic; listings look at everything there is.
#[derive(Debug)]
pub struct MemoryIndexer {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    archive_policies: BTreeMap<String, ArchivePolicy>,
    archive_policy_rules: BTreeMap<String, ArchivePolicyRule>,
    resource_types: BTreeMap<String, ResourceType>,
    metrics: BTreeMap<MetricId, StoredMetric>,
    /// Current revisions. Their metrics are filled in when they are read.
    resources: BTreeMap<ResourceId, Resource>,
    /// Past revisions by number.
    revisions: BTreeMap<i64, Resource>,
    last_revision: i64,
}

/// A metric by the name of its archive policy, which may change.
#[derive(Debug, Clone)]
struct StoredMetric {
    described: NewMetric,
    status: MetricStatus,
}

impl MemoryIndexer {
    /// Makes an indexer that holds nothing but the generic resource type.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            archive_policies: BTreeMap::new(),
            archive_policy_rules: BTreeMap::new(),
            resource_types: BTreeMap::from([(GENERIC.to_owned(), ResourceType::generic())]),
            metrics: BTreeMap::new(),
            resources: BTreeMap::new(),
            revisions: BTreeMap::new(),
            last_revision: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl Default for MemoryIndexer {
    fn default() -> Self {
        Self::new()
    }
}

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
