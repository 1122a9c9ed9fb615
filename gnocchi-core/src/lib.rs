//! The core of a time-series database that stores aggregates: data model, driver contracts, processing and queries.
//!
//! A [`Gnocchi`] is such a database: [metrics](model::Metric) with [archive policies](model::ArchivePolicy) that define which aggregates are stored,
//! [resources](model::Resource) that metrics belong to, and the rules between them. The four contracts of [`driver`] abstract
//! from where data is stored. Drivers in [memory] are included; persistent ones are in the crate `gnocchi-drivers`, and all arithmetic is
//! in [`carbonara`].
//!
//! It is not a server: it knows no protocol, no configuration file and no user beyond a name. Nor is it the most convenient interface:
//! programs that embed a database use `gnocchi_drivers::Store`, which has names instead of identifiers. Depend on this crate to write a
//! driver, or a server of another protocol.
//!
//! # Example
//!
//! ```
//! use gnocchi_core::model::{ArchivePolicy, Definition, Measures, NewMetric};
//! use gnocchi_core::query::MeasuresQuery;
//! use gnocchi_core::{DefaultPolicies, Gnocchi, Settings, memory};
//! use carbonara::{Series, Timespan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = Gnocchi::new(memory::drivers(), Settings::default());
//! store.upgrade(DefaultPolicies::Skip).await?;
//!
//! // The 95th percentile of every hour, kept for a year.
//! let hours = Definition::new(Some(Timespan::HOUR), Some(24 * 365), None)?;
//! let method = "95pct".parse()?;
//! store.create_archive_policy(&ArchivePolicy::new("hourly", 0, vec![hours], vec![method])?).await?;
//! let metric = store.create_metrics(vec![NewMetric::new(None, "hourly", None, None, None)?]).await?.remove(0);
//!
//! // A million points, a second apart, in no order: the step is coprime to the number of points.
//! let seconds = (0..1_000_000_i64).map(|index| index * 700_001 % 1_000_000);
//! let (stamps, values) = seconds.map(|second| (second * 1_000_000_000, (second % 3600) as f64)).unzip();
//! store.append(vec![Measures { metric: metric.id, series: Series::from_points(stamps, values)? }]).await?;
//!
//! let query = MeasuresQuery { method, granularity: None, start: None, stop: None, resample: None };
//! let hourly = &store.measures(&metric, &query).await?[0].series;
//! assert_eq!(hourly.len(), 278);
//! assert_eq!(hourly.values()[0], 3419.05);
//! # Ok(()) })
//! # }
//! ```
//!
//! A long-running program calls [`Gnocchi::run`] in a separate task, which folds measures as they arrive and removes the data of
//! deleted metrics. It ends when its [`Shutdown`] begins.
//!
//! Every query has a [budget] of time, cells and memory, whose limits are in [`Settings`]: a query that exceeds them ends with
//! [`Error::Budget`], so that it does not starve others. `run` and large queries need a Tokio runtime with timers.
//!
//! # Main types
//!
//! | module | what it is |
//! |---|---|
//! | [`Gnocchi`] | the facade: every operation on metrics, resources, archive policies and measures |
//! | [`model`] | validated plain data |
//! | [`driver`] | the contracts that back-ends implement |
//! | [`query`] | aggregates of one and of many metrics, expressions, groups |
//! | [`search`] | filters of resources |
//! | [`policy`] | access rules |
//! | [`error`] | the errors of each contract |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `conformance` | the suites that every driver runs, and drivers that fail on purpose |

pub mod access;
pub mod budget;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod directory;
pub mod driver;
pub mod error;
pub mod intake;
pub mod log_limit;
pub mod memory;
pub mod model;
pub mod pending;
pub mod policy;
mod processing;
pub mod query;
pub mod search;
mod shutdown;
mod store;
mod telemetry;
pub mod text;

pub use error::Error;
pub use intake::{AppendOptions, Appended, Reported};
pub use shutdown::Shutdown;
pub use store::{DefaultPolicies, Drivers, Gnocchi, Settings};
