//! The indexer on SQLite: the suite, and what is special about files.
#![cfg(feature = "sqlite")]

use async_trait::async_trait;
use gnocchi_core::conformance::indexer::IndexerFixture;
use gnocchi_core::driver::Indexer;
use gnocchi_drivers::sql::{SqlIndexer, SqliteConfig};
use tempfile::TempDir;

/// A database file in a folder of its own.
struct File {
    folder: TempDir,
    indexer: SqlIndexer,
}

impl File {
    fn config(&self) -> SqliteConfig {
        SqliteConfig::new(self.folder.path().join("folder/indexer.db"))
    }
}

#[async_trait]
impl IndexerFixture for File {
    fn driver(&self) -> &dyn Indexer {
        &self.indexer
    }

    async fn reopen(&mut self) {
        self.indexer.close().await;
        self.indexer = SqlIndexer::open(self.config());
    }
}

async fn file() -> File {
    let mut file = File { folder: tempfile::tempdir().unwrap(), indexer: SqlIndexer::in_memory() };
    file.indexer = SqlIndexer::open(file.config());
    file.indexer.upgrade().await.unwrap();
    file
}

mod on_disk {
    use super::file;

    gnocchi_core::indexer_conformance!(file, durable);
}

mod in_memory {
    use super::{Indexer, IndexerFixture, SqlIndexer, async_trait};

    struct Memory(SqlIndexer);

    #[async_trait]
    impl IndexerFixture for Memory {
        fn driver(&self) -> &dyn Indexer {
            &self.0
        }

        async fn reopen(&mut self) {
            unreachable!("nothing survives in memory, so no property asks for it");
        }
    }

    async fn memory() -> Memory {
        let indexer = SqlIndexer::in_memory();
        indexer.upgrade().await.unwrap();
        Memory(indexer)
    }

    gnocchi_core::indexer_conformance!(memory);
}
