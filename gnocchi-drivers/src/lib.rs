//! Back-ends of the metric store: each implements one or more of the contracts of `gnocchi_core::driver`.
//!
//! This crate knows neither HTTP nor the configuration file of the server. One back-end is one module and one feature:
//!
//! | module | feature | contracts | needs |
//! |---|---|---|---|
//! | [`embedded`] | `embedded` (default) | incoming, storage, coordinator | a directory |
//! | [`sql`] | `sqlite` (default) | indexer | a directory |
//! | [`coordination`] | | coordinator | nothing: one process |
//!
//! A back-end declares its options for configuration files with [`option`]. Drivers that keep files share [`disk`], which knows whether there is room for more.
//!
//! The in-memory drivers, for tests and for programs that keep nothing, are in `gnocchi_core::memory`.

pub mod coordination;
#[cfg(any(feature = "embedded", feature = "sqlite"))]
pub mod disk;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod option;
#[cfg(feature = "sqlite")]
pub mod sql;
