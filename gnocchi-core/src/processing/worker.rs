//! The processing worker of this process: which sacks are its own, and when they are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::Processor;
use super::dispatch::Dispatch;
use super::ownership::owned_sacks;
use super::statistics::Statistics;
use crate::driver::{BacklogDetails, Lease, Member, Sack};
use crate::error::{CoordinationError, Error};
use crate::shutdown::Shutdown;
use crate::telemetry;

/// The group that all processing members join.
const GROUP: &str = "gnocchi-processing";

/// How often leases are renewed and the counters told to the others.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long to wait after the incoming driver failed to wait.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// The shortest period of a timer; a configured zero means "all the time".
const PERIOD_MIN: Duration = Duration::from_millis(10);

impl Processor {
    /// Works until `shutdown`: on notification, and on every owned sack from time to time. Then finishes the turns in hand,
    /// gives the leases back and leaves the group.
    pub(crate) async fn run(self: &Arc<Self>, shutdown: Shutdown) -> Result<(), Error> {
        self.join().await?;
        let mut dispatch = Dispatch::new(self.settings.workers);
        let mut owned = self.owned().await?;
        let mut scan = timer(self.settings.processing_delay);
        let mut renewal = timer(RENEWAL);
        let mut reporting = self.settings.reporting_delay.map(timer);
        loop {
            dispatch.start_turns(self);
            tokio::select! {
                () = shutdown.begun() => break,
                () = dispatch.turn_ended() => {}
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
                        Err(failure) => {
                            warn!(error = &failure as &dyn std::error::Error, "cannot see the other members");
                        }
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

    async fn join(&self) -> Result<(), Error> {
        let member = Member {
            name: self.settings.member_name.clone(),
            capabilities: self.statistics.to_capabilities(),
        };
        match self.coordinator.join(GROUP, member).await {
            // Without groups every process tries every sack, and the leases decide.
            Ok(()) | Err(CoordinationError::NoGroups) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn owned(&self) -> Result<BTreeSet<Sack>, Error> {
        let members: Vec<String> = match self.coordinator.members(GROUP).await {
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

    /// Announces this member to the group and prolongs all leases, also those of sacks in the middle of a turn.
    async fn renew(&self) {
        if let Err(failure) = self.join().await {
            warn!(
                error = &failure as &dyn std::error::Error,
                "cannot announce this member to the group"
            );
        }
        let held = self.held_leases();
        let leases: Vec<Lease> = held.iter().map(|(_, lease)| lease.clone()).collect();
        match self.coordinator.renew(&leases).await {
            Ok(kept) => {
                for ((sack, _), kept) in held.iter().zip(kept) {
                    if !kept {
                        info!(%sack, "lost the lease of a sack");
                        self.lose(*sack);
                    }
                }
            }
            Err(failure) => warn!(
                error = &failure as &dyn std::error::Error,
                "cannot renew leases"
            ),
        }
    }

    /// Gives up the sacks that belong to another member now.
    async fn hand_over(&self, owned: &BTreeSet<Sack>) {
        for (sack, _) in self.held_leases() {
            if !owned.contains(&sack) {
                self.give_up_idle(sack).await;
            }
        }
    }

    async fn leave(&self) {
        for (sack, _) in self.held_leases() {
            self.give_up_after_turn(sack).await;
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
            Ok(backlog) if backlog.points == 0 => debug!("no measures are pending"),
            Ok(backlog) => info!(
                batches = backlog.batches,
                metrics = backlog.metrics,
                points = backlog.points,
                "measures are pending"
            ),
            Err(failure) => warn!(
                error = &failure as &dyn std::error::Error,
                "cannot report the backlog"
            ),
        }
    }

    /// Sets the gauges of pending measures.
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

fn timer(period: Duration) -> Interval {
    let mut timer = interval(period.max(PERIOD_MIN));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// Waits for a timer that may not exist.
async fn tick(timer: Option<&mut Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}
