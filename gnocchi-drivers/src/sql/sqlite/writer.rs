//! The task that owns the writing connection.
//!
//! Why is creating metrics one by one fast? A commit waits for the disk, so its price does not depend on how much it holds.
//! Jobs that arrive while one group is being committed form the next group: one transaction, one commit. A job that fails takes
//! only its own changes back: a single statement does so by itself, and there is a savepoint around jobs of several statements.
//! No caller gets a response before the commit.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use gnocchi_core::error::BackendErrorKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::session::SqliteSession;
use crate::sql::database::{Access, Job, Verdict};
use crate::sql::dialect::SQLITE;
use crate::sql::error::SqlError;

/// How many jobs share a commit at most; bounds how long the first one waits for the last one.
const GROUP_JOBS_MAX: usize = 256;

/// How often a file that another process has locked is opened again, and after what pause: two seconds in all.
const ATTEMPTS_MAX: usize = 40;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT whole";
/// Fails when an error (a full disk, say) ended the whole transaction and not only the statement that met it.
const STILL_THERE: &str = "RELEASE whole; SAVEPOINT whole";
const BEGIN_JOB: &str = "SAVEPOINT job";
const KEEP_JOB: &str = "RELEASE job";
const UNDO_JOB: &str = "ROLLBACK TO job; RELEASE job";
const COMMIT: &str = "COMMIT";
const ROLL_BACK: &str = "ROLLBACK";

/// What is said of a transaction that an error has ended.
const NO_TRANSACTION: &str = "no transaction is active";

/// What the writer is asked to do.
pub(super) enum Message {
    /// Run this.
    Job(Access, Box<dyn Job>),
    /// Close the connection and answer.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    path: Option<PathBuf>,
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// Whether the state of the connection is unknown, so that the next group needs another one.
    must_renew: bool,
    messages: mpsc::Receiver<Message>,
}

impl Writer {
    pub(super) fn new(
        path: Option<PathBuf>,
        options: SqliteConnectOptions,
        messages: mpsc::Receiver<Message>,
    ) -> Self {
        Self {
            path,
            options,
            connection: None,
            must_renew: false,
            messages,
        }
    }

    /// Works until all senders are dropped, or the database is closed.
    pub(super) async fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            match self.messages.recv().await {
                Some(Message::Job(access, job)) => closing = self.run_group(access, job).await,
                Some(Message::Close(closed)) => closing = Some(closed),
                None => break,
            }
        }
        self.messages.close();
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            warn!(%error, "cannot close the indexer database");
        }
        if let Some(closed) = closing {
            // The one who asked may have gone away.
            closed.send(()).ok();
        }
    }

    /// Runs a job and those that arrive meanwhile. Returns a request to close that came among them.
    async fn run_group(
        &mut self,
        access: Access,
        first: Box<dyn Job>,
    ) -> Option<oneshot::Sender<()>> {
        let mut group = Group {
            jobs: vec![(access, first)],
            closing: None,
        };
        let outcome = match self.try_group(&mut group).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.recover(&error).await;
                Err(Arc::new(error))
            }
        };
        for (_, job) in group.jobs {
            job.finish(outcome.clone());
        }
        group.closing
    }

    /// Undoes a failed transaction, or replaces the connection by a new one; when none can be opened, the next group tries again.
    ///
    /// A database in memory would be lost with its connection. And on a full disk no new connection can be opened: it needs files
    /// that are deleted with the last one, so readers would fail as well. Otherwise the state of the connection is unknown.
    async fn recover(&mut self, error: &SqlError) {
        let is_kept = self.path.is_none()
            || matches!(
                error.kind(&SQLITE),
                BackendErrorKind::Full | BackendErrorKind::ReadOnly | BackendErrorKind::Unavailable
            );
        if is_kept
            && let Some(connection) = &mut self.connection
            && undo(connection).await
        {
            return;
        }
        if self.path.is_some() && self.connection.is_some() {
            self.must_renew = true;
            if let Err(error) = self.renew().await {
                warn!(%error, "cannot open the indexer database again; the next write tries again");
            }
        }
    }

    /// Opens a new connection, then closes the old one.
    ///
    /// Why in this order, and why is the old one kept when there is no new one? SQLite deletes the log together with the last
    /// connection. A missing log looks like damage after a crash.
    async fn renew(&mut self) -> Result<(), SqlError> {
        let renewed = self.connect().await?;
        self.connection = Some(renewed);
        self.must_renew = false;
        Ok(())
    }

    async fn try_group(&mut self, group: &mut Group) -> Result<(), SqlError> {
        if self.must_renew || self.connection.is_none() {
            self.renew().await?;
        }
        let Some(connection) = &mut self.connection else {
            return Err(SqlError::Closed);
        };
        execute(connection, BEGIN).await?;
        let mut index = 0;
        loop {
            let (access, job) = &mut group.jobs[index];
            run_job(connection, *access, &mut **job).await?;
            index += 1;
            if !group.receive(&mut self.messages).await {
                break;
            }
        }
        execute(connection, COMMIT).await
    }

    async fn connect(&self) -> Result<SqliteConnection, SqlError> {
        if let Some(folder) = self.path.as_ref().and_then(|path| path.parent()) {
            let folder = folder.to_owned();
            let created =
                tokio::task::spawn_blocking(move || std::fs::create_dir_all(folder)).await;
            created
                .map_err(|_| SqlError::Closed)?
                .map_err(SqlError::Folder)?;
        }
        let mut attempt = 0;
        loop {
            match self.options.connect().await {
                // While several processes open a new file at once, the change to a write-ahead log finds it locked, and does
                // not wait as other statements do.
                Err(sqlx::Error::Database(error))
                    if error.message().contains("locked") && attempt < ATTEMPTS_MAX =>
                {
                    attempt += 1;
                    tokio::time::sleep(ATTEMPT_PAUSE).await;
                }
                connected => return Ok(connected?),
            }
        }
    }
}

/// Rolls back, unless the failure did that already; returns whether the connection can go on.
async fn undo(connection: &mut SqliteConnection) -> bool {
    match execute(connection, ROLL_BACK).await {
        Ok(()) => true,
        Err(SqlError::Database(sqlx::Error::Database(error)))
            if error.message().contains(NO_TRANSACTION) =>
        {
            true
        }
        Err(error) => {
            warn!(%error, "cannot roll back");
            false
        }
    }
}

/// Runs one job of a group. An error is one of the transaction, not of the job.
async fn run_job(
    connection: &mut SqliteConnection,
    access: Access,
    job: &mut dyn Job,
) -> Result<(), SqlError> {
    let several = access == Access::Transaction;
    if several {
        execute(connection, BEGIN_JOB).await?;
    }
    // A panic of one call must not end the task, and with it the connection and the log.
    let mut session = SqliteSession::new(connection);
    let verdict = AssertUnwindSafe(job.run(&mut session))
        .catch_unwind()
        .await
        .map_err(|_| SqlError::Panicked)?;
    match verdict {
        Verdict::Keep if several => execute(connection, KEEP_JOB).await,
        Verdict::Keep => Ok(()),
        Verdict::RollBack if several => execute(connection, UNDO_JOB).await,
        Verdict::RollBack => execute(connection, STILL_THERE).await,
    }
}

struct Group {
    jobs: Vec<(Access, Box<dyn Job>)>,
    closing: Option<oneshot::Sender<()>>,
}

impl Group {
    /// Adds one more job if one waits and may still join.
    async fn receive(&mut self, messages: &mut mpsc::Receiver<Message>) -> bool {
        if self.jobs.len() >= GROUP_JOBS_MAX || self.closing.is_some() {
            return false;
        }
        let message = if let Ok(message) = messages.try_recv() {
            message
        } else {
            // Lets callers that were just answered come back before the disk is kept busy.
            tokio::task::yield_now().await;
            let Ok(message) = messages.try_recv() else {
                return false;
            };
            message
        };
        match message {
            Message::Job(access, job) => {
                self.jobs.push((access, job));
                true
            }
            Message::Close(closed) => {
                self.closing = Some(closed);
                false
            }
        }
    }
}

async fn execute(connection: &mut SqliteConnection, text: &'static str) -> Result<(), SqlError> {
    sqlx::query(text).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
