//! The SQLite engine: one connection that writes, a few that read.

#[cfg(feature = "embedded")]
mod copy;
mod glance;
#[cfg(feature = "embedded")]
mod log_check;
#[cfg(feature = "embedded")]
mod salvage;
mod session;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::database::{Access, Engine, Job};
use super::dialect::{Dialect, SQLITE};
use super::error::SqlError;
#[cfg(feature = "embedded")]
pub(crate) use copy::{CopySource, IndexerCopy, copy_database};
pub use glance::{Glance, file_log, glance};
#[cfg(feature = "embedded")]
pub(crate) use log_check::{LogState, Proof, check_log, log_path};
#[cfg(feature = "embedded")]
pub(crate) use salvage::salvage;
use session::SqliteSession;
use writer::{Message, Writer};

/// How many connections read at the same time.
const READERS_MAX: u32 = 4;

/// How long an idle reading connection keeps its memory.
const READER_IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a connection waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many writing jobs may wait; callers beyond that wait for room.
const WAITING_JOBS_MAX: usize = 1024;

/// The page caches. The system caches the file as well, so small ones cost little.
const READER_CACHE_KIB: u32 = 1024;
const WRITER_CACHE_KIB: u32 = 4096;

/// How much of the file readers look at in the memory of the system instead of copying it page by page. A search touches thousands of
/// pages all over the file, once each; copying them took more time than all the rest.
const MAPPED_BYTES_MAX: u64 = 1 << 30;

/// How many rows a connection reads ahead: the larger, the less often its thread and the caller wait for each other.
const ROWS_BUFFERED: usize = 256;

/// How many steps of a statement are made before it is checked for a caller that has gone: they take less than a millisecond.
const STEPS_AT_ONCE: i32 = 10_000;

/// How many prepared statements a connection keeps.
const STATEMENTS_MAX: usize = 64;

/// A database file, or one in memory.
#[derive(Debug)]
pub(super) struct SqliteEngine {
    /// `None` is in memory.
    path: Option<PathBuf>,
    /// Whether nothing changes the file, and nothing may.
    immutable: bool,
    writer: OnceLock<mpsc::Sender<Message>>,
    readers: OnceLock<SqlitePool>,
}

impl SqliteEngine {
    /// Names a database; nothing is opened before the first job.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            immutable: false,
            writer: OnceLock::new(),
            readers: OnceLock::new(),
        }
    }

    /// Names a database file that does not change. It is only read, and no other file appears beside it.
    pub(super) fn immutable(path: PathBuf) -> Self {
        Self {
            immutable: true,
            ..Self::new(Some(path))
        }
    }

    fn writer(&self) -> &mpsc::Sender<Message> {
        self.writer.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(WAITING_JOBS_MAX);
            let options = match &self.path {
                Some(path) => writing_options(path),
                None => common_options().in_memory(true),
            };
            tokio::spawn(Writer::new(self.path.clone(), options, receiver).run());
            sender
        })
    }

    fn readers(&self, path: &Path) -> &SqlitePool {
        self.readers.get_or_init(|| {
            SqlitePoolOptions::new()
                .max_connections(READERS_MAX)
                .idle_timeout(READER_IDLE_TIMEOUT)
                .max_lifetime(None)
                .test_before_acquire(false)
                .connect_lazy_with(reading_options(path, self.immutable))
        })
    }

    async fn write(&self, access: Access, job: Box<dyn Job>) {
        let sent = self.writer().send(Message::Job(access, job)).await;
        if let Err(mpsc::error::SendError(Message::Job(_, job))) = sent {
            job.finish(Err(Arc::new(SqlError::Closed)));
        }
    }
}

fn common_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_MAX)
        .row_buffer_size(ROWS_BUFFERED)
        .disable_statement_logging()
}

fn writing_options(path: &Path) -> SqliteConnectOptions {
    common_options()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With a write-ahead log this means: the log is flushed before a commit returns.
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
        .thread_name(|_| "indexer-writer".to_owned())
}

fn reading_options(path: &Path, immutable: bool) -> SqliteConnectOptions {
    common_options()
        .filename(path)
        .read_only(immutable)
        .immutable(immutable)
        .pragma("query_only", "ON")
        .pragma("cache_size", format!("-{READER_CACHE_KIB}"))
        .pragma("mmap_size", MAPPED_BYTES_MAX.to_string())
        .thread_name(|id| format!("indexer-read-{id}"))
}

/// Returns the path of a file that SQLite keeps beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[async_trait]
impl Engine for SqliteEngine {
    fn dialect(&self) -> &'static dyn Dialect {
        &SQLITE
    }

    fn location(&self) -> String {
        self.path
            .as_ref()
            .map_or_else(|| "memory".to_owned(), |path| path.display().to_string())
    }

    async fn submit(&self, access: Access, mut job: Box<dyn Job>) {
        match (&self.path, access) {
            // A database in memory lives in one connection.
            (Some(_), Access::Write | Access::Transaction) if self.immutable => {
                job.finish(Err(Arc::new(SqlError::Closed)));
            }
            (None, _) | (_, Access::Write | Access::Transaction) => self.write(access, job).await,
            (Some(path), _) => {
                let outcome = match self.readers(path).acquire().await {
                    Ok(connection) => read(connection, access, &mut *job).await,
                    Err(error) => Err(error),
                };
                job.finish(outcome.map_err(|error| Arc::new(error.into())));
            }
        }
    }

    async fn close(&self) {
        // What was never opened is opened here, so that it is closed for those who come later.
        if let Some(path) = &self.path {
            self.readers(path).close().await;
        }
        if self.immutable {
            return;
        }
        let (closed, waiting) = oneshot::channel();
        if self.writer().send(Message::Close(closed)).await.is_ok() {
            // The other end goes away without an answer only when the runtime shuts down.
            waiting.await.ok();
        }
    }
}

async fn read(
    mut connection: PoolConnection<Sqlite>,
    access: Access,
    job: &mut dyn Job,
) -> Result<(), sqlx::Error> {
    if access == Access::Snapshot {
        let mut reader = Reader::new(connection).await?;
        // Dropped in the middle, the transaction ends itself before the connection is used again.
        let mut transaction = reader.connection.begin().await?;
        job.run(&mut SqliteSession::new(&mut transaction)).await;
        transaction.rollback().await?;
        reader.is_done = true;
    } else {
        job.run(&mut SqliteSession::new(&mut connection)).await;
    }
    Ok(())
}

/// A connection whose statements may take long: they end when the caller goes away.
struct Reader {
    connection: PoolConnection<Sqlite>,
    is_abandoned: Arc<AtomicBool>,
    is_done: bool,
}

impl Reader {
    async fn new(mut connection: PoolConnection<Sqlite>) -> Result<Self, sqlx::Error> {
        let is_abandoned = Arc::<AtomicBool>::default();
        let watched = Arc::clone(&is_abandoned);
        let goes_on = move || !watched.load(Ordering::Relaxed);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS_AT_ONCE, goes_on);
        drop(handle);
        Ok(Self {
            connection,
            is_abandoned,
            is_done: false,
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_done {
            self.is_abandoned.store(true, Ordering::Relaxed);
            // The next user of the session would be interrupted instead of this one.
            self.connection.close_on_drop();
        }
    }
}
