//! The configuration: `gnocchi.conf`, the environment and flags.
//!
//! One file per section. A flag wins over the environment (`GNOCCHI_<SECTION>__<OPTION>`), which wins over files (later
//! ones over earlier ones), which win over defaults. Unknown names are errors, or warned about where they belong to other software; a
//! value that an option doesn't take is an error that names the place, the section and the option. Secrets are never shown.

mod api;
mod archive_policy;
mod auth;
mod backend;
mod cors;
mod error;
mod foreign;
mod general;
mod healthcheck;
mod incoming;
mod indexer;
mod ini;
mod keystone;
mod metricd;
mod names;
mod option;
mod policy;
mod reader;
mod reference;
mod request_logs;
mod source;
mod storage;
mod tls;
mod variables;

pub use api::Api;
pub use archive_policy::ArchivePolicyDefaults;
pub use error::{BadValue, ConfigError, Origin};
pub use general::{General, LogLevel};
pub use incoming::Incoming;
pub use metricd::Metricd;
pub use option::{Effect, OptionSpec, SectionSpec, ValueKind};
pub use policy::{Missing, PolicyPath, PolicySettings};
pub use reference::{page, sample};
pub use request_logs::{AccessLogFormat, AccessLogSettings, AccessLogTarget, RequestLogs};
pub use source::{FlagPath, FlagValue, Sources};
pub use storage::Storage;
pub use tls::{ServerTls, TlsVersion};

use std::path::PathBuf;

use reader::Reader;

/// Every section, in the order of the documentation.
pub static SECTIONS: [&SectionSpec; 17] = [
    &general::SECTION,
    &api::SECTION,
    &auth::BASIC,
    &auth::REMOTE_USER,
    &keystone::SECTION,
    &policy::SECTION,
    &cors::SECTION,
    &storage::SECTION,
    &incoming::SECTION,
    &indexer::SECTION,
    &metricd::SECTION,
    &archive_policy::SECTION,
    &foreign::STATSD,
    &foreign::AMQP1D,
    &healthcheck::SECTION,
    &foreign::DATABASE,
    &foreign::OSLO_MIDDLEWARE,
];

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[DEFAULT]`
    pub general: General,
    /// `[api]`, `[cors]`, `[healthcheck]`, and the section of the mode of authentication
    pub api: Api,
    /// `[oslo_policy]`
    pub policy: PolicySettings,
    /// `[storage]`
    pub storage: Storage,
    /// `[incoming]`
    pub incoming: Incoming,
    /// `[metricd]`
    pub metricd: Metricd,
    /// `[archive_policy]`
    pub archive_policy: ArchivePolicyDefaults,
}

/// A configuration and what its writer should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Names that are ignored, in sentences for the log.
    pub warnings: Vec<String>,
    /// The files that it was read from, in the order in which they were.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Reads the sources and checks every option.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read or understood, or an option doesn't take its value.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let files = sources.all_files()?;
        let reader = Reader::new(sources.layers(&files)?, sources.paths.clone());
        let mut warnings = names::check(reader.layers())?;
        warnings.extend(variables::check(&sources.environment)?);
        indexer::check(&reader)?;
        let config = Self {
            general: General::read(&reader)?,
            api: Api::read(&reader)?,
            policy: PolicySettings::read(&reader, sources.searched_directories(&files))?,
            storage: Storage::read(&reader)?,
            incoming: Incoming::read(&reader)?,
            metricd: Metricd::read(&reader)?,
            archive_policy: ArchivePolicyDefaults::read(&reader)?,
        };
        Ok(Loaded {
            config,
            warnings,
            files,
        })
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "existing_tests.rs"]
mod existing_tests;
