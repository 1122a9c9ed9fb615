//! Aggregates that were read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use carbonara::{AggregationMethod, Series, Timespan, Timestamp};

use super::method::IntoMethod;
use super::metric::MetricHandle;

/// Aggregates of metrics: for each metric, in the order asked, the rows of one granularity.
#[derive(Debug, Clone)]
pub struct Rows {
    metrics: Vec<MetricRows>,
}

/// Aggregates of one metric and granularity: a row per bucket that has measures, oldest first, and a column per method.
#[derive(Debug, Clone)]
pub struct MetricRows {
    metric: MetricHandle,
    granularity: Timespan,
    methods: Vec<AggregationMethod>,
    columns: Vec<Series>,
    /// The timestamps of all columns, when they are not the same.
    union_ns: OnceLock<Option<Vec<i64>>>,
}

/// The aggregates of one bucket of one metric.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    rows: &'a MetricRows,
    index: usize,
}

impl Rows {
    pub(super) fn new(metrics: Vec<MetricRows>) -> Self {
        Self { metrics }
    }

    /// Returns the rows of each metric, in the order asked.
    #[must_use]
    pub fn metrics(&self) -> &[MetricRows] {
        &self.metrics
    }

    /// Returns the rows of one metric, or `None` when it was not asked for.
    #[must_use]
    pub fn of(&self, metric: &MetricHandle) -> Option<&MetricRows> {
        self.metrics
            .iter()
            .find(|rows| rows.metric.id() == metric.id())
    }

    /// Returns the number of rows of all metrics.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.iter().map(MetricRows::len).sum()
    }

    /// Returns whether there is no row at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.iter().all(MetricRows::is_empty)
    }

    /// Iterates over the rows, metric by metric, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.metrics.iter().flat_map(MetricRows::iter)
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = Row<'a>;
    type IntoIter = Box<dyn Iterator<Item = Row<'a>> + Send + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.metrics.iter().flat_map(MetricRows::iter))
    }
}

impl IntoIterator for Rows {
    type Item = MetricRows;
    type IntoIter = std::vec::IntoIter<MetricRows>;

    /// Takes the rows of each metric, in the order asked.
    fn into_iter(self) -> Self::IntoIter {
        self.metrics.into_iter()
    }
}

impl MetricRows {
    pub(super) fn new(
        metric: MetricHandle,
        granularity: Timespan,
        methods: Vec<AggregationMethod>,
        columns: Vec<Series>,
    ) -> Self {
        Self {
            metric,
            granularity,
            methods,
            columns,
            union_ns: OnceLock::new(),
        }
    }

    /// Returns the metric.
    #[must_use]
    pub fn metric(&self) -> &MetricHandle {
        &self.metric
    }

    /// Returns how much time each row covers.
    #[must_use]
    pub fn granularity(&self) -> Timespan {
        self.granularity
    }

    /// Returns the methods that were read, in the order asked.
    #[must_use]
    pub fn methods(&self) -> &[AggregationMethod] {
        &self.methods
    }

    /// Returns one method as a series, or `None` when it was not read.
    #[must_use]
    pub fn series(&self, method: impl IntoMethod) -> Option<&Series> {
        let method = method.into_method().ok()?;
        let place = self.methods.iter().position(|own| *own == method)?;
        self.columns.get(place)
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps_ns().len()
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(Series::is_empty)
    }

    /// Returns the newest row.
    #[must_use]
    pub fn last(&self) -> Option<Row<'_>> {
        let index = self.len().checked_sub(1)?;
        Some(Row { rows: self, index })
    }

    /// Iterates over the rows, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> + DoubleEndedIterator + Send {
        (0..self.len()).map(|index| Row { rows: self, index })
    }

    /// Returns the timestamps of the rows. Most methods have a value in every bucket that has measures, but `std` needs two of them.
    fn timestamps_ns(&self) -> &[i64] {
        let union = self.union_ns.get_or_init(|| {
            let (first, others) = self.columns.split_first()?;
            let differ = others
                .iter()
                .any(|other| other.timestamps_ns() != first.timestamps_ns());
            differ.then(|| {
                let all = self.columns.iter().flat_map(Series::timestamps_ns);
                all.copied()
                    .collect::<BTreeSet<i64>>()
                    .into_iter()
                    .collect()
            })
        });
        match (union, self.columns.first()) {
            (Some(union), _) => union,
            (None, Some(first)) => first.timestamps_ns(),
            (None, None) => &[],
        }
    }
}

impl<'a> IntoIterator for &'a MetricRows {
    type Item = Row<'a>;
    type IntoIter = Box<dyn ExactSizeIterator<Item = Row<'a>> + Send + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<'a> Row<'a> {
    /// Returns the metric.
    #[must_use]
    pub fn metric(&self) -> &'a MetricHandle {
        &self.rows.metric
    }

    /// Returns when the bucket begins.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let timestamp_ns = self.rows.timestamps_ns()[self.index];
        Timestamp::from_nanosecond(timestamp_ns).unwrap_or_default()
    }

    /// Returns the aggregate of one method, or `None` when the bucket has none or the method was not read.
    #[must_use]
    pub fn value(&self, method: impl IntoMethod) -> Option<f64> {
        self.value_of(self.rows.series(method)?)
    }

    /// Iterates over the methods that were read, in the order asked, with the aggregate of each; `None` where the bucket has none.
    pub fn values(&self) -> impl Iterator<Item = (AggregationMethod, Option<f64>)> + use<'a> {
        let (row, rows) = (*self, self.rows);
        let columns = rows.methods.iter().zip(&rows.columns);
        columns.map(move |(method, column)| (*method, row.value_of(column)))
    }

    fn value_of(&self, column: &Series) -> Option<f64> {
        let timestamps_ns = self.rows.timestamps_ns();
        // A column with a value in every row has them at the same places.
        let place = if column.len() == timestamps_ns.len() {
            self.index
        } else {
            let wanted = timestamps_ns[self.index];
            column.timestamps_ns().binary_search(&wanted).ok()?
        };
        column.values().get(place).copied()
    }
}

/// For example `2026-01-01T00:00:00Z host/cpu mean=0.4 max=0.7`.
impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = jiff::Timestamp::from(self.timestamp());
        write!(f, "{timestamp} {}", self.metric())?;
        for (method, value) in self.values() {
            if let Some(value) = value {
                write!(f, " {method}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gnocchi_core::model::{
        ArchivePolicy, Metric, MetricId, MetricStatus, default_aggregation_methods,
    };

    use super::*;

    fn rows(columns: &[(&str, &[(i64, f64)])]) -> MetricRows {
        let policy = ArchivePolicy::defaults(&default_aggregation_methods());
        let metric = Metric {
            id: MetricId::from_u128(1),
            creator: None,
            name: Some("cpu".into()),
            unit: None,
            resource_id: None,
            archive_policy: std::sync::Arc::new(policy[0].clone()),
            status: MetricStatus::Active,
        };
        let series = columns.iter().map(|(_, points)| {
            let points = points
                .iter()
                .map(|(second, value)| (Timestamp::from_second(*second).unwrap(), *value));
            points.collect()
        });
        MetricRows::new(
            MetricHandle::from(&metric),
            Timespan::SECOND,
            columns
                .iter()
                .map(|(name, _)| name.parse().unwrap())
                .collect(),
            series.collect(),
        )
    }

    #[test]
    fn a_bucket_without_one_of_the_aggregates_is_a_row_all_the_same() {
        let rows = rows(&[("mean", &[(1, 1.5), (2, 2.5)]), ("std", &[(2, 0.5)])]);
        let text: Vec<String> = rows.iter().map(|row| row.to_string()).collect();
        let expected = [
            "1970-01-01T00:00:01Z cpu mean=1.5",
            "1970-01-01T00:00:02Z cpu mean=2.5 std=0.5",
        ];
        assert_eq!(text, expected);
        let last = rows.last().unwrap();
        assert_eq!((last.value("std"), last.value("max")), (Some(0.5), None));
    }
}
