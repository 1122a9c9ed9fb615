//! Leases and groups within one process: what an all-in-one server needs.
//!
//! It is the coordinator of `gnocchi-core`. Its fences must grow from start to start where storage outlives the process; the
//! embedded driver counts its openings for that and hands out a coordinator that begins high enough.
//!
//! ```
//! use gnocchi_core::driver::Coordinator;
//! use gnocchi_drivers::coordination::MemoryCoordinator;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let coordinator = MemoryCoordinator::with_first_fence(7 << 32);
//! let lease = coordinator.acquire("sack-17").await?.ok_or("another holder has it")?;
//! assert_eq!(coordinator.acquire("sack-17").await?, None);
//! coordinator.release(&[lease]).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use gnocchi_core::memory::{LEASE_DURATION_DEFAULT, MemoryCoordinator};
