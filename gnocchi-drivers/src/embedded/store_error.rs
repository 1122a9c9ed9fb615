//! Why a store cannot be opened, copied or repaired.

use std::io;
use std::path::PathBuf;

use gnocchi_core::error::{BackendError, BackendErrorKind};
use thiserror::Error;

use super::Damage;
use super::data_directory::DataDirectoryError;

/// A store that cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DataDirectoryError),
    /// A part is missing. Starting afresh would hide the loss.
    #[error("the data directory {} is incomplete: {missing} is missing{}", path.display(), ADVICE)]
    Incomplete {
        /// The data directory.
        path: PathBuf,
        /// The missing part.
        missing: &'static str,
    },
    /// What is saved of a store goes into a directory of its own.
    #[error("{} exists already; choose a directory that does not, or an empty one", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A repair did not come to its end. What it wrote is of no use, and is not overwritten.
    #[error("{} was left behind by an interrupted repair; delete this directory and repair again, or choose another name for the new one", path.display())]
    Unfinished {
        /// What the repair left.
        path: PathBuf,
    },
    /// Nothing is written into a directory that is repaired.
    #[error("got {} for the new directory, which is the damaged directory {} or inside it; expected a directory outside of it", path.display(), source_path.display())]
    TargetInside {
        /// The new directory.
        path: PathBuf,
        /// The damaged one.
        source_path: PathBuf,
    },
    /// There is nothing to inspect.
    #[error("there is no store in the directory {}", path.display())]
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// A program with another idea of the layout wrote it.
    #[error("the data directory {} was written by a later version of this program", path.display())]
    LaterVersion {
        /// The data directory.
        path: PathBuf,
    },
    /// The mark of completeness holds something else than a version.
    #[error("{} is damaged: it names no version of the layout{}", path.display(), ADVICE)]
    DamagedMark {
        /// The file.
        path: PathBuf,
    },
    /// A file of the store is damaged, missing, or belongs to another store.
    #[error("{}{}{}", damage.first().map_or_else(|| path.display().to_string(), Damage::to_string), more(damage), ADVICE)]
    Damaged {
        /// The data directory.
        path: PathBuf,
        /// What is wrong.
        damage: Vec<Damage>,
    },
    /// The back-end cannot open its part.
    #[error("cannot open the store in {}{}", path.display(), advice(source))]
    Open {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: BackendError,
    },
    /// What is missing cannot be created, or what is old cannot be migrated.
    #[error("cannot prepare the store in {}", path.display())]
    Prepare {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: gnocchi_core::Error,
    },
    /// A file cannot be read, for a reason that says nothing about what is in it.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file, or the directory that it is in.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The mark of completeness, or the file of the identity, cannot be read or written.
    #[error("cannot use {}", path.display())]
    Mark {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What to do about damage.
const ADVICE: &str = "; nothing was changed. `gnocchi verify` lists what is damaged. Restore the whole directory from a backup, or save what is readable into a new one with `gnocchi repair`";

fn advice(error: &BackendError) -> &'static str {
    match error.kind() {
        BackendErrorKind::Corrupt => ADVICE,
        BackendErrorKind::Denied => "; make it readable and writable for this user",
        BackendErrorKind::Full => "; there is no room left on the disk",
        _ => "",
    }
}

fn more(damage: &[Damage]) -> String {
    match damage.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    }
}
