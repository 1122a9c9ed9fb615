use std::fs;

use gnocchi_core::driver::Indexer;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use super::super::super::{SqlIndexer, SqliteConfig};
use super::super::{file_log, writing_options};
use super::*;

const FRAME: usize = FRAME_HEADER_BYTES + 4096;

/// Leaves a database as a killed process does: 20 transactions are in its log.
async fn killed(folder: &Path) -> PathBuf {
    let path = folder.join("alive.db");
    let indexer = SqlIndexer::open(SqliteConfig::new(&path));
    indexer.upgrade().await.unwrap();
    file_log(&path).await.unwrap();
    for pairing in 0..20 {
        indexer
            .set_store(Uuid::from_u128(7), pairing)
            .await
            .unwrap();
    }
    let copy = folder.join("indexer.db");
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&path, suffix), beside(&copy, suffix)).unwrap();
    }
    indexer.close().await;
    copy
}

fn is_damaged(state: &LogState) -> bool {
    matches!(state, LogState::Damaged { .. })
}

#[tokio::test]
async fn every_cut_and_flip_of_committed_frames_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path()).await;
    let log = log_path(&path);
    let intact = fs::read(&log).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);

    for length in (1..intact.len()).step_by(499) {
        fs::write(&log, &intact[..length]).unwrap();
        let state = check_log(&path).unwrap();
        assert!(is_damaged(&state), "{length}: {state:?}");
    }
    let index = beside(&path, "-shm");
    let intact_index = fs::read(&index).unwrap();
    for at in (0..HEADER_BYTES).chain((HEADER_BYTES..intact.len()).step_by(211)) {
        let mut damaged = intact.clone();
        damaged[at] ^= 0x10;
        fs::write(&log, damaged).unwrap();
        // One intact header of the index is enough.
        let mut damaged = intact_index.clone();
        damaged[at % (2 * INDEX_HEADER_BYTES)] ^= 1;
        fs::write(&index, damaged).unwrap();
        let state = check_log(&path).unwrap();
        assert!(is_damaged(&state), "{at}: {state:?}");
    }
    for empty in [&[][..], &[0; 5000]] {
        fs::write(&log, empty).unwrap();
        assert_eq!(check_log(&path).unwrap(), LogState::Empty);
    }
    fs::remove_file(&log).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Missing);
}

#[tokio::test]
async fn without_an_index_a_broken_last_write_is_torn_and_an_earlier_one_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path()).await;
    let log = log_path(&path);
    let intact = fs::read(&log).unwrap();
    fs::remove_file(beside(&path, "-shm")).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);
    let last = intact.len() - FRAME;
    let torn = |bytes| LogState::Torn {
        offset: last as u64,
        bytes,
        proof: Proof::None,
    };

    fs::write(&log, &intact[..intact.len() - 100]).unwrap();
    assert_eq!(check_log(&path).unwrap(), torn(FRAME as u64 - 100));

    let second = HEADER_BYTES + FRAME;
    // Anywhere in a frame: its page, the number of the page, the size of the database, the salts, the checksum.
    for at in [1000, 0, 5, 12, 17] {
        let mut damaged = intact.clone();
        damaged[second + at] ^= 1;
        fs::write(&log, damaged).unwrap();
        let state = check_log(&path).unwrap();
        assert!(
            matches!(state, LogState::Damaged { offset, .. } if offset == second as u64),
            "{at}: {state:?}"
        );
    }

    // Frames that were there before the log was begun anew are ordinary.
    let mut longer = intact.clone();
    let mut earlier = intact[last..].to_vec();
    earlier[8] ^= 1;
    longer.extend_from_slice(&earlier);
    fs::write(&log, longer).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);

    // So are frames of transactions that failed before the last one was begun over them: they continue something else.
    let mut longer = intact.clone();
    longer[last + 1000] ^= 1;
    for frame in [7, 5, 3] {
        let start = HEADER_BYTES + frame * FRAME;
        longer.extend_from_slice(&intact[start..start + FRAME]);
    }
    fs::write(&log, longer).unwrap();
    assert_eq!(check_log(&path).unwrap(), torn(4 * FRAME as u64));
}

#[tokio::test]
async fn frames_without_their_commit_are_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path()).await;
    let log = log_path(&path);
    let mut intact = fs::read(&log).unwrap();
    let end = intact.len() as u64;
    // A frame of a transaction that goes on: what a process leaves that is killed while it writes one.
    let header = Log::decode(&intact[..HEADER_BYTES]).unwrap();
    let mut checksum = Checksum::stored_in(&intact[intact.len() - FRAME..]);
    let mut frame = [&2_u32.to_be_bytes()[..], &[0; 4], &header.salts].concat();
    checksum.add(&frame[..8], header.number);
    checksum.add(&[7; 4096], header.number);
    frame.extend([checksum.0.to_be_bytes(), checksum.1.to_be_bytes()].concat());
    frame.extend([7; 4096]);
    intact.extend_from_slice(&frame);
    fs::write(&log, &intact).unwrap();
    let torn = LogState::Torn {
        offset: end,
        bytes: FRAME as u64,
        proof: Proof::Index,
    };
    assert_eq!(check_log(&path).unwrap(), torn);
    // What is left of an older log behind it does not belong to it.
    frame[8] ^= 1;
    for _ in 0..3 {
        intact.extend_from_slice(&frame);
    }
    fs::write(&log, &intact).unwrap();
    assert_eq!(check_log(&path).unwrap(), torn);
    // An index of another log proves nothing, and neither does none.
    let index = beside(&path, "-shm");
    let unproven = LogState::Torn {
        offset: end,
        bytes: FRAME as u64,
        proof: Proof::None,
    };
    fs::write(&index, [0; 2 * INDEX_HEADER_BYTES]).unwrap();
    assert_eq!(check_log(&path).unwrap(), unproven);
    fs::remove_file(&index).unwrap();
    assert_eq!(check_log(&path).unwrap(), unproven);
}

#[tokio::test]
async fn a_log_is_sound_at_each_step_of_its_life() {
    async fn run(connection: &mut SqliteConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("indexer.db");
    let mut connection = writing_options(&path).connect().await.unwrap();
    let begin = "CREATE TABLE t (x BLOB); PRAGMA wal_autocheckpoint = 7; PRAGMA cache_size = 5";
    run(&mut connection, begin).await;
    let mut headers = std::collections::BTreeSet::new();
    for step in 0..60 {
        let sql = match step % 5 {
            0 => "INSERT INTO t VALUES (randomblob(30000))",
            1 => "DELETE FROM t WHERE rowid % 2 = 0",
            // More than fits into the cache, so that frames are written and the log is overwritten from their beginning.
            2 => "BEGIN; INSERT INTO t VALUES (randomblob(60000)); ROLLBACK",
            3 if step == 33 => "PRAGMA wal_checkpoint(TRUNCATE)",
            3 if step == 43 => "PRAGMA wal_checkpoint(RESTART)",
            _ => "INSERT INTO t VALUES (1)",
        };
        run(&mut connection, sql).await;
        let state = check_log(&path).unwrap();
        match (step, &state) {
            (33, LogState::Empty) | (_, LogState::Sound | LogState::Torn { .. }) => {}
            _ => panic!("{step}: {state:?}"),
        }
        headers.insert(
            fs::read(log_path(&path))
                .unwrap()
                .get(16..24)
                .map(<[u8]>::to_vec),
        );
    }
    assert!(headers.len() > 5, "the log was begun anew: {headers:?}");
    connection.close().await.unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Missing);
}
