//! What cannot be seen through the contracts: the keyspaces themselves, damage, and coming back after a failure.

use std::sync::Arc;

use carbonara::{Series, Timestamp};
use fjall::PersistMode;
use gnocchi_core::clock::SystemClock;
use gnocchi_core::driver::{IncomingDriver, Receipt, SackCount};
use gnocchi_core::error::{BackendErrorKind, IncomingError};
use gnocchi_core::model::{Measures, MetricId};
use tempfile::TempDir;

use super::database::Database;
use super::engine::Engine;
use super::error::EmbeddedError;
use super::keys::{self, EntryHeader, SackRecord};
use super::{Embedded, EmbeddedConfig, EmbeddedIncoming};

fn metric(number: u128) -> MetricId {
    MetricId::from_u128(number)
}

fn measures(number: u128, value: f64) -> Measures {
    Measures {
        metric: metric(number),
        series: Series::from_points(vec![1], vec![value]).unwrap(),
    }
}

fn database(directory: &TempDir) -> Arc<Database> {
    Arc::new(Database::open(EmbeddedConfig::new(directory.path())).unwrap())
}

fn incoming(database: &Arc<Database>) -> EmbeddedIncoming {
    EmbeddedIncoming::start(Arc::clone(database), Arc::new(SystemClock)).unwrap()
}

fn put(database: &Arc<Database>, work: impl Fn(&Engine, &mut fjall::OwnedWriteBatch)) {
    let put = |engine: &Engine| {
        let mut batch = engine.batch(1).durability(Some(PersistMode::SyncAll));
        work(engine, &mut batch);
        Ok(batch.commit()?)
    };
    database.write(put).unwrap();
}

fn log_sequences(database: &Database) -> Vec<u64> {
    let keys = database.read(|engine| {
        engine
            .log
            .iter()
            .map(|guard| Ok(keys::number(&guard.key()?).unwrap()))
            .collect()
    });
    keys.unwrap()
}

async fn values(incoming: &EmbeddedIncoming, number: u128) -> Vec<f64> {
    let pending = incoming.pending(&[metric(number)]).await.unwrap();
    pending[0]
        .iter()
        .flat_map(|series| series.values().to_vec())
        .collect()
}

async fn acknowledge_all(incoming: &EmbeddedIncoming) {
    for sack in incoming.sacks().sacks() {
        let claim = incoming.claim(sack, usize::MAX).await.unwrap();
        incoming.acknowledge(sack, &claim.receipt).await.unwrap();
    }
}

fn backend_kind(result: Result<(), IncomingError>) -> BackendErrorKind {
    result.unwrap_err().backend().unwrap().kind()
}

async fn open_error(directory: &TempDir) -> (BackendErrorKind, String) {
    let error = Embedded::open(EmbeddedConfig::new(directory.path()), Arc::new(SystemClock))
        .await
        .unwrap_err();
    (
        error.kind(),
        std::error::Error::source(&error).unwrap().to_string(),
    )
}

#[tokio::test]
async fn the_log_holds_only_what_is_not_acknowledged() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory);
    let incoming = incoming(&database);
    incoming
        .append(vec![measures(1, 1.0), measures(2, 2.0)])
        .await
        .unwrap();
    incoming.append(vec![measures(1, 3.0)]).await.unwrap();
    incoming.discard(&[metric(2)]).await.unwrap();
    incoming.append(vec![measures(2, 4.0)]).await.unwrap();
    assert_eq!(log_sequences(&database), [1, 2, 3, 4]);
    let sack = incoming.sacks().sack_of(metric(1));
    let claim = incoming.claim(sack, 1).await.unwrap();
    incoming.acknowledge(sack, &claim.receipt).await.unwrap();
    // Entries go with the next write at the latest. The discard stays as long as something before it does.
    incoming.append(vec![measures(3, 5.0)]).await.unwrap();
    assert_eq!(log_sequences(&database), [2, 3, 4, 5]);
    acknowledge_all(&incoming).await;
    incoming.close().await;
    assert_eq!(log_sequences(&database), [0; 0]);
    incoming.close().await;
    assert_eq!(
        backend_kind(incoming.append(vec![measures(1, 1.0)]).await),
        BackendErrorKind::Unavailable
    );
}

#[tokio::test]
async fn acknowledged_measures_are_not_folded_again_after_the_number_of_sacks_changed() {
    let directory = TempDir::new().unwrap();
    let config = || EmbeddedConfig::new(directory.path());
    let embedded = Embedded::open(config(), Arc::new(SystemClock))
        .await
        .unwrap();
    let incoming = &embedded.incoming;
    // The index forgets at once, the log does not: the writer has not been asked to tidy.
    incoming.append(vec![measures(1, 1.0)]).await.unwrap();
    let sack = incoming.sacks().sack_of(metric(1));
    let claim = incoming.claim(sack, 1).await.unwrap();
    assert!(incoming.forget_without_tidying(sack, &claim.receipt));
    let ten = SackCount::new(10).unwrap();
    let unsafe_change = embedded.storage.change_sacks(ten);
    assert!(
        matches!(unsafe_change, Err(EmbeddedError::LogNotEmpty)),
        "{unsafe_change:?}"
    );
    embedded.change_sacks(ten).await.unwrap();
    embedded.close().await;
    let embedded = Embedded::open(config(), Arc::new(SystemClock))
        .await
        .unwrap();
    assert_eq!(embedded.incoming.sacks(), ten);
    assert_eq!(values(&embedded.incoming, 1).await, [0.0; 0]);
    embedded.close().await;
}

#[tokio::test]
async fn sequences_are_not_used_twice() {
    let directory = TempDir::new().unwrap();
    let mut last = 0;
    for opening in 1..=3 {
        let database = database(&directory);
        let incoming = incoming(&database);
        incoming.append(vec![measures(1, 1.0)]).await.unwrap();
        let sequence = log_sequences(&database)[0];
        assert!(sequence > last, "in opening {opening}");
        last = sequence;
        acknowledge_all(&incoming).await;
        incoming.close().await;
    }
}

#[tokio::test]
async fn a_receipt_of_another_database_removes_nothing() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (first, second) = (incoming(&database(&first)), incoming(&database(&second)));
    let sack = first.sacks().sack_of(metric(1));
    for value in [1.0, 2.0] {
        first.append(vec![measures(1, value)]).await.unwrap();
    }
    second.append(vec![measures(1, 3.0)]).await.unwrap();
    let Receipt(foreign) = first.claim(sack, usize::MAX).await.unwrap().receipt;
    second.acknowledge(sack, &Receipt(foreign)).await.unwrap();
    assert_eq!(values(&second, 1).await, [3.0]);
}

#[tokio::test]
async fn damage_is_named_when_the_directory_is_opened() {
    let header = |kind| EntryHeader {
        kind,
        arrival: Timestamp::EPOCH,
    };
    let entry = |kind, payload: &[u8]| {
        let mut entry = Vec::new();
        header(kind).put(&mut entry);
        entry.extend_from_slice(payload);
        entry
    };
    let intact = carbonara::codec::measures::encode(&[(1, &measures(1, 1.0).series)]);
    let mut flipped = intact.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let check = async |bytes: Vec<u8>, kind, text: &str| {
        let directory = TempDir::new().unwrap();
        put(&database(&directory), |engine, batch| {
            batch.insert(&engine.log, keys::log_key(77), bytes.clone());
        });
        assert_eq!(open_error(&directory).await, (kind, text.to_owned()));
    };
    check(
        entry(keys::ENTRY_MEASURES, &flipped),
        BackendErrorKind::Corrupt,
        "entry 77 of the log of measures is damaged",
    )
    .await;
    check(
        entry(keys::ENTRY_MEASURES, &intact[..9]),
        BackendErrorKind::Corrupt,
        "entry 77 of the log of measures is damaged",
    )
    .await;
    check(
        entry(9, &intact),
        BackendErrorKind::Corrupt,
        "entry 77 of the log of measures is of the unknown kind 9",
    )
    .await;
    check(
        entry(keys::ENTRY_DISCARD, &[0; 17]),
        BackendErrorKind::Corrupt,
        "the record log entry 77 is damaged",
    )
    .await;
    check(
        vec![1, 2],
        BackendErrorKind::Corrupt,
        "the record log entry 77 is damaged",
    )
    .await;

    let directory = TempDir::new().unwrap();
    put(&database(&directory), |engine, batch| {
        batch.insert(&engine.meta, keys::META_FORMAT, 3_u32.to_be_bytes());
    });
    let expected = "the database has format 3, this program knows format 2";
    assert_eq!(
        open_error(&directory).await,
        (BackendErrorKind::Config, expected.to_owned())
    );
    let directory = TempDir::new().unwrap();
    put(&database(&directory), |engine, batch| {
        batch.insert(&engine.meta, keys::META_SACKS, [0_u8, 0]);
    });
    assert_eq!(
        open_error(&directory).await,
        (
            BackendErrorKind::Corrupt,
            "the record sacks is damaged".to_owned()
        )
    );
}

/// Makes what is left when a process ends while it creates a database; later steps come first.
fn interrupt_creation(path: &std::path::Path, steps_left: usize) {
    use std::fs::{self, File};

    let steps: [&dyn Fn(); 6] = [
        // The engine marks the database as existing, in two steps.
        &|| fs::write(path.join("version"), b"FJL\x03").unwrap(),
        &|| drop(File::create_new(path.join("version")).unwrap()),
        &|| {
            let journal = File::create_new(path.join("0.jnl")).unwrap();
            journal.set_len(64 << 20).unwrap();
        },
        &|| fs::create_dir(path.join("keyspaces")).unwrap(),
        &|| drop(File::create_new(path.join("lock")).unwrap()),
        &|| super::keeper::Keeper::begin(path, &path.join("progress"), [7; 16]).unwrap(),
    ];
    for step in steps.iter().skip(steps_left).rev() {
        step();
    }
}

#[tokio::test]
async fn a_creation_that_was_interrupted_is_begun_again() {
    for steps_left in 0..6 {
        let directory = TempDir::new().unwrap();
        interrupt_creation(directory.path(), steps_left);
        let database = database(&directory);
        assert_ne!(database.facts().identity, [7; 16]);
        let incoming = incoming(&database);
        incoming.append(vec![measures(1, 1.0)]).await.unwrap();
        assert_eq!(values(&incoming, 1).await, [1.0]);
        incoming.close().await;
        drop((incoming, database));
        let incoming = self::incoming(&self::database(&directory));
        assert_eq!(values(&incoming, 1).await, [1.0]);
    }
}

#[tokio::test]
async fn a_creation_that_a_power_failure_interrupted_is_begun_again() {
    let directory = TempDir::new().unwrap();
    interrupt_creation(directory.path(), 5);
    {
        let engine = fjall::Database::builder(directory.path()).open().unwrap();
        engine
            .keyspace(keys::LOG, fjall::KeyspaceCreateOptions::default)
            .unwrap();
    }
    // Its name survived, the entry of its folder did not.
    std::fs::remove_dir_all(directory.path().join("keyspaces/1")).unwrap();
    for expected in [&[1.0][..], &[1.0, 2.0]] {
        let incoming = incoming(&database(&directory));
        let value = *expected.last().unwrap();
        incoming.append(vec![measures(1, value)]).await.unwrap();
        assert_eq!(values(&incoming, 1).await, expected);
        incoming.close().await;
    }
}

#[tokio::test]
async fn a_directory_of_the_version_before_gets_its_notes() {
    let directory = TempDir::new().unwrap();
    let database_before = database(&directory);
    put(&database_before, |engine, batch| {
        batch.insert(&engine.meta, keys::META_FORMAT, 1_u32.to_be_bytes());
    });
    let incoming_before = incoming(&database_before);
    incoming_before
        .append(vec![measures(1, 1.0)])
        .await
        .unwrap();
    let identity = database_before.facts().identity;
    incoming_before.close().await;
    drop((incoming_before, database_before));
    for note in ["progress", "catalog"] {
        std::fs::remove_file(directory.path().join(note)).unwrap();
    }
    for _ in 0..2 {
        let database = database(&directory);
        assert_eq!(database.facts().identity, identity);
        let incoming = incoming(&database);
        assert_eq!(values(&incoming, 1).await, [1.0]);
        incoming.close().await;
    }
    std::fs::remove_file(directory.path().join("progress")).unwrap();
    let (kind, text) = open_error(&directory).await;
    assert_eq!(kind, BackendErrorKind::Corrupt);
    assert!(text.ends_with("progress is missing"), "{text}");
}

/// Makes the engine fail as a full disk does, until it is told to come back.
fn fail(database: &Arc<Database>) {
    database.set_stays_failed(true);
    let full = || fjall::Error::Io(std::io::ErrorKind::StorageFull.into());
    let failed = database.write(|_| Err::<(), _>(EmbeddedError::from(full())));
    assert!(matches!(failed, Err(EmbeddedError::Stopped(_))));
}

fn come_back(database: &Database) {
    database.set_stays_failed(false);
    database.reopen().unwrap();
}

#[tokio::test]
async fn after_a_failed_write_reads_go_on_and_the_database_comes_back() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory);
    let incoming = incoming(&database);
    incoming.append(vec![measures(1, 1.0)]).await.unwrap();
    fail(&database);
    assert_eq!(
        backend_kind(incoming.append(vec![measures(1, 2.0)]).await),
        BackendErrorKind::Full
    );
    assert_eq!(
        backend_kind(incoming.accepts_writes().await),
        BackendErrorKind::Full
    );
    assert_eq!(log_sequences(&database), [1]);
    assert_eq!(values(&incoming, 1).await, [1.0]);
    come_back(&database);
    incoming.accepts_writes().await.unwrap();
    incoming.append(vec![measures(1, 3.0)]).await.unwrap();
    assert_eq!(values(&incoming, 1).await, [1.0, 3.0]);
    assert_eq!(log_sequences(&database), [1, 3]);
}

#[tokio::test]
async fn an_append_that_failed_does_not_come_back() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory);
    let incoming = incoming(&database);
    incoming.append(vec![measures(1, 1.0)]).await.unwrap();
    // As if the write had reached the file before the disk reported the failure.
    let mut ghost = Vec::new();
    EntryHeader {
        kind: keys::ENTRY_MEASURES,
        arrival: Timestamp::EPOCH,
    }
    .put(&mut ghost);
    ghost.extend_from_slice(&carbonara::codec::measures::encode(&[(
        1,
        &measures(1, 666.0).series,
    )]));
    put(&database, |engine, batch| {
        batch.insert(&engine.log, keys::log_key(2), ghost.clone());
    });
    fail(&database);
    assert_eq!(
        backend_kind(incoming.append(vec![measures(1, 2.0)]).await),
        BackendErrorKind::Full
    );
    come_back(&database);
    incoming.append(vec![measures(1, 3.0)]).await.unwrap();
    incoming.close().await;
    drop((incoming, database));
    let incoming = self::incoming(&self::database(&directory));
    assert_eq!(values(&incoming, 1).await, [1.0, 3.0]);
}

#[tokio::test]
async fn what_the_disk_has_lost_is_not_built_upon() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory);
    let incoming = incoming(&database);
    let journal = directory.path().join("0.jnl");
    incoming.append(vec![measures(1, 1.0)]).await.unwrap();
    let journal_before = std::fs::read(&journal).unwrap();
    let sack = SackRecord {
        fence: 7,
        ..SackRecord::default()
    };
    put(&database, |engine, batch| {
        batch.insert(&engine.sacks, [0, 1], sack.encode());
    });
    fail(&database);
    // As if the pages of the second write had never been written, and were dropped.
    std::fs::write(&journal, journal_before).unwrap();
    database.set_stays_failed(false);
    let error = database.reopen().unwrap_err();
    assert!(matches!(*error, EmbeddedError::LostWrites), "{error}");
    assert_eq!(
        backend_kind(incoming.append(vec![measures(1, 3.0)]).await),
        BackendErrorKind::Unexpected
    );
    drop((incoming, database));
    // Nothing that was acknowledged is missing.
    let incoming = self::incoming(&self::database(&directory));
    assert_eq!(values(&incoming, 1).await, [1.0]);
}

#[tokio::test]
async fn an_acknowledged_append_that_the_disk_has_lost_is_damage() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory);
    let incoming = incoming(&database);
    let journal = directory.path().join("0.jnl");
    incoming.append(vec![measures(1, 1.0)]).await.unwrap();
    let journal_before = std::fs::read(&journal).unwrap();
    incoming.append(vec![measures(1, 2.0)]).await.unwrap();
    fail(&database);
    std::fs::write(&journal, &journal_before).unwrap();
    database.set_stays_failed(false);
    let error = database.reopen().unwrap_err();
    let expected = format!(
        "{} ends before entry 2 of the log, which was acknowledged",
        journal.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(
        backend_kind(incoming.append(vec![measures(1, 3.0)]).await),
        BackendErrorKind::Corrupt
    );
    drop((incoming, database));
    assert_eq!(
        open_error(&directory).await,
        (BackendErrorKind::Corrupt, expected)
    );
    assert_eq!(std::fs::read(&journal).unwrap(), journal_before);
}
