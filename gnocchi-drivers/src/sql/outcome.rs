//! From the errors of a database to those of the contract.

use gnocchi_core::error::{BackendError, BackendErrorKind, IndexerError};

use super::dialect::Dialect;
use super::error::SqlError;

impl SqlError {
    pub(super) fn kind(&self, dialect: &dyn Dialect) -> BackendErrorKind {
        match self {
            Self::Database(error) => database_kind(error, dialect),
            Self::Transaction(error) => error.kind(dialect),
            Self::Corrupt { .. } => BackendErrorKind::Corrupt,
            Self::NewerSchema { .. } | Self::OlderSchema { .. } => BackendErrorKind::Config,
            Self::Folder(error) => io_kind(error),
            Self::Refused(refusal) => refusal.kind(),
            // It is tried again.
            Self::Disk(error) => match io_kind(error) {
                BackendErrorKind::Unexpected => BackendErrorKind::Unavailable,
                kind => kind,
            },
            Self::Closed => BackendErrorKind::Unavailable,
            Self::Domain(_) | Self::AttributeKind { .. } | Self::Panicked => {
                BackendErrorKind::Unexpected
            }
        }
    }

    /// Makes the error of the contract; `operation` reads on from "cannot" and names the database.
    pub(super) fn into_indexer_error(
        self,
        dialect: &dyn Dialect,
        operation: String,
    ) -> IndexerError {
        match self {
            Self::Domain(error) => error,
            other => {
                let kind = other.kind(dialect);
                BackendError::new(dialect.driver(), operation, kind)
                    .with_source(other)
                    .into()
            }
        }
    }
}

fn database_kind(error: &sqlx::Error, dialect: &dyn Dialect) -> BackendErrorKind {
    match error {
        sqlx::Error::Database(error) => dialect.error_kind(&**error),
        sqlx::Error::Io(error) => io_kind(error),
        sqlx::Error::PoolTimedOut => BackendErrorKind::Timeout,
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => BackendErrorKind::Unavailable,
        sqlx::Error::Configuration(_) => BackendErrorKind::Config,
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => BackendErrorKind::Corrupt,
        _ => BackendErrorKind::Unexpected,
    }
}

fn io_kind(error: &std::io::Error) -> BackendErrorKind {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => BackendErrorKind::Denied,
        std::io::ErrorKind::ReadOnlyFilesystem => BackendErrorKind::ReadOnly,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            BackendErrorKind::Full
        }
        std::io::ErrorKind::TimedOut => BackendErrorKind::Timeout,
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            BackendErrorKind::Config
        }
        _ => BackendErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::dialect::SQLITE;
    use super::*;
    use crate::disk::Refusal;

    #[test]
    fn failures_say_what_a_caller_can_do() {
        let check = |error: SqlError, expected: BackendErrorKind| {
            let shown = error.to_string();
            let shared = SqlError::Transaction(Arc::new(error));
            assert_eq!(shared.kind(&SQLITE), expected, "{shown}");
        };
        let io = |kind: std::io::ErrorKind| SqlError::Database(sqlx::Error::Io(kind.into()));
        check(
            io(std::io::ErrorKind::PermissionDenied),
            BackendErrorKind::Denied,
        );
        check(io(std::io::ErrorKind::StorageFull), BackendErrorKind::Full);
        check(io(std::io::ErrorKind::TimedOut), BackendErrorKind::Timeout);
        check(
            io(std::io::ErrorKind::NotADirectory),
            BackendErrorKind::Config,
        );
        check(
            io(std::io::ErrorKind::BrokenPipe),
            BackendErrorKind::Unexpected,
        );
        check(
            SqlError::Folder(std::io::ErrorKind::PermissionDenied.into()),
            BackendErrorKind::Denied,
        );
        check(sqlx::Error::PoolTimedOut.into(), BackendErrorKind::Timeout);
        check(
            sqlx::Error::PoolClosed.into(),
            BackendErrorKind::Unavailable,
        );
        check(
            sqlx::Error::WorkerCrashed.into(),
            BackendErrorKind::Unavailable,
        );
        check(
            sqlx::Error::Decode("odd".into()).into(),
            BackendErrorKind::Corrupt,
        );
        check(
            SqlError::corrupt("metric.id", "nonsense"),
            BackendErrorKind::Corrupt,
        );
        check(
            SqlError::NewerSchema { found: 2, known: 1 },
            BackendErrorKind::Config,
        );
        check(SqlError::Closed, BackendErrorKind::Unavailable);
        check(Refusal::NoInodes.into(), BackendErrorKind::Full);
        check(Refusal::ReadOnly.into(), BackendErrorKind::ReadOnly);
        check(
            SqlError::Disk(std::io::ErrorKind::Other.into()),
            BackendErrorKind::Unavailable,
        );
        check(
            SqlError::Disk(std::io::ErrorKind::ReadOnlyFilesystem.into()),
            BackendErrorKind::ReadOnly,
        );
    }

    #[test]
    fn outcomes_of_the_contract_pass_through() {
        let domain = SqlError::Domain(IndexerError::ArchivePolicyExists { name: "low".into() });
        let public = domain.into_indexer_error(&SQLITE, "create archive policy in x".into());
        assert!(matches!(public, IndexerError::ArchivePolicyExists { name } if name == "low"));
        let public = SqlError::Closed.into_indexer_error(&SQLITE, "list metrics in x".into());
        assert_eq!(
            public.to_string(),
            "sqlite cannot list metrics in x: unavailable"
        );
    }
}
