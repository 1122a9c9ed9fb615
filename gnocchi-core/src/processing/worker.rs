//! The processing workers of this process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carbonara::Window;
use hashbrown::HashMap;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::ownership::owned_sacks;
use super::statistics::Statistics;
use super::turn::{Progress, SackOwner, load_states};
use super::{MetricState, WindowCache};
use crate::clock::Clock;
use crate::directory::MetricDirectory;
use crate::driver::{
    BacklogDetails, Coordinator, IncomingDriver, Lease, Member, Sack, StorageDriver,
};
use crate::error::{CoordinationError, Error};
use crate::model::{Metric, MetricId};
use crate::store::{Drivers, Settings};
use crate::telemetry;

/// The group that all processing members join.
const GROUP: &str = "gnocchi-processing";

/// How often leases are renewed and the counters told to the others.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long to wait before a sack is tried again after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Folds the measures of the sacks that this process owns.
#[derive(Clone)]
pub(crate) struct Processor {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) incoming: Arc<dyn IncomingDriver>,
    pub(crate) storage: Arc<dyn StorageDriver>,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<MetricDirectory>,
    pub(crate) windows: WindowCache,
    pub(crate) statistics: Statistics,
    slots: Vec<Mutex<Option<Owned>>>,
    settings: Settings,
}

/// A sack that is owned, and the lease that says so.
struct Owned {
    owner: SackOwner,
    lease: Lease,
}

/// Keeps turns away from a sack while it exists.
pub(super) struct HeldSack<'a> {
    _slot: MutexGuard<'a, Option<Owned>>,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}

impl std::ops::Deref for Processor {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Processor {
    pub(crate) fn new(
        drivers: &Drivers,
        directory: Arc<MetricDirectory>,
        settings: &Settings,
    ) -> Self {
        let sacks = drivers.incoming.sacks();
        let shared = Shared {
            incoming: Arc::clone(&drivers.incoming),
            storage: Arc::clone(&drivers.storage),
            coordinator: Arc::clone(&drivers.coordinator),
            clock: Arc::clone(&drivers.clock),
            directory,
            windows: WindowCache::new(settings.window_cache_bytes, sacks),
            statistics: Statistics::default(),
            slots: sacks.sacks().map(|_| Mutex::new(None)).collect(),
            settings: settings.clone(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn slot(&self, sack: Sack) -> &Mutex<Option<Owned>> {
        &self.slots[usize::from(sack.number())]
    }

    /// Folds what is pending in a sack, one turn. A sack whose lease somebody else holds is left to him.
    ///
    /// After a failure the ownership is given up: the next turn starts from what is stored.
    pub(crate) async fn work(&self, sack: Sack) -> Result<Progress, Error> {
        let mut slot = self.slot(sack).lock().await;
        if slot.is_none() {
            *slot = self.take(sack).await?;
        }
        let Some(owned) = slot.as_mut() else {
            return Ok(Progress::Idle);
        };
        match owned.owner.turn(self).await {
            Ok(progress) => Ok(progress),
            Err(failure) => {
                if let Some(owned) = slot.take() {
                    self.give_up(owned).await;
                }
                Err(failure)
            }
        }
    }

    /// Holds a sack so that no turn runs; `None` when another process owns it.
    pub(super) async fn hold(&self, sack: Sack) -> Result<Option<HeldSack<'_>>, Error> {
        let mut slot = self.slot(sack).lock().await;
        if slot.is_none() {
            *slot = self.take(sack).await?;
        }
        Ok(slot.is_some().then_some(HeldSack { _slot: slot }))
    }

    async fn take(&self, sack: Sack) -> Result<Option<Owned>, Error> {
        let Some(lease) = self.coordinator.acquire(&lease_name(sack)).await? else {
            return Ok(None);
        };
        match SackOwner::take_over(self, sack, lease.fence).await {
            Ok(owner) => Ok(Some(Owned { owner, lease })),
            Err(failure) => {
                self.release(&lease).await;
                Err(failure)
            }
        }
    }

    async fn give_up(&self, owned: Owned) {
        self.windows.disown(owned.owner.sack);
        self.release(&owned.lease).await;
    }

    async fn release(&self, lease: &Lease) {
        if let Err(error) = self.coordinator.release(std::slice::from_ref(lease)).await {
            warn!(
                lease = lease.name,
                error = &error as &dyn std::error::Error,
                "cannot release a lease; it will expire"
            );
        }
    }

    /// Returns the open window of a metric, from memory or from storage.
    pub(crate) async fn state(&self, metric: &Metric) -> Result<Arc<MetricState>, Error> {
        if let Some(state) = self.windows.get(metric.id) {
            return Ok(state);
        }
        let mut states = self.states(&[metric]).await?;
        Ok(states
            .remove(&metric.id)
            .expect("every metric asked for has a state"))
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
        let mut loaded = load_states(self, &wanted).await?;
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

    /// Reads the open window of a metric from storage, with its raw points.
    pub(crate) async fn stored_window(&self, metric: &Metric) -> Result<Window, Error> {
        let mut states = load_states(self, &[metric]).await?;
        Ok(states
            .remove(&metric.id)
            .expect("every metric asked for has a state")
            .window)
    }

    /// Folds everything that is pending in the sacks that nobody else works on.
    pub(crate) async fn drain(&self) -> Result<(), Error> {
        for sack in self.incoming.sacks().sacks() {
            while self.work(sack).await? == Progress::Folded {}
        }
        Ok(())
    }

    /// Returns the members of the group with their counters.
    pub(crate) async fn status(
        &self,
    ) -> Result<Option<Vec<(String, BTreeMap<String, f64>)>>, Error> {
        let members = match self.coordinator.members(GROUP).await {
            Ok(members) => members,
            Err(CoordinationError::NoGroups) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let status: Vec<_> = members
            .into_iter()
            .map(|member| {
                (
                    member.name,
                    Statistics::from_capabilities(&member.capabilities),
                )
            })
            .collect();
        Ok((!status.is_empty()).then_some(status))
    }

    /// Works until `shutdown`: on notification, and on every owned sack from time to time. Then finishes the turns in hand,
    /// gives the leases back and leaves the group.
    pub(crate) async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        self.join().await?;
        let mut dispatch = Dispatch::new(self.settings.workers);
        let mut owned = self.owned().await?;
        let mut scan = interval(
            self.settings
                .processing_delay
                .max(Duration::from_millis(10)),
        );
        let mut renewal = interval(RENEWAL);
        let mut reporting = self.settings.reporting_delay.map(interval);
        for timer in [&mut scan, &mut renewal]
            .into_iter()
            .chain(reporting.as_mut())
        {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            dispatch.start_turns(self);
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(finished) = dispatch.running.join_next(), if !dispatch.running.is_empty() => {
                    dispatch.finish(finished);
                }
                arrived = self.incoming.arrived() => match arrived {
                    Ok(sacks) => dispatch.enqueue(sacks.into_iter().filter(|sack| owned.contains(sack))),
                    Err(failure) => {
                        warn!(error = &failure as &dyn std::error::Error, "cannot wait for measures");
                        tokio::time::sleep(FAILURE_PAUSE).await;
                    }
                },
                _ = scan.tick() => dispatch.enqueue(owned.iter().copied()),
                _ = renewal.tick() => {
                    self.renew().await;
                    match self.owned().await {
                        Ok(now) => owned = now,
                        Err(failure) => warn!(error = &failure as &dyn std::error::Error, "cannot see the other members"),
                    }
                    self.hand_over(&owned).await;
                }
                () = tick(reporting.as_mut()) => self.report().await,
            }
        }
        dispatch.finish_all().await;
        self.leave().await;
        Ok(())
    }

    async fn join(&self) -> Result<(), Error> {
        let member = Member {
            name: self.settings.member_name.clone(),
            capabilities: self.statistics.to_capabilities(),
        };
        match self.coordinator.join(GROUP, member).await {
            // Without groups everybody tries every sack, and the leases decide.
            Ok(()) | Err(CoordinationError::NoGroups) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn owned(&self) -> Result<BTreeSet<Sack>, Error> {
        let members = match self.coordinator.members(GROUP).await {
            Ok(members) => members.into_iter().map(|member| member.name).collect(),
            Err(CoordinationError::NoGroups) => Vec::new(),
            Err(failure) => return Err(failure.into()),
        };
        Ok(
            owned_sacks(&self.settings.member_name, &members, self.incoming.sacks())
                .into_iter()
                .collect(),
        )
    }

    /// Prolongs the leases; a lost one ends the ownership.
    async fn renew(&self) {
        if let Err(failure) = self.join().await {
            warn!(
                error = &failure as &dyn std::error::Error,
                "cannot tell the group about this member"
            );
        }
        for slot in &self.slots {
            // A sack in the middle of a turn is looked at next time; leases outlive several renewals.
            let Ok(mut slot) = slot.try_lock() else {
                continue;
            };
            let Some(owned) = slot.as_ref() else { continue };
            match self
                .coordinator
                .renew(std::slice::from_ref(&owned.lease))
                .await
            {
                Ok(held) if held == [true] => {}
                Ok(_) => {
                    let sack = owned.owner.sack;
                    info!(%sack, "lost the lease of a sack");
                    self.windows.disown(sack);
                    *slot = None;
                }
                Err(failure) => warn!(
                    error = &failure as &dyn std::error::Error,
                    "cannot renew a lease"
                ),
            }
        }
    }

    /// Gives up the sacks that belong to another member now.
    async fn hand_over(&self, owned: &BTreeSet<Sack>) {
        for (sack, slot) in self.incoming.sacks().sacks().zip(&self.slots) {
            if owned.contains(&sack) {
                continue;
            }
            if let Ok(mut slot) = slot.try_lock()
                && let Some(given) = slot.take()
            {
                debug!(%sack, "handing a sack over");
                self.give_up(given).await;
            }
        }
    }

    async fn leave(&self) {
        for slot in &self.slots {
            if let Some(owned) = slot.lock().await.take() {
                self.give_up(owned).await;
            }
        }
        match self
            .coordinator
            .leave(GROUP, &self.settings.member_name)
            .await
        {
            Ok(()) | Err(CoordinationError::NoGroups) => {}
            Err(failure) => warn!(
                error = &failure as &dyn std::error::Error,
                "cannot leave the group"
            ),
        }
    }

    async fn report(&self) {
        match self.incoming.backlog(BacklogDetails::Summary).await {
            Ok(backlog) => info!(
                batches = backlog.batches,
                metrics = backlog.metrics,
                points = backlog.points,
                "measures wait to be processed"
            ),
            Err(failure) => warn!(
                error = &failure as &dyn std::error::Error,
                "cannot report the backlog"
            ),
        }
    }

    /// Tells the monitoring how much waits.
    pub(crate) async fn observe_backlog(&self) -> Result<(), Error> {
        let backlog = self.incoming.backlog(BacklogDetails::Summary).await?;
        let age = backlog
            .oldest
            .map_or(0, |oldest| self.clock.now().since(oldest).max(0));
        telemetry::backlog(
            &backlog,
            Duration::from_nanos(u64::try_from(age).unwrap_or_default()),
        );
        Ok(())
    }
}

/// Waits for a timer that may not exist.
async fn tick(timer: Option<&mut tokio::time::Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn lease_name(sack: Sack) -> String {
    format!("gnocchi-sack-{sack}")
}

/// Hands sacks to a bounded number of tasks, each sack to one at a time.
struct Dispatch {
    waiting: VecDeque<Sack>,
    /// Sacks in `waiting`.
    queued: BTreeSet<Sack>,
    /// Sacks in `running`.
    busy: BTreeSet<Sack>,
    running: JoinSet<(Sack, Turned)>,
    tasks_max: usize,
}

/// How a turn ended.
enum Turned {
    Idle,
    More,
    Failed,
}

impl Dispatch {
    fn new(tasks_max: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
            busy: BTreeSet::new(),
            running: JoinSet::new(),
            tasks_max: tasks_max.max(1),
        }
    }

    fn enqueue(&mut self, sacks: impl IntoIterator<Item = Sack>) {
        for sack in sacks {
            if self.queued.insert(sack) {
                self.waiting.push_back(sack);
            }
        }
    }

    /// Starts a turn for the sacks that wait longest, as far as tasks are free.
    fn start_turns(&mut self, processor: &Processor) {
        let mut passed = Vec::new();
        while self.running.len() < self.tasks_max {
            let Some(sack) = self.waiting.pop_front() else {
                break;
            };
            if self.busy.contains(&sack) {
                passed.push(sack);
                continue;
            }
            self.queued.remove(&sack);
            self.busy.insert(sack);
            let processor = processor.clone();
            self.running
                .spawn(async move { (sack, turn(&processor, sack).await) });
        }
        self.waiting.extend(passed);
    }

    fn finish(&mut self, finished: Result<(Sack, Turned), tokio::task::JoinError>) {
        match finished {
            Ok((sack, turned)) => {
                self.busy.remove(&sack);
                if matches!(turned, Turned::More | Turned::Failed) {
                    self.enqueue([sack]);
                }
            }
            Err(failure) => {
                // Which sack it was is unknown now; none of the idle ones is busy, so look at all again.
                error!(
                    error = &failure as &dyn std::error::Error,
                    "a turn ended in a panic"
                );
                if self.running.is_empty() {
                    self.busy.clear();
                }
            }
        }
    }

    async fn finish_all(&mut self) {
        while let Some(finished) = self.running.join_next().await {
            self.finish(finished);
        }
    }
}

/// One turn; a failure is logged, and the sack is tried again after a pause.
async fn turn(processor: &Processor, sack: Sack) -> Turned {
    let started = Instant::now();
    match processor.work(sack).await {
        Ok(Progress::Idle) => Turned::Idle,
        Ok(Progress::Folded) => {
            debug!(%sack, elapsed_ms = started.elapsed().as_millis(), "folded");
            Turned::More
        }
        Err(failure) => {
            error!(%sack, error = &failure as &dyn std::error::Error, "cannot fold a sack; its measures stay pending");
            tokio::time::sleep(FAILURE_PAUSE).await;
            Turned::Failed
        }
    }
}
