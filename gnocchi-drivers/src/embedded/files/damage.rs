//! What is wrong with a file, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Damage that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, or the directory that should hold it.
    pub file: PathBuf,
    /// Where in the file, in bytes from its beginning, if that is known.
    pub offset: Option<u64>,
    /// What is wrong, as the end of a sentence that begins with the name of the file.
    pub problem: String,
}

impl Damage {
    /// Describes damage of a file as a whole.
    pub(in crate::embedded) fn of(file: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            offset: None,
            problem: problem.into(),
        }
    }

    /// Describes damage at a place in a file.
    pub(in crate::embedded) fn at(
        file: impl Into<PathBuf>,
        offset: u64,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            offset: Some(offset),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            problem,
        } = self;
        write!(f, "{} ", file.display())?;
        match offset {
            Some(offset) => write!(f, "at byte {offset} {problem}"),
            None => f.write_str(problem),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(in crate::embedded) enum FileError {
    /// The system refuses.
    Io(io::Error),
    /// The bytes are not what the engine wrote.
    Damaged {
        offset: Option<u64>,
        problem: String,
    },
}

impl FileError {
    pub(in crate::embedded) fn damaged(problem: impl Into<String>) -> Self {
        Self::Damaged {
            offset: None,
            problem: problem.into(),
        }
    }

    pub(in crate::embedded) fn damaged_at(offset: u64, problem: impl Into<String>) -> Self {
        Self::Damaged {
            offset: Some(offset),
            problem: problem.into(),
        }
    }

    /// Returns the damage, of which an absent file and an unreadable sector are kinds, or the failure if it says nothing about the file.
    pub(in crate::embedded) fn into_damage(self, file: &Path) -> Result<Damage, io::Error> {
        match self {
            Self::Damaged { offset, problem } => Ok(Damage {
                file: file.to_owned(),
                offset,
                problem,
            }),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => Ok(Damage::of(file, "is missing")),
                io::ErrorKind::UnexpectedEof => Ok(Damage::of(file, "ends too early")),
                io::ErrorKind::IsADirectory => Ok(Damage::of(file, "is a directory")),
                // An input/output error of the disk itself.
                _ if error.raw_os_error() == Some(5) => {
                    Ok(Damage::of(file, format!("cannot be read: {error}")))
                }
                _ => Err(error),
            },
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
