//! One turn on one sack: claim, fold, commit, acknowledge, rewrite.

use std::sync::Arc;

use carbonara::{Rejected, Series, Timestamp, Window};
use hashbrown::HashMap;
use tokio::time::Instant;
use tracing::{error, warn};

use super::state::{COMPLETENESS_BLOCK, Outcome, Rewrite};
use super::worker::Processor;
use super::{MetricState, WindowCache};
use crate::driver::{BlockRange, Commit, FrameRange, Receipt, Sack, StoredFrame, Stream};
use crate::error::Error;
use crate::model::{Metric, MetricId, RejectReason};
use crate::telemetry;

/// Points that one turn takes at most, so that memory and the time to shut down stay bounded.
const CLAIM_POINTS_MAX: usize = 1_000_000;

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
    /// Takes over a sack: from now on no older owner can commit to it, and what he committed is acknowledged.
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
            .claim(self.sack, CLAIM_POINTS_MAX)
            .await?;
        if claim.is_empty() {
            return Ok(Progress::Idle);
        }
        let guard = TurnGuard::begin(&processor.windows, self.sack);
        let points = claim.points();
        let started = Instant::now();
        let jobs = self.prepare(processor, claim.measures).await?;
        let done = fold_all(processor, jobs, self.sequence + 1).await?;
        processor.statistics.add(
            "aggregated measures compute",
            "aggregated measures compute time",
            points,
            started.elapsed(),
        );
        telemetry::folded(started.elapsed());
        let rewrites = self.store(processor, done, claim.receipt).await?;
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

    /// Looks up the metrics and their open windows; measures of metrics that don't exist any more are rejected.
    async fn prepare(
        &self,
        processor: &Processor,
        measures: Vec<(MetricId, Vec<Arc<Series>>)>,
    ) -> Result<Vec<Job>, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|(metric, _)| *metric).collect();
        let metrics = processor.directory.metrics(&ids).await?;
        let mut jobs = Vec::with_capacity(ids.len());
        for ((_, batches), metric) in measures.into_iter().zip(metrics) {
            match metric {
                Some(metric) => {
                    let state = processor.windows.take(metric.id, self.fence);
                    jobs.push(Job {
                        metric,
                        batches,
                        state,
                    });
                }
                None => telemetry::rejected(
                    RejectReason::MetricDeleted.as_str(),
                    batches.iter().map(|batch| batch.len()).sum(),
                ),
            }
        }
        Ok(jobs)
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
        let blocks = metrics.len();
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

/// Counts the rejected points of a turn and logs them together, naming the first metric.
fn report_rejected<'a>(sack: Sack, rejected: impl Iterator<Item = (MetricId, &'a [Rejected])>) {
    let (mut metrics, mut points, mut first) = (0, 0, None);
    for (metric, rejected) in rejected {
        for point in rejected {
            telemetry::rejected(reason_name(point.reason), 1);
            first.get_or_insert((metric, point.reason));
        }
        metrics += usize::from(!rejected.is_empty());
        points += rejected.len();
    }
    if let Some((metric, reason)) = first {
        warn!(%sack, metrics, points, %metric, reason = reason_name(reason), "measures rejected");
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
    let (mut done, without_points) = fold_blocking(ready, sequence).await;
    if !without_points.is_empty() {
        let (more, still_without) =
            fold_blocking(load(processor, without_points).await?, sequence).await;
        debug_assert!(still_without.is_empty(), "a restored window has its points");
        done.extend(more);
    }
    Ok(done)
}

/// Folds on a thread that may compute; returns what is done and what needs its raw points.
async fn fold_blocking(jobs: Vec<Job>, sequence: u64) -> (Vec<Done>, Vec<Job>) {
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
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
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
    let mut states = load_states(processor, &metrics).await?;
    for job in &mut jobs {
        job.state = states.remove(&job.metric.id).map(Arc::new);
    }
    Ok(jobs)
}

/// Reads the raw windows of metrics and restores their state.
///
/// A frame that doesn't decode is reported and left where it is, for `verify` to list; the window then continues from the
/// points that are readable, because refusing the metric would block everything that arrives for it.
pub(crate) async fn load_states(
    processor: &Processor,
    metrics: &[&Metric],
) -> Result<HashMap<MetricId, MetricState>, Error> {
    if metrics.is_empty() {
        return Ok(HashMap::new());
    }
    let started = Instant::now();
    let range = BlockRange {
        stream: Stream::Window,
        blocks: 0..u64::MAX,
    };
    let requests: Vec<FrameRange> = metrics
        .iter()
        .map(|metric| FrameRange {
            metric: metric.id,
            range: range.clone(),
        })
        .collect();
    let windows = processor.storage.read(&requests).await?;
    let states = metrics
        .iter()
        .zip(windows)
        .map(|(metric, frames)| {
            let plan = metric.archive_policy.plan();
            let marks = frames.partition_point(|frame| frame.key.block < COMPLETENESS_BLOCK);
            let (frames, marks) = frames.split_at(marks);
            let complete_from = decode_points(metric.id, marks)
                .last()
                .map_or(Timestamp::EPOCH, |mark| mark.timestamp);
            let window = Window::restore(plan, decode_points(metric.id, frames), complete_from);
            (metric.id, MetricState::new(plan, window))
        })
        .collect();
    processor.statistics.add(
        "raw measures fetch",
        "raw measures fetch time",
        metrics.len(),
        started.elapsed(),
    );
    Ok(states)
}

/// Decodes the frames of a raw window, oldest first; a later point wins at an equal timestamp.
fn decode_points(metric: MetricId, frames: &[StoredFrame]) -> Series {
    let mut points = Series::new();
    for frame in frames {
        match carbonara::codec::points::decode_all(&frame.bytes) {
            Ok(more) => points.append_in_place(&more),
            Err(damage) => {
                telemetry::damaged();
                error!(%metric, block = frame.key.block, sequence = frame.key.sequence, %damage, "a frame of the raw window is damaged");
            }
        }
    }
    points
}
