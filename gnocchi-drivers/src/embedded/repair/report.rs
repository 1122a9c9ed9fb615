//! What a repair saved, and what it did not.

use std::collections::BTreeMap;

use gnocchi_core::model::MetricId;

/// What a repair saved, and what it did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepairReport {
    /// What became of each metric.
    pub metrics: BTreeMap<MetricId, MetricReport>,
    /// What is damaged, and what of it belongs to no metric in particular.
    pub general: Vec<String>,
    /// Damage by which nothing is lost.
    pub remarks: Vec<String>,
    /// What could not be saved of archive policies, metrics and resources.
    pub indexer: Vec<String>,
}

/// What became of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricReport {
    /// Whether the indexer knows it. If not, nothing leads to what was saved of it.
    pub is_known: bool,
    /// How many frames were saved.
    pub frames: usize,
    /// How many points were saved that wait to be folded.
    pub pending_points: usize,
    /// What was not saved, or may be missing.
    pub losses: Vec<String>,
}

impl RepairReport {
    /// Returns whether everything was saved.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.general.is_empty()
            && self.indexer.is_empty()
            && self
                .metrics
                .values()
                .all(|metric| metric.is_known && metric.losses.is_empty())
    }

    pub(super) fn metric(&mut self, id: MetricId) -> &mut MetricReport {
        self.metrics.entry(id).or_default()
    }

    /// Notes what belongs to no metric in particular, once.
    pub(super) fn note(&mut self, what: String) {
        if !self.general.contains(&what) {
            self.general.push(what);
        }
    }

    /// Notes that something of a metric was not saved or may be missing, once.
    pub(super) fn lose(&mut self, id: MetricId, what: String) {
        let losses = &mut self.metric(id).losses;
        if !losses.contains(&what) {
            losses.push(what);
        }
    }
}
