//! The contract, one file for each part of it.

mod archive_policies;
mod assignment;
mod attribute_index;
mod conditions;
mod integrity;
mod listing;
mod metric_lists;
mod metrics;
mod reopening;
mod resource_lists;
mod resource_rows;
mod resource_types;
mod resources;
mod seen;
mod store;

use async_trait::async_trait;
use gnocchi_core::driver::{Indexer, IndexerCounts};
use gnocchi_core::error::IndexerError;

use super::SqlIndexer;
use super::database::{Access, Session};
use super::error::SqlError;
use super::schema::migrate;
use super::statement::Statement;

pub(super) use archive_policies::PolicyCache;

#[async_trait]
impl Indexer for SqlIndexer {
    async fn upgrade(&self) -> Result<(), IndexerError> {
        self.database
            .call_always(
                Access::Transaction,
                "create or migrate the schema",
                (),
                |session, ()| Box::pin(migrate(session)),
            )
            .await
    }

    async fn accepts_writes(&self) -> Result<(), IndexerError> {
        self.database.accepts_writes().await
    }

    async fn counts(&self) -> Result<IndexerCounts, IndexerError> {
        self.database
            .call(
                Access::Read,
                "count metrics and resources",
                (),
                |session, ()| Box::pin(count(session)),
            )
            .await
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

/// Deleted metrics have an index of their own, active ones have none.
const COUNTS: &str = "SELECT \
     (SELECT count(*) FROM metric) - (SELECT count(*) FROM metric WHERE status = 1), \
     (SELECT count(*) FROM resource)";

async fn count(session: &mut dyn Session) -> Result<IndexerCounts, SqlError> {
    let rows = session.fetch(Statement::new(COUNTS)).await?;
    let Some(mut row) = rows.into_iter().next() else {
        return Ok(IndexerCounts::default());
    };
    let mut next = |column| {
        let count = row.integer(column)?;
        // No count is negative.
        Ok::<_, SqlError>(u64::try_from(count).unwrap_or_default())
    };
    Ok(IndexerCounts {
        metrics: next("count of metrics")?,
        resources: next("count of resources")?,
    })
}
