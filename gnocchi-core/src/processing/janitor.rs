//! The janitor: removes what was deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Processor;
use crate::driver::{Indexer, Sack};
use crate::error::Error;
use crate::model::{MetricId, RejectReason};
use crate::shutdown::Shutdown;
use crate::telemetry;

/// How long the janitor waits after a deletion, so that he comes once for many of them.
const DELETION_PAUSE: Duration = Duration::from_secs(1);

impl Processor {
    /// Lets the janitor come soon, if he runs.
    pub(crate) fn call_janitor(&self) {
        self.deletions.notify_one();
    }

    /// Removes the data of up to `limit` deleted metrics: pending measures, then frames, then the metric itself. Returns how
    /// many. A crash in between leaves the metric marked as deleted, so the next run finishes it.
    ///
    /// Each sack is held meanwhile, so no turn can write frames of a metric after they were removed. Metrics in sacks that
    /// other processes own are left to their janitors.
    pub(crate) async fn expunge(
        &self,
        indexer: &dyn Indexer,
        limit: usize,
    ) -> Result<usize, Error> {
        let sacks = self.incoming.sacks();
        let mut by_sack: BTreeMap<Sack, Vec<MetricId>> = BTreeMap::new();
        for metric in indexer.deleted_metrics(limit).await? {
            by_sack
                .entry(sacks.sack_of(metric))
                .or_default()
                .push(metric);
        }
        let mut expunged = 0;
        for (sack, metrics) in by_sack {
            let Some(_held) = self.hold(sack).await? else {
                continue;
            };
            let dropped = self.incoming.discard(&metrics).await?;
            telemetry::rejected(RejectReason::MetricDeleted.as_str(), dropped);
            self.storage.delete_metrics(&metrics).await?;
            self.windows.forget(&metrics);
            indexer.expunge_metrics(&metrics).await?;
            expunged += metrics.len();
        }
        Ok(expunged)
    }

    /// Comes every `delay`, and soon after a deletion, until `shutdown`.
    pub(crate) async fn run_janitor(
        &self,
        indexer: &dyn Indexer,
        delay: Duration,
        limit: usize,
        shutdown: &Shutdown,
    ) {
        let mut timer = interval(delay.max(Duration::from_millis(10)));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = timer.tick() => {}
                () = self.called(delay) => {}
            }
            match self.clean(indexer, limit, shutdown).await {
                Ok(0) => {}
                Ok(metrics) => info!(metrics, "expunged deleted metrics"),
                Err(failure) => warn!(
                    error = &failure as &dyn std::error::Error,
                    "cannot expunge deleted metrics; trying again later"
                ),
            }
        }
    }

    /// Waits until something was deleted, and then for a moment more.
    async fn called(&self, delay: Duration) {
        self.deletions.notified().await;
        tokio::time::sleep(DELETION_PAUSE.min(delay)).await;
    }

    async fn clean(
        &self,
        indexer: &dyn Indexer,
        limit: usize,
        shutdown: &Shutdown,
    ) -> Result<usize, Error> {
        let mut total = 0;
        loop {
            let expunged = self.expunge(indexer, limit).await?;
            total += expunged;
            if expunged == 0 || shutdown.has_begun() {
                return Ok(total);
            }
        }
    }
}
