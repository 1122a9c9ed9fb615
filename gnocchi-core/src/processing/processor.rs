//! What this process knows and holds while it folds: its sacks with their leases, and open windows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carbonara::{Timestamp, Window};
use hashbrown::HashMap;
use parking_lot::Mutex as SyncMutex;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tracing::warn;

use super::load::{Damage, load_states};
use super::statistics::Statistics;
use super::turn::{Progress, SackOwner};
use super::{MetricState, WindowCache};
use crate::clock::Clock;
use crate::directory::MetricDirectory;
use crate::driver::{Coordinator, IncomingDriver, Lease, Sack, StorageDriver};
use crate::error::Error;
use crate::log_limit::LogLimit;
use crate::model::{Metric, MetricId};
use crate::store::{Drivers, Settings};

/// How many turns with rejected points are logged at once, and how long it then takes until one more is.
const REJECTIONS_LOGGED_AT_ONCE: u32 = 5;
const REJECTION_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Folds the measures of the sacks that this process owns.
pub(crate) struct Processor {
    pub(crate) incoming: Arc<dyn IncomingDriver>,
    pub(crate) storage: Arc<dyn StorageDriver>,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<MetricDirectory>,
    pub(crate) windows: WindowCache,
    pub(crate) statistics: Statistics,
    pub(super) settings: Settings,
    /// Limits how often rejected points are logged: a sender of late points sends them all the time.
    pub(super) rejections_logged: LogLimit,
    /// The owner of each sack while no turn runs; empty during a turn, and where this process owns nothing.
    slots: Vec<Mutex<Option<SackOwner>>>,
    /// The leases that this process holds, beside the slots so that they can be renewed during a turn.
    leases: SyncMutex<BTreeMap<Sack, Lease>>,
    /// Notifies the janitor of a deletion.
    pub(super) deletions: Notify,
}

/// Keeps turns away from a sack while it exists.
pub(super) struct HeldSack<'a> {
    _slot: MutexGuard<'a, Option<SackOwner>>,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}

impl Processor {
    pub(crate) fn new(
        drivers: &Drivers,
        directory: Arc<MetricDirectory>,
        settings: &Settings,
    ) -> Self {
        let sacks = drivers.incoming.sacks();
        Self {
            incoming: Arc::clone(&drivers.incoming),
            storage: Arc::clone(&drivers.storage),
            coordinator: Arc::clone(&drivers.coordinator),
            clock: Arc::clone(&drivers.clock),
            directory,
            windows: WindowCache::new(settings.window_cache_bytes, sacks),
            statistics: Statistics::default(),
            settings: settings.clone(),
            rejections_logged: LogLimit::new(REJECTIONS_LOGGED_AT_ONCE, REJECTION_LOG_INTERVAL),
            slots: sacks.sacks().map(|_| Mutex::new(None)).collect(),
            leases: SyncMutex::default(),
            deletions: Notify::new(),
        }
    }

    fn slot(&self, sack: Sack) -> &Mutex<Option<SackOwner>> {
        &self.slots[usize::from(sack.number())]
    }

    /// Folds the pending measures of a sack, one turn. A sack whose lease another process holds is left alone.
    ///
    /// The owner stands outside its slot during the turn. When the turn fails, or its future is dropped, it does not return there:
    /// a commit may still be on its way, and only a new lease with a larger fence makes sure that it does no harm.
    pub(crate) async fn work(&self, sack: Sack) -> Result<Progress, Error> {
        let mut slot = self.slot(sack).lock().await;
        let Some(mut owner) = self.owner(sack, slot.take()).await? else {
            return Ok(Progress::Idle);
        };
        let progress = owner.turn(self).await?;
        *slot = Some(owner);
        Ok(progress)
    }

    /// Holds a sack so that no turn runs; `None` when another process owns it.
    pub(super) async fn hold(&self, sack: Sack) -> Result<Option<HeldSack<'_>>, Error> {
        let mut slot = self.slot(sack).lock().await;
        *slot = self.owner(sack, slot.take()).await?;
        Ok(slot.is_some().then_some(HeldSack { _slot: slot }))
    }

    /// Returns the owner unchanged if its lease still holds, else a new one.
    async fn owner(
        &self,
        sack: Sack,
        before: Option<SackOwner>,
    ) -> Result<Option<SackOwner>, Error> {
        let lease = self.leases.lock().get(&sack).cloned();
        match (before, lease) {
            (Some(owner), Some(lease)) if owner.fence == lease.fence => return Ok(Some(owner)),
            // The previous turn was not finished.
            (None, Some(_)) => self.give_up(sack).await,
            _ => {}
        }
        let Some(lease) = self.coordinator.acquire(&lease_name(sack)).await? else {
            return Ok(None);
        };
        let fence = lease.fence;
        self.leases.lock().insert(sack, lease);
        // A failure leaves the lease behind without an owner, which the next call gives up.
        SackOwner::take_over(self, sack, fence).await.map(Some)
    }

    /// Ends the ownership of a sack and gives its lease back.
    pub(super) async fn give_up(&self, sack: Sack) {
        self.windows.disown(sack);
        let Some(lease) = self.leases.lock().remove(&sack) else {
            return;
        };
        if let Err(error) = self.coordinator.release(std::slice::from_ref(&lease)).await {
            warn!(
                lease = lease.name,
                error = &error as &dyn std::error::Error,
                "cannot release a lease; it will expire"
            );
        }
    }

    /// Gives up a sack unless a turn runs on it.
    pub(super) async fn give_up_idle(&self, sack: Sack) {
        if let Ok(mut slot) = self.slot(sack).try_lock()
            && slot.take().is_some()
        {
            self.give_up(sack).await;
        }
    }

    /// Waits for the turn that runs on a sack, if any, and gives it up.
    pub(super) async fn give_up_after_turn(&self, sack: Sack) {
        self.slot(sack).lock().await.take();
        self.give_up(sack).await;
    }

    /// Returns the leases that are held.
    pub(super) fn held_leases(&self) -> Vec<(Sack, Lease)> {
        self.leases
            .lock()
            .iter()
            .map(|(sack, lease)| (*sack, lease.clone()))
            .collect()
    }

    /// Notes that a lease is lost. A turn in hand will be refused by the storage.
    pub(super) fn lose(&self, sack: Sack) {
        self.windows.disown(sack);
        self.leases.lock().remove(&sack);
    }

    /// Returns the open windows of metrics; those that are not in memory are read in one call.
    pub(crate) async fn states(
        &self,
        metrics: &[&Metric],
    ) -> Result<HashMap<MetricId, Arc<MetricState>>, Error> {
        let mut states = HashMap::with_capacity(metrics.len());
        let mut missing = Vec::new();
        for metric in metrics {
            match self.windows.get(metric.id) {
                Some(state) => {
                    states.insert(metric.id, state);
                }
                None => missing.push((*metric, self.windows.ticket(metric.id))),
            }
        }
        let wanted: Vec<&Metric> = missing.iter().map(|(metric, _)| *metric).collect();
        let mut loaded = load_states(self, &wanted, Damage::Fails).await?;
        for (metric, ticket) in missing {
            let Some(mut state) = loaded.remove(&metric.id) else {
                continue;
            };
            if !metric.archive_policy.plan().needs_values() {
                state.window.forget_points();
            }
            let state = Arc::new(state);
            self.windows.offer(metric.id, &state, ticket);
            states.insert(metric.id, state);
        }
        Ok(states)
    }

    /// Returns before which timestamp points of metrics are too late, apart from what is pending; nothing for a metric without points.
    ///
    /// A damaged raw window is closed, as for the owner of the sack, and not an error as for readers.
    pub(crate) async fn first_blocks(
        &self,
        metrics: &[&Metric],
    ) -> Result<HashMap<MetricId, Timestamp>, Error> {
        let closing = |metric: &MetricId, state: &MetricState| {
            let first_block = state.window.first_block()?;
            Some((*metric, first_block))
        };
        match self.states(metrics).await {
            Ok(states) => {
                let states = states.iter();
                Ok(states
                    .filter_map(|(metric, state)| closing(metric, state))
                    .collect())
            }
            Err(Error::Damaged { .. }) => {
                let states = load_states(self, metrics, Damage::Closes).await?;
                let states = states.iter();
                Ok(states
                    .filter_map(|(metric, state)| closing(metric, state))
                    .collect())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the open windows of metrics from storage, with their raw points.
    pub(crate) async fn stored_windows(
        &self,
        metrics: &[&Metric],
    ) -> Result<HashMap<MetricId, Window>, Error> {
        let states = load_states(self, metrics, Damage::Fails).await?;
        let windows = states.into_iter();
        Ok(windows
            .map(|(metric, state)| (metric, state.window))
            .collect())
    }

    /// Folds the pending measures of the sacks that no other process owns, each until none are left.
    pub(crate) async fn drain(&self) -> Result<(), Error> {
        for sack in self.incoming.sacks().sacks() {
            while self.work(sack).await? == Progress::Folded {}
        }
        Ok(())
    }
}

fn lease_name(sack: Sack) -> String {
    format!("gnocchi-sack-{sack}")
}
