//! What can go wrong, and how a caller sees it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use carbonara::codec::DecodeError;
use gnocchi_core::error::{BackendError, BackendErrorKind, IncomingError, StorageError};
use thiserror::Error;

use super::files::Damage;
use crate::disk::Refusal;

/// The name of this driver in errors.
const DRIVER: &str = "embedded";

/// A failure inside this driver.
#[derive(Debug, Error)]
pub(super) enum EmbeddedError {
    #[error("the storage engine failed")]
    Engine(#[source] fjall::Error),
    #[error("the directory cannot be used")]
    Directory(#[source] io::Error),
    #[error("the disk takes no writes")]
    Disk(#[source] io::Error),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(
        "the disk has lost writes that it had confirmed: restart the program, which goes on from what the disk holds"
    )]
    LostWrites,
    #[error("the database has format {found}, this program knows format {known}")]
    Format { found: u32, known: u32 },
    #[error("{}", first_of(.0))]
    Damaged(Vec<Damage>),
    #[error("the storage engine found less than its files hold")]
    Incomplete,
    #[error("the record {name} is damaged")]
    DamagedRecord { name: String },
    #[error("entry {sequence} of the log of measures is damaged")]
    DamagedEntry { sequence: u64, source: DecodeError },
    #[error("entry {sequence} of the log of measures is of the unknown kind {kind}")]
    UnknownEntry { sequence: u64, kind: u8 },
    #[error("the lease {fence} of this writer is older than {current}")]
    StaleFence { fence: u64, current: u64 },
    #[error("an append of {bytes} bytes is too large")]
    AppendTooLarge { bytes: usize },
    #[error("{points} points wait to be folded")]
    BacklogNotEmpty { points: usize },
    #[error("acknowledged measures are still in the log")]
    LogNotEmpty,
    #[error("files were not written fast enough for {waited:?}")]
    Overloaded { waited: Duration },
    #[error("the database takes no writes after a failure until it is opened again")]
    Stopped(#[source] Arc<Self>),
    #[error("the group of appends was not stored")]
    Group(#[source] Arc<Self>),
    #[error("the writer of the log is gone")]
    Closed,
    #[error("the task was not run to its end")]
    Task(#[source] tokio::task::JoinError),
    #[error("the thread that writes the log cannot be started")]
    Thread(#[source] io::Error),
}

impl EmbeddedError {
    /// Tells a caller what happened while `operation` was attempted.
    pub(super) fn into_backend(self, operation: impl Into<String>) -> BackendError {
        BackendError::new(DRIVER, operation, self.kind()).with_source(self)
    }

    /// Tells a caller of the incoming driver.
    pub(super) fn into_incoming(self, operation: impl Into<String>) -> IncomingError {
        self.into_backend(operation).into()
    }

    /// Tells a caller of the storage driver.
    pub(super) fn into_storage(self, operation: impl Into<String>) -> StorageError {
        match self {
            Self::StaleFence { fence, current } => StorageError::StaleFence { fence, current },
            other => other.into_backend(operation).into(),
        }
    }

    /// Tells whether the engine accepts no more writes and must be opened again.
    pub(super) fn stops_the_engine(&self) -> bool {
        match self {
            Self::Engine(error) => {
                matches!(
                    error,
                    fjall::Error::Io(_)
                        | fjall::Error::Poisoned
                        | fjall::Error::Storage(fjall::LsmError::Io(_))
                )
            }
            _ => false,
        }
    }

    /// Tells whether the engine refused a write because of an earlier failure, so that nothing of this one was stored.
    pub(super) fn is_poisoned(&self) -> bool {
        matches!(self, Self::Engine(fjall::Error::Poisoned))
    }

    /// Returns the kind of a failure after which the engine is opened again as soon as the disk lets it.
    fn kind_while_recovering(&self) -> BackendErrorKind {
        match (self, self.kind()) {
            (Self::LostWrites, kind) => kind,
            (_, BackendErrorKind::Unexpected) => BackendErrorKind::Unavailable,
            (_, kind) => kind,
        }
    }

    fn kind(&self) -> BackendErrorKind {
        match self {
            Self::Engine(error) => engine_kind(error),
            Self::Directory(error) | Self::Disk(error) | Self::Thread(error) => io_kind(error),
            Self::Refused(refusal) => refusal.kind(),
            Self::LostWrites => BackendErrorKind::Unexpected,
            Self::Format { .. }
            | Self::BacklogNotEmpty { .. }
            | Self::LogNotEmpty
            | Self::AppendTooLarge { .. } => BackendErrorKind::Config,
            Self::Damaged(_)
            | Self::Incomplete
            | Self::DamagedRecord { .. }
            | Self::DamagedEntry { .. }
            | Self::UnknownEntry { .. } => BackendErrorKind::Corrupt,
            Self::StaleFence { .. } => BackendErrorKind::Conflict,
            Self::Overloaded { .. } | Self::Closed | Self::Task(_) => BackendErrorKind::Unavailable,
            Self::Stopped(cause) => cause.kind_while_recovering(),
            Self::Group(cause) => cause.kind(),
        }
    }
}

impl From<fjall::Error> for EmbeddedError {
    fn from(error: fjall::Error) -> Self {
        Self::Engine(error)
    }
}

/// Describes damage by the first of it.
fn first_of(damage: &[Damage]) -> String {
    match damage {
        [] => "nothing is damaged".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

fn engine_kind(error: &fjall::Error) -> BackendErrorKind {
    use fjall::Error::{
        Decompress, InvalidTag, InvalidTrailer, InvalidVersion, Io, JournalRecovery, Locked,
        Poisoned, Storage, Unrecoverable,
    };
    match error {
        Io(error) | Storage(fjall::LsmError::Io(error)) => io_kind(error),
        Locked | Poisoned => BackendErrorKind::Unavailable,
        InvalidVersion(_) | Storage(fjall::LsmError::InvalidVersion(_)) => BackendErrorKind::Config,
        Storage(_) | Decompress(_) | InvalidTag(_) | InvalidTrailer | JournalRecovery(_)
        | Unrecoverable => BackendErrorKind::Corrupt,
        _ => BackendErrorKind::Unexpected,
    }
}

fn io_kind(error: &io::Error) -> BackendErrorKind {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            BackendErrorKind::Full
        }
        ErrorKind::ReadOnlyFilesystem => BackendErrorKind::ReadOnly,
        ErrorKind::PermissionDenied => BackendErrorKind::Denied,
        ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory => BackendErrorKind::Config,
        ErrorKind::TimedOut => BackendErrorKind::Timeout,
        ErrorKind::Interrupted | ErrorKind::WouldBlock => BackendErrorKind::Unavailable,
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => BackendErrorKind::Corrupt,
        _ => BackendErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_to_do() {
        use BackendErrorKind::{
            Config, Conflict, Corrupt, Denied, Full, ReadOnly, Unavailable, Unexpected,
        };
        let check = |error: EmbeddedError, expected: BackendErrorKind| {
            let text = format!("{error:?}");
            assert_eq!(error.into_backend("test").kind(), expected, "{text}");
        };
        let io = |kind: io::ErrorKind| fjall::Error::Io(io::Error::from(kind));
        check(io(io::ErrorKind::StorageFull).into(), Full);
        check(io(io::ErrorKind::QuotaExceeded).into(), Full);
        check(
            fjall::Error::Io(io::Error::from_raw_os_error(28)).into(),
            Full,
        );
        check(
            fjall::Error::Storage(fjall::LsmError::Io(io::ErrorKind::StorageFull.into())).into(),
            Full,
        );
        check(io(io::ErrorKind::ReadOnlyFilesystem).into(), ReadOnly);
        check(Refusal::ReadOnly.into(), ReadOnly);
        check(Refusal::NoInodes.into(), Full);
        check(EmbeddedError::LostWrites, Unexpected);
        check(
            EmbeddedError::Directory(io::ErrorKind::PermissionDenied.into()),
            Denied,
        );
        check(
            EmbeddedError::Directory(io::ErrorKind::NotADirectory.into()),
            Config,
        );
        check(fjall::Error::Locked.into(), Unavailable);
        check(fjall::Error::Poisoned.into(), Unavailable);
        check(fjall::Error::InvalidVersion(None).into(), Config);
        check(fjall::Error::Unrecoverable.into(), Corrupt);
        check(
            fjall::Error::JournalRecovery(fjall::JournalRecoveryError::ChecksumMismatch).into(),
            Corrupt,
        );
        check(EmbeddedError::Format { found: 9, known: 1 }, Config);
        check(
            EmbeddedError::DamagedEntry {
                sequence: 1,
                source: DecodeError::Truncated,
            },
            Corrupt,
        );
        check(
            EmbeddedError::UnknownEntry {
                sequence: 1,
                kind: 9,
            },
            Corrupt,
        );
        check(
            EmbeddedError::StaleFence {
                fence: 1,
                current: 2,
            },
            Conflict,
        );
        check(
            EmbeddedError::Damaged(vec![Damage::of("0.jnl", "is missing")]),
            Corrupt,
        );
        check(EmbeddedError::Incomplete, Corrupt);
        check(EmbeddedError::Closed, Unavailable);
        let full = Arc::new(EmbeddedError::from(io(io::ErrorKind::StorageFull)));
        check(EmbeddedError::Stopped(Arc::clone(&full)), Full);
        check(EmbeddedError::Group(full), Full);
        // A failing disk is tried again automatically; lost writes are not.
        let failing = || io(io::ErrorKind::Other).into();
        check(failing(), Unexpected);
        check(EmbeddedError::Stopped(Arc::new(failing())), Unavailable);
        check(
            EmbeddedError::Stopped(Arc::new(EmbeddedError::LostWrites)),
            Unexpected,
        );
    }

    #[test]
    fn a_stale_fence_is_an_outcome_of_storage() {
        let error = EmbeddedError::StaleFence {
            fence: 1,
            current: 2,
        }
        .into_storage("commit");
        assert!(matches!(
            error,
            StorageError::StaleFence {
                fence: 1,
                current: 2
            }
        ));
    }
}
