//! What pending measures add to the stored aggregates of metrics.

use std::sync::Arc;

use carbonara::{AggregationPlan, Frame, Series, Timespan, Timestamp, Window};

use crate::budget::Budget;
use crate::error::Error;
use crate::model::{Metric, MetricId};
use crate::store::Gnocchi;

/// Metrics whose pending measures and open windows are looked at together: a window takes about a kilobyte.
const METRICS_PER_CHUNK: usize = 1024;

/// About how much memory folding takes for each pending point, in bytes.
const FOLD_BYTES_PER_POINT: usize = 64;

/// What a metric has beyond its stored frames: what the pending measures make of it.
#[derive(Debug, Default, Clone)]
pub(super) struct Overlay {
    /// The newest point, pending ones included; `None` for a metric that never had one.
    pub(super) newest: Option<Timestamp>,
    /// Rows that pending measures change.
    frames: Vec<Arc<Frame>>,
}

impl Overlay {
    /// Returns the rows of a granularity that pending measures change.
    pub(super) fn frame(&self, granularity: Timespan) -> Option<&Arc<Frame>> {
        self.frames
            .iter()
            .find(|frame| frame.granularity() == granularity)
    }

    /// Describes a metric of which nothing is pending.
    fn of_window(window: &Window) -> Self {
        Self {
            newest: window.last().map(|point| point.timestamp),
            frames: Vec::new(),
        }
    }
}

/// The pending measures of one metric, and what they are folded over.
struct Fold {
    /// Where the metric stands in the list that was asked for.
    place: usize,
    metric: MetricId,
    plan: Arc<AggregationPlan>,
    pending: Vec<Arc<Series>>,
    window: Window,
}

impl Fold {
    /// Folds in memory; `None` when the window lacks the points that it takes.
    fn run(&self) -> Option<Overlay> {
        let batches: Vec<&Series> = self.pending.iter().map(Arc::as_ref).collect();
        let mut window = self.window.clone();
        let folded = window.fold(&self.plan, &batches).ok()?;
        Some(Overlay {
            newest: window.last().map(|point| point.timestamp),
            frames: folded.frames.into_iter().map(Arc::new).collect(),
        })
    }
}

impl Gnocchi {
    /// Folds the pending measures of metrics over their open windows, in memory; answers in the order asked.
    pub(super) async fn overlays(
        &self,
        budget: &Budget,
        metrics: &[&Metric],
    ) -> Result<Vec<Overlay>, Error> {
        let mut overlays = Vec::with_capacity(metrics.len());
        for (index, chunk) in metrics.chunks(METRICS_PER_CHUNK).enumerate() {
            if index > 0 {
                budget.check()?;
            }
            overlays.extend(self.overlays_of_chunk(budget, chunk).await?);
        }
        Ok(overlays)
    }

    async fn overlays_of_chunk(
        &self,
        budget: &Budget,
        metrics: &[&Metric],
    ) -> Result<Vec<Overlay>, Error> {
        let ids: Vec<MetricId> = metrics.iter().map(|metric| metric.id).collect();
        // Pending measures first: what is folded between the two reads is then folded again over itself, which changes
        // nothing. The other way round it would be missed.
        let pending = self.drivers().incoming.pending(&ids).await?;
        let states = self.inner.processor.states(metrics).await?;
        let mut overlays = Vec::with_capacity(metrics.len());
        let mut folds = Vec::new();
        for (place, (metric, pending)) in metrics.iter().zip(pending).enumerate() {
            let state = states
                .get(&metric.id)
                .expect("every metric asked for has a state");
            overlays.push(Overlay::of_window(&state.window));
            if !pending.is_empty() {
                folds.push(Fold {
                    place,
                    metric: metric.id,
                    plan: Arc::clone(metric.archive_policy.plan()),
                    pending,
                    window: state.window.clone(),
                });
            }
        }
        drop(states);
        let incomplete = run_folds(budget, folds, &mut overlays).await?;
        if incomplete.is_empty() {
            return Ok(overlays);
        }
        let folds = self.with_stored_windows(incomplete, metrics).await?;
        let refused = run_folds(budget, folds, &mut overlays).await?;
        assert!(
            refused.is_empty(),
            "a window with its points takes any batch"
        );
        Ok(overlays)
    }

    /// Replaces windows that are kept without their points by those of the storage.
    async fn with_stored_windows(
        &self,
        mut folds: Vec<Fold>,
        metrics: &[&Metric],
    ) -> Result<Vec<Fold>, Error> {
        let wanted: Vec<&Metric> = folds.iter().map(|fold| metrics[fold.place]).collect();
        let windows = self.inner.processor.stored_windows(&wanted).await?;
        for fold in &mut folds {
            if let Some(window) = windows.get(&fold.metric) {
                fold.window = window.clone();
            }
        }
        Ok(folds)
    }
}

/// Folds, on a thread of its own when there is much to do, and returns those that need the points of their window.
async fn run_folds(
    budget: &Budget,
    folds: Vec<Fold>,
    overlays: &mut [Overlay],
) -> Result<Vec<Fold>, Error> {
    let points: usize = folds
        .iter()
        .flat_map(|fold| &fold.pending)
        .map(|batch| batch.len())
        .sum();
    budget.spend(points)?;
    let held = budget.hold(points.saturating_mul(FOLD_BYTES_PER_POINT))?;
    let own = budget.clone();
    let run = move || -> Result<_, Error> {
        let _held = held;
        let folded = folds.iter().map(|fold| {
            own.check()?;
            Ok(fold.run())
        });
        let folded: Vec<Option<Overlay>> = folded.collect::<Result<_, Error>>()?;
        Ok((folds, folded))
    };
    let (folds, folded) = budget.compute(points, run).await??;
    let mut incomplete = Vec::new();
    for (fold, overlay) in folds.into_iter().zip(folded) {
        match overlay {
            Some(overlay) => overlays[fold.place] = overlay,
            None => incomplete.push(fold),
        }
    }
    Ok(incomplete)
}
