//! Which tables a keyspace has.

use std::io::Cursor as IoCursor;

use xxhash_rust::xxh3::xxh3_128;

use super::archive::Archive;
use super::{Cursor, FileError};

/// The file that names the manifest in force.
pub(in crate::embedded) const CURRENT_FILE: &str = "current";

/// What the versions of formats and kinds are that the engine writes.
const CONSTANTS: [(&str, &[u8]); 4] = [
    ("format_version", &[3]),
    ("tree_type", &[0]),
    ("level_count", &[7]),
    ("filter_hash_type", &[0]),
];

/// Names a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct Current {
    /// Grows with each change of the tables.
    pub(in crate::embedded) manifest: u64,
    /// Of the whole manifest.
    pub(in crate::embedded) checksum: u128,
}

impl Current {
    /// Reads the content of the file `current`.
    pub(in crate::embedded) fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let mut cursor = Cursor::new(bytes);
        let (manifest, checksum, kind) = (cursor.u64(), cursor.u128(), cursor.u8());
        match (manifest, checksum, kind) {
            (Some(manifest), Some(checksum), Some(0)) if cursor.remaining() == 0 => {
                Ok(Self { manifest, checksum })
            }
            _ => Err(FileError::damaged("names no manifest")),
        }
    }

    /// Returns the name of the file of the manifest.
    pub(in crate::embedded) fn file_name(self) -> String {
        format!("v{}", self.manifest)
    }
}

/// A table as the manifest knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct TableEntry {
    /// Its name.
    pub(in crate::embedded) number: u64,
    /// Of the whole file.
    pub(in crate::embedded) checksum: u128,
    /// What the sequences of its records count from.
    pub(in crate::embedded) first_sequence: u64,
    /// The run that it is in. The keys of the tables of a run increase from one to the next.
    pub(in crate::embedded) run: usize,
}

/// Reads the tables of the manifest that `current` names.
pub(in crate::embedded) fn parse(
    current: Current,
    bytes: &[u8],
) -> Result<Vec<TableEntry>, FileError> {
    if xxh3_128(bytes) != current.checksum {
        return Err(FileError::damaged(
            "is not the manifest that the file `current` beside it names: their checksums differ",
        ));
    }
    let archive = Archive::read(&mut IoCursor::new(bytes))?;
    let content = |name: &str| {
        let section = archive.require(name)?;
        let start = usize::try_from(section.position).ok();
        let length = usize::try_from(section.length).ok();
        start
            .zip(length)
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
            .ok_or_else(|| FileError::damaged(format!("has an impossible section {name}")))
    };
    for (name, expected) in CONSTANTS {
        if content(name)? != expected {
            return Err(FileError::damaged(format!(
                "has another {name} than this program knows"
            )));
        }
    }
    let broken = |name| FileError::damaged(format!("has a damaged section {name}"));
    if Cursor::new(content("blob_files")?).u32() != Some(0) {
        return Err(broken("blob_files"));
    }
    parse_tables(content("tables")?).ok_or_else(|| broken("tables"))
}

/// Reads levels, which hold runs, which hold tables.
fn parse_tables(bytes: &[u8]) -> Option<Vec<TableEntry>> {
    let mut cursor = Cursor::new(bytes);
    let mut tables = Vec::new();
    let mut run = 0;
    for _level in 0..cursor.u8()? {
        for _run in 0..cursor.u8()? {
            run += 1;
            for _table in 0..cursor.u32()? {
                let number = cursor.u64()?;
                let checksum_kind = cursor.u8()?;
                let (checksum, first_sequence) = (cursor.u128()?, cursor.u64()?);
                if checksum_kind != 0 {
                    return None;
                }
                tables.push(TableEntry {
                    number,
                    checksum,
                    first_sequence,
                    run,
                });
            }
        }
    }
    (cursor.remaining() == 0).then_some(tables)
}
