//! `gnocchi config-sample`: a file with every option.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use super::Failure;
use crate::config;

/// Print a sample of gnocchi.conf, with the meaning and the default of every option.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigSampleArgs {
    /// A file to write to instead of the standard output.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

#[derive(Debug, Error)]
#[error("cannot write {}", path.display())]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

pub(super) fn run(arguments: ConfigSampleArgs) -> Result<(), Failure> {
    let sample = config::sample();
    match arguments.output_file {
        None => Ok(io::stdout().lock().write_all(sample.as_bytes())?),
        Some(path) => fs::write(&path, sample)
            .map_err(|source| Failure::Tool(Box::new(WriteError { path, source }))),
    }
}
