//! Which files a database has, kept beside it.
//!
//! Manifests name tables, and checksums cover what is in each file, but nothing in the files of the engine says that they belong
//! together: a table, a folder of tables or a journal of another database, or of the same one at another time, is as intact as the
//! right one. The catalog names the journals and tables that a database had when they were last looked at, about every second, with what
//! distinguishes each from all others.
//!
//! ```text
//! GNCL (4), version (4), identity (16), generation (8),
//! number of journals (4), of each: number (8), known (1), hash of its first 256 bytes (8),
//! number of keyspaces (4), of each: number (8), manifest (8), number of tables (4), of each: number (8), fingerprint (16)
//! checksum of all before (8)
//! ```
//! Numbers are big-endian, hashes and the checksum are xxh3.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::files::FileError;
use super::keys::Identity;

/// The name of the file, and under which it is written before it takes the place of the one before.
pub(super) const CATALOG_FILE: &str = "catalog";
const STAGING_FILE: &str = "catalog.new";

const START: &[u8] = b"GNCL\0\0\0\x01";

/// How much of the beginning of a journal is hashed. It never changes once it is written.
pub(super) const JOURNAL_START_BYTES: usize = 256;

/// Returns what distinguishes a journal from another one of the same number, once enough of it is written.
pub(super) fn journal_hash(start: &[u8]) -> Option<u64> {
    start.get(..JOURNAL_START_BYTES).map(xxh3_64)
}

/// Which files a database has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Catalog {
    /// The database that this belongs to.
    pub(super) identity: Identity,
    /// How often the database had been opened.
    pub(super) generation: u64,
    /// Journals by number, with the hash of the beginning of those that have one.
    pub(super) journals: BTreeMap<u64, Option<u64>>,
    /// Keyspaces by number.
    pub(super) keyspaces: BTreeMap<u64, KnownKeyspace>,
}

/// What a keyspace consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KnownKeyspace {
    /// The number of its manifest, which grows with each change.
    pub(super) manifest: u64,
    /// Fingerprints of tables by number.
    pub(super) tables: BTreeMap<u64, u128>,
}

impl Catalog {
    fn encode(&self) -> Vec<u8> {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut out = START.to_vec();
        out.extend_from_slice(&self.identity);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&count(self.journals.len()));
        for (number, hash) in &self.journals {
            out.extend_from_slice(&number.to_be_bytes());
            out.push(u8::from(hash.is_some()));
            out.extend_from_slice(&hash.unwrap_or(0).to_be_bytes());
        }
        out.extend_from_slice(&count(self.keyspaces.len()));
        for (number, keyspace) in &self.keyspaces {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&keyspace.manifest.to_be_bytes());
            out.extend_from_slice(&count(keyspace.tables.len()));
            for (table, fingerprint) in &keyspace.tables {
                out.extend_from_slice(&table.to_be_bytes());
                out.extend_from_slice(&fingerprint.to_be_bytes());
            }
        }
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, checksum) = bytes.split_last_chunk()?;
        if xxh3_64(covered) != u64::from_be_bytes(*checksum) {
            return None;
        }
        let mut rest = covered.strip_prefix(START)?;
        let mut catalog = Self {
            identity: take(&mut rest)?,
            generation: number(&mut rest)?,
            ..Self::default()
        };
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let journal = number(&mut rest)?;
            let [known] = take(&mut rest)?;
            let hash = number(&mut rest)?;
            catalog
                .journals
                .insert(journal, (known == 1).then_some(hash));
        }
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let keyspace = number(&mut rest)?;
            let mut known = KnownKeyspace {
                manifest: number(&mut rest)?,
                ..KnownKeyspace::default()
            };
            for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
                let table = number(&mut rest)?;
                let fingerprint = u128::from_be_bytes(take(&mut rest)?);
                known.tables.insert(table, fingerprint);
            }
            catalog.keyspaces.insert(keyspace, known);
        }
        rest.is_empty().then_some(catalog)
    }

    /// Reads the file of a directory; `None` when there is none.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, FileError> {
        match fs::read(directory.join(CATALOG_FILE)) {
            Ok(bytes) => Self::decode(&bytes)
                .map(Some)
                .ok_or_else(|| FileError::damaged("is damaged")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the file of a directory, whole or not at all. After a power failure it may be the one before.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let staging = directory.join(STAGING_FILE);
        let mut file = File::create(&staging)?;
        file.write_all(&self.encode())?;
        file.sync_all()?;
        fs::rename(&staging, directory.join(CATALOG_FILE))
    }
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_comes_back_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Catalog::read(directory.path()).unwrap(), None);
        let known = KnownKeyspace {
            manifest: 7,
            tables: [(1, u128::MAX), (5, 2)].into(),
        };
        let catalog = Catalog {
            identity: *b"sixteen bytes...",
            generation: 3,
            journals: [(4, Some(u64::MAX)), (5, None)].into(),
            keyspaces: [(0, KnownKeyspace::default()), (2, known)].into(),
        };
        catalog.write(directory.path()).unwrap();
        assert_eq!(
            Catalog::read(directory.path()).unwrap(),
            Some(catalog.clone())
        );
        let intact = catalog.encode();
        for at in 0..intact.len() {
            let mut damaged = intact.clone();
            damaged[at] ^= 0x40;
            assert_eq!(Catalog::decode(&damaged), None, "byte {at}");
            assert_eq!(Catalog::decode(&intact[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn a_journal_has_a_hash_once_its_beginning_is_written() {
        let start = [7; JOURNAL_START_BYTES];
        assert_eq!(journal_hash(&start[1..]), None);
        let hash = journal_hash(&start);
        assert!(hash.is_some());
        assert_eq!(
            journal_hash(&[start, [1; JOURNAL_START_BYTES]].concat()),
            hash
        );
    }
}
