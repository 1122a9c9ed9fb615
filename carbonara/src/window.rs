//! [`Window`]: what must be known of a metric to fold more points into its aggregates.

use crate::aggregate::{OpenBucket, Pass};
use crate::bucket::runs;
use crate::plan::AggregationPlan;
use crate::series::{Point, Series};
use crate::time::{Timespan, Timestamp};

/// What must be known of a metric to fold more points into its aggregates.
///
/// Always known: the newest point, the running state of the newest bucket of each granularity, and how far back the stored raw points are needed.
/// This is enough for points that come in order. The raw points inside the back window are held besides,
/// until [`Window::forget_points`]; late points, and methods that need all values of a bucket, cannot be folded without them.
///
/// A window belongs to the plan that it was made with; later only the back window and the timespans of that plan may change. A back window that
/// grows takes effect as time goes on: what was already dropped stays closed.
#[derive(Clone, Debug)]
pub struct Window {
    pub(crate) state: Option<State>,
    /// Raw points at or after [`State::keep_raw_from`]; `None` when forgotten.
    pub(crate) points: Option<Series>,
}

/// What is known of a metric that has points.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) last: Point,
    /// Older points are too late.
    pub(crate) first_block: Timestamp,
    /// Older raw points are not needed any more, but for the one before.
    pub(crate) raw_start: Timestamp,
    /// The newest bucket of each level; not kept up when a method needs all values of a bucket.
    pub(crate) open: Vec<OpenBucket>,
    /// When differences are needed: the last point of each bucket of the coarsest granularity, those at or after
    /// `raw_start` and one before it. That one is needed for the first difference, however old it is, and it has to be known
    /// also when the points themselves are forgotten.
    marks_ns: Vec<i64>,
}

impl Window {
    /// Makes the window of a metric that never had a point.
    #[must_use]
    pub fn empty(plan: &AggregationPlan) -> Self {
        let _ = plan;
        Self {
            state: None,
            points: Some(Series::new()),
        }
    }

    /// Makes the window of a metric from its stored raw points.
    ///
    /// They must be complete from `complete_from` on; older ones may be there or not. That is the moment before which stored
    /// points were dropped, at most [`Folded::keep_raw_from`](crate::Folded::keep_raw_from) of the last fold, and the epoch if none
    /// ever were. It matters when the back window of the policy has grown since: what was dropped stays closed.
    #[must_use]
    pub fn restore(plan: &AggregationPlan, points: Series, complete_from: Timestamp) -> Self {
        let Some(last) = points.last() else {
            return Self::empty(plan);
        };
        let mut first_block = plan.first_block(last.timestamp);
        let mut raw_start = plan.raw_start(first_block);
        if raw_start < complete_from {
            let whole = plan.first_whole_buckets(complete_from);
            // What is newer than all before is always taken, unless it lies where points are missing.
            first_block = if complete_from > last.timestamp {
                whole
            } else {
                whole.min(last.timestamp)
            };
            raw_start = complete_from;
        }
        let mut state = State {
            last,
            first_block,
            raw_start,
            open: open_buckets(plan, &points, last.timestamp),
            marks_ns: Vec::new(),
        };
        state.mark(plan, points.timestamps_ns());
        let mut window = Self {
            state: Some(state),
            points: Some(points),
        };
        window.drop_old_points();
        window
    }

    /// Drops the raw points, to save memory; see [`Window::has_points`].
    pub fn forget_points(&mut self) {
        // Nothing at all is known without cost.
        if self.state.is_some() {
            self.points = None;
        }
    }

    /// Returns whether the raw points are held, so that late points can be folded.
    #[must_use]
    pub const fn has_points(&self) -> bool {
        self.points.is_some()
    }

    /// Returns the newest point.
    #[must_use]
    pub fn last(&self) -> Option<Point> {
        self.state.as_ref().map(|state| state.last)
    }

    /// Returns the moment before which points are too late, `None` while there is no point at all.
    #[must_use]
    pub fn first_block(&self) -> Option<Timestamp> {
        self.state.as_ref().map(|state| state.first_block)
    }

    /// Returns the raw points that are held.
    #[must_use]
    pub const fn points(&self) -> Option<&Series> {
        self.points.as_ref()
    }

    /// Returns the bytes that the window occupies in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let state = self.state.as_ref().map_or(0, |state| {
            state.open.capacity() * size_of::<OpenBucket>()
                + state.marks_ns.capacity() * size_of::<i64>()
        });
        let points = self.points.as_ref().map_or(0, Series::memory_bytes);
        size_of::<Self>() + state + points
    }

    /// Drops the held points that will not be needed again.
    pub(crate) fn drop_old_points(&mut self) {
        if let (Some(state), Some(points)) = (&self.state, &mut self.points) {
            points.truncate_before(state.keep_raw_from());
            // A first batch of years leaves little behind.
            points.shrink_spare();
        }
    }
}

impl State {
    /// Returns from where on stored raw points must be kept.
    pub(crate) fn keep_raw_from(&self) -> Timestamp {
        match self.marks_ns.first() {
            Some(mark_ns) => self.raw_start.min(Timestamp::from_valid_ns(*mark_ns)),
            None => self.raw_start,
        }
    }

    /// Makes the state after a fold: `newest` is the newest point, `from` the earlier state if there was one, `known_ns` the timestamps of the new
    /// points when all are newer, else of all points.
    pub(crate) fn advance(
        from: Option<Self>,
        plan: &AggregationPlan,
        newest: Point,
        open: Vec<OpenBucket>,
        known_ns: &[i64],
    ) -> Self {
        let reached = plan.first_block(newest.timestamp);
        // Never back: what a smaller back window has dropped is gone.
        let first_block = from
            .as_ref()
            .map_or(reached, |from| reached.max(from.first_block));
        let raw_start = plan.raw_start(first_block);
        let mut state = Self {
            last: newest,
            first_block,
            raw_start: from
                .as_ref()
                .map_or(raw_start, |from| raw_start.max(from.raw_start)),
            open,
            marks_ns: from.map_or(Vec::new(), |from| from.marks_ns),
        };
        state.mark(plan, known_ns);
        state
    }

    /// Notes the last point of each coarsest bucket among ascending timestamps, in place of what was noted of the same time.
    fn mark(&mut self, plan: &AggregationPlan, timestamps_ns: &[i64]) {
        if !plan.needs_differences() {
            return;
        }
        let coarsest = plan.coarsest();
        if let Some(first_ns) = timestamps_ns.first() {
            let start_ns = Timestamp::from_valid_ns(*first_ns)
                .floor(coarsest)
                .as_nanosecond();
            let kept = self.marks_ns.partition_point(|mark_ns| *mark_ns < start_ns);
            self.marks_ns.truncate(kept);
        }
        self.marks_ns
            .extend(runs(timestamps_ns, coarsest).map(|run| timestamps_ns[run.points.end - 1]));
        let raw_start_ns = self.raw_start.as_nanosecond();
        let old = self
            .marks_ns
            .partition_point(|mark_ns| *mark_ns < raw_start_ns);
        self.marks_ns.drain(..old.saturating_sub(1));
    }
}

/// Computes the state of the newest bucket of each level from the raw points, the last of which lies at `last`.
fn open_buckets(plan: &AggregationPlan, points: &Series, last: Timestamp) -> Vec<OpenBucket> {
    if plan.needs_values() {
        // Such buckets are never continued, always computed from the points.
        return Vec::new();
    }
    plan.granularities()
        .iter()
        .filter_map(|granularity| {
            let from = points.index_of(last.floor(*granularity));
            one_bucket(plan, points, *granularity, from)
        })
        .collect()
}

fn one_bucket(
    plan: &AggregationPlan,
    points: &Series,
    granularity: Timespan,
    from: usize,
) -> Option<OpenBucket> {
    let levels = [granularity];
    let mut pass = Pass::new(&levels, plan.components());
    let previous = from.checked_sub(1).map(|before| points.values()[before]);
    pass.run(
        &points.timestamps_ns()[from..],
        &points.values()[from..],
        previous,
    );
    pass.finish().1.pop()
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
