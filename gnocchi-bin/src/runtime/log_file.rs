//! A file that is appended to, and opened anew after it was renamed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::files;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: RwLock<Arc<File>>,
    is_in_new_directory: bool,
}

impl LogFile {
    /// Opens a file; creates it and its directory where they are missing.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let is_in_new_directory = !files::directory_of(&path).exists();
        let file = RwLock::new(Arc::new(files::open_for_appending(&path)?));
        Ok(Self {
            path,
            file,
            is_in_new_directory,
        })
    }

    /// Logs that the directory of the file was created: its path may be misspelt. The log itself must work by then.
    pub(super) fn report_new_directory(&self) {
        if self.is_in_new_directory {
            let directory = files::directory_of(&self.path);
            tracing::warn!(directory = %directory.display(), "created the directory of a log, which did not exist");
        }
    }

    /// Opens the file at the same path, which is another one after a rotation. The one before stays in use when that fails.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let file = Arc::new(files::open_for_appending(&self.path)?);
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }

    /// Returns the file in use.
    pub(super) fn current(&self) -> Arc<File> {
        Arc::clone(&self.file.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_renamed_file_is_followed_until_it_is_opened_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
        let log = LogFile::open(path.clone()).unwrap();
        let write = |text: &str| log.current().write_all(text.as_bytes()).unwrap();
        write("a");
        fs::rename(&path, &old).unwrap();
        write("b");
        log.reopen().unwrap();
        write("c");
        assert_eq!(fs::read_to_string(&old).unwrap(), "ab");
        assert_eq!(fs::read_to_string(&path).unwrap(), "c");
        assert!(!log.is_in_new_directory);
        let deep = directory.path().join("new/log");
        assert!(LogFile::open(deep).unwrap().is_in_new_directory);

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        log.reopen().unwrap_err();
        log.current().write_all(b"d").unwrap();
    }
}
