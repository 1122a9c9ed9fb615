//! The HTTP server of Gnocchi as a library: what the program `gnocchi` consists of.
//!
//! It contains everything between clients and the database: the HTTP API, receivers of other protocols, configuration, start-up and
//! shutdown, and the command line. It parses requests, calls [`gnocchi_core`] and renders responses; domain rules, SQL and storage
//! formats are in the other crates. A program that needs no HTTP uses [`gnocchi_drivers`] alone.
//!
//! | module | what it is |
//! |---|---|
//! | [`api`] | `router(state)`: the HTTP API, mountable anywhere; reads no file, binds no port, starts no task |
//! | [`ingest`] | receivers: measures in the protocols of other systems |
//! | [`config`] | `gnocchi.conf`, the environment and flags, validated |
//! | [`runtime`] | starts a server from a configuration, and shuts it down |
//! | [`outgoing`] | requests to other services: TLS and limits |
//! | [`cli`] | the command line: serve, import, verify, repair, passwd, config-sample |
//!
//! # Examples
//!
//! A server on a free port. It runs until its [`Shutdown`](gnocchi_core::Shutdown) begins, here as soon as it serves:
//!
//! ```
//! use gnocchi_core::{DefaultPolicies, Shutdown};
//! use gnocchi_server::config::{Config, Sources};
//! use gnocchi_server::runtime::signal::{Hangups, Signals};
//! use gnocchi_server::runtime::{self, telemetry};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::load(&Sources::default())?.config;
//! config.api.port = 0;
//! # let directory = tempfile::tempdir()?;
//! # config.storage.data_dir = directory.path().join("data");
//! let metrics = telemetry::start_metrics()?;
//! let shutdown = Shutdown::new();
//! let signals = Signals {
//!     shutdown: shutdown.clone(),
//!     hangups: Hangups::never(),
//! };
//! let announce = |url: &str| {
//!     println!("serving on {url}");
//!     shutdown.begin();
//! };
//! runtime::serve(&config, DefaultPolicies::Create, metrics, signals, announce).await?;
//! # Ok(())
//! # }
//! ```

pub mod api;
mod causes;
pub mod cli;
pub mod config;
mod files;
pub mod ingest;
pub mod outgoing;
mod plural;
pub mod runtime;
