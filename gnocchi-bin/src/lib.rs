//! `gnocchi_server`: the library half of the program `gnocchi`.
//!
//! Everything that meets the outside: the HTTP API, configuration, start-up and shutdown, the command line. It parses, calls
//! [`gnocchi_core`] and renders; rules of the domain, SQL and stored bytes live below.
//!
//! | module | what it is |
//! |---|---|
//! | [`api`] | `router(state)`: the HTTP API, mountable anywhere; reads no file, binds no port, starts no task |
//! | [`ingest`] | receivers: measures in the protocols of other systems |
//! | [`config`] | `gnocchi.conf`, the environment and flags, checked |
//! | [`runtime`] | a configuration becomes a running server, and ends well |
//! | [`outgoing`] | requests to other services: TLS and limits |
//! | [`cli`] | the tools: serve, import, verify, passwd |
//!
//! # Examples
//!
//! A server on a free port, which runs until `begin()` is called on a clone of its [`Shutdown`](gnocchi_core::Shutdown):
//!
//! ```no_run
//! use gnocchi_core::{DefaultPolicies, Shutdown};
//! use gnocchi_server::config::{Config, Sources};
//! use gnocchi_server::runtime::signal::{Hangups, Signals};
//! use gnocchi_server::runtime::{self, telemetry};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::load(&Sources::default())?.config;
//! config.api.port = 0;
//! let metrics = telemetry::start_metrics()?;
//! let signals = Signals {
//!     shutdown: Shutdown::new(),
//!     hangups: Hangups::never(),
//! };
//! runtime::serve(&config, DefaultPolicies::Create, metrics, signals, |url| eprintln!("{url}")).await?;
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
