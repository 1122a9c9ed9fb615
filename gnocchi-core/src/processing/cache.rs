//! The open windows of metrics, in memory as long as they fit.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::MetricState;
use crate::driver::{Sack, SackCount};
use crate::model::MetricId;

/// About how much a metric that gets a point now and then takes; only an estimate for the size of the table.
const TYPICAL_STATE_BYTES: usize = 1024;

/// Open windows by metric, valid while this process owns their sack.
///
/// Only the owner of a sack changes its windows, so what is cached is what is stored. Two things could break that, and the
/// [`SackEpoch`] guards against both: a window cached under an earlier lease, and a reader that puts back what it loaded before
/// the owner's latest commit.
pub(crate) struct WindowCache {
    states: Cache<MetricId, Cached, ByMemory>,
    epochs: Vec<Mutex<SackEpoch>>,
    sacks: SackCount,
}

#[derive(Clone)]
struct Cached {
    state: Arc<MetricState>,
    fence: u64,
}

/// Where a sack stands.
#[derive(Debug, Clone, Copy, Default)]
struct SackEpoch {
    /// The fence of the lease; `None` while this process doesn't own the sack.
    fence: Option<u64>,
    /// Grows when a turn begins and when it ends: odd during a turn.
    turns: u64,
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<MetricId, Cached> for ByMemory {
    fn weight(&self, _: &MetricId, cached: &Cached) -> u64 {
        u64::try_from(cached.state.memory_bytes())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// Returns whether what is read from storage now may be cached afterwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadTicket {
    fence: Option<u64>,
    turns: u64,
}

impl fmt::Debug for WindowCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowCache")
            .field("metrics", &self.states.len())
            .field("bytes", &self.states.weight())
            .finish_non_exhaustive()
    }
}

impl WindowCache {
    pub(crate) fn new(capacity_bytes: usize, sacks: SackCount) -> Self {
        let capacity = u64::try_from(capacity_bytes).unwrap_or(u64::MAX);
        let states = Cache::with_weighter(capacity_bytes / TYPICAL_STATE_BYTES, capacity, ByMemory);
        Self {
            states,
            epochs: sacks.sacks().map(|_| Mutex::default()).collect(),
            sacks,
        }
    }

    fn epoch(&self, sack: Sack) -> &Mutex<SackEpoch> {
        &self.epochs[usize::from(sack.number())]
    }

    /// Begins the ownership of a sack under a lease.
    pub(crate) fn own(&self, sack: Sack, fence: u64) {
        self.epoch(sack).lock().fence = Some(fence);
    }

    /// Ends the ownership of a sack: nothing that is cached of it counts any more.
    pub(crate) fn disown(&self, sack: Sack) {
        self.epoch(sack).lock().fence = None;
    }

    /// Begins a turn: readers can't put windows back until it ends.
    pub(crate) fn begin_turn(&self, sack: Sack) {
        let mut epoch = self.epoch(sack).lock();
        epoch.turns += 1;
        debug_assert!(epoch.turns % 2 == 1, "a sack has one turn at a time");
    }

    /// Ends a turn.
    pub(crate) fn end_turn(&self, sack: Sack) {
        self.epoch(sack).lock().turns += 1;
    }

    /// Takes a window out, for the owner who is about to change it.
    pub(crate) fn take(&self, metric: MetricId, fence: u64) -> Option<Arc<MetricState>> {
        let (_, cached) = self.states.remove(&metric)?;
        (cached.fence == fence).then_some(cached.state)
    }

    /// Puts a window back that agrees with what the owner just committed.
    pub(crate) fn put(&self, metric: MetricId, state: Arc<MetricState>, fence: u64) {
        self.states.insert(metric, Cached { state, fence });
    }

    /// Returns the window of a metric if it is here and counts.
    pub(crate) fn get(&self, metric: MetricId) -> Option<Arc<MetricState>> {
        let fence = self.epoch(self.sacks.sack_of(metric)).lock().fence?;
        let cached = self.states.get(&metric)?;
        (cached.fence == fence).then_some(cached.state)
    }

    /// Notes where the sack of a metric stands before a reader loads its window from storage.
    pub(crate) fn ticket(&self, metric: MetricId) -> ReadTicket {
        let epoch = *self.epoch(self.sacks.sack_of(metric)).lock();
        ReadTicket {
            fence: epoch.fence,
            turns: epoch.turns,
        }
    }

    /// Caches what a reader loaded, if the sack is owned and has had no turn since.
    pub(crate) fn offer(&self, metric: MetricId, state: &Arc<MetricState>, ticket: ReadTicket) {
        let epoch = self.epoch(self.sacks.sack_of(metric)).lock();
        if let Some(fence) = epoch.fence
            && epoch.turns == ticket.turns
            && epoch.turns.is_multiple_of(2)
            && ticket.fence == Some(fence)
        {
            self.states.insert(
                metric,
                Cached {
                    state: Arc::clone(state),
                    fence,
                },
            );
        }
    }

    /// Drops the windows of metrics that are gone.
    pub(crate) fn forget(&self, metrics: &[MetricId]) {
        for metric in metrics {
            self.states.remove(metric);
        }
    }
}
