//! [`Series`]: measures of one metric, sorted by time, one value for each timestamp.

use std::fmt;
use std::ops::Range;

use crate::time::Timestamp;

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it was taken.
    pub timestamp: Timestamp,
    /// What was measured; any double, NaN and infinities included.
    pub value: f64,
}

/// Measures of one metric as two columns: timestamps strictly ascending, none before the epoch.
///
/// Equality is that of `f64`: a series that holds a NaN is not equal to itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    timestamps_ns: Vec<i64>,
    values: Vec<f64>,
}

/// A borrowed, contiguous part of a [`Series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesSlice<'a> {
    /// Nanoseconds since the epoch, strictly ascending.
    pub timestamps_ns: &'a [i64],
    /// One value for each timestamp.
    pub values: &'a [f64],
}

/// Why two columns are not a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeriesError {
    /// The columns have different lengths.
    LengthsDiffer,
    /// A timestamp lies before the epoch.
    BeforeEpoch,
}

impl Series {
    /// Makes an empty series.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timestamps_ns: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Makes an empty series with room for `points`.
    #[must_use]
    pub fn with_capacity(points: usize) -> Self {
        Self {
            timestamps_ns: Vec::with_capacity(points),
            values: Vec::with_capacity(points),
        }
    }

    /// Makes a series from points in the order of receipt.
    ///
    /// At an equal timestamp the point received last wins. Columns that are already strictly ascending are taken as they are,
    /// without a copy.
    ///
    /// # Errors
    /// [`SeriesError::LengthsDiffer`] when the columns do not have the same length, [`SeriesError::BeforeEpoch`] when a timestamp is negative.
    ///
    /// # Examples
    /// ```
    /// use carbonara::Series;
    ///
    /// let series = Series::from_points(vec![20, 10, 20], vec![1.0, 2.0, 3.0])?;
    /// assert_eq!(series.timestamps_ns(), [10, 20]);
    /// assert_eq!(series.values(), [2.0, 3.0]);
    /// # Ok::<(), carbonara::SeriesError>(())
    /// ```
    pub fn from_points(timestamps_ns: Vec<i64>, values: Vec<f64>) -> Result<Self, SeriesError> {
        if timestamps_ns.len() != values.len() {
            return Err(SeriesError::LengthsDiffer);
        }
        if timestamps_ns.is_sorted_by(|earlier, later| earlier < later) {
            return match timestamps_ns.first() {
                Some(first) if *first < 0 => Err(SeriesError::BeforeEpoch),
                _ => Ok(Self {
                    timestamps_ns,
                    values,
                }),
            };
        }
        if timestamps_ns.iter().any(|timestamp_ns| *timestamp_ns < 0) {
            return Err(SeriesError::BeforeEpoch);
        }
        let mut points: Vec<(i64, f64)> = timestamps_ns.into_iter().zip(values).collect();
        // Stable: equal timestamps stay in the order of receipt, so the last of a run is the winner.
        points.sort_by_key(|(timestamp_ns, _)| *timestamp_ns);
        let mut series = Self::with_capacity(points.len());
        for (timestamp_ns, value) in points {
            series.push_or_replace(timestamp_ns, value);
        }
        Ok(series)
    }

    /// Returns the number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps_ns.len()
    }

    /// Returns whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps_ns.is_empty()
    }

    /// Returns the timestamps: nanoseconds since the epoch, strictly ascending, none negative.
    #[must_use]
    pub fn timestamps_ns(&self) -> &[i64] {
        &self.timestamps_ns
    }

    /// Returns the values in the order of time.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the oldest point.
    #[must_use]
    pub fn first(&self) -> Option<Point> {
        Some(point(*self.timestamps_ns.first()?, *self.values.first()?))
    }

    /// Returns the newest point.
    #[must_use]
    pub fn last(&self) -> Option<Point> {
        Some(point(*self.timestamps_ns.last()?, *self.values.last()?))
    }

    /// Iterates over the points, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Point> + DoubleEndedIterator + Clone + '_ {
        self.timestamps_ns
            .iter()
            .zip(&self.values)
            .map(|(timestamp_ns, value)| point(*timestamp_ns, *value))
    }

    /// Borrows the points with `range.start <= timestamp < range.end`; nothing when the range is empty or inverted.
    #[must_use]
    pub fn slice(&self, range: Range<Timestamp>) -> SeriesSlice<'_> {
        let from = self.index_of(range.start);
        let to = self.index_of(range.end).max(from);
        SeriesSlice {
            timestamps_ns: &self.timestamps_ns[from..to],
            values: &self.values[from..to],
        }
    }

    /// Borrows all points.
    #[must_use]
    pub fn as_slice(&self) -> SeriesSlice<'_> {
        SeriesSlice {
            timestamps_ns: &self.timestamps_ns,
            values: &self.values,
        }
    }

    /// Returns the number of points before `timestamp`, which is the index of the first point at or after it.
    #[must_use]
    pub fn index_of(&self, timestamp: Timestamp) -> usize {
        let timestamp_ns = timestamp.as_nanosecond();
        self.timestamps_ns.partition_point(|at| *at < timestamp_ns)
    }

    /// Returns the union of both; at an equal timestamp the value of `later` wins.
    #[must_use]
    pub fn merge(&self, later: &Self) -> Self {
        let mut merged = Self::with_capacity(self.len() + later.len());
        // What lies wholly before `later` is copied in one piece.
        let untouched = match later.first() {
            Some(first) => self.index_of(first.timestamp),
            None => self.len(),
        };
        merged
            .timestamps_ns
            .extend_from_slice(&self.timestamps_ns[..untouched]);
        merged.values.extend_from_slice(&self.values[..untouched]);
        let mut own = untouched;
        let mut other = 0;
        while own < self.len() && other < later.len() {
            let (own_ns, other_ns) = (self.timestamps_ns[own], later.timestamps_ns[other]);
            if own_ns < other_ns {
                merged.timestamps_ns.push(own_ns);
                merged.values.push(self.values[own]);
                own += 1;
            } else {
                merged.timestamps_ns.push(other_ns);
                merged.values.push(later.values[other]);
                other += 1;
                own += usize::from(own_ns == other_ns);
            }
        }
        merged
            .timestamps_ns
            .extend_from_slice(&self.timestamps_ns[own..]);
        merged.values.extend_from_slice(&self.values[own..]);
        merged
            .timestamps_ns
            .extend_from_slice(&later.timestamps_ns[other..]);
        merged.values.extend_from_slice(&later.values[other..]);
        merged
    }

    /// Adds `later` to this series; at an equal timestamp the value of `later` wins.
    ///
    /// Costs only the new points when all of them are newer than the last one.
    pub fn append_in_place(&mut self, later: &Self) {
        let appends = match (self.timestamps_ns.last(), later.timestamps_ns.first()) {
            (Some(last), Some(first)) => last < first,
            _ => true,
        };
        if appends {
            self.timestamps_ns.extend_from_slice(&later.timestamps_ns);
            self.values.extend_from_slice(&later.values);
        } else {
            *self = self.merge(later);
        }
    }

    /// Drops the points before `timestamp`.
    pub fn truncate_before(&mut self, timestamp: Timestamp) {
        let dropped = self.index_of(timestamp);
        if dropped > 0 {
            self.timestamps_ns.drain(..dropped);
            self.values.drain(..dropped);
        }
    }

    /// Returns the two columns: timestamps in nanoseconds, then values.
    #[must_use]
    pub fn into_parts(self) -> (Vec<i64>, Vec<f64>) {
        (self.timestamps_ns, self.values)
    }

    /// Returns the bytes that the two columns occupy in memory, spare capacity included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.timestamps_ns.capacity() * size_of::<i64>() + self.values.capacity() * size_of::<f64>()
    }

    /// Gives back memory when most of it is unused.
    pub(crate) fn shrink_spare(&mut self) {
        const SPARE_FACTOR: usize = 4;
        const SPARE_POINTS: usize = 4096;
        if self.values.capacity() > self.len() * SPARE_FACTOR + SPARE_POINTS {
            self.timestamps_ns.shrink_to_fit();
            self.values.shrink_to_fit();
        }
    }

    /// Wraps columns that are known to be sorted, unique and of one length.
    pub(crate) fn from_sorted(timestamps_ns: Vec<i64>, values: Vec<f64>) -> Self {
        debug_assert_eq!(timestamps_ns.len(), values.len(), "columns differ");
        debug_assert!(
            timestamps_ns.is_sorted_by(|earlier, later| earlier < later),
            "timestamps are not strictly ascending"
        );
        debug_assert!(
            timestamps_ns.first().is_none_or(|first| *first >= 0),
            "a point before the epoch"
        );
        Self {
            timestamps_ns,
            values,
        }
    }

    /// Adds a point that is not older than the last one, or gives the last one a new value.
    fn push_or_replace(&mut self, timestamp_ns: i64, value: f64) {
        if self.timestamps_ns.last() == Some(&timestamp_ns)
            && let Some(last) = self.values.last_mut()
        {
            *last = value;
        } else {
            self.timestamps_ns.push(timestamp_ns);
            self.values.push(value);
        }
    }
}

impl SeriesSlice<'_> {
    /// Returns the number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps_ns.len()
    }

    /// Returns whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps_ns.is_empty()
    }

    /// Copies the points into a series of their own.
    #[must_use]
    pub fn to_series(&self) -> Series {
        Series::from_sorted(self.timestamps_ns.to_vec(), self.values.to_vec())
    }
}

impl fmt::Display for SeriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LengthsDiffer => "timestamps and values differ in number",
            Self::BeforeEpoch => "a timestamp lies before the epoch",
        })
    }
}

impl std::error::Error for SeriesError {}

fn point(timestamp_ns: i64, value: f64) -> Point {
    Point {
        timestamp: Timestamp::from_valid_ns(timestamp_ns),
        value,
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
