//! The fused pass: the points are read once and give the rows of every granularity.

use crate::bucket::{end_of_run, last_of_bucket};
use crate::frame::Frame;
use crate::kernel::{
    Accumulator, Extent, Moments, Quantile, RankScratch, differences, extend_levels, quantiles,
};
use crate::method::{ComponentKind, ComponentSet};
use crate::time::Timespan;

/// Aggregates sorted points at several granularities; one frame for each level, in the order of `levels`.
///
/// `previous` is the value just before the first one, for differences. Without it the first point has none. Every bucket that holds a
/// point has a row, computed from the given points alone. The rules for special values are those of
/// [`kernel`](crate::kernel); every NaN in the result is the canonical one.
///
/// # Panics
/// When the slices differ in length. In debug builds also when timestamps are not strictly ascending, or negative.
///
/// # Examples
/// ```
/// use carbonara::{ComponentSet, Timespan, aggregate};
///
/// let minute = Timespan::from_second(60)?;
/// let components = ComponentSet::for_methods(&["mean".parse()?]);
/// let timestamps_ns = [0, 30_000_000_000, 60_000_000_000];
/// let frames = aggregate(&timestamps_ns, &[1.0, 2.0, 5.0], None, &[minute], &components);
/// let means = frames[0].series("mean".parse()?).ok_or("no such column")?;
/// assert_eq!(means.values(), [1.5, 5.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn aggregate(
    timestamps_ns: &[i64],
    values: &[f64],
    previous: Option<f64>,
    levels: &[Timespan],
    components: &ComponentSet,
) -> Vec<Frame> {
    let mut pass = Pass::new(levels, components);
    pass.run(timestamps_ns, values, previous);
    pass.finish().0
}

/// The state of one bucket that may get more points: its values, and their differences.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenBucket {
    /// Number of the bucket.
    pub(crate) bucket: i64,
    pub(crate) plain: Accumulator,
    pub(crate) rate: Accumulator,
}

/// One reading of points for several levels.
///
/// Why is it fast? The points are cut where any level enters a new bucket. Within such a segment, which is small enough to
/// stay in the first cache, extremes and ends are found once and merged into every level (which is exact), and the sums of
/// all levels advance together (see [`extend_levels`]). No point is divided by a granularity.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    components: &'a ComponentSet,
    levels: Vec<Level>,
    plain: Groups,
    rate: Option<Groups>,
    scratch: RankScratch,
}

#[derive(Debug)]
struct Level {
    granularity: Timespan,
    /// The bucket being filled, `None` before the first.
    bucket: Option<i64>,
    /// Last nanosecond of that bucket; -1 when there is none.
    last_ns: i64,
    /// Index of the first point of that bucket in the points of this run.
    from: usize,
    buckets: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

/// The groups of all levels, of values or of differences.
#[derive(Debug)]
struct Groups {
    /// Beside the accumulators, so that they advance together.
    moments: Vec<Moments>,
    /// Counts and extents; their moments are stale until the bucket is closed.
    accumulators: Vec<Accumulator>,
    /// Columns that need no more than the accumulator.
    columns: Vec<(usize, ComponentKind)>,
    /// Columns that need an ordering by size.
    quantile_columns: Vec<usize>,
    quantiles: Vec<Quantile>,
    quantile_results: Vec<f64>,
    needs_deviations: bool,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(levels: &[Timespan], components: &'a ComponentSet) -> Self {
        let rate = components.has_rate();
        Self {
            components,
            levels: levels
                .iter()
                .map(|granularity| Level {
                    granularity: *granularity,
                    bucket: None,
                    last_ns: -1,
                    from: 0,
                    buckets: Vec::new(),
                    columns: vec![Vec::new(); components.len()],
                })
                .collect(),
            plain: Groups::new(components, false, levels.len()),
            rate: rate.then(|| Groups::new(components, true, levels.len())),
            scratch: RankScratch::new(),
        }
    }

    /// Starts with buckets that hold points already, those of them that the point at `next_ns` falls into.
    ///
    /// Only without order statistics, which need all values of a bucket.
    pub(crate) fn resume(&mut self, open: &[OpenBucket], next_ns: i64) {
        debug_assert!(
            !self.components.has_order_statistic(),
            "order statistics cannot be resumed"
        );
        for (index, (level, open)) in self.levels.iter_mut().zip(open).enumerate() {
            let last_ns = last_of_bucket(open.bucket, level.granularity);
            if next_ns <= last_ns {
                level.bucket = Some(open.bucket);
                level.last_ns = last_ns;
                self.plain.restore(index, &open.plain);
                if let Some(rate) = &mut self.rate {
                    rate.restore(index, &open.rate);
                }
            }
        }
    }

    /// Adds points that come after all points of earlier runs, and closes their buckets.
    ///
    /// The first point must be in another bucket of each level than the points of earlier runs.
    pub(crate) fn run(&mut self, timestamps_ns: &[i64], values: &[f64], previous: Option<f64>) {
        assert_eq!(timestamps_ns.len(), values.len(), "columns differ");
        debug_assert!(
            timestamps_ns.is_sorted_by(|earlier, later| earlier < later),
            "timestamps are not strictly ascending"
        );
        debug_assert!(
            timestamps_ns.first().is_none_or(|first| *first >= 0),
            "a point before the epoch"
        );
        self.reserve(timestamps_ns);
        let rates = match &self.rate {
            Some(_) => differences(values, previous),
            None => Vec::new(),
        };
        // Without a previous value the differences lag one behind.
        let missing = usize::from(self.rate.is_some() && rates.len() < values.len());
        let rate_index = |index: usize| index.saturating_sub(missing);
        for level in &mut self.levels {
            level.from = 0;
        }
        let mut from = 0;
        let mut length = 1;
        while from < timestamps_ns.len() {
            let segment_last_ns = self.enter(timestamps_ns[from], from, values, &rates, missing);
            let to = end_of_run(timestamps_ns, from, segment_last_ns, length);
            self.plain.extend(&values[from..to]);
            if let Some(rate) = &mut self.rate {
                rate.extend(&rates[rate_index(from)..rate_index(to)]);
            }
            (from, length) = (to, to - from);
        }
        for index in 0..self.levels.len() {
            self.close(index, from, values, &rates, missing);
        }
    }

    /// Returns the frame of each level and the state of the last bucket of each.
    pub(crate) fn finish(self) -> (Vec<Frame>, Vec<OpenBucket>) {
        let mut frames = Vec::with_capacity(self.levels.len());
        let mut open = Vec::with_capacity(self.levels.len());
        for (index, level) in self.levels.into_iter().enumerate() {
            open.push(OpenBucket {
                bucket: level.buckets.last().copied().unwrap_or_default(),
                plain: self.plain.state(index),
                rate: match &self.rate {
                    Some(rate) => rate.state(index),
                    None => Accumulator::new(),
                },
            });
            frames.push(Frame::from_valid(
                level.granularity,
                self.components.clone(),
                level.buckets,
                level.columns,
            ));
        }
        (frames, open)
    }

    /// Makes every level be in the bucket of the point `index` at `timestamp_ns`, and returns the last nanosecond that they share.
    fn enter(
        &mut self,
        timestamp_ns: i64,
        point: usize,
        values: &[f64],
        rates: &[f64],
        missing: usize,
    ) -> i64 {
        let mut shared_last_ns = i64::MAX;
        for index in 0..self.levels.len() {
            if timestamp_ns > self.levels[index].last_ns {
                self.close(index, point, values, rates, missing);
                let level = &mut self.levels[index];
                let bucket = timestamp_ns / level.granularity.as_nanosecond();
                level.bucket = Some(bucket);
                level.last_ns = last_of_bucket(bucket, level.granularity);
                level.from = point;
                self.plain.clear(index);
                if let Some(rate) = &mut self.rate {
                    rate.clear(index);
                }
            }
            shared_last_ns = shared_last_ns.min(self.levels[index].last_ns);
        }
        shared_last_ns
    }

    /// Writes the row of the bucket that a level is in, whose points end before index `to`.
    fn close(&mut self, index: usize, to: usize, values: &[f64], rates: &[f64], missing: usize) {
        let level = &mut self.levels[index];
        let Some(bucket) = level.bucket.take() else {
            return;
        };
        // The next point opens a bucket, whichever it is.
        level.last_ns = -1;
        level.buckets.push(bucket);
        let points = level.from..to;
        self.plain.emit(
            index,
            &values[points.clone()],
            &mut self.scratch,
            &mut level.columns,
        );
        if let Some(rate) = &mut self.rate {
            let from = points.start.saturating_sub(missing);
            let to = points.end.saturating_sub(missing);
            rate.emit(
                index,
                &rates[from..to],
                &mut self.scratch,
                &mut level.columns,
            );
        }
    }

    /// Reserves the rows that points so spread can make.
    fn reserve(&mut self, timestamps_ns: &[i64]) {
        let (Some(first), Some(last)) = (timestamps_ns.first(), timestamps_ns.last()) else {
            return;
        };
        for level in &mut self.levels {
            let granularity_ns = level.granularity.as_nanosecond();
            let spread = last / granularity_ns - first / granularity_ns + 1;
            let rows = usize::try_from(spread).map_or(timestamps_ns.len(), |spread| {
                spread.min(timestamps_ns.len())
            });
            level.buckets.reserve(rows);
            for column in &mut level.columns {
                column.reserve(rows);
            }
        }
    }
}

impl Groups {
    fn new(components: &ComponentSet, of_rate: bool, levels: usize) -> Self {
        let mut groups = Self {
            moments: vec![Moments::default(); levels],
            accumulators: vec![Accumulator::new(); levels],
            columns: Vec::with_capacity(components.len()),
            quantile_columns: Vec::new(),
            quantiles: Vec::new(),
            quantile_results: Vec::new(),
            needs_deviations: false,
        };
        for (column, component) in components.iter().enumerate() {
            if component.of_rate != of_rate {
                continue;
            }
            let quantile = match component.kind {
                ComponentKind::Median => Quantile::Median,
                ComponentKind::Percentile(percentile) => Quantile::Percentile(percentile),
                kind => {
                    groups.needs_deviations |= kind == ComponentKind::SquaredDeviations;
                    groups.columns.push((column, kind));
                    continue;
                }
            };
            groups.quantile_columns.push(column);
            groups.quantiles.push(quantile);
            groups.quantile_results.push(0.0);
        }
        groups
    }

    fn clear(&mut self, index: usize) {
        self.accumulators[index] = Accumulator::new();
    }

    fn restore(&mut self, index: usize, state: &Accumulator) {
        self.accumulators[index] = *state;
        self.moments[index] = state.moments;
    }

    fn state(&self, index: usize) -> Accumulator {
        Accumulator {
            moments: self.moments[index],
            ..self.accumulators[index]
        }
    }

    /// Adds the next values in time to the groups of all levels.
    fn extend(&mut self, values: &[f64]) {
        let Some(extent) = Extent::of(values) else {
            return;
        };
        for (accumulator, moments) in self.accumulators.iter_mut().zip(&mut self.moments) {
            if accumulator.count == 0 {
                *moments = Moments::starting_with(extent.first);
            }
            accumulator.absorb(values.len(), &extent);
        }
        if self.needs_deviations {
            extend_levels::<true>(values, &mut self.moments);
        } else {
            extend_levels::<false>(values, &mut self.moments);
        }
    }

    /// Writes the entries of one group, whose values are given for the order statistics.
    fn emit(
        &mut self,
        index: usize,
        values: &[f64],
        scratch: &mut RankScratch,
        columns: &mut [Vec<f64>],
    ) {
        let state = self.state(index);
        for (column, kind) in &self.columns {
            let value = state.component(*kind).unwrap_or(f64::NAN);
            columns[*column].push(canonical(value));
        }
        if self.quantiles.is_empty() {
            return;
        }
        if values.is_empty() {
            self.quantile_results.fill(0.0);
        } else {
            quantiles(values, &self.quantiles, scratch, &mut self.quantile_results);
        }
        for (column, value) in self.quantile_columns.iter().zip(&self.quantile_results) {
            columns[*column].push(canonical(*value));
        }
    }
}

/// Gives all NaN the same bits: which one comes out of an addition is up to the compiler.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
