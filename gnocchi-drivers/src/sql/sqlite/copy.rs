//! A database to be read while another process may write to it, or whose log must not be filed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

use super::beside;
use crate::sql::{SqlIndexer, SqliteConfig};

/// How often a copy is begun anew because the writer began its log anew meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// How long the beginning of a log is that changes whenever the log is begun anew.
const LOG_HEADER_BYTES: u64 = 32;

/// Whether the database that is to be read may change meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopySource {
    /// Another process may write to it, or the reader upgrades what it reads: a copy is made.
    Changing,
    /// No process uses it: it is read in place unless it has a log.
    Unchanging,
}

/// An indexer whose database does not change and is not changed.
#[derive(Debug)]
pub(crate) struct IndexerCopy {
    indexer: SqlIndexer,
    path: PathBuf,
    /// Where the copy is, if it is one.
    _folder: Option<TempDir>,
}

impl IndexerCopy {
    /// Opens a database as it is if it stands alone, else a copy of it and its log in the folder for temporary files.
    ///
    /// # Errors
    /// [`io::Error`] when there is none, or it cannot be copied; `WouldBlock` when it changes too fast.
    pub(crate) fn make(path: &Path, source: CopySource) -> io::Result<Self> {
        let log = beside(path, "-wal");
        fs::metadata(path)?;
        if source == CopySource::Unchanging && log_header(&log)?.is_none() {
            return Ok(Self {
                indexer: SqlIndexer::open_immutable(SqliteConfig::new(path)),
                path: path.to_owned(),
                _folder: None,
            });
        }
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("indexer.db");
        copy_database(path, &copy)?;
        Ok(Self {
            indexer: SqlIndexer::open(SqliteConfig::new(&copy)),
            path: copy,
            _folder: Some(folder),
        })
    }

    pub(crate) fn indexer(&self) -> &SqlIndexer {
        &self.indexer
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What changes when the log of a database is begun anew, or the database is changed without one.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Log(Vec<u8>),
    NoLog { length: u64, modified: SystemTime },
}

fn state(path: &Path, log: &Path) -> io::Result<State> {
    if let Some(header) = log_header(log)? {
        return Ok(State::Log(header));
    }
    let metadata = fs::metadata(path)?;
    Ok(State::NoLog {
        length: metadata.len(),
        modified: metadata.modified()?,
    })
}

/// Returns the beginning of a log; `None` when there is none or it is empty.
fn log_header(log: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut header = Vec::new();
    match File::open(log) {
        Ok(file) => file.take(LOG_HEADER_BYTES).read_to_end(&mut header)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok((!header.is_empty()).then_some(header))
}

/// Copies a database and its log so that they belong together.
///
/// Why first the one and then the other? Pages are moved from the log into the database meanwhile, and stay in the log until it is
/// begun anew. So a log that was not, copied last, has the newest version of every page that was changed while the database was copied.
pub(crate) fn copy_database(from: &Path, to: &Path) -> io::Result<()> {
    let (log, log_copy) = (beside(from, "-wal"), beside(to, "-wal"));
    for _ in 0..ATTEMPTS_MAX {
        let before = state(from, &log)?;
        fs::copy(from, to)?;
        match fs::copy(&log, &log_copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if state(from, &log)? == before {
            return Ok(());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "it changes faster than it can be copied; try again when the server has less to do",
    ))
}

#[cfg(test)]
mod tests {
    use gnocchi_core::driver::{ArchivePolicyIndexer, Indexer};

    use super::*;

    #[tokio::test]
    async fn a_database_with_a_log_is_copied_and_one_without_is_read_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("indexer.db");
        assert!(IndexerCopy::make(&path, CopySource::Unchanging).is_err());
        let indexer = SqlIndexer::open(SqliteConfig::new(&path));
        indexer.upgrade().await.unwrap();
        let copy = IndexerCopy::make(&path, CopySource::Changing).unwrap();
        assert_ne!(copy.path(), path);
        assert_eq!(copy.indexer().check_integrity().await.unwrap(), [""; 0]);
        indexer.close().await;
        let before = fs::read(&path).unwrap();
        let in_place = IndexerCopy::make(&path, CopySource::Unchanging).unwrap();
        assert_eq!(in_place.path(), path);
        assert_eq!(in_place.indexer().check_integrity().await.unwrap(), [""; 0]);
        assert!(in_place.indexer().archive_policies().await.is_ok());
        in_place.indexer().close().await;
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
