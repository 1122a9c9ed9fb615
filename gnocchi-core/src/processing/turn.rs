//! One turn on one sack: claim, fold, commit, acknowledge, rewrite.

use std::sync::Arc;

use carbonara::{Rejected, Series, Timestamp};
use hashbrown::HashSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::load::{Damage, load_states};
use super::state::{Outcome, Rewrite};
use super::{MetricState, Processor, WindowCache, blocking};
use crate::directory::KnownMetric;
use crate::driver::{Commit, Receipt, Sack};
use crate::error::{BackendError, BackendErrorKind, Error, IndexerError, StorageError};
use crate::intake::newest_of;
use crate::log_limit::LogLimit;
use crate::model::{Metric, MetricId, RejectReason};
use crate::telemetry;

/// About how many points one turn takes, so that memory and the time to shut down stay bounded; the append that reaches it is
/// taken whole.
const CLAIM_POINTS_WANTED: usize = 1_000_000;

/// The work of the owner of a sack.
#[derive(Debug)]
pub(crate) struct SackOwner {
    pub(crate) sack: Sack,
    pub(crate) fence: u64,
    /// The number of the last commit.
    sequence: u64,
}

/// Whether a sack may have more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing was pending.
    Idle,
    /// Something was folded; there may be more.
    Folded,
}

/// What a turn works on.
struct Prepared {
    jobs: Vec<Job>,
    /// How many points belong to metrics that don't exist any more.
    orphans: usize,
    /// Metrics whose resource had ended when they were measured, and the newest measure of each.
    after_end: Vec<(MetricId, Timestamp)>,
}

/// One metric of a turn.
struct Job {
    metric: Arc<Metric>,
    batches: Vec<Arc<Series>>,
    state: Option<Arc<MetricState>>,
}

/// The result for one metric.
struct Done {
    metric: MetricId,
    state: Arc<MetricState>,
    outcome: Outcome,
    accepted: usize,
    rejected: Vec<Rejected>,
}

impl SackOwner {
    /// Takes over a sack: from now on no older owner can commit to it, and what it committed is acknowledged.
    pub(crate) async fn take_over(
        processor: &Processor,
        sack: Sack,
        fence: u64,
    ) -> Result<Self, Error> {
        let state = processor.storage.acquire(sack, fence).await?;
        processor.incoming.acknowledge(sack, &state.receipt).await?;
        processor.windows.own(sack, fence);
        Ok(Self {
            sack,
            fence,
            sequence: state.sequence,
        })
    }

    /// Does one turn.
    pub(crate) async fn turn(&mut self, processor: &Processor) -> Result<Progress, Error> {
        let claim = processor
            .incoming
            .claim(self.sack, CLAIM_POINTS_WANTED)
            .await?;
        if claim.is_empty() {
            return Ok(Progress::Idle);
        }
        let guard = TurnGuard::begin(&processor.windows, self.sack);
        let points = claim.points();
        let started = Instant::now();
        let Prepared {
            jobs,
            orphans,
            after_end,
        } = self.prepare(processor, claim.measures).await?;
        let done = fold_all(processor, jobs, self.sequence + 1).await?;
        self.reopen_resources(processor, after_end, &done).await?;
        processor.statistics.add(
            "aggregated measures compute",
            "aggregated measures compute time",
            points,
            started.elapsed(),
        );
        telemetry::folded(started.elapsed());
        let rewrites = self.store(processor, done, claim.receipt).await?;
        telemetry::rejected(RejectReason::MetricDeleted.as_str(), orphans);
        processor.statistics.add(
            "processed measures",
            "processed measures time",
            points,
            started.elapsed(),
        );
        self.rewrite(processor, rewrites).await?;
        drop(guard);
        Ok(Progress::Folded)
    }

    /// Looks up the metrics, their open windows, and whether their resources have ended.
    async fn prepare(
        &self,
        processor: &Processor,
        measures: Vec<(MetricId, Vec<Arc<Series>>)>,
    ) -> Result<Prepared, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|(metric, _)| *metric).collect();
        let metrics = processor.directory.metrics_with_ends(&ids).await?;
        let mut prepared = Prepared {
            jobs: Vec::with_capacity(ids.len()),
            orphans: 0,
            after_end: Vec::new(),
        };
        for ((_, batches), known) in measures.into_iter().zip(metrics) {
            let Some(KnownMetric {
                metric,
                resource_ended_at,
            }) = known
            else {
                prepared.orphans += batches.iter().map(|batch| batch.len()).sum::<usize>();
                continue;
            };
            if let Some(ended_at) = resource_ended_at
                && let Some(newest) = newest_of(&batches)
                && newest >= ended_at
            {
                prepared.after_end.push((metric.id, newest));
            }
            let state = processor.windows.take(metric.id, self.fence);
            prepared.jobs.push(Job {
                metric,
                batches,
                state,
            });
        }
        Ok(prepared)
    }

    /// Lets the life of resources go on whose metrics were measured after its end.
    ///
    /// Why before the commit? A crash in between leaves the measures pending, and the resources are looked at again; the other way round
    /// they would keep their end.
    async fn reopen_resources(
        &self,
        processor: &Processor,
        mut after_end: Vec<(MetricId, Timestamp)>,
        done: &[Done],
    ) -> Result<(), Error> {
        if after_end.is_empty() {
            return Ok(());
        }
        // The newest point of a metric is rejected only together with all others.
        let accepted: HashSet<MetricId> = done
            .iter()
            .filter(|done| done.accepted > 0)
            .map(|done| done.metric)
            .collect();
        after_end.retain(|(metric, _)| accepted.contains(metric));
        let now = processor.clock.now();
        match processor.directory.reopen_resources(&after_end, now).await {
            Ok(0) => Ok(()),
            Ok(resources) => {
                info!(sack = %self.sack, resources, "resources go on: they were measured after their end");
                Ok(())
            }
            // What is damaged stays so, and must not keep measures from being folded.
            Err(IndexerError::Backend(error)) if error.kind() == BackendErrorKind::Corrupt => {
                let error = &error as &dyn std::error::Error;
                warn!(sack = %self.sack, error, "cannot take back the end of resources that were measured after it");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Commits what was folded, acknowledges it and caches the new windows.
    async fn store(
        &mut self,
        processor: &Processor,
        done: Vec<Done>,
        receipt: Receipt,
    ) -> Result<Vec<Rewrite>, Error> {
        let started = Instant::now();
        let mut rewrites = Vec::new();
        let mut folded = Vec::with_capacity(done.len());
        let mut changes = Vec::with_capacity(done.len());
        let mut frames = 0;
        for Done {
            metric,
            state,
            outcome,
            accepted,
            rejected,
        } in done
        {
            frames += outcome.changes.put.len();
            rewrites.extend(outcome.rewrites);
            changes.push(outcome.changes);
            folded.push((metric, state, accepted, rejected));
        }
        let commit = Commit {
            receipt: Some(receipt.clone()),
            sequence: self.sequence + 1,
            metrics: changes,
        };
        processor
            .storage
            .commit(self.sack, self.fence, commit)
            .await?;
        self.sequence += 1;
        // Counted only now: what fails to commit is folded, and counted, again.
        report_rejected(
            self.sack,
            folded
                .iter()
                .map(|(metric, .., rejected)| (*metric, rejected.as_slice())),
            &processor.rejections_logged,
        );
        let mut accepted_points = 0;
        for (metric, state, accepted, _) in folded {
            accepted_points += accepted;
            processor.windows.put(metric, state, self.fence);
        }
        telemetry::committed(started.elapsed(), accepted_points, frames);
        processor.statistics.add(
            "splits update",
            "splits update time",
            frames,
            started.elapsed(),
        );
        processor.incoming.acknowledge(self.sack, &receipt).await?;
        Ok(rewrites)
    }

    /// Rewrites blocks as one frame each. Where they cannot be read they stay as they are, which is right but slower to read.
    ///
    /// A failure to commit is an error: the commit may have happened, so its number must not be used again.
    async fn rewrite(
        &mut self,
        processor: &Processor,
        rewrites: Vec<Rewrite>,
    ) -> Result<(), Error> {
        if rewrites.is_empty() {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        let metrics = match super::rewrite::rewritten(processor, rewrites, sequence).await {
            Ok(metrics) => metrics,
            Err(error) => {
                warn!(sack = %self.sack, error = &error as &dyn std::error::Error, "cannot read blocks to rewrite them");
                return Ok(());
            }
        };
        if metrics.is_empty() {
            return Ok(());
        }
        let blocks = metrics.iter().map(|changes| changes.put.len()).sum();
        let commit = Commit {
            receipt: None,
            sequence,
            metrics,
        };
        processor
            .storage
            .commit(self.sack, self.fence, commit)
            .await?;
        self.sequence = sequence;
        telemetry::rewritten(blocks);
        Ok(())
    }
}

/// Counts the rejected points of a turn and logs them together, naming the first metric, as often as the limit allows.
fn report_rejected<'a>(
    sack: Sack,
    rejected: impl Iterator<Item = (MetricId, &'a [Rejected])>,
    limit: &LogLimit,
) {
    let (mut metrics, mut points, mut first) = (0, 0, None);
    for (metric, rejected) in rejected.filter(|(_, rejected)| !rejected.is_empty()) {
        // The engine has one reason for all points of a metric.
        let reason = reason_name(rejected[0].reason);
        telemetry::rejected(reason, rejected.len());
        first.get_or_insert((metric, reason));
        metrics += 1;
        points += rejected.len();
    }
    if let Some((metric, reason)) = first
        && let Some(not_logged) = limit.pass()
    {
        warn!(%sack, metrics, points, %metric, reason, not_logged, "measures rejected");
    }
}

/// Names the engine's reasons as reports do.
fn reason_name(reason: carbonara::RejectReason) -> &'static str {
    match reason {
        carbonara::RejectReason::TooLate => RejectReason::TooLate.as_str(),
        _ => "other",
    }
}

/// Marks a turn in the cache, also when it fails or its future is dropped: the windows that were taken out are then simply not
/// cached, and the next turn reads them from storage.
struct TurnGuard<'a> {
    windows: &'a WindowCache,
    sack: Sack,
}

impl<'a> TurnGuard<'a> {
    fn begin(windows: &'a WindowCache, sack: Sack) -> Self {
        windows.begin_turn(sack);
        Self { windows, sack }
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        self.windows.end_turn(self.sack);
    }
}

/// Folds every job; loads the windows that are not in memory, in one read, and those whose points turn out to be needed, in
/// another.
async fn fold_all(
    processor: &Processor,
    jobs: Vec<Job>,
    sequence: u64,
) -> Result<Vec<Done>, Error> {
    let (mut ready, missing): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.state.is_some());
    ready.extend(load(processor, missing).await?);
    let (mut done, without_points) = fold_blocking(ready, sequence).await?;
    if !without_points.is_empty() {
        let (more, still_without) =
            fold_blocking(load(processor, without_points).await?, sequence).await?;
        if let Some(job) = still_without.first() {
            // A restored window has its points. Should that ever not be so, the measures must stay pending.
            let operation = format!("restore the raw points of metric {}", job.metric.id);
            let error = BackendError::new("processing", operation, BackendErrorKind::Unexpected);
            return Err(StorageError::from(error).into());
        }
        done.extend(more);
    }
    Ok(done)
}

/// Folds on a thread that may compute; returns what is done and what needs its raw points.
async fn fold_blocking(jobs: Vec<Job>, sequence: u64) -> Result<(Vec<Done>, Vec<Job>), Error> {
    let work = move || {
        let mut done = Vec::with_capacity(jobs.len());
        let mut without_points = Vec::new();
        for job in jobs {
            match fold(job, sequence) {
                Ok(item) => done.push(item),
                Err(job) => without_points.push(job),
            }
        }
        (done, without_points)
    };
    blocking(work).await
}

/// Folds one metric, or gives the job back when its window has no points but needs them.
fn fold(job: Job, sequence: u64) -> Result<Done, Job> {
    let Job {
        metric,
        batches,
        state,
    } = job;
    let Some(mut state) = state else {
        return Err(Job {
            metric,
            batches,
            state: None,
        });
    };
    let plan = metric.archive_policy.plan();
    let series: Vec<&Series> = batches.iter().map(|batch| &**batch).collect();
    // Readers may hold the window; then it is copied here, else changed in place.
    let changed = Arc::make_mut(&mut state);
    match changed.window.fold(plan, &series) {
        Ok(mut folded) => {
            let accepted = folded.accepted;
            let rejected = std::mem::take(&mut folded.rejected);
            let outcome = changed.outcome(metric.id, plan, folded, sequence);
            if !plan.needs_values() {
                changed.window.forget_points();
            }
            Ok(Done {
                metric: metric.id,
                outcome,
                accepted,
                rejected,
                state,
            })
        }
        Err(_) => Err(Job {
            metric,
            batches,
            state: None,
        }),
    }
}

/// Reads the windows of jobs from storage.
async fn load(processor: &Processor, mut jobs: Vec<Job>) -> Result<Vec<Job>, Error> {
    let metrics: Vec<&Metric> = jobs.iter().map(|job| &*job.metric).collect();
    let mut states = load_states(processor, &metrics, Damage::Closes).await?;
    for job in &mut jobs {
        job.state = states.remove(&job.metric.id).map(Arc::new);
    }
    Ok(jobs)
}
