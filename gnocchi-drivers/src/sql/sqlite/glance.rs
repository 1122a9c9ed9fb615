//! Looking at a database without changing it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gnocchi_core::error::IndexerError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use uuid::Uuid;

use super::super::dialect::SQLITE;
use super::super::error::SqlError;
use super::{beside, writing_options};

/// What is added to the name of a database for the index of its log while that is put aside.
const INDEX_ASIDE: &str = "-shm.aside";

/// What a database says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance {
    /// Whether it has the tables of an indexer.
    pub has_schema: bool,
    /// The store that it belongs to and how often that was opened and closed, if it says so.
    pub store: Option<(Uuid, u64)>,
    /// The same as the file without the log beside it says, if there is a log. A log that belongs to another file goes unnoticed by SQLite.
    pub filed: Option<Option<(Uuid, u64)>>,
}

/// Looks at an SQLite database that no other process uses. Neither it nor the log beside it is changed.
///
/// # Errors
/// [`IndexerError::Backend`] when it cannot be read; of the kind `Corrupt` when it is no intact database.
pub async fn glance(path: &Path) -> Result<Glance, IndexerError> {
    let glance = glance_at(path).await;
    glance.map_err(|error| {
        let operation = format!("look at the database {}", path.display());
        error.into_indexer_error(&SQLITE, operation)
    })
}

async fn glance_at(path: &Path) -> Result<Glance, SqlError> {
    // SQLite deletes the log beside an empty database, even when it only reads.
    let (length, has_log) = on_files(path, |path| {
        let length = fs::metadata(path).map_err(sqlx::Error::Io)?.len();
        Ok((length, has_log(path)))
    })
    .await?;
    if length == 0 {
        return Ok(Glance::default());
    }
    // Without a log nothing but the file itself has to be read, and nothing appears beside it.
    let filed = look(path, Log::Ignored).await;
    if !has_log {
        return filed;
    }
    let index = on_files(path, IndexAside::put).await?;
    let whole = look(path, Log::Read).await;
    on_files(path, |_| index.put_back()).await?;
    Ok(Glance {
        // A process that ended while it filed its log leaves a file that makes sense only with the log.
        filed: filed.ok().map(|filed| filed.store),
        ..whole?
    })
}

/// The index of a log, which is put aside while SQLite reads the log: SQLite writes a new one in its place.
///
/// What a killed process left in it says how much of the log was committed, see `log_check`.
#[derive(Debug)]
struct IndexAside {
    index: PathBuf,
    aside: PathBuf,
}

impl IndexAside {
    fn put(path: &Path) -> Result<Self, SqlError> {
        let this = Self {
            index: beside(path, "-shm"),
            aside: beside(path, INDEX_ASIDE),
        };
        // A process that was killed in between left the right one aside.
        if !this.aside.exists() {
            unless_missing(fs::rename(&this.index, &this.aside))?;
        }
        Ok(this)
    }

    fn put_back(self) -> Result<(), SqlError> {
        unless_missing(fs::remove_file(&self.index))?;
        unless_missing(fs::rename(&self.aside, &self.index))
    }
}

/// Returns the index of the log of a database: where it is, or where a killed process left it.
#[cfg(feature = "embedded")]
pub(super) fn index_of_log(path: &Path) -> PathBuf {
    let aside = beside(path, INDEX_ASIDE);
    if aside.exists() {
        aside
    } else {
        beside(path, "-shm")
    }
}

fn unless_missing(done: io::Result<()>) -> Result<(), SqlError> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(sqlx::Error::Io(error).into()),
        _ => Ok(()),
    }
}

fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Whether the log beside a database is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Read,
    Ignored,
}

/// Works on files away from the threads that serve requests.
async fn on_files<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, SqlError> + Send + 'static,
) -> Result<T, SqlError> {
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.unwrap_or(Err(SqlError::Panicked))
}

async fn look(path: &Path, log: Log) -> Result<Glance, SqlError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(log == Log::Ignored)
        .disable_statement_logging()
        .connect()
        .await?;
    let glance = read(&mut connection).await;
    connection.close().await?;
    glance
}

/// Files the log of an SQLite database that no other process uses, so that the file says by itself which store it belongs to.
///
/// # Errors
/// [`IndexerError::Backend`] when it cannot be written to.
pub async fn file_log(path: &Path) -> Result<(), IndexerError> {
    let filed = async {
        let has_log = on_files(path, |path| {
            unless_missing(fs::remove_file(beside(path, INDEX_ASIDE)))?;
            Ok(has_log(path))
        });
        if !has_log.await? {
            return Ok(());
        }
        let mut connection = writing_options(path).connect().await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    };
    filed.await.map_err(|error: SqlError| {
        let operation = format!("file the log of {}", path.display());
        error.into_indexer_error(&SQLITE, operation)
    })
}

async fn read(connection: &mut SqliteConnection) -> Result<Glance, SqlError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('schema_version', 'store')",
    )
    .fetch_all(&mut *connection)
    .await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    let mut glance = Glance::default();
    if has("schema_version") {
        let version: Option<i64> = sqlx::query_scalar("SELECT version FROM schema_version")
            .fetch_optional(&mut *connection)
            .await?;
        glance.has_schema = version.is_some_and(|version| version > 0);
    }
    if has("store") {
        let row: Option<(Vec<u8>, i64)> = sqlx::query_as("SELECT identity, pairing FROM store")
            .fetch_optional(&mut *connection)
            .await?;
        if let Some((identity, pairing)) = row {
            let identity = Uuid::from_slice(&identity)
                .map_err(|error| SqlError::corrupt("store.identity", error.to_string()))?;
            let pairing = u64::try_from(pairing)
                .map_err(|_| SqlError::corrupt("store.pairing", pairing.to_string()))?;
            glance.store = Some((identity, pairing));
        }
    }
    Ok(glance)
}

#[cfg(test)]
mod tests {
    use gnocchi_core::driver::Indexer;
    use gnocchi_core::error::BackendErrorKind;

    use super::super::super::{SqlIndexer, SqliteConfig};
    use super::*;

    fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut content: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect();
        content.sort();
        content
    }

    #[tokio::test]
    async fn a_glance_changes_nothing_with_and_without_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("indexer.db");
        let indexer = SqlIndexer::open(SqliteConfig::new(&path));
        indexer.upgrade().await.unwrap();
        indexer.set_store(Uuid::from_u128(7), 3).await.unwrap();
        // As after a crash: the log is there and not in the file.
        let crashed = tempfile::tempdir().unwrap();
        for name in ["indexer.db", "indexer.db-wal", "indexer.db-shm"] {
            fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
        }
        indexer.close().await;
        assert!(content(folder.path()).len() == 1, "the log was filed");
        let store = Some((Uuid::from_u128(7), 3));
        for (folder, filed) in [(folder.path(), None), (crashed.path(), Some(None))] {
            let before = content(folder);
            let expected = Glance {
                has_schema: true,
                store,
                filed,
            };
            assert_eq!(glance(&folder.join("indexer.db")).await.unwrap(), expected);
            assert_eq!(content(folder), before);
        }
        let path = crashed.path().join("indexer.db");
        // Killed while it looked.
        fs::rename(beside(&path, "-shm"), beside(&path, "-shm.aside")).unwrap();
        glance(&path).await.unwrap();
        assert!(beside(&path, "-shm").exists() && !beside(&path, "-shm.aside").exists());
        fs::remove_file(beside(&path, "-shm")).unwrap();
        glance(&path).await.unwrap();
        assert!(!beside(&path, "-shm").exists());
        let indexer = SqlIndexer::open(SqliteConfig::new(&path));
        indexer.upgrade().await.unwrap();
        file_log(&path).await.unwrap();
        indexer.set_store(Uuid::from_u128(7), 4).await.unwrap();
        let found = glance(&path).await.unwrap();
        assert_eq!(found.store, Some((Uuid::from_u128(7), 4)));
        assert_eq!(found.filed, Some(store));
        indexer.close().await;
    }

    #[tokio::test]
    async fn an_empty_file_has_no_schema_and_rubble_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("indexer.db");
        fs::write(&path, "").unwrap();
        let log = beside(&path, "-wal");
        fs::write(&log, "log").unwrap();
        assert_eq!(glance(&path).await.unwrap(), Glance::default());
        assert!(log.exists());
        fs::remove_file(log).unwrap();
        assert_eq!(glance(&path).await.unwrap(), Glance::default());
        fs::write(&path, [0xaa; 8192]).unwrap();
        let Err(IndexerError::Backend(error)) = glance(&path).await else {
            panic!("rubble is no database")
        };
        assert_eq!(error.kind(), BackendErrorKind::Corrupt);
        assert!(glance(&folder.path().join("missing")).await.is_err());
    }
}
