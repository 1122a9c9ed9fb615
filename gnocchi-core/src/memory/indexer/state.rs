//! What the memory indexer holds.

use std::collections::BTreeMap;

use parking_lot::Mutex;

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
    pub(super) state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) archive_policies: BTreeMap<String, ArchivePolicy>,
    pub(super) archive_policy_rules: BTreeMap<String, ArchivePolicyRule>,
    pub(super) resource_types: BTreeMap<String, ResourceType>,
    pub(super) metrics: BTreeMap<MetricId, StoredMetric>,
    /// Current revisions. Their metrics are filled in when they are read.
    pub(super) resources: BTreeMap<ResourceId, Resource>,
    /// Past revisions by number.
    pub(super) revisions: BTreeMap<i64, Resource>,
    pub(super) last_revision: i64,
}

/// A metric by the name of its archive policy, which may change.
#[derive(Debug, Clone)]
pub(super) struct StoredMetric {
    pub(super) described: NewMetric,
    pub(super) status: MetricStatus,
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

impl State {
    /// Returns a resource type.
    pub(super) fn resource_type(&self, name: &str) -> Result<&ResourceType, IndexerError> {
        self.resource_types
            .get(name)
            .ok_or_else(|| IndexerError::NoSuchResourceType {
                name: name.to_owned(),
            })
    }
}
