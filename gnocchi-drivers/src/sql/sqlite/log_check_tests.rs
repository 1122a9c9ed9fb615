use gnocchi_core::driver::Indexer;
use uuid::Uuid;

use super::super::super::{SqlIndexer, SqliteConfig};
use super::super::file_log;
use super::*;

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

#[tokio::test]
async fn every_cut_and_flip_of_committed_frames_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path()).await;
    let log = log_path(&path);
    let intact = fs::read(&log).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);

    for length in (0..intact.len()).step_by(499) {
        fs::write(&log, &intact[..length]).unwrap();
        let state = check_log(&path).unwrap();
        assert!(
            matches!(state, LogState::Damaged { .. }),
            "{length}: {state:?}"
        );
    }
    // Byte 12 to 15 of the header count how often the log was begun anew; its checksum covers them.
    for at in (0..HEADER_BYTES).chain((HEADER_BYTES..intact.len()).step_by(211)) {
        let mut damaged = intact.clone();
        damaged[at] ^= 0x10;
        fs::write(&log, damaged).unwrap();
        let state = check_log(&path).unwrap();
        assert!(matches!(state, LogState::Damaged { .. }), "{at}: {state:?}");
    }
    fs::remove_file(&log).unwrap();
    let state = check_log(&path).unwrap();
    assert!(
        matches!(state, LogState::Damaged { offset: 0, .. }),
        "{state:?}"
    );
}

#[tokio::test]
async fn without_an_index_a_broken_last_write_is_torn_and_an_earlier_one_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path()).await;
    let log = log_path(&path);
    let intact = fs::read(&log).unwrap();
    fs::remove_file(beside(&path, "-shm")).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);
    let frame_bytes = FRAME_HEADER_BYTES + 4096;
    let last = intact.len() - frame_bytes;

    fs::write(&log, &intact[..intact.len() - 100]).unwrap();
    let torn = LogState::Torn {
        offset: last as u64,
        bytes: frame_bytes as u64 - 100,
    };
    assert_eq!(check_log(&path).unwrap(), torn);

    let mut damaged = intact.clone();
    damaged[HEADER_BYTES + frame_bytes + 1000] ^= 1;
    fs::write(&log, damaged).unwrap();
    let state = check_log(&path).unwrap();
    let second = (HEADER_BYTES + frame_bytes) as u64;
    assert!(
        matches!(state, LogState::Damaged { offset, .. } if offset == second),
        "{state:?}"
    );

    // Frames of an earlier log behind the last one are ordinary.
    let mut longer = intact.clone();
    let mut earlier = intact[last..].to_vec();
    earlier[8] ^= 1;
    longer.extend_from_slice(&earlier);
    fs::write(&log, longer).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Sound);

    fs::write(&log, [0; 5000]).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Empty);
    fs::remove_file(&log).unwrap();
    assert_eq!(check_log(&path).unwrap(), LogState::Missing);
}
