//! The contract, one file for each part of it.

mod archive_policies;
mod assignment;
mod attribute_index;
mod conditions;
mod integrity;
mod listing;
mod metrics;
mod reopening;
mod resource_lists;
mod resource_rows;
mod resource_types;
mod resources;

use async_trait::async_trait;
use gnocchi_core::driver::Indexer;
use gnocchi_core::error::IndexerError;

use super::SqlIndexer;
use super::database::Access;
use super::schema::migrate;

pub(super) use archive_policies::PolicyCache;

#[async_trait]
impl Indexer for SqlIndexer {
    async fn upgrade(&self) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Transaction,
                "create or migrate the schema",
                (),
                |session, ()| Box::pin(migrate(session)),
            )
            .await
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}
