//! A metric database for Rust programs, in one directory or on back-ends of your own.
//!
//! Gnocchi stores time series by their *aggregates*. Every metric has an archive policy that says which ones: the mean of every second for
//! a day, of every minute for a month. Measures are aggregated once, when they arrive, so that reads cost the same however many there
//! were, and the space that a metric takes has a limit. Late measures are merged in.
//!
//! It is not a server. The HTTP API over the same directory is in the crate `gnocchi-server`; the arithmetic alone is in
//! [`gnocchi-carbonara`](carbonara).
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
//! | question | short reply |
//! |---|---|
//! | Which dependencies? | `gnocchi-drivers` and `tokio` with the features `macros` and `rt-multi-thread`, and what the program itself uses of it (`time`, `signal`). The crates whose types appear here are re-exported: [`carbonara`], [`gnocchi_core`], [`jiff`] |
//! | Which runtime? | Tokio with timers and preferably several threads, see [`Store`]. None of your own with feature `blocking` |
//! | When is a measure safe? | When [`Store::append`] returns. It can be read from then on |
//! | How many points per call? | As many as there are: every call waits for the disk once, however many points it has. Tasks that append at the same time share that wait |
//! | Which times? | [`Timestamp`] and [`Timespan`], nanoseconds, or those of `std` (`SystemTime`, `Duration`) and `jiff` wherever one is taken |
//! | What about late measures? | Accepted within the [back window](Policy::back_window) of the policy, refused and reported before it |
//! | Who folds measures? | A task of the store, unless [`StoreBuilder::processing`](store::StoreBuilder::processing) says otherwise |
//! | Where is everything else? | [`Store::gnocchi`] returns the complete interface: resources with attributes, searches, expressions over many series |
//! | May several processes open the directory? | One does, and others get an error. They can read a [snapshot](store::StoreBuilder::open_snapshot), or ask that process through the HTTP API |
//! | Where are problems logged? | With `tracing`; counters go to `metrics` |
//!
//! Programs with examples: quick start, many metrics, late data, background processing, a driver of your own, mounting the HTTP API, the
//! engine alone. They are in the folders `examples` of this repository.
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
//! | [`disk`] | | whether a file system has room for more |
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
