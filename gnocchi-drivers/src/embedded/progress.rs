//! How far the log of measures was synchronized, kept beside the database.
//!
//! A journal cannot say how long it should be: one that was cut off in the middle looks like one that ends there. So the last entry that
//! was acknowledged is noted in a file of its own, after it was synchronized and before its caller hears of it. The note is not
//! synchronized itself, which would cost each append another wait for the disk: it survives a killed process, and after a power failure it
//! may be older than the journal, never newer.
//!
//! ```text
//! file:  two slots of 512 bytes, written in turn, so that a torn one leaves the other
//! slot:  GNPR (4), version (1), zeros (3), number of the write (8), identity (16), generation (8),
//!        journal (8), sequence (8), hash of the entry (8), checksum of all before (8)
//! ```
//! Numbers are big-endian, the checksum is xxh3.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::files::FileError;
use super::keys::Identity;
use crate::disk::synchronize;

/// The name of the file.
pub(super) const PROGRESS_FILE: &str = "progress";

const SLOT_BYTES: usize = 512;
const START: &[u8] = b"GNPR\x01\0\0\0";
const RECORD_BYTES: usize = START.len() + 8 + 16 + 8 + 8 + 8 + 8 + 8;

/// How much of an entry is hashed: its kind, the time of arrival and its first metrics, which no other entry has.
const HASHED_BYTES: usize = 256;

/// How far the log was synchronized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The database that this belongs to.
    pub(super) identity: Identity,
    /// How often the database had been opened.
    pub(super) generation: u64,
    /// The entry is in this journal or a later one.
    pub(super) journal: u64,
    /// The last entry of the log that was acknowledged; zero before the first one.
    pub(super) sequence: u64,
    /// Distinguishes the entry from one of the same number in another database.
    pub(super) entry_hash: u64,
}

/// Returns what distinguishes an entry of the log from another one of the same number.
pub(super) fn entry_hash(entry: &[u8]) -> u64 {
    xxh3_64(&entry[..entry.len().min(HASHED_BYTES)])
}

impl Progress {
    /// Describes a database before its first entry.
    pub(super) fn beginning(identity: Identity) -> Self {
        Self {
            identity,
            generation: 0,
            journal: 0,
            sequence: 0,
            entry_hash: 0,
        }
    }

    fn encode(self, number: u64) -> [u8; SLOT_BYTES] {
        let mut record = Vec::with_capacity(SLOT_BYTES);
        record.extend_from_slice(START);
        record.extend_from_slice(&number.to_be_bytes());
        record.extend_from_slice(&self.identity);
        for field in [
            self.generation,
            self.journal,
            self.sequence,
            self.entry_hash,
        ] {
            record.extend_from_slice(&field.to_be_bytes());
        }
        record.extend_from_slice(&xxh3_64(&record).to_be_bytes());
        let mut slot = [0; SLOT_BYTES];
        slot[..record.len()].copy_from_slice(&record);
        slot
    }

    fn decode(slot: &[u8]) -> Option<(u64, Self)> {
        let (record, checksum) = slot.get(..RECORD_BYTES)?.split_last_chunk()?;
        if xxh3_64(record) != u64::from_be_bytes(*checksum) {
            return None;
        }
        let (number, rest) = record.strip_prefix(START)?.split_first_chunk()?;
        let (identity, rest) = rest.split_first_chunk()?;
        let (fields, rest) = rest.as_chunks::<8>();
        let [generation, journal, sequence, entry_hash] = fields else {
            return None;
        };
        let progress = Self {
            identity: *identity,
            generation: u64::from_be_bytes(*generation),
            journal: u64::from_be_bytes(*journal),
            sequence: u64::from_be_bytes(*sequence),
            entry_hash: u64::from_be_bytes(*entry_hash),
        };
        rest.is_empty()
            .then_some((u64::from_be_bytes(*number), progress))
    }

    /// Reads the newer slot that is intact, and the number of its write.
    fn newest(bytes: &[u8]) -> Option<(u64, Self)> {
        let (slots, _) = bytes.as_chunks::<SLOT_BYTES>();
        let intact = slots.iter().take(2).filter_map(|slot| Self::decode(slot));
        intact.max_by_key(|(number, _)| *number)
    }

    /// Reads a file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (_, progress) =
            Self::newest(&bytes).ok_or_else(|| FileError::damaged("is damaged in both halves"))?;
        Ok(Some(progress))
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct ProgressFile {
    file: File,
    path: PathBuf,
    writes: u64,
    progress: Progress,
}

impl ProgressFile {
    /// Opens a file and writes to it, or creates it.
    pub(super) fn open(path: &Path, progress: Progress) -> io::Result<Self> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let is_new = bytes.is_empty();
        let last = Progress::newest(&bytes);
        let mut this = Self {
            file,
            path: path.to_owned(),
            writes: last.map_or(0, |(number, _)| number),
            progress,
        };
        let belongs_to_another = last.is_none_or(|(_, last)| last.identity != progress.identity);
        if belongs_to_another {
            // Both slots exist from the beginning on and belong to one database. No later write needs room.
            this.write(progress)?;
        }
        this.write(progress)?;
        if belongs_to_another {
            // A power failure must not bring the note of another database back.
            this.file.sync_all()?;
        }
        if is_new && let Some(directory) = path.parent() {
            synchronize(directory)?;
        }
        Ok(this)
    }

    /// Returns what was written last.
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the slot that was not written last, without waiting for the disk.
    pub(super) fn write(&mut self, progress: Progress) -> io::Result<()> {
        let number = self.writes + 1;
        let place = if number.is_multiple_of(2) {
            0
        } else {
            SLOT_BYTES as u64
        };
        self.file.seek(SeekFrom::Start(place))?;
        self.file.write_all(&progress.encode(number))?;
        self.writes = number;
        self.progress = progress;
        Ok(())
    }

    /// Waits until what was written is on the disk.
    pub(super) fn synchronize(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(sequence: u64) -> Progress {
        Progress {
            identity: *b"sixteen bytes...",
            generation: 3,
            journal: 2,
            sequence,
            entry_hash: entry_hash(&sequence.to_be_bytes()),
        }
    }

    #[test]
    fn the_last_write_comes_back_and_a_torn_one_leaves_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(PROGRESS_FILE);
        assert_eq!(Progress::read(&path).unwrap(), None);
        let mut file = ProgressFile::open(&path, progress(1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * SLOT_BYTES as u64);
        for sequence in 2..6 {
            let before = fs::read(&path).unwrap();
            file.write(progress(sequence)).unwrap();
            let after = fs::read(&path).unwrap();
            assert_eq!(Progress::read(&path).unwrap(), Some(progress(sequence)));
            let first = (0..after.len())
                .find(|at| before[*at] != after[*at])
                .unwrap();
            for torn_at in first + 1..first + RECORD_BYTES - 16 {
                let torn = [&after[..torn_at], &before[torn_at..]].concat();
                let (_, found) = Progress::newest(&torn).unwrap();
                assert!([progress(sequence), progress(sequence - 1)].contains(&found));
            }
        }
        drop(file);
        let file = ProgressFile::open(&path, progress(9)).unwrap();
        assert_eq!(file.progress(), progress(9));
        assert_eq!(Progress::read(&path).unwrap(), Some(progress(9)));
    }

    #[test]
    fn damage_of_both_slots_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(PROGRESS_FILE);
        ProgressFile::open(&path, progress(1)).unwrap();
        let intact = fs::read(&path).unwrap();
        for at in 0..RECORD_BYTES {
            let mut damaged = intact.clone();
            damaged[at] ^= 1;
            assert!(
                Progress::newest(&damaged).is_some(),
                "byte {at} of one slot"
            );
            damaged[SLOT_BYTES + at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(Progress::read(&path).is_err(), "byte {at}");
        }
        for length in 0..RECORD_BYTES {
            fs::write(&path, &intact[..length]).unwrap();
            assert!(Progress::read(&path).is_err(), "{length} bytes");
        }
    }
}
