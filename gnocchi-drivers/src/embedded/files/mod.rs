//! The files of the storage engine, read without the engine.
//!
//! The engine recovers by itself when it opens a directory: what it cannot read at the end of a journal it cuts off, what no manifest
//! names it deletes, and what is missing it creates. All of that is right after a crash and wrong after damage, and afterwards the two
//! can no longer be told apart. So everything that decides about existing bytes looks at them here first, and changes none.
//!
//! # Layout
//!
//! This is the layout of `fjall` 3.1 (`lsm-tree` 3.1, archives by `sfa` 1.0) as far as it is read here. `layout_tests.rs` writes databases
//! with the engine and fails when a version of it changes something. Numbers are little-endian unless stated, checksums are xxh3.
//!
//! ```text
//! version                    "FJL", 3
//! lock                       empty; its owner holds a lock on it
//! N.jnl                      journals; the largest N is written to, the others are kept until tables hold what they hold
//! keyspaces/0/               names of keyspaces: "n", number (8, big-endian) -> name
//! keyspaces/N/current        number of the manifest (8), its checksum (16), kind of the checksum (1) = 0
//! keyspaces/N/vM             manifest M: an archive with the sections format_version, tables and others
//! keyspaces/N/tables/T       table T: an archive with the sections data, tli, index, filter, meta and others
//! ```
//!
//! - [`journal`]: batches, one behind the other, then zeros up to the length that was set aside.
//! - [`archive`]: sections, table of contents, trailer.
//! - [`manifest`]: which tables a keyspace has.
//! - [`table`]: blocks of sorted records.

pub(super) mod archive;
mod damage;
pub(super) mod journal;
#[cfg(test)]
mod layout_tests;
pub(super) mod manifest;
pub(super) mod table;

pub use damage::Damage;
pub(super) use damage::FileError;

/// The file that marks a directory as a database, and what it holds.
pub(super) const VERSION_FILE: &str = "version";
pub(super) const VERSION: &[u8] = b"FJL\x03";

/// The file whose lock a process holds while it has the database open.
pub(super) const LOCK_FILE: &str = "lock";

/// The folder of keyspaces, and those of the tables of each.
pub(super) const KEYSPACES_FOLDER: &str = "keyspaces";
pub(super) const TABLES_FOLDER: &str = "tables";

/// The keyspace in which the engine keeps the names of the others.
pub(super) const NAMES_KEYSPACE: u64 = 0;

/// How the names of journals end.
pub(super) const JOURNAL_SUFFIX: &str = ".jnl";

/// What a record says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// It has a value.
    Value,
    /// It was deleted.
    Deleted,
}

impl RecordKind {
    /// Reads the number that the engine writes for it. Values outside of tables, which this program does not use, have another one.
    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Value),
            1 | 2 => Some(Self::Deleted),
            _ => None,
        }
    }
}

/// Takes numbers off the front of bytes.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let taken = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// Takes a number in groups of seven bits, lowest group first.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Takes the length of something that follows.
    fn varint_length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }
}
