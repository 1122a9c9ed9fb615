//! `[DEFAULT]`: logs and the end of the program.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, Section};

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "DEFAULT",
    "Logs and shutdown. Options above the first section belong to it.",
    &[
        OptionSpec::new("debug", "log at level DEBUG")
            .boolean()
            .or("false"),
        OptionSpec::new("verbose", "log at level INFO; if false, at level WARNING")
            .boolean()
            .or("true"),
        OptionSpec::new("log_dir", "directory of the log file")
            .path()
            .formerly("DEFAULT", "logdir"),
        OptionSpec::new("log_file", "log file, instead of the standard error stream")
            .path()
            .formerly("DEFAULT", "logfile"),
        OptionSpec::new(
            "graceful_shutdown_timeout",
            "maximum duration of a shutdown in seconds: first for requests in progress, then \
             for folding, at most 10 seconds",
        )
        .seconds(0)
        .or("60"),
        OptionSpec::new(
            "coordination_url",
            "uRL of the service that coordinates several processes; this build supports none",
        )
        .secret()
        .formerly("storage", "coordination_url"),
        OptionSpec::new("use_syslog", "log to syslog as well").accepted(),
        OptionSpec::new("use_journal", "log to the journal as well").accepted(),
        OptionSpec::new("syslog_log_facility", "facility for syslog").accepted(),
        OptionSpec::new("parallel_operations", "threads for storage calls")
            .accepted()
            .formerly("storage", "aggregation_workers_number"),
        OptionSpec::new("log_options", "log the configuration at the start").accepted(),
    ],
);

/// The name that a log file has when only its directory is given.
const LOG_FILE_NAME: &str = "gnocchi.log";

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What needs attention.
    Warning,
}

/// Settings of `[DEFAULT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct General {
    /// How much is logged.
    pub log_level: LogLevel,
    /// The file to log to; `None` is the standard error stream.
    pub log_file: Option<PathBuf>,
    /// How long a shutdown may take: requests in hand, and folding for what is left.
    pub graceful_shutdown_timeout: Duration,
}

impl General {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        if section.text("coordination_url")?.is_some() {
            return Err(section.not_built(
                "coordination_url",
                "coordination with other processes",
                "leaving the option out, for one process on its own",
            ));
        }
        let log_level = match (section.boolean("debug")?, section.boolean("verbose")?) {
            (true, _) => LogLevel::Debug,
            (false, true) => LogLevel::Info,
            (false, false) => LogLevel::Warning,
        };
        Ok(Self {
            log_level,
            log_file: log_file(section)?,
            graceful_shutdown_timeout: section.seconds("graceful_shutdown_timeout")?,
        })
    }
}

fn log_file(section: Section<'_>) -> Result<Option<PathBuf>, ConfigError> {
    let directory = section.path("log_dir")?;
    let file = section.path("log_file")?;
    Ok(match (directory, file) {
        (Some(directory), file) => {
            Some(directory.join(file.unwrap_or_else(|| LOG_FILE_NAME.into())))
        }
        (None, file) => file,
    })
}
