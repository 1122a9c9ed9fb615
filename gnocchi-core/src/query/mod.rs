//! Reading aggregates, and computing across those of many metrics.

mod admission;
mod aggregates;
mod columns;
mod evaluation;
mod groups;
mod history;
mod measures;
mod meter;
mod overlay;
mod predicate;
mod reaggregation;
mod resources;
mod rows;
mod selection;
mod stretches;

pub use admission::{Admission, Candidate, Revisions};
pub use aggregates::{
    AggregatesError, AggregatesQuery, Evaluation, FoundMetric, Gaps, Outcomes, SeriesName, Source,
};
pub use columns::ColumnsQuery;
pub use groups::{KeepResources, ResourceGroup, ResourceGroups, ResourceSelection};
pub use history::{HistoryAggregates, HistoryLevel};
pub use measures::{LevelMeasures, MeasuresQuery, Resample};
pub use predicate::{Operand, Operation, Predicate};
pub use reaggregation::ReaggregationQuery;
pub use resources::GroupAggregates;
