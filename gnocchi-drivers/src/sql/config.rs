//! Settings.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the SQLite database is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteConfig {
    /// The database file. It and its folder are created by `upgrade`; two more files appear beside it while it is in use.
    pub path: PathBuf,
}

impl SqliteConfig {
    /// Names the database file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}
