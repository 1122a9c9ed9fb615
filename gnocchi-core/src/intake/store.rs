//! The use case: series that come with names find their metrics, or have them created, and are appended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carbonara::Series;
use tokio::time::Instant;

use super::whole::Absent;
use super::{
    AppendOptions, Destination, IntakeError, NamedBatch, NamedSeries, Refusal, Refused, Report,
    Reported, ResourceKind, Verdict,
};
use crate::access::Access;
use crate::error::{Error, IndexerError};
use crate::model::{Metric, MetricId, Rejection};

/// The pause before missing metrics are looked up again because another request creates or deletes them at the same time.
const PAUSE: Duration = Duration::from_millis(5);

/// Stores series of one caller that come with the names of their resource and metric.
///
/// The access rules are asked about everything that is created, about the resource that a new metric belongs to (`update resource`), and
/// about each metric that measures are sent to. Every change of a resource carries the state that was checked.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    access: Access<'a>,
    limits: IntakeLimits,
}

/// What one batch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeLimits {
    /// How many metrics a batch may create.
    pub new_metrics_max: usize,
    /// For how long a batch is tried again when other callers create and delete the same metrics.
    pub timeout: Duration,
}

/// What happens to series whose metric does not exist.
#[derive(Debug, Clone, Copy)]
pub enum Missing<'a> {
    /// Nothing of the batch is stored.
    Refuse,
    /// Metrics are created on resources that exist. All of the batch is stored, or nothing.
    CreateMetrics,
    /// Metrics and resources of this type are created. What cannot be stored is left out, and the report says why.
    CreateResources(&'a ResourceKind),
}

/// How an attempt to create metrics and resources ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// There was nothing to create.
    Nothing,
    /// Everything was created.
    Created,
    /// Another request created, changed or deleted one of the metrics or resources at the same time.
    Raced,
}

/// What was found or created for each series of a batch.
pub(super) enum Found {
    Metric(Arc<Metric>),
    Refused(Arc<Refusal>),
}

impl<'a> Intake<'a> {
    /// Combines the rights of a caller with limits.
    #[must_use]
    pub fn new(access: Access<'a>, limits: IntakeLimits) -> Self {
        Self { access, limits }
    }

    /// Returns the rights of the caller.
    #[must_use]
    pub fn access(&self) -> Access<'a> {
        self.access
    }

    /// Stores a batch and returns when its points are durable, with a verdict for each series.
    ///
    /// Metrics and resources that do not exist are created as `missing` says. Points older than the back window are among those that
    /// the report refuses if `reported` is [`Reported::All`]; see [`append_with`](crate::Gnocchi::append_with).
    ///
    /// # Errors
    /// [`IntakeError`]; nothing is stored then, though metrics and resources that were created remain. A series that is
    /// refused is an error only when all of the batch is stored or nothing.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have created metrics and resources and stored the points, but never a part of the points.
    pub async fn store(
        &self,
        batch: NamedBatch,
        missing: Missing<'_>,
        reported: Reported,
    ) -> Result<Report, IntakeError> {
        if batch.is_empty() {
            return Ok(Report::default());
        }
        let found = match missing {
            Missing::Refuse => self.whole(&batch, Absent::Refused).await?,
            Missing::CreateMetrics => self.whole(&batch, Absent::Created).await?,
            Missing::CreateResources(kind) => self.each(&batch, kind).await?,
        };
        self.append(batch, found, reported).await
    }

    async fn append(
        &self,
        batch: NamedBatch,
        found: Vec<Found>,
        reported: Reported,
    ) -> Result<Report, IntakeError> {
        let mut destinations = Vec::with_capacity(found.len());
        let mut verdicts = Vec::with_capacity(found.len());
        let mut measures: Vec<(Arc<Metric>, Series)> = Vec::with_capacity(found.len());
        for (named, found) in batch.series.into_iter().zip(found) {
            let NamedSeries {
                destination,
                series,
                place,
                ..
            } = named;
            let points = series.len();
            let mut verdict = Verdict {
                place,
                metric: None,
                points,
                refused: Vec::new(),
            };
            match found {
                Found::Metric(metric) => {
                    verdict.metric = Some(metric.id);
                    measures.push((metric, series));
                }
                Found::Refused(refusal) => verdict.refused.push(Refused { points, refusal }),
            }
            destinations.push(destination);
            verdicts.push(verdict);
        }
        if !measures.is_empty() {
            let metrics: Vec<Arc<Metric>> = measures
                .iter()
                .map(|(metric, _)| Arc::clone(metric))
                .collect();
            let options = AppendOptions {
                sender: Some(self.access.caller()),
                reported,
            };
            let appended = self.access.gnocchi().append_to(measures, options).await?;
            add_rejections(&appended.rejected, &metrics, &destinations, &mut verdicts);
        }
        Ok(Report { verdicts })
    }

    /// Refuses a batch that would create too many metrics: the indexer makes no other change meanwhile.
    pub(super) fn check_new_metrics(&self, number: usize) -> Result<(), IntakeError> {
        let limit = self.limits.new_metrics_max;
        if number <= limit {
            return Ok(());
        }
        Err(IntakeError::TooManyNewMetrics { limit })
    }

    /// Begins to try until a batch is settled.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts {
            started: Instant::now(),
            timeout: self.limits.timeout,
        }
    }
}

/// How long a batch has been tried.
pub(super) struct Attempts {
    started: Instant,
    timeout: Duration,
}

impl Attempts {
    /// Refuses to go on when the time is over.
    pub(super) fn check(&self) -> Result<(), IntakeError> {
        if self.started.elapsed() > self.timeout {
            return Err(IntakeError::Unsettled);
        }
        Ok(())
    }

    /// Waits before the next attempt if another request got in between.
    pub(super) async fn pause_after(&self, attempt: Attempt) {
        if attempt == Attempt::Raced {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Returns whether another request is the reason of an error: it has just created one of the metrics or resources, which is as good, or
/// changed or deleted the resource or the archive policy of a rule, which the next attempt finds.
pub(super) fn is_race(error: &Error) -> bool {
    matches!(
        error,
        Error::Indexer(
            IndexerError::NamedMetricExists { .. }
                | IndexerError::ResourceExists { .. }
                | IndexerError::NoSuchResource { .. }
                | IndexerError::RevisionChanged { .. }
                | IndexerError::NoSuchArchivePolicy { .. }
        )
    )
}

/// Adds the points that the store does not take to the verdicts.
fn add_rejections(
    rejections: &[Rejection],
    metrics: &[Arc<Metric>],
    destinations: &[Arc<Destination>],
    verdicts: &mut [Verdict],
) {
    if rejections.is_empty() {
        return;
    }
    let with_metric = verdicts
        .iter()
        .enumerate()
        .filter_map(|(entry, verdict)| Some((verdict.metric?, entry)));
    let entries: HashMap<MetricId, (usize, &Arc<Metric>)> = with_metric
        .zip(metrics)
        .map(|((id, entry), metric)| (id, (entry, metric)))
        .collect();
    for rejection in rejections {
        let Some((entry, metric)) = entries.get(&rejection.metric) else {
            continue;
        };
        let refusal = Refusal::Points {
            reason: rejection.reason,
            metric: Arc::clone(metric),
            resource: Arc::clone(&destinations[*entry]),
        };
        verdicts[*entry].refused.push(Refused {
            points: rejection.points,
            refusal: Arc::new(refusal),
        });
    }
}
