//! The records of the tables of a run, past damage.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;

use super::merge::{Loss, Place};
use crate::embedded::files::manifest::TableEntry;
use crate::embedded::files::table::{Block, BlockKind, Compression, Layout, Record, next_block};
use crate::embedded::files::{Damage, FileError};

/// Reads tables, one after the other.
#[derive(Debug)]
pub(super) struct RunReader {
    tables: VecDeque<(PathBuf, TableEntry)>,
    open: Option<OpenTable>,
    records: VecDeque<Record>,
    place: Place,
    last_key: Option<Vec<u8>>,
    /// What could not be read since the last record.
    losses: Vec<Loss>,
}

#[derive(Debug)]
struct OpenTable {
    file: File,
    path: PathBuf,
    first_sequence: u64,
    /// How records are compressed; `None` when the table does not say any more.
    compression: Option<Compression>,
    last_sequence: u64,
    position: u64,
    end: u64,
}

impl RunReader {
    pub(super) fn new(tables: impl IntoIterator<Item = (PathBuf, TableEntry)>) -> Self {
        Self {
            tables: tables.into_iter().collect(),
            open: None,
            records: VecDeque::new(),
            place: Place::default(),
            last_key: None,
            losses: Vec::new(),
        }
    }

    /// Returns the next record and where its block stands. What could not be read before it is added to `losses`.
    ///
    /// # Errors
    /// [`io::Error`] when a file cannot be read for a reason that is not damage.
    pub(super) fn next(&mut self, losses: &mut Vec<Loss>) -> io::Result<Option<(Record, Place)>> {
        loop {
            if let Some(record) = self.records.pop_front() {
                for mut loss in self.losses.drain(..) {
                    loss.before = Some(record.key.clone());
                    losses.push(loss);
                }
                self.last_key = Some(record.key.clone());
                return Ok(Some((record, self.place.clone())));
            }
            match &mut self.open {
                Some(table) if table.position < table.end => self.read_block()?,
                _ => {
                    let Some((path, entry)) = self.tables.pop_front() else {
                        losses.append(&mut self.losses);
                        return Ok(None);
                    };
                    self.open_table(path, entry)?;
                }
            }
        }
    }

    fn lose(&mut self, damage: Damage, last_sequence: u64) {
        self.losses.push(Loss {
            damage,
            after: self.last_key.clone(),
            before: None,
            first_sequence: 0,
            last_sequence,
            in_journal: false,
            seeming_keys: Vec::new(),
        });
    }

    fn open_table(&mut self, path: PathBuf, entry: TableEntry) -> io::Result<()> {
        self.open = None;
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => {
                let damage = FileError::Io(error).into_damage(&path)?;
                self.lose(damage, u64::MAX);
                return Ok(());
            }
        };
        let length = file.seek(SeekFrom::End(0))?;
        let mut table = OpenTable {
            file,
            path,
            first_sequence: entry.first_sequence,
            compression: None,
            last_sequence: u64::MAX,
            position: 0,
            end: length,
        };
        match Layout::read(&mut table.file, entry.first_sequence) {
            Ok(layout) => {
                (table.position, table.end) = layout.data();
                table.compression = Some(layout.properties.compression);
                table.last_sequence = layout.properties.last_sequence;
            }
            // Blocks can be read without it, as far as they follow one another.
            Err(error) => {
                let damage = error.into_damage(&table.path)?;
                self.lose(damage, u64::MAX);
            }
        }
        self.open = Some(table);
        Ok(())
    }

    fn read_block(&mut self) -> io::Result<()> {
        let Some(table) = &mut self.open else {
            return Ok(());
        };
        let (position, end) = (table.position, table.end);
        let read = Block::read(&mut table.file, position, end).and_then(|block| {
            let records = match block.kind {
                BlockKind::Records => block.records(
                    table.compression.unwrap_or(block.seeming_compression()),
                    table.first_sequence,
                )?,
                // Behind the records, in a table that does not say where they end.
                _ => Vec::new(),
            };
            Ok((records, block.end))
        });
        match read {
            Ok((records, next)) => {
                self.place = Place {
                    file: table.path.clone(),
                    offset: position,
                };
                table.position = if records.is_empty() { end } else { next };
                self.records = records.into();
            }
            Err(error) => {
                let next = next_block(&mut table.file, position + 1, end);
                table.position = match next {
                    Ok(next) => next.unwrap_or(end),
                    Err(FileError::Io(error)) => return Err(error),
                    Err(FileError::Damaged { .. }) => end,
                };
                // What follows the blocks of a table that lost its table of contents is no block, and no surprise.
                if table.compression.is_some() || table.position < end {
                    let damage = error.into_damage(&table.path)?;
                    let last_sequence = table.last_sequence;
                    self.lose(damage, last_sequence);
                }
            }
        }
        Ok(())
    }
}
