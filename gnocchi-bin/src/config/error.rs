//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is not set.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line, counted from one.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value that an option does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// Where it was given.
    pub origin: Origin,
    /// The section of the option.
    pub section: String,
    /// The name of the option.
    pub option: String,
    /// The value; `None` when it is a secret.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where nothing was given, there is no place to name.
        if self.origin != Origin::Default || self.value.is_some() {
            write!(f, "{}: ", self.origin)?;
        }
        write!(f, "[{}] {}", self.section, self.option)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file or directory that was asked for cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of a file cannot be understood.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such option or section.
    #[error("{origin}: {problem}{}", meant(.nearest.as_deref()))]
    Unknown {
        /// Where it was given.
        origin: Origin,
        /// What there is not.
        problem: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// An option that has one value is given several of them in one file.
    #[error("{origin}: [{section}] {option} is given twice, first at {first}")]
    Repeated {
        /// Where it was given last.
        origin: Origin,
        /// Where it was given first.
        first: Origin,
        /// The section of the option.
        section: String,
        /// The name of the option.
        option: String,
    },
    /// An option does not take this value, or this build does not have what it asks for.
    #[error("{0}")]
    Value(Box<BadValue>),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
