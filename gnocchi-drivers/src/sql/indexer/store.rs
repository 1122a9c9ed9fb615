//! Which store the database belongs to.

use gnocchi_core::error::IndexerError;
use uuid::Uuid;

use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

impl SqlIndexer {
    /// Notes which store the database belongs to, and how often that was opened; see [`glance`](crate::sql::glance).
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the database cannot be written to.
    pub async fn set_store(&self, identity: Uuid, pairing: u64) -> Result<(), IndexerError> {
        // As many openings take longer than anything lasts.
        let pairing = i64::try_from(pairing).unwrap_or(i64::MAX);
        self.database
            .call(
                Access::Transaction,
                "note the store",
                (identity, pairing),
                |session, (identity, pairing)| Box::pin(set_store(session, *identity, *pairing)),
            )
            .await
    }
}

async fn set_store(
    session: &mut dyn Session,
    identity: Uuid,
    pairing: i64,
) -> Result<(), SqlError> {
    session.execute(Statement::new("DELETE FROM store")).await?;
    let insert = Statement::new("INSERT INTO store (identity, pairing) VALUES (?, ?)");
    session.execute(insert.bind(identity).bind(pairing)).await?;
    Ok(())
}
