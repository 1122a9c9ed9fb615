//! Model, driver contracts and domain rules of a metric store that keeps aggregates.
//!
//! A [`Gnocchi`] is a metric store: [metrics](model::Metric) with [archive policies](model::ArchivePolicy) that say which
//! aggregates are kept, [resources](model::Resource) that metrics hang on, and the rules between them. What it does not know is
//! where anything is kept: that is behind the four contracts of [`driver`]. This crate brings drivers in [memory]; the crate
//! `gnocchi-drivers` brings those that outlive the process. All arithmetic is in the crate `carbonara`.
//!
//! It is not a server: it knows no protocol, no configuration file and no user beyond a name.
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
//! // Hours, kept for a year; the 95th percentile is what we look at.
//! let hours = Definition::new(Some(Timespan::from_second(3600)?), Some(24 * 365), None)?;
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
//! A program that lives on calls [`Gnocchi::run`] in a task of its own, which folds measures as they arrive and cleans up.
//!
//! Every query has a [budget] of time, cells and memory, whose limits are in [`Settings`]: a query that is too large ends with
//! [`Error::Budget`] instead of taking the program away from the others. Large ones need a runtime with timers.
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
