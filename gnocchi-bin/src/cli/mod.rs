//! The command line: one file a tool.

mod common;
mod config_sample;
mod import;
mod passwd;
mod progress;
mod repair;
mod secret;
mod serve;
mod verify;

use std::error::Error as StdError;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use gnocchi_drivers::embedded::StoreError;
use rustix::fs::Mode;
use rustix::process::umask;
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::causes::with_causes;
use crate::config::ConfigError;
use crate::runtime::ServeError;
use crate::runtime::telemetry::TelemetryError;
use import::Outcome;

/// How long the program waits at its end for work that was given up.
const ABANDONED_WORK_MAX: Duration = Duration::from_secs(1);

/// A time-series database that stores aggregates: measures are aggregated as they arrive, so reads stay fast however many there are.
#[derive(Debug, Parser)]
#[command(name = "gnocchi", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API and process measures (the default command)
    Serve(serve::ServeArgs),
    Import(import::ImportArgs),
    Verify(verify::VerifyArgs),
    Passwd(passwd::PasswdArgs),
    Repair(repair::RepairArgs),
    #[command(alias = "config-generator")]
    ConfigSample(config_sample::ConfigSampleArgs),
}

/// Why a tool ended without doing its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or metrics cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The system refuses to watch signals.
    #[error("cannot watch signals")]
    Signals(#[source] io::Error),
    /// The server could not start or failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The store could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work itself failed.
    #[error(transparent)]
    Tool(Box<dyn StdError + Send + Sync>),
    /// The result cannot be printed.
    #[error("cannot print the result")]
    Output(#[from] io::Error),
}

/// Reads the command line, runs the tool that it names and returns the exit status of the program: 0 for success, 1 for a
/// failure, 2 for a wrong command line and for a directory that a tool for damage cannot look at.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    keep_new_files_private();
    let failed = match cli.command {
        // Their status 1 says that there is damage.
        Some(Command::Verify(_) | Command::Repair(_)) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli));
            end(runtime);
            result
        }
        Err(error) => Err(Failure::Output(error)),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("gnocchi: {}", with_causes(&failure));
            failed
        }
    }
}

/// Ends a runtime, and gives up what its threads still compute though nothing waits for it: a fold that the shutdown cut off, for
/// example. It is lost as in a crash, so nothing that was acknowledged is.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(ABANDONED_WORK_MAX);
}

/// Lets no other user of the machine read or change what this program creates: data, and logs that name users and addresses.
fn keep_new_files_private() {
    let others = Mode::RWXG | Mode::RWXO;
    let before = umask(others);
    umask(before | others);
}

/// Prints a line of a result.
fn print_line(line: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{line}")?)
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(arguments) => serve::run(arguments).await.map(|()| ExitCode::SUCCESS),
        Command::Import(arguments) => match import::run(arguments).await? {
            Outcome::Complete => Ok(ExitCode::SUCCESS),
            Outcome::Incomplete => Ok(ExitCode::FAILURE),
        },
        Command::Verify(arguments) => verify::run(arguments).await,
        Command::Passwd(arguments) => passwd::run(arguments).await.map(|()| ExitCode::SUCCESS),
        Command::Repair(arguments) => repair::run(arguments).await,
        Command::ConfigSample(arguments) => {
            config_sample::run(arguments).map(|()| ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_that_was_given_up_does_not_keep_the_program() {
        let runtime = Runtime::new().unwrap();
        let (started, starting) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv()
        });
        starting.recv().unwrap();
        // Else this never returns.
        end(runtime);
        drop(release);
    }
}
