//! Leases and groups.
//!
//! | driver | reaches | survives a restart |
//! |---|---|---|
//! | [`in_process`] | the tasks of one process | through the generation of what it stands beside |

pub mod in_process;

pub use in_process::MemoryCoordinator;
