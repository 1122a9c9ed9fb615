//! Taking measures.
//!
//! | file | concern |
//! |---|---|
//! | `append`, `ahead`, `lateness` | measures of metrics that are known by id |
//! | `batch` | series that come with the names of their resource and metric |
//! | `store` | the use case: such series find their metrics, or have them created, and are appended |
//! | `whole`, `each` | the two ways to find and create: all series or none, and each series for itself |
//! | `plan` | resources and metrics that are created with their first measure |
//! | `creation` | how a description becomes a new metric: access rules, name, archive policy |
//! | `resource_kind` | the type of resources that are created with their first measure |
//! | `report`, `error` | a verdict for each series, and why nothing is stored |

mod ahead;
mod append;
mod batch;
mod creation;
mod each;
mod error;
mod full_name;
mod lateness;
mod plan;
mod report;
mod resource_kind;
mod store;
mod whole;

pub(crate) use ahead::AheadLog;
pub use append::{AppendOptions, Appended, Reported};
pub use batch::{Destination, NamedBatch, NamedSeries, UnusableId, put_together, unite};
pub use creation::{MetricDescription, MetricMaker, check_metric_name};
pub use error::{IntakeError, Refusal, UnfitReason};
pub use full_name::{FullName, SeriesKey};
pub(crate) use lateness::newest_of;
pub use report::{Refused, Report, Verdict};
pub use resource_kind::ResourceKind;
pub use store::{Intake, IntakeLimits, Missing};
