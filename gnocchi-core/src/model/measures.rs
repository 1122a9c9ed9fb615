//! What arrives: measures of one metric.

use carbonara::Series;

use super::MetricId;

/// The measures of one metric in one request: sorted, one value a timestamp (the last one received).
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// Whose measures these are.
    pub metric: MetricId,
    /// Timestamps and values.
    pub series: Series,
}
