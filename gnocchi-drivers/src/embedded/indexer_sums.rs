//! Checksums of the indexer's database, which are noted when a store is closed.
//!
//! SQLite has no checksums: it notices damage of its own structures only, and only where it reads them. A changed byte inside a row is a
//! different row to it. Between the end of one process and the start of the next the file must not change at all, which is compared
//! before the next start changes anything. The checksums are deleted then; after a crash there are none.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tracing::warn;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::Damage;
use super::identity::StoreIdentity;
use super::parts::INDEXER;
use crate::disk::{replace, synchronize};
use crate::sql::log_path;

/// The file of the checksums.
pub(super) const SUMS_FILE: &str = "indexer.sums";

const MAGIC: [u8; 8] = *b"GNOCSUM1";

/// What one checksum covers.
const CHUNK_BYTES: u32 = 64 << 10;

/// The checksums of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sums {
    length: u64,
    sums: Vec<u64>,
}

impl Sums {
    fn compute(path: &Path, deadline: Option<Instant>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut sums = Self {
            length: 0,
            sums: Vec::new(),
        };
        let mut chunk = Vec::with_capacity(CHUNK_BYTES as usize);
        loop {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            chunk.clear();
            let read = (&mut file)
                .take(CHUNK_BYTES.into())
                .read_to_end(&mut chunk)?;
            if read == 0 {
                return Ok(sums);
            }
            sums.length += read as u64;
            sums.sums.push(xxh3_64(&chunk));
        }
    }

    /// Writes the content of the file: what was closed, the checksums, and a checksum of all that.
    fn encode(&self, closed: StoreIdentity) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(closed.store.as_bytes());
        bytes.extend(closed.pairing.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the content of the file; `None` when it is damaged.
    fn decode(bytes: &[u8]) -> Option<(StoreIdentity, Self)> {
        let (bytes, sum) = bytes.split_last_chunk::<8>()?;
        if xxh3_64(bytes) != u64::from_le_bytes(*sum) {
            return None;
        }
        let bytes = bytes.strip_prefix(&MAGIC)?;
        let (store, bytes) = bytes.split_first_chunk::<16>()?;
        let (pairing, bytes) = bytes.split_first_chunk::<8>()?;
        let (length, bytes) = bytes.split_first_chunk::<8>()?;
        let (sums, rest) = bytes.as_chunks::<8>();
        let read = Self {
            length: u64::from_le_bytes(*length),
            sums: sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect(),
        };
        let is_whole = rest.is_empty()
            && u64::try_from(read.sums.len()) == Ok(read.length.div_ceil(CHUNK_BYTES.into()));
        let closed = StoreIdentity {
            store: Uuid::from_bytes(*store),
            pairing: u64::from_le_bytes(*pairing),
        };
        is_whole.then_some((closed, read))
    }

    /// Returns where a database differs from what it was; parts beside each other count as one.
    fn compare(&self, file: &Path, now: &Self) -> Vec<Damage> {
        if now.length != self.length {
            let (got, expected) = (now.length, self.length);
            let problem =
                format!("has {got} bytes; expected {expected}, as when the store was closed");
            return vec![Damage::of(file, problem)];
        }
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let chunks = (0_u64..).zip(self.sums.iter().zip(&now.sums));
        for (chunk, _) in chunks.filter(|(_, (then, now))| then != now) {
            let start = chunk * u64::from(CHUNK_BYTES);
            let end = (start + u64::from(CHUNK_BYTES)).min(self.length);
            match ranges.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ => ranges.push((start, end)),
            }
        }
        let damage = |(start, end): (u64, u64)| {
            let bytes = end - start;
            let problem = format!("was changed within {bytes} bytes since the store was closed");
            Damage::at(file, start, problem)
        };
        ranges.into_iter().map(damage).collect()
    }
}

/// Notes the checksums of a store that was closed.
///
/// # Errors
/// [`io::Error`] when the database cannot be read, or there is no room; `TimedOut` when it is not read by the deadline.
pub(super) fn note(
    directory: &Path,
    closed: StoreIdentity,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let database = directory.join(INDEXER);
    if log_path(&database).exists() {
        return Ok(());
    }
    let sums = Sums::compute(&database, deadline)?;
    replace(directory, SUMS_FILE, &sums.encode(closed))
}

/// Deletes the checksums before the database is changed.
///
/// # Errors
/// [`io::Error`] when they cannot be deleted.
pub(super) fn forget(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(SUMS_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => synchronize(directory),
    }
}

/// Compares the database of a store that no process uses with its checksums, if they are there. Nothing is changed.
///
/// # Errors
/// [`io::Error`] with the file that cannot be read.
pub(super) fn check(directory: &Path) -> Result<Checked, (PathBuf, io::Error)> {
    let database = directory.join(INDEXER);
    let file = directory.join(SUMS_FILE);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Checked::default()),
        Err(error) => return Err((file, error)),
    };
    let Some((closed, sums)) = Sums::decode(&bytes) else {
        return Ok(Checked {
            sums: Some(Damage::of(file, "is damaged")),
            ..Checked::default()
        });
    };
    // Those of another time or store say nothing. A damaged identity is reported where it is compared.
    let is_closed = !StoreIdentity::is_in_use(directory).unwrap_or(true)
        && StoreIdentity::read(directory).is_ok_and(|identity| identity == Some(closed))
        && !log_path(&database).exists();
    if !is_closed {
        return Ok(Checked::default());
    }
    match Sums::compute(&database, None) {
        Ok(now) => Ok(Checked {
            database: sums.compare(&database, &now),
            sums: None,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Checked::default()),
        Err(error) => Err((database, error)),
    }
}

/// What is damaged.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Damage of the database.
    pub(super) database: Vec<Damage>,
    /// Damage of the checksums, without which the database can be used.
    pub(super) sums: Option<Damage>,
}

impl Checked {
    /// Logs damage that does not prevent a start.
    pub(super) fn warn(&self) {
        if let Some(damage) = &self.sums {
            warn!(%damage, "the checksums of the indexer are damaged: its database cannot be compared with them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: StoreIdentity = StoreIdentity {
        store: Uuid::from_u128(9),
        pairing: 4,
    };

    /// Makes a directory with a database of a little more than four chunks.
    fn closed() -> (tempfile::TempDir, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..270_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        fs::write(directory.path().join(INDEXER), &content).unwrap();
        CLOSED.write(directory.path()).unwrap();
        note(directory.path(), CLOSED, None).unwrap();
        (directory, content)
    }

    fn damage(directory: &Path) -> Vec<String> {
        let Checked { database, sums } = check(directory).unwrap();
        let damage = database.iter().chain(&sums);
        damage.map(ToString::to_string).collect()
    }

    #[test]
    fn each_changed_byte_of_a_closed_database_is_found_where_it_is() {
        let (directory, content) = closed();
        let path = directory.path().join(INDEXER);
        assert_eq!(damage(directory.path()), [""; 0]);
        for at in [0, 65_535, 65_536, 200_000, content.len() - 1] {
            let mut changed = content.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let found = check(directory.path()).unwrap().database;
            let offset = u64::try_from(at / 65_536 * 65_536).unwrap();
            assert!(
                matches!(&found[..], [one] if one.offset == Some(offset) && one.file == path),
                "{at}: {found:?}"
            );
        }
        // Two places beside each other are one, with the rest of the file between others they are two.
        let mut changed = content.clone();
        for at in [0, 70_000, 200_000] {
            changed[at] ^= 1;
        }
        fs::write(&path, changed).unwrap();
        let found = damage(directory.path());
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("within 131072 bytes"), "{found:?}");
        fs::write(&path, &content[..100_000]).unwrap();
        let found = damage(directory.path());
        assert!(
            found[0].contains("has 100000 bytes; expected 270000"),
            "{found:?}"
        );
    }

    #[test]
    fn checksums_of_another_time_say_nothing() {
        let (directory, _) = closed();
        fs::write(directory.path().join(INDEXER), "other").unwrap();
        assert_eq!(damage(directory.path()).len(), 1);
        let later = StoreIdentity {
            pairing: 5,
            ..CLOSED
        };
        later.write(directory.path()).unwrap();
        assert_eq!(damage(directory.path()), [""; 0]);
        CLOSED.write(directory.path()).unwrap();
        assert_eq!(damage(directory.path()).len(), 1);
        forget(directory.path()).unwrap();
        forget(directory.path()).unwrap();
        assert_eq!(damage(directory.path()), [""; 0]);
    }

    #[test]
    fn checksums_are_noted_by_the_deadline_or_not_at_all() {
        let (directory, _) = closed();
        forget(directory.path()).unwrap();
        let error = note(directory.path(), CLOSED, Some(Instant::now())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn damaged_checksums_are_named() {
        let (directory, _) = closed();
        let path = directory.path().join(SUMS_FILE);
        let intact = fs::read(&path).unwrap();
        for at in 0..intact.len() {
            let mut changed = intact.clone();
            changed[at] ^= 4;
            for bytes in [&changed[..], &intact[..at]] {
                fs::write(&path, bytes).unwrap();
                let found = damage(directory.path());
                assert!(
                    matches!(&found[..], [one] if one.contains("indexer.sums is damaged")),
                    "{found:?}"
                );
            }
        }
    }
}
