//! What the store remembers of metrics, so that measures don't cost a query each.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use carbonara::Timestamp;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::driver::{Indexer, MetricWithEnd};
use crate::error::{Error, IndexerError};
use crate::model::{Metric, MetricId};

/// How many metrics are remembered; about 300 bytes each.
const METRICS_MAX: usize = 100_000;

/// How long an answer may be reused when other processes write to the same indexer.
const SHARED_LIFETIME: Duration = Duration::from_secs(5);

/// How many metrics are handed to the indexer at once when their resources go on: about as many revisions are then made in one
/// transaction.
const REOPENED_AT_ONCE: usize = 1000;

/// Answers which active metric an id is and whether its resource has ended, mostly from memory.
///
/// With an exclusive indexer what is remembered stays true until this process changes it and says so; otherwise it is
/// believed for [`SHARED_LIFETIME`]. Measures that are folded within that time of an end that another process has set do not take it
/// back; later ones do.
pub(crate) struct MetricDirectory {
    indexer: Arc<dyn Indexer>,
    known: Cache<MetricId, Known>,
    /// Counts the changes. An answer that was fetched before a change must not be remembered after it.
    changes: AtomicU64,
    exclusive: bool,
}

/// Where the changes stood at one point in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

#[derive(Clone)]
struct Known {
    metric: KnownMetric,
    since: Instant,
}

/// What measures meet.
#[derive(Debug, Clone)]
pub(crate) struct KnownMetric {
    pub(crate) metric: Arc<Metric>,
    /// When the life of its resource ended, if it did.
    pub(crate) resource_ended_at: Option<Timestamp>,
}

impl fmt::Debug for MetricDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricDirectory")
            .field("known", &self.known.len())
            .finish_non_exhaustive()
    }
}

impl MetricDirectory {
    pub(crate) fn new(indexer: Arc<dyn Indexer>) -> Self {
        let exclusive = indexer.is_exclusive();
        Self {
            indexer,
            known: Cache::new(METRICS_MAX),
            changes: AtomicU64::new(0),
            exclusive,
        }
    }

    /// Returns the active metrics with these ids, asking the indexer once for all that are not remembered.
    pub(crate) async fn metrics(
        &self,
        ids: &[MetricId],
    ) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        self.find(ids, |known| known.metric).await
    }

    /// Returns what [`metrics`](Self::metrics) does, with the ends of their resources.
    pub(crate) async fn metrics_with_ends(
        &self,
        ids: &[MetricId],
    ) -> Result<Vec<Option<KnownMetric>>, Error> {
        self.find(ids, |known| known).await
    }

    async fn find<T>(
        &self,
        ids: &[MetricId],
        part: impl Fn(KnownMetric) -> T,
    ) -> Result<Vec<Option<T>>, Error> {
        let recall = |id: &MetricId| self.recall(*id).map(&part);
        let mut found: Vec<Option<T>> = ids.iter().map(recall).collect();
        let missing: Vec<usize> = (0..ids.len())
            .filter(|index| found[*index].is_none())
            .collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let ticket = self.ticket();
        let wanted: Vec<MetricId> = missing.iter().map(|index| ids[*index]).collect();
        let answers = self.indexer.metrics_with_ends(&wanted).await?;
        for (index, answer) in missing.into_iter().zip(answers) {
            found[index] = answer.map(|answer| part(self.remember(answer, ticket)));
        }
        Ok(found)
    }

    /// Lets the life of resources go on that had ended when their metrics were measured, the newest measure of each metric being
    /// given; returns how many resources these were.
    pub(crate) async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Result<usize, IndexerError> {
        let mut reopened = 0;
        for measured in measured.chunks(REOPENED_AT_ONCE) {
            let outcome = self.indexer.reopen_resources(measured, now).await;
            // Whatever came of it: what is remembered of these is not so any more.
            let metrics: Vec<MetricId> = measured.iter().map(|(metric, _)| *metric).collect();
            self.forget(&metrics);
            reopened += outcome?.len();
        }
        Ok(reopened)
    }

    fn recall(&self, id: MetricId) -> Option<KnownMetric> {
        let known = self.known.get(&id)?;
        (self.exclusive || known.since.elapsed() < SHARED_LIFETIME).then_some(known.metric)
    }

    /// Notes where the changes stand before the indexer is asked.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.changes.load(Ordering::Acquire))
    }

    /// Remembers what the indexer answered, unless something has changed since the ticket was taken.
    fn remember(&self, answer: MetricWithEnd, ticket: Ticket) -> KnownMetric {
        let id = answer.metric.id;
        let known = KnownMetric {
            metric: Arc::new(answer.metric),
            resource_ended_at: answer.resource_ended_at,
        };
        self.known.insert(
            id,
            Known {
                metric: known.clone(),
                since: Instant::now(),
            },
        );
        // Looked at after the insertion: a change from now on removes what was inserted, an earlier one is seen here.
        if self.changes.load(Ordering::Acquire) != ticket.0 {
            self.known.remove(&id);
        }
        known
    }

    /// Remembers metrics that were just created, unless something has changed since the ticket was taken. Of those with a resource it is
    /// not known here whether that has ended, so the indexer is asked when they are measured.
    pub(crate) fn remember_created(&self, metric: Metric, ticket: Ticket) -> Arc<Metric> {
        if metric.resource_id.is_some() {
            return Arc::new(metric);
        }
        let created = MetricWithEnd {
            metric,
            resource_ended_at: None,
        };
        self.remember(created, ticket).metric
    }

    /// Forgets metrics that changed.
    pub(crate) fn forget(&self, ids: &[MetricId]) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        for id in ids {
            self.known.remove(id);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.known.clear();
    }
}
