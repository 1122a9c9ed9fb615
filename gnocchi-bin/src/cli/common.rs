//! Flags that every tool has, and what they set.

use std::env;
use std::path::PathBuf;

use clap::Args;

use crate::config::{FlagPath, FlagValue, Sources};

/// Where the configuration is, and what is logged.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag, and each has a twin that takes it back"
)]
pub(super) struct CommonArgs {
    /// A configuration file; may be repeated, later files take precedence [default: gnocchi.conf of the user, else of the system].
    #[arg(long, value_name = "FILE")]
    config_file: Vec<PathBuf>,
    /// A directory whose *.conf files are read after the configuration files; may be repeated.
    #[arg(long, value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Log at level DEBUG.
    #[arg(long, short, overrides_with = "no_debug")]
    debug: bool,
    #[arg(long = "nodebug", hide = true, overrides_with = "debug")]
    no_debug: bool,
    /// Log at level INFO (the default).
    #[arg(long, short, overrides_with = "no_verbose")]
    verbose: bool,
    /// Log only warnings and errors.
    #[arg(long = "noverbose", overrides_with = "verbose")]
    no_verbose: bool,
    /// The directory for the log file.
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// A file to log to instead of the standard error stream.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

impl CommonArgs {
    /// Returns the sources of the configuration: files, environment, these flags and those of one tool.
    pub(super) fn sources(self, tool: ToolFlags) -> Sources {
        let flag = |flag, option, value: &str| FlagValue {
            flag,
            section: "DEFAULT",
            option,
            value: value.into(),
        };
        let ToolFlags {
            values: mut flags,
            mut paths,
        } = tool;
        for (given, value) in [
            (self.debug, flag("--debug", "debug", "true")),
            (self.no_debug, flag("--nodebug", "debug", "false")),
            (self.verbose, flag("--verbose", "verbose", "true")),
            (self.no_verbose, flag("--noverbose", "verbose", "false")),
        ] {
            flags.extend(given.then_some(value));
        }
        for (flag, option, path) in [
            ("--log-dir", "log_dir", self.log_dir),
            ("--log-file", "log_file", self.log_file),
        ] {
            paths.extend(path.map(|path| FlagPath {
                flag,
                section: "DEFAULT",
                option,
                path,
            }));
        }
        Sources {
            files: self.config_file,
            directories: self.config_dir,
            environment: environment(),
            flags,
            paths,
        }
    }
}

/// Options that are set by the flags of one tool.
#[derive(Debug, Clone, Default)]
pub(super) struct ToolFlags {
    pub(super) values: Vec<FlagValue>,
    pub(super) paths: Vec<FlagPath>,
}

/// Returns the variables whose name and value are text; no option is anything else.
fn environment() -> Vec<(String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
