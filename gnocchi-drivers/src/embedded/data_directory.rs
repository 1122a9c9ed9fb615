//! The data directory: it must exist, be writable and belong to one process.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk::synchronize_parent;

/// The file whose lock says that a process works in the directory.
const LOCK_FILE: &str = "lock";

/// A data directory that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataDirectoryError {
    /// It cannot be created or written to.
    #[error("cannot write to the data directory {}; choose another one or make it writable for this user", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process works in it.
    #[error("the data directory {} is in use by another process; stop that process or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// The right to work in a data directory, until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct DataDirectory {
    _lock: File,
}

impl DataDirectory {
    /// Takes a directory for this process; creates it when it is missing, closed to other users of the machine.
    ///
    /// # Errors
    /// [`DataDirectoryError`] when it cannot be written to or another process has it.
    pub(super) fn create(path: &Path) -> Result<Self, DataDirectoryError> {
        create_durably(path).map_err(|source| DataDirectoryError::Unwritable {
            path: path.to_owned(),
            source,
        })?;
        Self::take(path)
    }

    /// Takes an existing directory for this process.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(super) fn take(path: &Path) -> Result<Self, DataDirectoryError> {
        let unwritable = |source| DataDirectoryError::Unwritable {
            path: path.to_owned(),
            source,
        };
        let lock = File::options()
            .create(true)
            .append(true)
            .open(path.join(LOCK_FILE))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirectoryError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unwritable(source)),
        }
    }
}

/// Creates a directory that is closed to other users of the machine, and those above it that are
/// missing, so that they survive a power failure.
pub(super) fn create_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|directory| !directory.as_os_str().is_empty() && !directory.exists())
        .collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    missing.into_iter().try_for_each(synchronize_parent)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_process_has_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let first = DataDirectory::create(&path).unwrap();
        let second = DataDirectory::create(&path).unwrap_err().to_string();
        assert!(
            second.contains(path.to_str().unwrap()) && second.contains("in use"),
            "{second}"
        );
        drop(first);
        DataDirectory::take(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_new_directory_is_closed_to_others_and_an_existing_one_stays() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let new = root.path().join("new");
        DataDirectory::create(&new).unwrap();
        assert_eq!(mode(&new), 0o700);
        let existing = root.path().join("existing");
        fs::create_dir(&existing).unwrap();
        fs::set_permissions(&existing, fs::Permissions::from_mode(0o755)).unwrap();
        DataDirectory::create(&existing).unwrap();
        assert_eq!(mode(&existing), 0o755);
    }

    #[test]
    fn unusable_directories_are_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDirectory::create(&file.join("below"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!(
                "cannot write to the data directory {}/below",
                file.display()
            )),
            "{error}"
        );
    }
}
