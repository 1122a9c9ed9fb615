//! Calls: one function over a session, run by whatever engine is behind it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use gnocchi_core::error::{BackendErrorKind, IndexerError};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::warn;

use super::dialect::Dialect;
use super::error::SqlError;
use super::statement::{Row, Statement};
use crate::disk::{Disk, Purpose};

/// A connection inside a transaction.
#[async_trait]
pub(super) trait Session: Send {
    fn dialect(&self) -> &'static dyn Dialect;

    /// Runs a statement and returns its rows.
    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>, SqlError>;

    /// Runs a statement and returns how many rows it changed.
    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlError>;

    /// Runs a reading statement, then a writing one, and returns the rows of the first. Neither sees the other.
    async fn fetch_and_execute(
        &mut self,
        reading: Statement,
        writing: Statement,
    ) -> Result<Vec<Row>, SqlError>;

    /// Runs several statements that bind nothing.
    async fn run_script(&mut self, script: &'static str) -> Result<(), SqlError>;
}

/// What a call needs around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// One reading statement.
    Read,
    /// Several reading statements that must see one state.
    Snapshot,
    /// One writing statement, as the last one: when it fails it takes itself back.
    Write,
    /// Several statements, all or nothing.
    Transaction,
}

impl Access {
    fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Transaction)
    }
}

/// One call without its types.
#[async_trait]
pub(super) trait Job: Send {
    /// Runs the call and returns whether its writes should be committed.
    async fn run(&mut self, session: &mut dyn Session) -> Verdict;

    /// Hands the result to the caller, or the reason why its transaction failed.
    fn finish(self: Box<Self>, transaction: Result<(), Arc<SqlError>>);
}

/// Whether what a job wrote should stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    RollBack,
}

/// Runs jobs on a database.
#[async_trait]
pub(super) trait Engine: fmt::Debug + Send + Sync {
    fn dialect(&self) -> &'static dyn Dialect;

    /// Names the database for error messages.
    fn location(&self) -> String;

    /// Runs a job and finishes it, or hands it on to be finished.
    async fn submit(&self, access: Access, job: Box<dyn Job>);

    /// Waits for the jobs in hand and closes all connections.
    async fn close(&self);
}

/// What a call does: a plain function, which borrows nothing from its caller and so may outlive it.
pub(super) type Body<A, T> =
    for<'a> fn(&'a mut dyn Session, &'a A) -> BoxFuture<'a, Result<T, SqlError>>;

/// A database that takes calls.
#[derive(Debug)]
pub(super) struct Database {
    engine: Box<dyn Engine>,
    /// Watches the file system; `None` when it is not watched.
    disk: Option<Arc<Disk>>,
    /// How the last write failed, if it did because of the disk.
    failure: Mutex<Option<BackendErrorKind>>,
}

impl Database {
    pub(super) fn new(engine: impl Engine + 'static) -> Self {
        Self {
            engine: Box::new(engine),
            disk: None,
            failure: Mutex::new(None),
        }
    }

    /// Refuses new data from now on before a disk is full.
    pub(super) fn watch(&mut self, disk: Arc<Disk>) {
        self.disk = Some(disk);
    }

    /// Returns whether new data would be accepted now. After a failed write the disk is tried.
    pub(super) async fn accepts_writes(&self) -> Result<(), IndexerError> {
        const OPERATION: &str = "accept changes";
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        disk.check(Purpose::Growth)
            .map_err(|refusal| self.error(OPERATION, refusal.into()))?;
        if self.failure.lock().is_none() {
            return Ok(());
        }
        let disk = Arc::clone(disk);
        let tried = tokio::task::spawn_blocking(move || disk.probe()).await;
        let tried = tried
            .map_err(|_| SqlError::Closed)
            .and_then(|tried| tried.map_err(SqlError::Disk));
        tried.map_err(|error| self.error(OPERATION, error))?;
        *self.failure.lock() = None;
        Ok(())
    }

    /// Runs a call; `operation` reads on from "cannot". Writes are refused when the disk is nearly full.
    ///
    /// A caller that goes away does not stop a write that has begun.
    pub(super) async fn call<A, T>(
        &self,
        access: Access,
        operation: &str,
        arguments: A,
        body: Body<A, T>,
    ) -> Result<T, IndexerError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        if access.writes()
            && let Some(disk) = &self.disk
        {
            let admitted = disk.admit_growth();
            admitted.map_err(|refusal| self.error(operation, refusal.into()))?;
        }
        self.call_always(access, operation, arguments, body).await
    }

    /// Runs a call also when the disk is nearly full: for what a start needs, for folding, and for deletions, which make room.
    pub(super) async fn call_always<A, T>(
        &self,
        access: Access,
        operation: &str,
        arguments: A,
        body: Body<A, T>,
    ) -> Result<T, IndexerError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.engine
            .submit(
                access,
                Box::new(Call {
                    arguments,
                    body,
                    result: None,
                    reply,
                }),
            )
            .await;
        // No reply comes when the engine was dropped with the job.
        let result = answer.await.unwrap_or(Err(SqlError::Closed));
        if access.writes() {
            self.note(result.as_ref().err());
        }
        result.map_err(|error| self.error(operation, error))
    }

    fn error(&self, operation: &str, error: SqlError) -> IndexerError {
        let operation = format!("{operation} in {}", self.engine.location());
        error.into_indexer_error(self.engine.dialect(), operation)
    }

    /// Notes whether the disk took a write.
    fn note(&self, error: Option<&SqlError>) {
        let kind = error.map(|error| error.kind(self.engine.dialect()));
        let mut failure = self.failure.lock();
        match (kind, error) {
            (None, _) => *failure = None,
            (_, Some(SqlError::Closed)) => {}
            (
                Some(
                    BackendErrorKind::Full
                    | BackendErrorKind::ReadOnly
                    | BackendErrorKind::Unavailable,
                ),
                Some(error),
            ) => {
                if *failure != kind {
                    warn!(
                        database = self.engine.location(),
                        error = error as &dyn std::error::Error,
                        "a write failed; reads go on"
                    );
                }
                *failure = kind;
            }
            // Says nothing about the disk.
            _ => {}
        }
    }

    pub(super) async fn close(&self) {
        self.engine.close().await;
    }
}

struct Call<A, T> {
    arguments: A,
    body: Body<A, T>,
    result: Option<Result<T, SqlError>>,
    reply: oneshot::Sender<Result<T, SqlError>>,
}

#[async_trait]
impl<A: Send + Sync, T: Send> Job for Call<A, T> {
    async fn run(&mut self, session: &mut dyn Session) -> Verdict {
        let result = (self.body)(session, &self.arguments).await;
        let verdict = if result.is_ok() {
            Verdict::Keep
        } else {
            Verdict::RollBack
        };
        self.result = Some(result);
        verdict
    }

    fn finish(self: Box<Self>, transaction: Result<(), Arc<SqlError>>) {
        let result = match (self.result, transaction) {
            // What the call itself ran into says more than what became of its transaction.
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(SqlError::Transaction(error)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(SqlError::Closed),
        };
        // The caller may have gone away.
        self.reply.send(result).ok();
    }
}
