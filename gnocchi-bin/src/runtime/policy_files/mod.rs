//! Own access rules: files that replace the default rules, and are read again when they change.

mod rules;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gnocchi_core::policy::{Enforcer, PolicyError};
use thiserror::Error;

use super::watch::Reload;
use crate::api::auth::Policy;
use crate::causes::with_causes;
use crate::config::{Missing, PolicyPath, PolicySettings};
use crate::files;
use rules::RuleText;

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most files of one directory.
const FILES_MAX: usize = 1000;

/// Files of rules that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// A configured file does not exist.
    #[error("there is no file or directory {} of access rules", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file or directory cannot be read.
    #[error("cannot read the access rules {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is longer than any set of rules.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A directory has more files than any set of rules.
    #[error("{} has more than {FILES_MAX} files", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// A file is no mapping of names to rules.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A rule cannot be used.
    #[error("{}:{line}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// The rules together cannot be used.
    #[error("the access rules cannot be used")]
    Rules(#[from] PolicyError),
}

/// The files of rules of one configuration.
#[derive(Debug, Clone)]
pub(super) struct PolicyFiles {
    settings: PolicySettings,
}

impl PolicyFiles {
    pub(super) fn new(settings: PolicySettings) -> Self {
        Self { settings }
    }

    /// Reads all files; of two rules of one name the later one counts.
    pub(super) fn load(&self) -> Result<Enforcer, PolicyFileError> {
        let mut rules = Vec::new();
        for path in self.files()? {
            let text = read(&path)?;
            let parsed = rules::parse(&text).map_err(|error| PolicyFileError::Syntax {
                path: path.clone(),
                line: error.line,
                problem: error.problem,
            })?;
            rules.extend(parsed.into_iter().map(|rule| (path.clone(), rule)));
        }
        let overrides = rules
            .iter()
            .map(|(_, rule)| (rule.name.as_str(), rule.text.as_str()));
        let enforcer = Enforcer::new(overrides, &self.settings.default_rule);
        let enforcer = enforcer.map_err(|error| locate(error, &rules))?;
        for check in enforcer.inert_checks() {
            let rule = rules.iter().rfind(|(_, rule)| rule.name == check.rule);
            if let Some((path, rule)) = rule {
                tracing::warn!(
                    "{}:{}: rule `{}` compares `{}`, which no caller has: the check never holds",
                    path.display(),
                    rule.line,
                    check.rule,
                    check.credential,
                );
            }
        }
        Ok(enforcer)
    }

    /// Returns every place whose change may change the rules.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = self.places(&self.settings.file);
        for directory in &self.settings.directories {
            for place in self.places(directory) {
                paths.extend(files_of(&place).unwrap_or_default());
                paths.push(place);
            }
        }
        paths
    }

    fn files(&self) -> Result<Vec<PathBuf>, PolicyFileError> {
        let mut files = Vec::from_iter(self.find(&self.settings.file)?);
        for directory in &self.settings.directories {
            if let Some(directory) = self.find(directory)? {
                files.extend(files_of(&directory)?);
            }
        }
        Ok(files)
    }

    fn find(&self, wanted: &PolicyPath) -> Result<Option<PathBuf>, PolicyFileError> {
        let found = self.places(wanted).into_iter().find(|path| path.exists());
        if found.is_none() && wanted.missing == Missing::Refused {
            let path = wanted.path.clone();
            return Err(PolicyFileError::Missing { path });
        }
        Ok(found)
    }

    fn places(&self, wanted: &PolicyPath) -> Vec<PathBuf> {
        let search = self.settings.search.iter();
        let mut places: Vec<PathBuf> = search.map(|place| place.join(&wanted.path)).collect();
        if wanted.path.is_absolute() {
            places = vec![wanted.path.clone()];
        }
        places
    }
}

/// Finds the file and line of the rule that an error is about.
fn locate(error: PolicyError, rules: &[(PathBuf, RuleText)]) -> PolicyFileError {
    match rules.iter().rfind(|(_, rule)| rule.name == error.rule()) {
        Some((path, rule)) => PolicyFileError::Rule {
            path: path.clone(),
            line: rule.line,
            source: error,
        },
        None => PolicyFileError::Rules(error),
    }
}

/// Returns the files of a directory in the order of their names, without hidden ones.
fn files_of(directory: &Path) -> Result<Vec<PathBuf>, PolicyFileError> {
    let failed = |source| PolicyFileError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // What is neither a file nor a directory, such as a pipe, is refused when it is read.
        if !is_hidden && !entry.path().is_dir() {
            files.push(entry.path());
        }
        if files.len() > FILES_MAX {
            let path = directory.to_owned();
            return Err(PolicyFileError::TooMany { path });
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, PolicyFileError> {
    files::read_text(path, FILE_BYTES_MAX).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::FileTooLarge => PolicyFileError::TooLong { path },
            _ => PolicyFileError::Read { path, source },
        }
    })
}

/// The rules in use, and the files that they come from.
#[derive(Debug)]
pub(super) struct WatchedPolicy {
    pub(super) files: PolicyFiles,
    pub(super) policy: Policy,
}

impl Reload for WatchedPolicy {
    fn paths(&self) -> Vec<PathBuf> {
        self.files.paths()
    }

    fn reload(&self) {
        match self.files.load() {
            Ok(enforcer) => {
                self.policy.replace(enforcer);
                tracing::info!("the access rules were read again and are in use");
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(
                    error,
                    "the access rules cannot be used, the earlier ones stay in use"
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "policy_files_tests.rs"]
mod tests;
