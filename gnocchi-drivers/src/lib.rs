//! A metric database for Rust programs, in one directory or on back-ends of your own.
//!
//! Gnocchi stores time series by their *aggregates*. Every metric has an archive policy that defines them, such as the mean of every second
//! for a day and of every minute for a month. Measures are aggregated once, as they arrive, so the cost of reading and the space of a
//! metric do not depend on their number. Late measures are merged in.
//!
//! This crate is not a server. The crate `gnocchi-server` serves the HTTP API from the same directory; [`gnocchi-carbonara`](carbonara) is
//! the arithmetic alone.
//!
//! # Example
//!
//! ```
//! use gnocchi_drivers::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), gnocchi_drivers::Error> {
//! # let directory = tempfile::tempdir().expect("a directory for temporary files");
//! # let path = directory.path().join("metrics");
//! let store = Store::builder(path).open().await?;
//! store
//!     .ensure_policy(
//!         Policy::named("agent")
//!             .keep(SECOND, days(1))
//!             .keep(MINUTE, days(30))
//!             .keep(HOUR, days(365))
//!             .methods(["mean", "max", "95pct", "count"])
//!             .back_window(1),
//!     )
//!     .await?;
//! let cpu = store.metric("host", "cpu").policy("agent").ensure().await?;
//!
//! let report = store.append([(&cpu, Timestamp::now(), 0.4)]).await?;
//! assert!(report.is_complete(), "{report}");
//!
//! let rows = store.read([&cpu]).methods(["mean", "95pct"]).every(MINUTE).last(HOUR).await?;
//! for row in &rows {
//!     println!("{row}");
//! }
//! # assert_eq!(rows.len(), 1);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! | topic | summary |
//! |---|---|
//! | dependencies | `gnocchi-drivers` and `tokio` with the features `macros` and `rt-multi-thread`, and those that the program itself uses (`time`, `signal`). The crates whose types appear here are re-exported: [`carbonara`], [`gnocchi_core`], [`jiff`] |
//! | runtime | Tokio with timers, preferably with several threads; see [`Store`]. The feature `blocking` needs no runtime in the program |
//! | durability | A measure is on the disk, and can be read, when [`Store::append`] returns |
//! | points per call | Append as many as possible in one call: each call waits for the disk once, whatever their number. Tasks that append at the same time share that wait |
//! | times | [`Timestamp`] and [`Timespan`], in nanoseconds; arguments may also be types of `std` (`SystemTime`, `Duration`) and `jiff` |
//! | late measures | Accepted within the [back window](Policy::back_window) of the policy; older ones are refused and reported |
//! | processing | A task of the store folds measures, unless [`StoreBuilder::processing`](store::StoreBuilder::processing) is set |
//! | complete interface | [`Store::gnocchi`]: resources with attributes, searches, expressions over many series |
//! | several processes | Only one process can open a directory; others get an error. They can read a [snapshot](store::StoreBuilder::open_snapshot), or use the HTTP API of that process |
//! | logs and metrics | Through the crates `tracing` and `metrics` |
//!
//! The `examples` folders of the repository have seven programs: quick start, many metrics, late data, background processing, a driver of
//! your own, mounting the HTTP API, and the engine alone.
//!
//! # Modules
//!
//! | module | feature | what it is |
//! |---|---|---|
//! | [`store`] | | [`Store`], the interface of the example, over any back-ends |
//! | `store::blocking` | `blocking` | the same for programs that are not asynchronous |
//! | [`span`] | | durations: [`MINUTE`](span::MINUTE), [`days`](span::days)`(30)` |
//! | [`embedded`] | `embedded` (default) | back-end in a directory: pending measures, aggregates, leases |
//! | [`sql`] | `sqlite` (default) | back-end in a directory: archive policies, metrics, resources |
//! | [`coordination`] | | leases within one process |
//! | [`option`] | | options of back-ends for configuration files |
//! | [`disk`] | | free space of file systems |
//!
//! Each back-end implements contracts of [`gnocchi_core::driver`]; those in memory are in [`gnocchi_core::memory`]. `Store::builder` needs
//! `embedded` and `sqlite`.

/// The examples of the page on the registry compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod coordination;
#[cfg(any(feature = "embedded", feature = "sqlite"))]
pub mod disk;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod option;
pub mod prelude;
pub mod span;
#[cfg(feature = "sqlite")]
pub mod sql;
pub mod store;

pub use carbonara::{self, AggregationMethod, Point, Series, TimeError, Timespan, Timestamp};
pub use gnocchi_core::{self, clock::Now};
pub use jiff;
#[cfg(feature = "blocking")]
pub use store::blocking;
pub use store::{Error, MetricHandle, Policy, Store};
