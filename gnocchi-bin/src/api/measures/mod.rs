//! Bodies that carry measures, parsed from bytes straight into columns.
//!
//! Two parsers stand behind each function. The fast one (`fast`) reads the shape that nearly every client sends and gives up
//! at the first surprise. The complete one (`complete`) then reads everything that is allowed and says what is wrong with
//! the rest. Whatever the fast one accepts, the complete one reads the same way.

mod complete;
mod fast;
mod fault;
mod number;
mod shape;
mod tokens;

use carbonara::{Series, Timestamp};
use gnocchi_core::intake::{put_together, unite};
use gnocchi_core::model::MetricId;

use crate::api::request::schema::Invalid;

pub(crate) use number::Number;
use tokens::quote_bare_tokens;

/// What a parser needs to know beside the body.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// What relative timestamps count from.
    pub now: Timestamp,
    /// The largest number of points in one body.
    pub points_max: usize,
    /// The largest number of metrics in one body. One that occurs twice counts twice, and a resource without any counts as one.
    pub metrics_max: usize,
}

/// Why a body with measures cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// It is no JSON; the text says what the decoder met.
    Malformed(String),
    /// It is JSON of another shape.
    Invalid(Invalid),
    /// It holds more points than are allowed.
    TooManyPoints,
    /// It names more metrics than are allowed.
    TooManyMetrics,
}

/// The measures of one named metric of a resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedMeasures {
    /// The name of the metric.
    pub name: String,
    /// The archive policy that it gets if it must be created.
    pub archive_policy_name: Option<String>,
    /// The unit that it gets if it must be created.
    pub unit: Option<String>,
    /// Its measures.
    pub series: Series,
}

/// The measures of the metrics of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceMeasures {
    /// The id of the resource as its creator writes it.
    pub original_id: String,
    /// Its metrics.
    pub metrics: Vec<NamedMeasures>,
}

/// Parses a list of measures.
///
/// # Errors
/// [`BodyError`] when the body is no such list.
pub fn list(body: &[u8], context: Context) -> Result<Series, BodyError> {
    match fast::list(body, context) {
        Some(series) => Ok(series),
        None => complete::list(body, context),
    }
}

/// Parses a mapping of metrics to lists of measures. Measures of a metric that occurs twice are combined.
///
/// # Errors
/// [`BodyError`] when the body is no such mapping.
pub fn by_metric(body: &[u8], context: Context) -> Result<Vec<(MetricId, Series)>, BodyError> {
    let parsed = match fast::by_metric(body, context) {
        Some(parsed) => parsed,
        None => complete::by_metric(body, context)?,
    };
    Ok(unite(
        parsed,
        |(metric, _)| *metric,
        |(_, series), later| {
            let later = later.into_iter().map(|(_, later)| later);
            *series = put_together(std::mem::take(series), later);
        },
    ))
}

/// Parses a mapping of resources to mappings of names of metrics to lists of measures, or to objects that hold such a list.
///
/// # Errors
/// [`BodyError`] when the body is no such mapping.
pub fn by_resource(body: &[u8], context: Context) -> Result<Vec<ResourceMeasures>, BodyError> {
    match fast::by_resource(body, context) {
        Some(parsed) => Ok(parsed),
        None => complete::by_resource(body, context),
    }
}

/// How much room a column may have beyond its values without giving it back, in values.
const COLUMN_SLACK_MAX: usize = 64;

/// Timestamps and values in the order of the body.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    timestamps_ns: Vec<i64>,
    values: Vec<f64>,
}

impl Columns {
    fn with_capacity(points: usize) -> Self {
        Self {
            timestamps_ns: Vec::with_capacity(points),
            values: Vec::with_capacity(points),
        }
    }

    pub(crate) fn push(&mut self, timestamp: Timestamp, value: f64) {
        self.timestamps_ns.push(timestamp.as_nanosecond());
        self.values.push(value);
    }

    /// Returns the number of points.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Gives back room that is out of all proportion to what is there.
    fn give_back(&mut self) {
        if self.values.capacity() > (2 * self.values.len()).max(COLUMN_SLACK_MAX) {
            self.timestamps_ns.shrink_to_fit();
            self.values.shrink_to_fit();
        }
    }

    pub(crate) fn into_series(self) -> Series {
        Series::from_points(self.timestamps_ns, self.values)
            .expect("every push adds to both columns, and a `Timestamp` is not before the epoch")
    }
}

#[cfg(test)]
#[path = "measures_tests.rs"]
mod tests;
