//! What can go wrong between a call and the database.

use std::sync::Arc;

use gnocchi_core::error::IndexerError;
use thiserror::Error;

use crate::disk::Refusal;

/// Everything that can go wrong between a call and the database.
#[derive(Debug, Error)]
pub(super) enum SqlError {
    /// An outcome that the contract has a name for.
    #[error(transparent)]
    Domain(#[from] IndexerError),
    #[error("the database refuses")]
    Database(#[from] sqlx::Error),
    #[error("{column} holds {found}")]
    Corrupt { column: &'static str, found: String },
    #[error(
        "the schema has version {found}, and this program knows versions up to {known}: use a newer program"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error("the schema has version {found}, and must be upgraded to version {known} first")]
    OlderSchema { found: i64, known: i64 },
    #[error("the folder of the database cannot be created")]
    Folder(#[source] std::io::Error),
    #[error("the disk takes no writes")]
    Disk(#[source] std::io::Error),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the value of attribute {name} is not of the kind that its resource type asks for")]
    AttributeKind { name: String },
    #[error("the indexer is closed")]
    Closed,
    #[error("a call panicked")]
    Panicked,
    /// The transaction that this call shared with others failed.
    #[error("the transaction failed")]
    Transaction(#[source] Arc<SqlError>),
}

impl SqlError {
    pub(super) fn corrupt(column: &'static str, found: impl Into<String>) -> Self {
        Self::Corrupt {
            column,
            found: found.into(),
        }
    }

    pub(super) fn is_unique_violation(&self) -> bool {
        self.database()
            .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    pub(super) fn is_foreign_key_violation(&self) -> bool {
        self.database()
            .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
    }

    fn database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        if let Self::Database(error) = self {
            error.as_database_error()
        } else {
            None
        }
    }
}
