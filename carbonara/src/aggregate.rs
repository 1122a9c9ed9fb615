//! The fused pass: the points are read once and give the rows of every granularity.

use crate::bucket::{end_of_run, last_of_bucket};
use crate::frame::Frame;
use crate::groups::{Groups, Row};
use crate::kernel::{Accumulator, LANES, Segment, differences};
use crate::method::ComponentSet;
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

/// Segments after which complete rows are turned into columns: few enough to stay in the first cache, enough to fill columns in one go.
const SEGMENTS_MAX: usize = 128;

/// One reading of points for several levels.
///
/// Why is it fast? The points are cut into segments where any level enters a new bucket; no point is divided by a granularity. By the
/// dozen, few enough to stay in the cache, segments then go through [`Sweep`](crate::kernel::Sweep): there the sums of all levels advance together,
/// and the extremes are found once; those of a bucket are put together from its segments, which is exact. Rows
/// are turned into columns by the dozen too, one column after the other.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    components: &'a ComponentSet,
    levels: Vec<Level>,
    plain: Groups,
    rate: Option<Groups>,
    /// The segments that are not yet in the groups.
    segments: Vec<Segment>,
    /// For [`LANES`] levels at a time, and for each segment, a bit for each level that enters a bucket there.
    entered: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Level {
    granularity: Timespan,
    /// Last nanosecond of the bucket being filled; -1 when there is none.
    last_ns: i64,
    /// The buckets of this run, the last of them being filled.
    rows: Vec<Row>,
    buckets: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(levels: &[Timespan], components: &'a ComponentSet) -> Self {
        Self {
            components,
            levels: levels
                .iter()
                .map(|granularity| Level {
                    granularity: *granularity,
                    last_ns: -1,
                    rows: Vec::new(),
                    buckets: Vec::new(),
                    columns: vec![Vec::new(); components.len()],
                })
                .collect(),
            plain: Groups::new(components, false, levels.len()),
            rate: components
                .has_rate()
                .then(|| Groups::new(components, true, levels.len())),
            segments: Vec::with_capacity(SEGMENTS_MAX),
            entered: vec![Vec::with_capacity(SEGMENTS_MAX); levels.len().div_ceil(LANES)],
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
            if next_ns > last_ns {
                continue;
            }
            level.last_ns = last_ns;
            level.rows.push(Row::first(open.bucket));
            self.plain.resume(index, &open.plain);
            if let Some(rate) = &mut self.rate {
                rate.resume(index, &open.rate);
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
        let rates = match &self.rate {
            Some(_) => differences(values, previous),
            None => Vec::new(),
        };
        // Without a previous value the differences lag one behind.
        let lag = usize::from(rates.len() < values.len());
        self.reserve(timestamps_ns);
        let mut from = 0;
        let mut length = 1;
        while let Some(first_ns) = timestamps_ns.get(from) {
            if self.segments.len() == SEGMENTS_MAX {
                self.write(from, values, &rates, lag);
            }
            let last_ns = self.enter(*first_ns, from);
            let to = end_of_run(timestamps_ns, from, last_ns, length);
            self.segments.push(Segment { from, to });
            (from, length) = (to, to - from);
        }
        for level in &mut self.levels {
            if level.rows.is_empty() {
                continue;
            }
            // A bucket that nothing follows: what was being filled is now complete.
            level.last_ns = -1;
            level.rows.push(Row {
                bucket: 0,
                point: from,
                read: from,
                segment: self.segments.len(),
            });
        }
        self.write(from, values, &rates, lag);
        for level in &mut self.levels {
            level.rows.clear();
        }
    }

    /// Turns the complete rows into columns; `to` is the number of points read.
    fn write(&mut self, to: usize, values: &[f64], rates: &[f64], lag: usize) {
        self.plain.extend(values, &self.segments, &self.entered);
        if let Some(rate) = &mut self.rate {
            for segment in &mut self.segments {
                segment.from = segment.from.saturating_sub(lag);
                segment.to -= lag;
            }
            rate.extend(rates, &self.segments, &self.entered);
        }
        for (index, level) in self.levels.iter_mut().enumerate() {
            let Some((open, complete)) = level.rows.split_last() else {
                continue;
            };
            level.buckets.extend(complete.iter().map(|row| row.bucket));
            self.plain
                .write(index, &level.rows, values, 0, &mut level.columns);
            self.plain.carry(index, open, &values[open.read..to]);
            if let Some(rate) = &mut self.rate {
                rate.write(index, &level.rows, rates, lag, &mut level.columns);
                let read = open.read.saturating_sub(lag)..to.saturating_sub(lag);
                rate.carry(index, open, &rates[read]);
            }
            let open = Row {
                read: to,
                segment: 0,
                ..*open
            };
            level.rows.clear();
            level.rows.push(open);
        }
        self.segments.clear();
        for entered in &mut self.entered {
            entered.clear();
        }
    }

    /// Returns the frame of each level and the state of the last bucket of each.
    pub(crate) fn finish(self) -> (Vec<Frame>, Vec<OpenBucket>) {
        let mut frames = Vec::with_capacity(self.levels.len());
        let mut open = Vec::with_capacity(self.levels.len());
        for (index, level) in self.levels.into_iter().enumerate() {
            open.push(OpenBucket {
                bucket: level.buckets.last().copied().unwrap_or_default(),
                plain: self.plain.last(index),
                rate: match &self.rate {
                    Some(rate) => rate.last(index),
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

    /// Makes every level be in the bucket of a point, the first of a segment; returns the last nanosecond that these buckets share.
    fn enter(&mut self, timestamp_ns: i64, point: usize) -> i64 {
        let mut shared_last_ns = i64::MAX;
        for entered in &mut self.entered {
            entered.push(0);
        }
        let segment = self.segments.len();
        for (index, level) in self.levels.iter_mut().enumerate() {
            if timestamp_ns > level.last_ns {
                let granularity_ns = level.granularity.as_nanosecond();
                let bucket = match level.rows.last() {
                    // Mostly it is the next one, and needs no division.
                    Some(row) if timestamp_ns - level.last_ns <= granularity_ns => row.bucket + 1,
                    _ => timestamp_ns / granularity_ns,
                };
                self.entered[index / LANES][segment] |= 1 << (index % LANES);
                level.last_ns = last_of_bucket(bucket, level.granularity);
                level.rows.push(Row {
                    bucket,
                    point,
                    read: point,
                    segment,
                });
            }
            shared_last_ns = shared_last_ns.min(level.last_ns);
        }
        shared_last_ns
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
