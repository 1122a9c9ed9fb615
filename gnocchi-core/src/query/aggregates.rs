//! Computing across many series: what is asked for, and what comes out.

use std::sync::Arc;

use carbonara::align::{Alignment, Fill, Overlap, RangeEnd};
use carbonara::expression::{EvaluateError, Expression, Outcome};
use carbonara::{AggregationMethod, Timespan, Timestamp};
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::budget::BudgetError;
use crate::error::Error;
use crate::model::{Metric, ResourceId};

/// What is computed across series.
#[derive(Debug, Clone)]
pub struct AggregatesQuery {
    /// What is done with the series.
    pub expression: Arc<Expression>,
    /// One granularity; `None` wants all that the series have in common.
    pub granularity: Option<Timespan>,
    /// What stands where a series has no point.
    pub gaps: Gaps,
    /// Whose clocks and calendar an expression follows that resamples.
    pub time_zone: TimeZone,
}

/// What stands where a series has no point at a moment that another one has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gaps {
    /// What this says.
    Fill(Fill),
    /// Nothing may be missing in so many percent of the moments.
    Overlap {
        /// From 0 to 100.
        needed_percent: f64,
    },
}

/// One series that goes into a computation.
#[derive(Debug, Clone)]
pub struct Source {
    /// Which [reference](Expression::references) of the expression it stands for.
    pub reference: usize,
    /// Whose series it is.
    pub metric: Arc<Metric>,
    /// Through which resource the metric was found, and under which name; `None` when it was named by its id.
    pub found: Option<FoundMetric>,
}

/// How a metric was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMetric {
    /// The resource that it belongs to.
    pub resource: ResourceId,
    /// Its name there.
    pub name: String,
}

/// Series that are computed with at once.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// The series, in the order of the columns.
    pub sources: Vec<Source>,
    /// The first moment; the bucket that holds it is included.
    pub start: Option<Timestamp>,
    /// The end: buckets that begin at or after it are left out.
    pub stop: Option<Timestamp>,
}

/// A series that an error is about.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesName {
    /// Its metric.
    pub metric: Arc<Metric>,
    /// What the metric is called by who asks: its name where it was found by that, else its id.
    pub name: String,
    /// The aggregation method as it is written in the expression.
    pub method: String,
}

/// Why nothing can be computed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AggregatesError {
    /// The archive policies of the metrics have no granularity in common.
    #[error("the metrics have no granularity in common")]
    NoGranularityMatch {
        /// All series.
        series: Vec<SeriesName>,
    },
    /// The granularity that is asked for is not kept of some metrics.
    #[error("some metrics do not have the granularity of {} s", granularity.as_second_f64())]
    GranularitiesMissing {
        /// The series that lack it; at least one.
        series: Vec<SeriesName>,
        /// What is asked for.
        granularity: Timespan,
    },
    /// An aggregation method is not kept of a metric, or there is no such method.
    #[error("the aggregates {} of metric {} are not kept", series.method, series.metric.id)]
    UnknownAggregation {
        /// The first series that cannot be read.
        series: Box<SeriesName>,
        /// How many other series would be computed with.
        others: usize,
    },
    /// No resource has any of the metrics.
    #[error("no resource has a metric of these names")]
    NoSuchMetric {
        /// The names, sorted, each once.
        names: Vec<String>,
    },
    /// The expression has more references than are looked for on resources.
    #[error("the expression has more than {limit} references to names of metrics")]
    TooManyPatterns {
        /// How many it may have.
        limit: usize,
    },
    /// A reference is longer than names are looked for.
    #[error("the expression has a reference of more than {limit_bytes} bytes")]
    PatternTooLong {
        /// How long it may be.
        limit_bytes: usize,
    },
    /// The references are together longer than names are looked for.
    #[error("the references of the expression have more than {limit_bytes} bytes together")]
    PatternsTooLong {
        /// How long they may be.
        limit_bytes: usize,
    },
    /// Each value must belong to a whole group, and the expression leaves the series apart.
    #[error("the expression does not aggregate its series")]
    NotAggregated,
    /// There is no such method that computes across series.
    #[error("{name} is not a method that aggregates across series")]
    UnknownReaggregation {
        /// What is asked for.
        name: String,
    },
    /// The expression cannot be computed with these series.
    #[error("the expression cannot be computed")]
    Evaluate(#[from] EvaluateError),
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<BudgetError> for AggregatesError {
    fn from(error: BudgetError) -> Self {
        Self::Store(error.into())
    }
}

/// What was computed for each granularity, coarsest first.
pub type Outcomes = Vec<Outcome>;

impl Gaps {
    /// Says how series are aligned in a time that may be open.
    pub(super) fn alignment(self, start: Option<Timestamp>, stop: Option<Timestamp>) -> Alignment {
        let end = |moment: Option<Timestamp>| match moment {
            Some(_) => RangeEnd::Given,
            None => RangeEnd::Open,
        };
        match self {
            Self::Fill(fill) => Alignment::Fill(fill),
            Self::Overlap { needed_percent } => Alignment::Overlap(Overlap {
                needed_percent,
                start: end(start),
                stop: end(stop),
            }),
        }
    }
}

impl Source {
    /// Names the series for an error.
    pub(super) fn name(&self, method: &str) -> SeriesName {
        let name = match &self.found {
            Some(found) => found.name.clone(),
            None => self.metric.id.to_string(),
        };
        SeriesName {
            metric: Arc::clone(&self.metric),
            name,
            method: method.to_owned(),
        }
    }
}

/// The granularities of one evaluation, and the method of each of its series.
#[derive(Debug)]
pub(super) struct Plan {
    /// Coarsest first.
    pub(super) granularities: Vec<Timespan>,
    pub(super) methods: Vec<AggregationMethod>,
}

impl Plan {
    /// Checks that every series can be read.
    pub(super) fn of(
        sources: &[Source],
        methods: &[&str],
        granularity: Option<Timespan>,
    ) -> Result<Self, AggregatesError> {
        let name = |source: &Source| source.name(methods[source.reference]);
        let granularities = match granularity {
            Some(granularity) => vec![granularity],
            None => common_granularities(sources),
        };
        if granularities.is_empty() {
            let series = sources.iter().map(name).collect();
            return Err(AggregatesError::NoGranularityMatch { series });
        }
        let mut parsed = Vec::with_capacity(sources.len());
        let mut missing = Vec::new();
        for source in sources {
            let policy = &source.metric.archive_policy;
            let method = (methods[source.reference].parse().ok())
                .filter(|method| policy.aggregation_methods().contains(method));
            let Some(method) = method else {
                let series = Box::new(name(source));
                let others = sources.len() - 1;
                return Err(AggregatesError::UnknownAggregation { series, others });
            };
            parsed.push(method);
            if granularity.is_some_and(|wanted| !has_granularity(source, wanted)) {
                missing.push(name(source));
            }
        }
        match granularity {
            Some(granularity) if !missing.is_empty() => {
                Err(AggregatesError::GranularitiesMissing {
                    series: missing,
                    granularity,
                })
            }
            _ => Ok(Self {
                granularities,
                methods: parsed,
            }),
        }
    }
}

fn has_granularity(source: &Source, granularity: Timespan) -> bool {
    let mut levels = source.metric.archive_policy.plan().levels().iter();
    levels.any(|level| level.granularity == granularity)
}

/// Returns the granularities that all metrics have, coarsest first.
fn common_granularities(sources: &[Source]) -> Vec<Timespan> {
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    let mut common: Vec<Timespan> = first
        .metric
        .archive_policy
        .plan()
        .levels()
        .iter()
        .map(|level| level.granularity)
        .collect();
    // Metrics mostly share a few policies, so each policy is looked at once in a row.
    let mut before = &first.metric.archive_policy;
    for source in others {
        let policy = &source.metric.archive_policy;
        if !Arc::ptr_eq(before, policy) {
            common.retain(|granularity| has_granularity(source, *granularity));
            before = policy;
        }
    }
    common.sort_unstable_by(|one, other| other.cmp(one));
    common
}
