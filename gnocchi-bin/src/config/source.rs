//! Where values come from, and which one wins.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigError, Origin};
use super::ini;

/// One text given for an option, and where.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The options of one source, each with everything that was given for it there, in order.
pub(super) type Layer = BTreeMap<(String, String), Vec<Given>>;

/// The prefix of environment variables that set options: `GNOCCHI_<SECTION>__<OPTION>`.
pub(super) const ENVIRONMENT_PREFIX: &str = "GNOCCHI_";

/// Between section and option in the name of such a variable.
pub(super) const ENVIRONMENT_SEPARATOR: &str = "__";

/// The variable that existing deployments use for the database of the indexer; any other source wins over it.
pub(super) const INDEXER_URL_VARIABLE: &str = "GNOCCHI_INDEXER_URL";

/// Everything that may set options, before it is read.
///
/// A flag wins over the environment, which wins over files, of which a later one wins over an earlier one; an option
/// that is set nowhere has its default.
#[derive(Clone, Default)]
pub struct Sources {
    /// Files, `--config-file`. Empty means the default files, as far as they exist.
    pub files: Vec<PathBuf>,
    /// Directories whose `*.conf` are read after the files, in the order of their names, `--config-dir`.
    pub directories: Vec<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Options set by flags.
    pub flags: Vec<FlagValue>,
    /// Options set by flags whose value is a path. They win over everything else.
    pub paths: Vec<FlagPath>,
}

/// An option set by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// The flag as the user writes it.
    pub flag: &'static str,
    /// The section of the option.
    pub section: &'static str,
    /// The name of the option.
    pub option: &'static str,
    /// The value.
    pub value: String,
}

/// An option set by a flag whose value is a path: taken as it is, so that spaces, dollar signs and bytes that are no text stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagPath {
    /// The flag as the user writes it.
    pub flag: &'static str,
    /// The section of the option.
    pub section: &'static str,
    /// The name of the option.
    pub option: &'static str,
    /// The path; an empty one counts as none.
    pub path: PathBuf,
}

impl fmt::Debug for Sources {
    /// Leaves the environment out, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("files", &self.files)
            .field("directories", &self.directories)
            .field("flags", &self.flags)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads these files and returns one layer for each source, the weakest first.
    pub(super) fn layers(&self, files: &[PathBuf]) -> Result<Vec<Layer>, ConfigError> {
        let mut layers = vec![self.weak_environment()];
        for path in files {
            layers.push(file_layer(path)?);
        }
        layers.push(self.environment_layer());
        layers.push(self.flag_layer());
        Ok(layers)
    }

    /// Returns the files to read, in this order.
    pub(super) fn all_files(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let mut files = self.files.clone();
        if self.files.is_empty() {
            files.extend(
                self.default_places("gnocchi.conf")
                    .find(|path| path.is_file()),
            );
        }
        let mut directories = self.directories.clone();
        if self.directories.is_empty() {
            directories.extend(
                self.default_places("gnocchi.conf.d")
                    .find(|path| path.is_dir()),
            );
        }
        for directory in &directories {
            files.extend(directory_files(directory)?);
        }
        Ok(files)
    }

    /// Returns where files that the configuration names may stand: beside the files in use, in its directories, then where
    /// files stand when no flag names one.
    pub(super) fn searched_directories(&self, files: &[PathBuf]) -> Vec<PathBuf> {
        let beside = files.iter().filter_map(|file| file.parent());
        // A bare file name stands in the current directory.
        let beside = beside.map(|directory| Path::new(".").join(directory));
        let mut searched: Vec<PathBuf> = Vec::new();
        for directory in beside
            .chain(self.directories.iter().cloned())
            .chain(self.default_directories())
        {
            if !searched.contains(&directory) {
                searched.push(directory);
            }
        }
        searched
    }

    /// Where a file of this name may stand when no flag names one.
    fn default_places(&self, name: &'static str) -> impl Iterator<Item = PathBuf> {
        self.default_directories()
            .map(move |directory| directory.join(name))
    }

    /// Where files may stand when no flag names one: of the user, then of the system.
    fn default_directories(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let home = self.variable("HOME").map(PathBuf::from);
        let own = home.as_ref().map(|home| home.join(".gnocchi"));
        let configuration = self
            .variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".config")));
        let places = [
            own,
            configuration.map(|path| path.join("gnocchi")),
            Some(PathBuf::from("/etc/gnocchi")),
        ];
        places.into_iter().flatten()
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn weak_environment(&self) -> Layer {
        let url = self.variable(INDEXER_URL_VARIABLE);
        url.map(|url| {
            (
                key("indexer", "url"),
                given(url, Origin::Environment(INDEXER_URL_VARIABLE.into())),
            )
        })
        .into_iter()
        .collect()
    }

    fn environment_layer(&self) -> Layer {
        let mut layer = Layer::new();
        for (name, value) in &self.environment {
            let Some((section, option)) = name
                .strip_prefix(ENVIRONMENT_PREFIX)
                .and_then(|rest| rest.split_once(ENVIRONMENT_SEPARATOR))
            else {
                continue;
            };
            let section = if section == ini::DEFAULT_SECTION {
                section.to_owned()
            } else {
                section.to_lowercase()
            };
            layer.insert(
                (section, option.to_lowercase()),
                given(value, Origin::Environment(name.clone())),
            );
        }
        layer
    }

    fn flag_layer(&self) -> Layer {
        let value = |flag: &FlagValue| {
            (
                key(flag.section, flag.option),
                given(&flag.value, Origin::Flag(flag.flag)),
            )
        };
        self.flags.iter().map(value).collect()
    }
}

fn key(section: &str, option: &str) -> (String, String) {
    (section.to_owned(), option.to_owned())
}

fn given(text: &str, origin: Origin) -> Vec<Given> {
    vec![Given {
        text: text.to_owned(),
        origin,
    }]
}

fn directory_files(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn file_layer(path: &Path) -> Result<Layer, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let entries = ini::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.line,
        problem: error.problem,
    })?;
    let shared: Arc<Path> = path.into();
    let mut layer = Layer::new();
    for entry in entries {
        let origin = Origin::File {
            path: Arc::clone(&shared),
            line: entry.line,
        };
        layer
            .entry((entry.section, entry.option))
            .or_default()
            .push(Given {
                text: entry.value,
                origin,
            });
    }
    Ok(layer)
}
