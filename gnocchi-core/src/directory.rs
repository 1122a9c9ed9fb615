//! What the store remembers of metrics, so that measures don't cost a query each.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::driver::Indexer;
use crate::error::Error;
use crate::model::{Metric, MetricId};

/// How many metrics are remembered; about 300 bytes each.
const METRICS_MAX: usize = 100_000;

/// How long an answer may be reused when other processes write to the same indexer.
const SHARED_LIFETIME: Duration = Duration::from_secs(5);

/// Answers which active metric an id is, mostly from memory.
///
/// With an exclusive indexer what is remembered stays true until this process changes it and says so; otherwise it is
/// believed for [`SHARED_LIFETIME`].
pub(crate) struct MetricDirectory {
    indexer: Arc<dyn Indexer>,
    known: Cache<MetricId, Known>,
    /// Counts the changes. An answer that was fetched before a change must not be remembered after it.
    changes: AtomicU64,
    exclusive: bool,
}

/// Where the changes stood at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

#[derive(Clone)]
struct Known {
    metric: Arc<Metric>,
    since: Instant,
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
        let mut found: Vec<Option<Arc<Metric>>> = ids.iter().map(|id| self.recall(*id)).collect();
        let missing: Vec<usize> = (0..ids.len())
            .filter(|index| found[*index].is_none())
            .collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let ticket = self.ticket();
        let wanted: Vec<MetricId> = missing.iter().map(|index| ids[*index]).collect();
        for (index, metric) in missing
            .into_iter()
            .zip(self.indexer.metrics(&wanted).await?)
        {
            found[index] = metric.map(|metric| self.remember(metric, ticket));
        }
        Ok(found)
    }

    fn recall(&self, id: MetricId) -> Option<Arc<Metric>> {
        let known = self.known.get(&id)?;
        (self.exclusive || known.since.elapsed() < SHARED_LIFETIME).then_some(known.metric)
    }

    /// Notes where the changes stand before the indexer is asked.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.changes.load(Ordering::Acquire))
    }

    /// Remembers what the indexer answered, unless something has changed since the ticket was taken.
    pub(crate) fn remember(&self, metric: Metric, ticket: Ticket) -> Arc<Metric> {
        let metric = Arc::new(metric);
        self.known.insert(
            metric.id,
            Known {
                metric: Arc::clone(&metric),
                since: Instant::now(),
            },
        );
        // Looked at after the insertion: a change from now on removes what was inserted, an earlier one is seen here.
        if self.changes.load(Ordering::Acquire) != ticket.0 {
            self.known.remove(&metric.id);
        }
        metric
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
