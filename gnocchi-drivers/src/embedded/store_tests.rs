use std::fs;

use gnocchi_core::model::{Measures, NewMetric};
use gnocchi_core::query::MeasuresQuery;
use sqlx::{ConnectOptions, Connection};

use super::super::database::Database;
use super::super::keys;
use super::super::store_files::StoreFiles;
use super::*;

async fn rows(store: &Store, metric: gnocchi_core::model::MetricId) -> usize {
    let metric = store.metric(metric).await.unwrap();
    let query = MeasuresQuery {
        method: "mean".parse().unwrap(),
        granularity: None,
        start: None,
        stop: None,
        resample: None,
    };
    let levels = store.measures(&metric, &query).await.unwrap();
    levels.iter().map(|level| level.series.len()).sum()
}

/// Takes away what the version before did not write.
async fn make_old(path: &Path) {
    let measures = path.join(MEASURES);
    {
        let prepared = Prepared::take(&measures, &path.join(PROGRESS_FILE)).unwrap();
        let config = EmbeddedConfig::new(&measures);
        let database = Arc::new(Database::open_prepared(config, prepared).unwrap());
        let old = database.write(|engine| {
            let mut batch = engine
                .batch(2)
                .durability(Some(fjall::PersistMode::SyncAll));
            batch.insert(&engine.meta, keys::META_FORMAT, 1_u32.to_be_bytes());
            batch.remove(&engine.meta, keys::META_PAIRING);
            Ok(batch.commit()?)
        });
        old.unwrap();
    }
    fs::remove_file(path.join(IDENTITY_FILE)).unwrap();
    fs::remove_file(path.join(PROGRESS_FILE)).unwrap();
    fs::remove_file(measures.join("catalog")).unwrap();
    fs::write(path.join(COMPLETE), "1\n").unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path.join(INDEXER));
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("DROP TABLE store; UPDATE schema_version SET version = 3")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_the_version_before_is_opened_without_fuss() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await.unwrap();
    let new = NewMetric::new(None, "low", None, None, None).unwrap();
    let metric = store.create_metrics(vec![new]).await.unwrap()[0].id;
    let series = carbonara::Series::from_points(vec![1_000_000_000], vec![1.0]).unwrap();
    let measures = || Measures {
        metric,
        series: series.clone(),
    };
    store.append(vec![measures()]).await.unwrap();
    let expected = rows(&store, metric).await;
    assert!(expected > 0);
    store.close().await;
    make_old(directory.path()).await;
    let path = directory.path().to_owned();
    let files = tokio::task::spawn_blocking(move || StoreFiles::look(&path));
    let files = files.await.unwrap().unwrap();
    assert_eq!(files.damage(), []);
    assert_eq!(files.check_identity().await.unwrap(), []);
    assert_eq!(files.check_indexer().await.unwrap(), [""; 0]);
    drop(files);
    for _ in 0..3 {
        let store = open(directory.path()).await.unwrap();
        assert_eq!(rows(&store, metric).await, expected);
        store.close().await;
    }
    let identity = StoreIdentity::read(directory.path()).unwrap().unwrap();
    // Three openings and three closings.
    assert_eq!(identity.pairing, 6);
    assert_eq!(
        fs::read_to_string(directory.path().join(COMPLETE)).unwrap(),
        "2\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_dropped_or_whose_opening_is_interrupted_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        // Dropped, as by a process that ends.
        drop(open(directory.path()).await.unwrap());
    }
    let before = StoreIdentity::read(directory.path()).unwrap().unwrap();
    // Only the measures have noted the next opening.
    let store = open(directory.path()).await.unwrap();
    let pairing = Pairing {
        number: before.pairing + 2,
        settled: false,
    };
    store.storage.note_pairing(pairing).await.unwrap();
    drop(store);
    let store = open(directory.path()).await.unwrap();
    store.close().await;
    let after = StoreIdentity::read(directory.path()).unwrap().unwrap();
    assert_eq!(after.pairing, before.pairing + 3);
    assert_eq!(after.store, before.store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_indexer_of_another_time_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    open(path).await.unwrap().close().await;
    let older = fs::read(path.join(INDEXER)).unwrap();
    open(path).await.unwrap().close().await;
    let newer = fs::read(path.join(INDEXER)).unwrap();
    fs::write(path.join(INDEXER), older).unwrap();
    let Err(StoreError::Damaged { damage, .. }) = open(path).await else {
        panic!("the indexer is older than the measures")
    };
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].file, path.join(INDEXER));
    assert!(
        damage[0].problem.starts_with("is older than"),
        "{}",
        damage[0]
    );
    fs::write(path.join(INDEXER), newer).unwrap();
    open(path).await.unwrap().close().await;
}
