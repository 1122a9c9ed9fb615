//! Pins the layout: databases are written by the engine and read without it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use fjall::config::{CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::journal::{self, Batches};
use super::manifest::{self, Current};
use super::table::{Block, BlockKind, Compression, Layout};
use super::*;

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// A database with one keyspace for each kind of table that this program has.
struct Written {
    directory: tempfile::TempDir,
    /// What the engine says is in each keyspace, by number.
    content: BTreeMap<u64, Content>,
}

fn options(compression: CompressionType) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .data_block_compression_policy(CompressionPolicy::all(compression))
}

fn open(path: &Path) -> Database {
    Database::builder(path)
        .journal_compression(CompressionType::None)
        .open()
        .unwrap()
}

fn written() -> Written {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let without_filter = || options(CompressionType::None).filter_policy(FilterPolicy::disabled());
    let keyspaces = [
        database.keyspace("plain", without_filter).unwrap(),
        database
            .keyspace("compressed", || options(CompressionType::Lz4))
            .unwrap(),
    ];
    fill(&database, &keyspaces, 0);
    for keyspace in &keyspaces {
        keyspace.rotate_memtable_and_wait().unwrap();
    }
    fill(&database, &keyspaces, 1);
    database.persist(PersistMode::SyncAll).unwrap();
    let content = (1..)
        .zip(&keyspaces)
        .map(|(number, keyspace)| {
            let all = keyspace.iter().map(|guard| {
                let (key, value) = guard.into_inner().unwrap();
                (key.to_vec(), value.to_vec())
            });
            (number, all.collect())
        })
        .collect();
    Written { directory, content }
}

/// Writes batches with long common beginnings of keys, empty and large values, and deletions.
fn fill(database: &Database, keyspaces: &[Keyspace], round: u32) {
    for number in 0..1_000_u32 {
        let mut batch = database.batch();
        for keyspace in keyspaces {
            let key = format!("a key with a common beginning {:06}", number * (round + 1));
            let value = vec![u8::try_from(number % 251).unwrap(); number as usize % 400];
            batch.insert(keyspace, key, value);
            if number % 7 == round {
                batch.remove(
                    keyspace,
                    format!("a key with a common beginning {number:06}"),
                );
            }
        }
        if number == 500 {
            batch.insert(&keyspaces[0], [0xff_u8; 40], vec![9; 300_000]);
        }
        batch.commit().unwrap();
    }
}

/// The newest record of each key: its sequence, and its value unless deleted.
type Newest = BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>;

fn note(newest: &mut Newest, key: &[u8], sequence: u64, kind: RecordKind, value: &[u8]) {
    let value = (kind == RecordKind::Value).then(|| value.to_vec());
    let entry = newest.entry(key.to_vec()).or_insert((0, None));
    if sequence >= entry.0 {
        *entry = (sequence, value);
    }
}

/// Reads every table of a keyspace, and checks that blocks fill their sections.
fn note_tables(keyspace: &Path, newest: &mut Newest) -> Vec<Compression> {
    let current = fs::read(keyspace.join(manifest::CURRENT_FILE)).unwrap();
    let current = Current::parse(&current).unwrap();
    let bytes = fs::read(keyspace.join(current.file_name())).unwrap();
    let tables = manifest::parse(current, &bytes).unwrap();
    let mut compressions = Vec::new();
    for table in &tables {
        let path = keyspace.join(TABLES_FOLDER).join(table.number.to_string());
        let mut file = File::open(&path).unwrap();
        assert_eq!(
            xxhash_rust::xxh3::xxh3_128(&fs::read(&path).unwrap()),
            table.checksum
        );
        let layout = Layout::read(&mut file, table.first_sequence).unwrap();
        let properties = &layout.properties;
        assert_eq!(properties.number, table.number);
        compressions.push(properties.compression);
        let mut last_sequence = 0;
        for (start, end) in layout.block_sections() {
            let mut position = start;
            while position < end {
                let block = Block::read(&mut file, position, end).unwrap();
                assert_eq!(
                    table::next_block(&mut file, position, end).unwrap(),
                    Some(position)
                );
                position = block.end;
                if block.kind != BlockKind::Records {
                    continue;
                }
                let records = block
                    .records(properties.compression, table.first_sequence)
                    .unwrap();
                for record in records {
                    last_sequence = last_sequence.max(record.sequence);
                    note(
                        newest,
                        &record.key,
                        record.sequence,
                        record.kind,
                        &record.value,
                    );
                }
            }
            assert_eq!(position, end);
        }
        assert_eq!(properties.last_sequence, last_sequence);
    }
    compressions
}

fn note_journal(path: &Path, newest: &mut BTreeMap<u64, Newest>) {
    let bytes = journal::read(&mut File::open(path).unwrap()).unwrap();
    let mut batches = Batches::new(&bytes, None);
    for batch in batches.by_ref() {
        for record in &batch.records {
            let newest = newest.entry(record.keyspace).or_default();
            note(
                newest,
                record.key,
                batch.sequence,
                record.kind,
                record.value,
            );
        }
    }
    assert!(batches.rest().is_none());
}

fn read_back(path: &Path) -> BTreeMap<u64, Content> {
    let mut newest = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry
            .file_name()
            .to_str()
            .unwrap()
            .ends_with(JOURNAL_SUFFIX)
        {
            note_journal(&entry.path(), &mut newest);
        }
    }
    for (number, compression) in [(1, Compression::None), (2, Compression::Lz4)] {
        let keyspace = path.join(KEYSPACES_FOLDER).join(number.to_string());
        let compressions = note_tables(&keyspace, newest.entry(number).or_default());
        assert!(!compressions.is_empty() && compressions.iter().all(|one| *one == compression));
    }
    newest
        .into_iter()
        .map(|(number, newest)| {
            let kept = newest
                .into_iter()
                .filter_map(|(key, (_, value))| Some((key, value?)));
            (number, kept.collect())
        })
        .collect()
}

#[test]
fn what_the_engine_wrote_is_read_without_it() {
    let written = written();
    let path = written.directory.path();
    assert_eq!(fs::read(path.join(VERSION_FILE)).unwrap(), VERSION);
    assert_eq!(fs::read(path.join(LOCK_FILE)).unwrap(), b"");
    assert_eq!(read_back(path), written.content);
    // The same once the engine has replayed its journal.
    drop(open(path));
    assert_eq!(read_back(path), written.content);
}

#[test]
fn names_of_keyspaces_are_found() {
    let written = written();
    let folder = written.directory.path().join(KEYSPACES_FOLDER);
    let mut newest = Newest::new();
    note_tables(&folder.join(NAMES_KEYSPACE.to_string()), &mut newest);
    let name = |number: u64| {
        let key = [b"n".as_slice(), &number.to_be_bytes()].concat();
        newest[&key].1.clone().unwrap()
    };
    assert_eq!(
        (name(1), name(2)),
        (b"plain".to_vec(), b"compressed".to_vec())
    );
}

#[test]
fn every_damaged_byte_of_a_table_is_found() {
    let written = written();
    let keyspace = written.directory.path().join(KEYSPACES_FOLDER).join("2");
    let current = fs::read(keyspace.join(manifest::CURRENT_FILE)).unwrap();
    let manifest_path = keyspace.join(Current::parse(&current).unwrap().file_name());
    let manifest_bytes = fs::read(manifest_path).unwrap();
    let tables = manifest::parse(Current::parse(&current).unwrap(), &manifest_bytes).unwrap();
    for position in 0..current.len() {
        let mut damaged = current.clone();
        damaged[position] ^= 1;
        let parsed = Current::parse(&damaged);
        // Another number names another file, which is not there or has another checksum.
        assert!(
            position < 8
                || !parsed.is_ok_and(|current| manifest::parse(current, &manifest_bytes).is_ok()),
            "byte {position} of `current`"
        );
    }
    for position in 0..manifest_bytes.len() {
        let mut damaged = manifest_bytes.clone();
        damaged[position] ^= 1;
        assert!(manifest::parse(Current::parse(&current).unwrap(), &damaged).is_err());
    }
    let entry = tables[0];
    let bytes = fs::read(keyspace.join(TABLES_FOLDER).join(entry.number.to_string())).unwrap();
    for position in (0..bytes.len())
        .step_by(211)
        .chain(bytes.len() - 1_500..bytes.len())
    {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x10;
        assert_ne!(xxhash_rust::xxh3::xxh3_128(&damaged), entry.checksum);
        // Whatever is found first: nothing may panic, and no block is taken for another one.
        let mut file = std::io::Cursor::new(&damaged);
        let Ok(layout) = Layout::read(&mut file, entry.first_sequence) else {
            continue;
        };
        let mut problems = 0;
        for (start, end) in layout.block_sections() {
            let mut block_start = start;
            while block_start < end {
                if let Ok(block) = Block::read(&mut file, block_start, end) {
                    block_start = block.end;
                } else {
                    problems += 1;
                    block_start = table::next_block(&mut file, block_start + 1, end)
                        .unwrap()
                        .unwrap_or(end);
                }
            }
        }
        // The section `table_version` has no checksum of its own; the manifest has one of the whole file.
        assert!(problems <= 1);
    }
}
