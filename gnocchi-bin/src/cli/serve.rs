//! `gnocchi serve`: the whole store in one process.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use gnocchi_core::DefaultPolicies;
use tracing::warn;

use super::Failure;
use super::common::{CommonArgs, ToolFlags};
use crate::config::{Config, FlagPath, FlagValue, Loaded};
use crate::runtime::{self, descriptors, exposure, signal, telemetry};

/// Serves the HTTP API and processes measures, in one process on one data directory.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ServeArgs {
    /// The port to listen on; 0 chooses a free port [default: 8041].
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,
    /// The address or host name to listen on [default: 0.0.0.0, or 127.0.0.1 while any password is accepted].
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The data directory; created if it does not exist [default: gnocchi-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Do not create the default archive policies and their rule in a new store.
    #[arg(long)]
    no_default_policies: bool,
    #[command(flatten)]
    common: CommonArgs,
}

impl ServeArgs {
    fn flags(&self) -> ToolFlags {
        let api = |flag, option, value| FlagValue {
            flag,
            section: "api",
            option,
            value,
        };
        let port = self
            .port
            .map(|port| api("--port", "port", port.to_string()));
        let host = self.host.clone().map(|host| api("--host", "host", host));
        let data_dir = self.data_dir.clone().map(|path| FlagPath {
            flag: "--data-dir",
            section: "storage",
            option: "data_dir",
            path,
        });
        ToolFlags {
            values: port.into_iter().chain(host).collect(),
            paths: data_dir.into_iter().collect(),
        }
    }
}

/// Reads the configuration and serves until a signal ends the program.
///
/// # Errors
/// [`Failure`] when the configuration cannot be used, the server cannot start, or its background work fails.
pub(super) async fn run(arguments: ServeArgs) -> Result<(), Failure> {
    signal::survive_hangups().map_err(Failure::Signals)?;
    descriptors::raise_limit();
    let flags = arguments.flags();
    let default_policies = if arguments.no_default_policies {
        DefaultPolicies::Skip
    } else {
        DefaultPolicies::Create
    };
    let Loaded {
        config,
        warnings,
        files,
    } = Config::load(&arguments.common.sources(flags))?;
    let logs = telemetry::start_logs(&config.general)?;
    for warning in warnings {
        warn!("{warning}");
    }
    exposure::warn_of_open_files(&files);
    let metrics = telemetry::start_metrics()?;
    let signals = signal::watch_signals().map_err(Failure::Signals)?;
    tokio::spawn(logs.follow(signals.hangups.clone()));
    let announce = |url: &str| {
        let mut out: Box<dyn Write> = if config.api.request_logs.take_standard_output() {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        // A closed stream is no reason not to serve.
        let _ = writeln!(out, "Gnocchi listens on {url}").and_then(|()| out.flush());
    };
    runtime::serve(&config, default_policies, metrics, signals, announce).await?;
    Ok(())
}
