//! The indexer on SQLite: the suite, and what is special about files.
#![cfg(feature = "sqlite")]
#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::conformance::indexer::IndexerFixture;
use gnocchi_core::driver::{
    ArchivePolicyIndexer, Indexer, MetricIndexer, ResourceIndexer, ResourceQuery,
    ResourceTypeIndexer,
};
use gnocchi_core::error::{BackendErrorKind, IndexerError};
use gnocchi_core::model::{
    ArchivePolicy, Attribute, AttributeKind, MetricId, NewMetric, ResourceType,
    default_aggregation_methods,
};
use gnocchi_core::search::{Filter, SearchContext};
use gnocchi_drivers::sql::{SqlIndexer, SqliteConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
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
    let mut file = File {
        folder: tempfile::tempdir().unwrap(),
        indexer: SqlIndexer::in_memory(),
    };
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

/// Opens the database without the indexer.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap()
}

async fn run(path: &Path, script: &'static str) {
    let mut connection = raw(path).await;
    sqlx::raw_sql(script)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Checks the kind of a failure, and that it names the file; returns the text of its source.
fn check_failure<T: std::fmt::Debug>(
    result: Result<T, IndexerError>,
    kind: BackendErrorKind,
    path: &Path,
) -> String {
    let Err(IndexerError::Backend(error)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    error.source().unwrap().to_string()
}

/// Only a file can have been written by a newer program.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let file = file().await;
    file.indexer.close().await;
    let path = file.config().path;
    run(&path, "UPDATE schema_version SET version = 1000").await;
    let indexer = SqlIndexer::open(file.config());
    let why = check_failure(indexer.upgrade().await, BackendErrorKind::Config, &path);
    assert!(why.contains("version 1000"), "{why}");
}

/// Only a file can be left by an older program.
#[tokio::test]
async fn what_the_first_schema_holds_is_searched_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let config = SqliteConfig::new(folder.path().join("indexer.db"));
    let options = SqliteConnectOptions::new()
        .filename(&config.path)
        .create_if_missing(true);
    options.connect().await.unwrap().close().await.unwrap();
    run(
        &config.path,
        include_str!("../src/sql/migrations/sqlite/0001_initial.sql"),
    )
    .await;
    run(
        &config.path,
        r#"CREATE TABLE schema_version (version INTEGER NOT NULL);
        INSERT INTO schema_version VALUES (1);
        INSERT INTO resource_type VALUES ('server', '{"cpus": {"required": false, "type": "number"}}');
        INSERT INTO resource (id, resource_type, original_resource_id, started_at, revision_start, attributes)
        VALUES (x'00000000000000000000000000000001', 'server', 'a', 1, 9, '{"cpus":4.0}'),
            (x'00000000000000000000000000000002', 'server', 'b', 1, 9, '{}');
        INSERT INTO resource_revision (id, resource_type, original_resource_id, started_at, revision_start, revision_end, attributes)
        VALUES (x'00000000000000000000000000000001', 'server', 'a', 1, 1, 2, '{}'),
            (x'00000000000000000000000000000002', 'server', 'b', 1, 3, 9, '{}'),
            (x'00000000000000000000000000000001', 'server', 'a', 1, 2, 9, '{}');"#,
    )
    .await;
    let indexer = SqlIndexer::open(config);
    indexer.upgrade().await.unwrap();
    let server = indexer.resource_type("server").await.unwrap();
    let context = SearchContext {
        resource_type: &server,
        history: false,
        creator: None,
        now: Timestamp::EPOCH,
    };
    let filter: Filter = "cpus = 4".parse().unwrap();
    let query = ResourceQuery {
        condition: Some(filter.bind(&context).unwrap()),
        ..ResourceQuery::of_type("server")
    };
    let found = indexer.list_resources(&query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].original_resource_id, "a");
    let history = ResourceQuery {
        history: true,
        ..ResourceQuery::of_type("server")
    };
    let revisions = indexer.list_resources(&history).await.unwrap();
    let numbers: Vec<_> = revisions
        .iter()
        .map(|row| (row.original_resource_id.as_str(), row.revision))
        .collect();
    let expected = [("a", Some(1)), ("a", Some(2)), ("b", Some(1))];
    assert_eq!(numbers[..3], expected);
    assert_eq!(
        indexer.check_integrity().await.unwrap(),
        Vec::<String>::new()
    );
}

/// Only a file can lose a part of its index.
#[tokio::test]
async fn attributes_that_searches_would_miss_are_found_and_named() {
    let file = file().await;
    let mut attributes = BTreeMap::new();
    let kind = AttributeKind::Bool;
    let required = true;
    attributes.insert("active".to_owned(), Attribute { kind, required });
    let server = ResourceType::new("server", attributes).unwrap();
    file.indexer.create_resource_type(&server).await.unwrap();
    let path = file.config().path;
    run(
        &path,
        r#"INSERT INTO resource (id, resource_type, original_resource_id, started_at, revision_start, attributes)
        VALUES (x'00000000000000000000000000000001', 'server', 'a', 1, 1, '{"active":true}')"#,
    )
    .await;
    assert_eq!(
        file.indexer.check_integrity().await.unwrap(),
        Vec::<String>::new()
    );
    run(&path, "DELETE FROM resource_attribute").await;
    let problems = file.indexer.check_integrity().await.unwrap();
    let expected = "table resource, row 1: resource.attributes has active, which table resource_attribute misses";
    assert_eq!(problems, [expected]);
}

/// Only a file can be something else.
#[tokio::test]
async fn a_damaged_file_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("indexer.db");
    std::fs::write(
        &path,
        "This is no database, whatever its name says. ".repeat(200),
    )
    .unwrap();
    let indexer = SqlIndexer::open(SqliteConfig::new(&path));
    check_failure(indexer.upgrade().await, BackendErrorKind::Corrupt, &path);
    check_failure(
        indexer.archive_policies().await,
        BackendErrorKind::Corrupt,
        &path,
    );
    check_failure(
        indexer.delete_metrics(&[MetricId::random()]).await,
        BackendErrorKind::Corrupt,
        &path,
    );
}

/// Only a file has a place where it may be impossible to create.
#[tokio::test]
async fn an_unusable_path_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let is_folder = folder.path().to_owned();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [is_folder, file.join("indexer.db")] {
        let indexer = SqlIndexer::open(SqliteConfig::new(&path));
        check_failure(indexer.upgrade().await, BackendErrorKind::Config, &path);
        check_failure(
            indexer.archive_policies().await,
            BackendErrorKind::Config,
            &path,
        );
    }
}

/// A file may be read-only while the folder is not; the owner of everything is not stopped by permissions, so the
/// database itself is told to be immutable by its header: reads work, writes are denied.
#[tokio::test]
async fn a_read_only_file_is_reported_by_name() {
    let file = file().await;
    file.indexer.close().await;
    let path = file.config().path;
    // Bytes 18 and 19 say which version of the format may write and read; 3 is none that exists yet.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[18] = 3;
    std::fs::write(&path, bytes).unwrap();
    let indexer = SqlIndexer::open(file.config());
    check_failure(
        indexer.delete_metrics(&[MetricId::random()]).await,
        BackendErrorKind::ReadOnly,
        &path,
    );
}

/// Only here the schema is a step of its own.
#[tokio::test]
async fn a_missing_schema_is_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("indexer.db");
    let indexer = SqlIndexer::open(SqliteConfig::new(&path));
    check_failure(
        indexer.archive_policies().await,
        BackendErrorKind::Config,
        &path,
    );
    check_failure(
        indexer.delete_metrics(&[MetricId::random()]).await,
        BackendErrorKind::Config,
        &path,
    );
    check_failure(
        indexer.archive_policies().await,
        BackendErrorKind::Config,
        &path,
    );
    indexer.upgrade().await.unwrap();
    assert_eq!(indexer.archive_policies().await.unwrap(), []);
}

/// Rows can be damaged from outside.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_reported_with_table_and_column() {
    let file = file().await;
    let path = file.config().path;
    let policy = ArchivePolicy::defaults(&default_aggregation_methods()).remove(0);
    file.indexer.create_archive_policy(&policy).await.unwrap();
    let metric = NewMetric::new(None, policy.name(), None, None, None).unwrap();
    file.indexer
        .create_metrics(std::slice::from_ref(&metric), &[])
        .await
        .unwrap();

    run(&path, "UPDATE metric SET name = CAST(x'ff' AS TEXT)").await;
    let why = check_failure(
        file.indexer.metrics(&[metric.id]).await,
        BackendErrorKind::Corrupt,
        &path,
    );
    assert_eq!(why, "metric.name holds bytes");
    run(&path, "UPDATE archive_policy SET definition = '['").await;
    let why = check_failure(
        file.indexer.archive_policies().await,
        BackendErrorKind::Corrupt,
        &path,
    );
    assert!(
        why.starts_with("archive_policy.definition holds an unreadable document"),
        "{why}"
    );
    run(&path, "UPDATE resource_type SET attributes = '7'").await;
    let why = check_failure(
        file.indexer.resource_types().await,
        BackendErrorKind::Corrupt,
        &path,
    );
    assert!(
        why.starts_with("resource_type.attributes holds an unreadable document"),
        "{why}"
    );
}

/// Only files are damaged from outside.
#[tokio::test]
async fn damage_is_found_and_named() {
    let file = file().await;
    let path = file.config().path;
    let policy = ArchivePolicy::defaults(&default_aggregation_methods()).remove(0);
    file.indexer.create_archive_policy(&policy).await.unwrap();
    let metrics: Vec<NewMetric> = (0..3)
        .map(|_| NewMetric::new(None, policy.name(), None, None, None).unwrap())
        .collect();
    file.indexer.create_metrics(&metrics, &[]).await.unwrap();
    assert_eq!(
        file.indexer.check_integrity().await.unwrap(),
        Vec::<String>::new()
    );

    run(
        &path,
        "PRAGMA foreign_keys = OFF; \
         UPDATE metric SET name = CAST(x'ff' AS TEXT) WHERE rowid = 2; \
         UPDATE metric SET archive_policy_name = 'gone' WHERE rowid = 3; \
         UPDATE archive_policy SET definition = '['; \
         INSERT INTO resource_type VALUES ('odd', '7'); \
         INSERT INTO resource VALUES (x'00', 'generic', NULL, 'x', 0, NULL, 0, NULL, NULL, '{}'); \
         INSERT INTO resource VALUES (randomblob(16), 'generic', NULL, 'x', 0, NULL, 0, NULL, NULL, '{'); \
         INSERT INTO resource_revision VALUES \
         (7, (SELECT max(id) FROM resource), 'generic', NULL, 'x', 0, NULL, 0, 0, NULL, NULL, '[]', 1)",
    )
    .await;
    let problems = file.indexer.check_integrity().await.unwrap();
    let expected = [
        "table metric, row 3: metric.archive_policy_name names no row of table archive_policy",
        "table resource_type: resource_type.attributes holds",
        "table archive_policy: archive_policy.definition holds",
        "table metric, row 2: metric.name holds bytes",
        "table resource, row 1: resource.id holds 1 bytes instead of 16",
        "table resource, row 2: resource.attributes holds an unreadable document",
        "table resource_revision, row 7: resource.attributes holds an unreadable document",
    ];
    for expected in expected {
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{expected} in {problems:#?}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

/// Only a file has pages that can be overwritten.
#[tokio::test]
async fn overwritten_pages_are_problems() {
    let mut file = file().await;
    let policy = ArchivePolicy::defaults(&default_aggregation_methods()).remove(0);
    file.indexer.create_archive_policy(&policy).await.unwrap();
    let metrics: Vec<NewMetric> = (0..2000)
        .map(|_| NewMetric::new(None, policy.name(), None, None, None).unwrap())
        .collect();
    file.indexer.create_metrics(&metrics, &[]).await.unwrap();
    file.indexer.close().await;
    let path = file.config().path;
    let whole = std::fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 20);
    let mut damaged = 0;
    for page in 1..pages {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        file.indexer = SqlIndexer::open(file.config());
        // Some pages hold the schema: without it nothing can be looked at.
        damaged += usize::from(
            !file
                .indexer
                .check_integrity()
                .await
                .is_ok_and(|problems| problems.is_empty()),
        );
        file.indexer.close().await;
    }
    assert_eq!(damaged, pages - 1);

    std::fs::write(&path, "no database ".repeat(1000)).unwrap();
    file.indexer = SqlIndexer::open(file.config());
    let problems = file.indexer.check_integrity().await.unwrap();
    assert!(problems[0].contains("not a database"), "{problems:?}");
    assert_eq!(problems.len(), 1);
}

/// Calls that come after `close` fail, those before it are finished.
#[tokio::test]
async fn closing_finishes_what_was_begun() {
    let mut file = file().await;
    let policy = ArchivePolicy::defaults(&default_aggregation_methods()).remove(0);
    file.indexer.create_archive_policy(&policy).await.unwrap();
    let metrics: Vec<NewMetric> = (0..50)
        .map(|_| NewMetric::new(None, policy.name(), None, None, None).unwrap())
        .collect();
    let path = file.config().path;
    {
        // Each caller goes away as soon as its call has begun.
        let mut calls: Vec<_> = metrics
            .iter()
            .map(|metric| {
                file.indexer
                    .create_metrics(std::slice::from_ref(metric), &[])
            })
            .collect();
        for call in &mut calls {
            assert!(futures::poll!(call).is_pending());
        }
    }
    file.indexer.close().await;
    check_failure(
        file.indexer.archive_policies().await,
        BackendErrorKind::Unavailable,
        &path,
    );
    check_failure(
        file.indexer.delete_archive_policy("x").await,
        BackendErrorKind::Unavailable,
        &path,
    );
    assert!(
        !path.with_extension("db-wal").exists(),
        "the log is folded into the database"
    );
    file.reopen().await;
    let ids: Vec<MetricId> = metrics.iter().map(|metric| metric.id).collect();
    assert!(
        file.indexer
            .metrics(&ids)
            .await
            .unwrap()
            .iter()
            .all(Option::is_some)
    );
}

/// Several processes may upgrade one file at once.
#[tokio::test]
async fn a_new_file_can_be_upgraded_by_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("indexer.db");
    let indexers: Vec<SqlIndexer> = (0..8)
        .map(|_| SqlIndexer::open(SqliteConfig::new(&path)))
        .collect();
    for upgraded in futures::future::join_all(indexers.iter().map(Indexer::upgrade)).await {
        upgraded.unwrap();
    }
    assert_eq!(indexers[0].resource_types().await.unwrap().len(), 1);
}
