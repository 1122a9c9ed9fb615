//! Which points are too late, before they are folded.

use std::sync::Arc;

use carbonara::{Series, Timestamp};
use hashbrown::HashMap;

use crate::error::Error;
use crate::model::{Measures, Metric, MetricId, RejectReason, Rejection};
use crate::store::Gnocchi;

impl Gnocchi {
    /// Finds the points that are older than the back window of everything that was appended before, also of what stands before
    /// them in the same list. Unknown metrics have none.
    ///
    /// Decided as a fold does: a point is too late when it lies before the back window of the newest point of all batches before
    /// its own. That border only ever moves forward, so what is too late now stays so.
    pub(super) async fn late(
        &self,
        measures: &[Measures],
        metrics: &[Option<Arc<Metric>>],
    ) -> Result<Vec<Rejection>, Error> {
        let ids: Vec<MetricId> = measures.iter().map(|one| one.metric).collect();
        // Pending measures first: what is folded in between is then seen twice, which does no harm, and never missed.
        let pending = self.drivers().incoming.pending(&ids).await?;
        let known: Vec<&Metric> = metrics.iter().flatten().map(|metric| &**metric).collect();
        let closed = self.inner.processor.first_blocks(&known).await?;
        let mut first_blocks: HashMap<MetricId, Option<Timestamp>> =
            HashMap::with_capacity(ids.len());
        let mut late = Vec::new();
        for ((one, metric), pending) in measures.iter().zip(metrics).zip(&pending) {
            let Some(metric) = metric else { continue };
            let plan = metric.archive_policy.plan();
            let first_block = first_blocks.entry(metric.id).or_insert_with(|| {
                let waiting = newest_of(pending).map(|newest| plan.first_block(newest));
                waiting.max(closed.get(&metric.id).copied())
            });
            let points = first_block.map_or(0, |first_block| one.series.index_of(first_block));
            if points > 0 {
                late.push(Rejection {
                    metric: metric.id,
                    reason: RejectReason::TooLate,
                    points,
                });
            }
            let newest = one
                .series
                .last()
                .map(|last| plan.first_block(last.timestamp));
            *first_block = newest.max(*first_block);
        }
        Ok(late)
    }
}

/// Returns the timestamp of the newest point of batches.
pub(crate) fn newest_of(batches: &[Arc<Series>]) -> Option<Timestamp> {
    batches
        .iter()
        .filter_map(|batch| batch.last())
        .map(|point| point.timestamp)
        .max()
}
