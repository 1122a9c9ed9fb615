//! [`Frame`]: aggregated points of one metric at one granularity, column by column.

use std::fmt;
use std::ops::Range;

use crate::constants::POINTS_PER_BLOCK;
use crate::method::{AggregationMethod, Component, ComponentKind, ComponentSet, Statistic};
use crate::series::Series;
use crate::time::{Timespan, Timestamp};

/// Aggregated points of one metric at one granularity: a row for each bucket, a column for each component.
///
/// A row replaces whatever older frames say about its bucket. Counts are whole numbers held as doubles. A row
/// whose count of differences is zero has no rates; its rate columns hold zero and mean nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    granularity: Timespan,
    components: ComponentSet,
    buckets: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

/// Why parts are not a frame, or frames cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// There is not one column for each component.
    ColumnsMissing,
    /// A column is not as long as the list of buckets.
    LengthsDiffer,
    /// Bucket numbers are not strictly ascending.
    BucketsUnsorted,
    /// A bucket starts before the epoch or beyond [`Timestamp::MAX`].
    BucketOutOfRange,
    /// Frames to merge have different components.
    ComponentsDiffer,
    /// Frames to merge have different granularities.
    GranularitiesDiffer,
    /// There is no frame to merge.
    NothingToMerge,
}

impl Frame {
    /// Makes a frame of its parts.
    ///
    /// A bucket number is the start of the bucket divided by the granularity; columns stand in the order of `components`.
    ///
    /// # Errors
    /// [`FrameError::ColumnsMissing`], [`FrameError::LengthsDiffer`], [`FrameError::BucketsUnsorted`] and
    /// [`FrameError::BucketOutOfRange`] as their names say.
    pub fn new(
        granularity: Timespan,
        components: ComponentSet,
        buckets: Vec<i64>,
        columns: Vec<Vec<f64>>,
    ) -> Result<Self, FrameError> {
        if columns.len() != components.len() {
            return Err(FrameError::ColumnsMissing);
        }
        if columns.iter().any(|column| column.len() != buckets.len()) {
            return Err(FrameError::LengthsDiffer);
        }
        if !buckets.is_sorted_by(|earlier, later| earlier < later) {
            return Err(FrameError::BucketsUnsorted);
        }
        let out_of_range =
            |bucket: &i64| *bucket < 0 || bucket.checked_mul(granularity.as_nanosecond()).is_none();
        if buckets.first().is_some_and(out_of_range) || buckets.last().is_some_and(out_of_range) {
            return Err(FrameError::BucketOutOfRange);
        }
        Ok(Self {
            granularity,
            components,
            buckets,
            columns,
        })
    }

    /// Makes a frame without rows.
    #[must_use]
    pub fn empty(granularity: Timespan, components: ComponentSet) -> Self {
        let columns = vec![Vec::new(); components.len()];
        Self {
            granularity,
            components,
            buckets: Vec::new(),
            columns,
        }
    }

    /// Returns the length of a bucket.
    #[must_use]
    pub const fn granularity(&self) -> Timespan {
        self.granularity
    }

    /// Returns the components, in the order of the columns.
    #[must_use]
    pub const fn components(&self) -> &ComponentSet {
        &self.components
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Returns the bucket numbers, strictly ascending.
    #[must_use]
    pub fn buckets(&self) -> &[i64] {
        &self.buckets
    }

    /// Returns the columns in the order of [`Frame::components`], each as long as [`Frame::buckets`].
    #[must_use]
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Returns the column of one component.
    #[must_use]
    pub fn column(&self, component: Component) -> Option<&[f64]> {
        self.columns
            .get(self.components.position(component)?)
            .map(Vec::as_slice)
    }

    /// Returns the start of the first bucket.
    #[must_use]
    pub fn first_timestamp(&self) -> Option<Timestamp> {
        self.buckets.first().map(|bucket| self.start_of(*bucket))
    }

    /// Returns the start of the last bucket.
    #[must_use]
    pub fn last_timestamp(&self) -> Option<Timestamp> {
        self.buckets.last().map(|bucket| self.start_of(*bucket))
    }

    /// Copies the rows whose bucket number lies in `buckets`.
    #[must_use]
    pub fn range(&self, buckets: Range<i64>) -> Self {
        let from = self.buckets.partition_point(|at| *at < buckets.start);
        let to = self.buckets.partition_point(|at| *at < buckets.end);
        self.rows(from..to.max(from))
    }

    /// Copies the columns of those components that are `wanted`.
    #[must_use]
    pub fn select(&self, wanted: &ComponentSet) -> Self {
        let held = self.components.iter().zip(&self.columns);
        let (components, columns): (Vec<Component>, Vec<Vec<f64>>) = held
            .filter(|(component, _)| wanted.position(*component).is_some())
            .map(|(component, column)| (component, column.clone()))
            .unzip();
        Self::from_valid(
            self.granularity,
            components.into_iter().collect(),
            self.buckets.clone(),
            columns,
        )
    }

    /// Merges frames of one metric and granularity; for each bucket the whole row of the last frame that has it wins.
    ///
    /// # Errors
    /// [`FrameError::NothingToMerge`] for an empty slice, [`FrameError::GranularitiesDiffer`] and [`FrameError::ComponentsDiffer`]
    /// when a frame does not match the last one: a column that was never computed cannot be invented.
    pub fn merge(frames: &[&Self]) -> Result<Self, FrameError> {
        let last = frames.last().ok_or(FrameError::NothingToMerge)?;
        for frame in frames {
            if frame.granularity != last.granularity {
                return Err(FrameError::GranularitiesDiffer);
            }
            if frame.components != last.components {
                return Err(FrameError::ComponentsDiffer);
            }
        }
        let filled: Vec<&Self> = frames
            .iter()
            .copied()
            .filter(|frame| !frame.is_empty())
            .collect();
        let apart = filled
            .windows(2)
            .all(|pair| pair[0].buckets.last() < pair[1].buckets.first());
        Ok(if apart {
            Self::concatenate(&filled, last)
        } else {
            Self::interleave(&filled, last)
        })
    }

    /// Returns the points of one method, or `None` when a component that it needs is not here.
    ///
    /// Rates are absent from rows without a difference, standard deviations from rows of a single value.
    #[must_use]
    pub fn series(&self, method: AggregationMethod) -> Option<Series> {
        let component = |kind| Component {
            of_rate: method.of_rate,
            kind,
        };
        let own = |kind| self.column(component(kind));
        // Rows without a difference exist only for rates.
        let counts = own(ComponentKind::Count);
        if method.of_rate && counts.is_none() {
            return None;
        }
        match method.statistic {
            Statistic::Mean => {
                let (sums, counts) = (own(ComponentKind::Sum)?, counts?);
                Some(self.collect(|row| (counts[row] > 0.0).then(|| sums[row] / counts[row])))
            }
            Statistic::Std => {
                let (deviations, counts) = (own(ComponentKind::SquaredDeviations)?, counts?);
                Some(self.collect(|row| {
                    (counts[row] >= 2.0).then(|| (deviations[row] / (counts[row] - 1.0)).sqrt())
                }))
            }
            Statistic::Sum => Some(self.pick(own(ComponentKind::Sum)?, counts)),
            Statistic::Last => Some(self.pick(own(ComponentKind::Last)?, counts)),
            Statistic::Max => Some(self.pick(own(ComponentKind::Max)?, counts)),
            Statistic::Min => Some(self.pick(own(ComponentKind::Min)?, counts)),
            Statistic::Median => Some(self.pick(own(ComponentKind::Median)?, counts)),
            Statistic::First => Some(self.pick(own(ComponentKind::First)?, counts)),
            Statistic::Count => Some(self.pick(counts?, counts)),
            Statistic::Percentile(percentile) => {
                Some(self.pick(own(ComponentKind::Percentile(percentile))?, counts))
            }
        }
    }

    /// Cuts the frame at the borders of blocks: pairs of block number (bucket number / [`POINTS_PER_BLOCK`]) and rows, ascending.
    #[must_use]
    pub fn split_blocks(&self) -> Vec<(i64, Self)> {
        let mut blocks = Vec::new();
        let mut from = 0;
        while let Some(first) = self.buckets.get(from) {
            let number = first / POINTS_PER_BLOCK;
            let rest = &self.buckets[from..];
            let length = rest.partition_point(|bucket| bucket / POINTS_PER_BLOCK == number);
            blocks.push((number, self.rows(from..from + length)));
            from += length;
        }
        blocks
    }

    /// As [`split_blocks`](Self::split_blocks), without a copy when all rows lie in one block.
    #[must_use]
    pub fn into_blocks(self) -> Vec<(i64, Self)> {
        match (self.buckets.first(), self.buckets.last()) {
            (Some(first), Some(last)) if first / POINTS_PER_BLOCK == last / POINTS_PER_BLOCK => {
                vec![(first / POINTS_PER_BLOCK, self)]
            }
            _ => self.split_blocks(),
        }
    }

    /// Merges a later frame of the same metric and granularity into this one, whose rows win.
    ///
    /// Rows at or behind the last one are put in place; others cost a copy of the frame.
    ///
    /// # Errors
    /// As [`merge`](Self::merge); the frame is then unchanged.
    pub fn merge_in_place(&mut self, later: &Self) -> Result<(), FrameError> {
        let behind = match (self.buckets.last(), later.buckets.first()) {
            (Some(last), Some(first)) => last <= first,
            _ => false,
        };
        if !behind || self.granularity != later.granularity || self.components != later.components {
            *self = Self::merge(&[&*self, later])?;
            return Ok(());
        }
        if self.buckets.last() == later.buckets.first() {
            self.buckets.pop();
            for column in &mut self.columns {
                column.pop();
            }
        }
        self.buckets.extend_from_slice(&later.buckets);
        for (column, more) in self.columns.iter_mut().zip(&later.columns) {
            column.extend_from_slice(more);
        }
        Ok(())
    }

    /// Wraps parts that are known to be a frame.
    pub(crate) fn from_valid(
        granularity: Timespan,
        components: ComponentSet,
        buckets: Vec<i64>,
        columns: Vec<Vec<f64>>,
    ) -> Self {
        debug_assert_eq!(columns.len(), components.len(), "columns are missing");
        debug_assert!(
            columns.iter().all(|column| column.len() == buckets.len()),
            "columns differ in length"
        );
        debug_assert!(
            buckets.is_sorted_by(|earlier, later| earlier < later),
            "buckets are not strictly ascending"
        );
        Self {
            granularity,
            components,
            buckets,
            columns,
        }
    }

    fn start_of(&self, bucket: i64) -> Timestamp {
        // Checked by the constructor.
        Timestamp::from_valid_ns(bucket * self.granularity.as_nanosecond())
    }

    fn rows(&self, rows: Range<usize>) -> Self {
        Self {
            granularity: self.granularity,
            components: self.components.clone(),
            buckets: self.buckets[rows.clone()].to_vec(),
            columns: self
                .columns
                .iter()
                .map(|column| column[rows.clone()].to_vec())
                .collect(),
        }
    }

    /// Joins frames each of which lies wholly after the one before.
    fn concatenate(frames: &[&Self], like: &Self) -> Self {
        let rows = frames.iter().map(|frame| frame.len()).sum();
        let mut buckets = Vec::with_capacity(rows);
        for frame in frames {
            buckets.extend_from_slice(&frame.buckets);
        }
        let columns = (0..like.columns.len())
            .map(|index| {
                let mut column = Vec::with_capacity(rows);
                for frame in frames {
                    column.extend_from_slice(&frame.columns[index]);
                }
                column
            })
            .collect();
        Self::from_valid(like.granularity, like.components.clone(), buckets, columns)
    }

    /// Merges frames that overlap.
    ///
    /// Why a sort and no heap? The list is a row of ascending runs, which the standard stable sort finds
    /// and merges: the cost is linear for few frames and n log k for k of them.
    fn interleave(frames: &[&Self], like: &Self) -> Self {
        let mut rows: Vec<(i64, usize, usize)> = Vec::new();
        for (source, frame) in frames.iter().enumerate() {
            let own = frame.buckets.iter().enumerate();
            rows.extend(own.map(|(row, bucket)| (*bucket, source, row)));
        }
        rows.sort_by_key(|(bucket, _, _)| *bucket);
        // Stable: of equal buckets the one of the latest frame stands last.
        let winners: Vec<(i64, usize, usize)> = rows
            .iter()
            .zip(rows.iter().skip(1).map(Some).chain([None]))
            .filter(|(row, next)| next.is_none_or(|next| next.0 != row.0))
            .map(|(row, _)| *row)
            .collect();
        let buckets = winners.iter().map(|(bucket, _, _)| *bucket).collect();
        let columns = (0..like.columns.len())
            .map(|index| {
                winners
                    .iter()
                    .map(|(_, source, row)| frames[*source].columns[index][*row])
                    .collect()
            })
            .collect();
        Self::from_valid(like.granularity, like.components.clone(), buckets, columns)
    }

    /// Takes a column as it is, without the rows that count nothing.
    fn pick(&self, column: &[f64], counts: Option<&[f64]>) -> Series {
        match counts {
            Some(counts) => self.collect(|row| (counts[row] > 0.0).then(|| column[row])),
            None => self.collect(|row| Some(column[row])),
        }
    }

    fn collect(&self, value_of: impl Fn(usize) -> Option<f64>) -> Series {
        let granularity_ns = self.granularity.as_nanosecond();
        let mut timestamps_ns = Vec::with_capacity(self.len());
        let mut values = Vec::with_capacity(self.len());
        for (row, bucket) in self.buckets.iter().enumerate() {
            if let Some(value) = value_of(row) {
                timestamps_ns.push(bucket * granularity_ns);
                values.push(value);
            }
        }
        Series::from_sorted(timestamps_ns, values)
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ColumnsMissing => "columns and components differ in number",
            Self::LengthsDiffer => "columns differ in length",
            Self::BucketsUnsorted => "buckets are not strictly ascending",
            Self::BucketOutOfRange => "a bucket lies outside the range of time",
            Self::ComponentsDiffer => "frames have different components",
            Self::GranularitiesDiffer => "frames have different granularities",
            Self::NothingToMerge => "no frame to merge",
        })
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
