//! The newest record of every key, from tables and journals.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::table_reader::RunReader;
use crate::embedded::files::journal::{self, Batches};
use crate::embedded::files::table::Record;
use crate::embedded::files::{Damage, FileError, RecordKind};
use crate::embedded::inspection::{Inspection, Keyspace};

/// Where a record was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::embedded) struct Place {
    pub(in crate::embedded) file: PathBuf,
    /// Of the block or batch that it is in.
    pub(in crate::embedded) offset: u64,
}

/// A record that is in force.
#[derive(Debug)]
pub(in crate::embedded) struct Stored<'a> {
    pub(in crate::embedded) key: &'a [u8],
    pub(in crate::embedded) value: &'a [u8],
    pub(in crate::embedded) sequence: u64,
    pub(in crate::embedded) place: &'a Place,
}

/// Records that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Loss {
    pub(in crate::embedded) damage: Damage,
    /// Their keys are not smaller than this one; `None` when any may be.
    pub(in crate::embedded) after: Option<Vec<u8>>,
    /// Their keys are not larger than this one; `None` when any may be.
    pub(in crate::embedded) before: Option<Vec<u8>>,
    /// Their sequences are not smaller than this one.
    pub(in crate::embedded) first_sequence: u64,
    /// Their sequences are not larger than this one.
    pub(in crate::embedded) last_sequence: u64,
    /// Whether they are in a journal, in which keys of all keyspaces stand in no order.
    pub(in crate::embedded) in_journal: bool,
    /// Keys that may be among those of a journal, each with the number of its keyspace.
    pub(in crate::embedded) seeming_keys: Vec<(u64, Vec<u8>)>,
}

/// The bytes of all journals.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Journals {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// What of them is no intact batch.
    pub(in crate::embedded) losses: Vec<Loss>,
}

/// A record of a journal: which one, and where.
#[derive(Debug, Clone)]
struct JournalRecord {
    sequence: u64,
    value: Option<Range<usize>>,
    journal: usize,
    batch: usize,
}

impl Journals {
    /// Reads all journals; what is interrupted at the end of the last one is left out.
    pub(in crate::embedded) fn read(inspection: &Inspection) -> io::Result<Self> {
        let mut this = Self::default();
        let mut last = None;
        for file in inspection.journals.values() {
            let read = File::open(&file.path)
                .map_err(FileError::from)
                .and_then(|mut file| journal::read(&mut file));
            match read {
                Ok(bytes) => {
                    last = this.note_losses(&file.path, &bytes, last, inspection);
                    this.files.push((file.path.clone(), bytes));
                }
                Err(error) => {
                    let damage = error.into_damage(&file.path)?;
                    this.losses.push(loss(damage));
                }
            }
        }
        Ok(this)
    }

    fn note_losses(
        &mut self,
        path: &Path,
        bytes: &[u8],
        before: Option<u64>,
        inspection: &Inspection,
    ) -> Option<u64> {
        let mut batches = Batches::new(bytes, before);
        batches.by_ref().for_each(drop);
        let mut last = batches.last_sequence();
        let Some(rest) = batches.rest() else {
            return last;
        };
        let is_tail = inspection
            .tail
            .as_ref()
            .is_some_and(|tail| tail.journal == path);
        if !is_tail {
            let offset = u64::try_from(rest.start).unwrap_or(u64::MAX);
            let damage = Damage::at(path, offset, rest.broken.problem());
            let keys = rest.seeming_records().into_iter();
            let keys = keys.map(|record| (record.keyspace, record.key.to_vec()));
            let (mut first_later, mut last_later) = (None, None);
            for batch in rest.later_batches() {
                first_later = first_later.or(Some(batch.sequence));
                last_later = Some(batch.sequence);
            }
            self.losses.push(Loss {
                first_sequence: last.map_or(0, |last| last + 1),
                last_sequence: first_later.map_or(u64::MAX, |first| first.saturating_sub(1)),
                seeming_keys: keys.collect(),
                ..loss(damage)
            });
            last = last_later.or(last);
        }
        last
    }

    /// Returns the newest record of every key of a keyspace.
    fn newest(&self, keyspace: u64, inspection: &Inspection) -> BTreeMap<Vec<u8>, JournalRecord> {
        let mut newest: BTreeMap<Vec<u8>, JournalRecord> = BTreeMap::new();
        let mut before = None;
        for (journal, (path, bytes)) in self.files.iter().enumerate() {
            let mut batches = Batches::new(bytes, before);
            let mut visit = |batch: journal::Batch<'_>| {
                before = Some(batch.sequence);
                let records = batch.records.iter();
                for record in records.filter(|record| record.keyspace == keyspace) {
                    let value =
                        (record.kind == RecordKind::Value).then(|| place_of(bytes, record.value));
                    let found = JournalRecord {
                        sequence: batch.sequence,
                        value,
                        journal,
                        batch: batch.place.start,
                    };
                    newest.insert(record.key.to_vec(), found);
                }
            };
            batches.by_ref().for_each(&mut visit);
            let is_tail = inspection
                .tail
                .as_ref()
                .is_some_and(|tail| tail.journal == *path);
            if let Some(rest) = batches.rest()
                && !is_tail
            {
                rest.later_batches().for_each(&mut visit);
            }
        }
        newest
    }
}

impl Journals {
    /// Visits a record unless it is deleted.
    fn show(
        &self,
        key: &[u8],
        record: &JournalRecord,
        visit: &mut impl FnMut(Stored<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (path, bytes) = &self.files[record.journal];
        let Some(value) = record.value.clone() else {
            return Ok(());
        };
        let place = Place {
            file: path.clone(),
            offset: u64::try_from(record.batch).unwrap_or(u64::MAX),
        };
        visit(Stored {
            key,
            value: &bytes[value],
            sequence: record.sequence,
            place: &place,
        })
    }
}

fn loss(damage: Damage) -> Loss {
    Loss {
        damage,
        after: None,
        before: None,
        first_sequence: 0,
        last_sequence: u64::MAX,
        in_journal: true,
        seeming_keys: Vec::new(),
    }
}

impl Loss {
    /// Returns whether a newer record of a key may be among what is lost than the one that was found.
    pub(in crate::embedded) fn may_hide(&self, key: &[u8], found: Option<u64>) -> bool {
        let is_behind = self.after.as_deref().is_none_or(|after| after <= key);
        let is_before = self.before.as_deref().is_none_or(|before| key <= before);
        is_behind && is_before && found.is_none_or(|found| found <= self.last_sequence)
    }
}

/// Returns where a part of bytes stands in them.
fn place_of(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - bytes.as_ptr().addr();
    start..start + part.len()
}

/// The next record of a run.
struct Head {
    record: Record,
    place: Place,
    run: usize,
}

impl Head {
    /// Smaller keys come first; of the same key, newer records.
    fn order(&self) -> (&[u8], Reverse<u64>) {
        (&self.record.key, Reverse(self.record.sequence))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

/// Visits the newest record of every key of a keyspace that is not deleted, in the order of keys, and returns what of its tables could
/// not be read.
///
/// # Errors
/// [`io::Error`] when a file cannot be read for a reason that is not damage, and what `visit` fails with.
pub(in crate::embedded) fn merge(
    inspection: &Inspection,
    journals: &Journals,
    number: u64,
    keyspace: &Keyspace,
    mut visit: impl FnMut(Stored<'_>) -> io::Result<()>,
) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    let mut runs: BTreeMap<usize, Vec<(PathBuf, _)>> = BTreeMap::new();
    for entry in &keyspace.entries {
        let table = (keyspace.table_path(entry.number), *entry);
        runs.entry(entry.run).or_default().push(table);
    }
    let mut readers: Vec<RunReader> = runs.into_values().map(RunReader::new).collect();
    let mut heads = BinaryHeap::new();
    for (run, reader) in readers.iter_mut().enumerate() {
        if let Some((record, place)) = reader.next(&mut losses)? {
            heads.push(Reverse(Head { record, place, run }));
        }
    }
    let mut in_journals = journals.newest(number, inspection).into_iter().peekable();
    while let Some(Reverse(head)) = heads.pop() {
        while let Some((key, record)) = in_journals.next_if(|(key, _)| *key < head.record.key) {
            journals.show(&key, &record, &mut visit)?;
        }
        // Older records of the same key follow.
        let mut refill = vec![head.run];
        while let Some(Reverse(next)) = heads.peek()
            && next.record.key == head.record.key
        {
            refill.push(next.run);
            heads.pop();
        }
        let newer = in_journals.next_if(|(key, record)| {
            *key == head.record.key && record.sequence >= head.record.sequence
        });
        if let Some((key, record)) = newer {
            journals.show(&key, &record, &mut visit)?;
        } else {
            // A journal may still hold what a table has since.
            in_journals.next_if(|(key, _)| *key == head.record.key);
            if head.record.kind == RecordKind::Value {
                visit(Stored {
                    key: &head.record.key,
                    value: &head.record.value,
                    sequence: head.record.sequence,
                    place: &head.place,
                })?;
            }
        }
        for run in refill {
            // The same run may have older records of this key.
            while let Some((record, place)) = readers[run].next(&mut losses)? {
                if record.key != head.record.key {
                    heads.push(Reverse(Head { record, place, run }));
                    break;
                }
            }
        }
    }
    for (key, record) in in_journals {
        journals.show(&key, &record, &mut visit)?;
    }
    Ok(losses)
}
