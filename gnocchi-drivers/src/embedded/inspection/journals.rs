//! Journals: whether they are whole, follow one another, and reach as far as what was acknowledged.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::keyspaces::Keyspaces;
use super::tail::Tail;
use super::{Damage, Notes};
use crate::embedded::catalog::{Catalog, journal_hash};
use crate::embedded::files::journal::{self, Batch, Batches, Rest};
use crate::embedded::files::{FileError, JOURNAL_SUFFIX, RecordKind, table};
use crate::embedded::keys;
use crate::embedded::progress::{Progress, entry_hash};

/// A journal.
#[derive(Debug, Clone)]
pub(in crate::embedded) struct JournalFile {
    pub(in crate::embedded) path: PathBuf,
    /// Distinguishes it from others of the same number, once it has a beginning.
    pub(in crate::embedded) hash: Option<u64>,
}

/// Whether the last entry that was acknowledged is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Acknowledged {
    NotFound,
    Found,
    /// An entry of that number is, and is another one.
    Other {
        journal: PathBuf,
        offset: u64,
    },
}

/// All journals of a database.
#[derive(Debug)]
pub(super) struct Journals {
    pub(super) files: BTreeMap<u64, JournalFile>,
    /// The newest records of the keyspace of facts: sequence, and value unless deleted.
    facts: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
    holds_data: bool,
    /// The last entry of the log in an intact batch.
    last_entry: Option<u64>,
    acknowledged: Acknowledged,
    last_sequence: Option<u64>,
    tail: Option<Tail>,
    /// Whether something is wrong with one of them.
    damaged: bool,
}

impl Journals {
    /// Finds the journals of a directory.
    pub(super) fn list(path: &Path, damage: &mut Vec<Damage>) -> io::Result<Self> {
        let mut this = Self {
            files: BTreeMap::new(),
            facts: BTreeMap::new(),
            holds_data: false,
            last_entry: None,
            acknowledged: Acknowledged::NotFound,
            last_sequence: None,
            tail: None,
            damaged: false,
        };
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                damage.push(Damage::of(path, "has a name that the engine cannot read"));
                continue;
            };
            // The engine looks at names like these, whatever their case.
            if !name.to_ascii_lowercase().ends_with(JOURNAL_SUFFIX) {
                continue;
            }
            let number = name.strip_suffix(JOURNAL_SUFFIX).map(str::parse::<u64>);
            match number {
                Some(Ok(number))
                    if format!("{number}{JOURNAL_SUFFIX}") == name && path.is_file() =>
                {
                    let file = JournalFile { path, hash: None };
                    this.files.insert(number, file);
                }
                _ => damage.push(Damage::of(path, "is no journal")),
            }
        }
        this.damaged = this.require_consecutive(path, damage);
        Ok(this)
    }

    /// Journals are deleted oldest first, so none is missing between two others.
    fn require_consecutive(&self, path: &Path, damage: &mut Vec<Damage>) -> bool {
        let mut missing = false;
        for (before, after) in self.files.keys().zip(self.files.keys().skip(1)) {
            if before + 1 < *after {
                damage.push(missing_journal(path, before + 1));
                missing = true;
            }
        }
        missing
    }

    /// Reads all journals.
    pub(super) fn scan(
        &mut self,
        keyspaces: &Keyspaces,
        progress: Option<Progress>,
        damage: &mut Vec<Damage>,
    ) -> io::Result<()> {
        let numbers: Vec<u64> = self.files.keys().copied().collect();
        for number in numbers {
            let path = self.files[&number].path.clone();
            let read = File::open(&path)
                .map_err(FileError::from)
                .and_then(|mut file| journal::read(&mut file));
            let bytes = match read {
                Ok(bytes) => bytes,
                Err(error) => {
                    damage.push(error.into_damage(&path)?);
                    self.damaged = true;
                    continue;
                }
            };
            let mut batches = Batches::new(&bytes, self.last_sequence);
            let mut intact_bytes = 0;
            for batch in batches.by_ref() {
                self.visit(number, &path, &batch, keyspaces, progress);
                intact_bytes = batch.place.end;
            }
            self.last_sequence = batches.last_sequence();
            if let Some(file) = self.files.get_mut(&number) {
                file.hash = journal_hash(&bytes[..intact_bytes]);
            }
            let Some(rest) = batches.rest() else {
                continue;
            };
            let is_last = self.files.keys().last() == Some(&number);
            let contradiction = if is_last {
                self.contradiction(&rest, keyspaces, progress)
            } else {
                // It was synchronized before the next one was begun.
                Some(", although it was complete once")
            };
            let offset = u64::try_from(rest.start).unwrap_or(u64::MAX);
            if let Some(contradiction) = contradiction {
                let problem = format!("{}{contradiction}", rest.broken.problem());
                damage.push(Damage::at(&path, offset, problem));
                self.damaged = true;
            } else {
                self.tail = Some(Tail {
                    journal: path,
                    offset,
                    bytes: u64::try_from(rest.bytes().len()).unwrap_or(u64::MAX),
                });
            }
        }
        Ok(())
    }

    fn visit(
        &mut self,
        number: u64,
        path: &Path,
        batch: &Batch<'_>,
        keyspaces: &Keyspaces,
        progress: Option<Progress>,
    ) {
        let (facts, log) = (keyspaces.number(keys::META), keyspaces.number(keys::LOG));
        for record in &batch.records {
            if Some(record.keyspace) == facts {
                let value = (record.kind == RecordKind::Value).then(|| record.value.to_vec());
                self.facts
                    .insert(record.key.to_vec(), (batch.sequence, value));
                continue;
            }
            self.holds_data = true;
            if Some(record.keyspace) != log || record.kind != RecordKind::Value {
                continue;
            }
            let Some(entry) = keys::number(record.key) else {
                continue;
            };
            self.last_entry = self.last_entry.max(Some(entry));
            if let Some(progress) = progress
                && progress.sequence == entry
                && progress.journal <= number
            {
                self.acknowledged = if progress.entry_hash == entry_hash(record.value) {
                    Acknowledged::Found
                } else {
                    Acknowledged::Other {
                        journal: path.to_owned(),
                        offset: u64::try_from(batch.place.start).unwrap_or(u64::MAX),
                    }
                };
            }
        }
    }

    /// Returns what speaks against a crash as the reason why the last journal ends with something that is no batch.
    ///
    /// A crash damages only what was not synchronized yet. Batches behind a damaged one were written later, and the owner of the log
    /// waits for each of its batches to be synchronized, with all before it, before it writes the next.
    fn contradiction(
        &self,
        rest: &Rest<'_>,
        keyspaces: &Keyspaces,
        progress: Option<Progress>,
    ) -> Option<&'static str> {
        if self.acknowledged == Acknowledged::NotFound && self.should_hold(progress) {
            return Some(", and what was acknowledged is not before it");
        }
        // Tables are written once the journal was synchronized.
        let stored = keyspaces.last_sequence();
        let is_stored = |sequence: Option<u64>| sequence.is_some() && sequence <= stored;
        if self.last_sequence.is_some() && self.last_sequence < stored {
            return Some(", although tables hold what came later");
        }
        let log = keyspaces.number(keys::LOG);
        let mut groups = 0;
        for batch in rest.later_batches() {
            let first = log.and_then(|log| first_entry(&batch, log));
            let follows =
                groups == 0 && self.last_entry.is_none_or(|known| Some(known + 1) == first);
            if is_stored(Some(batch.sequence)) || (first.is_some() && !follows) {
                return Some(", although what stands behind it was written later");
            }
            groups += usize::from(first.is_some());
        }
        None
    }

    /// Returns whether the last entry that was acknowledged must be in one of these journals.
    fn should_hold(&self, progress: Option<Progress>) -> bool {
        progress.is_some_and(|progress| {
            progress.sequence > 0 && self.files.contains_key(&progress.journal)
        })
    }

    pub(super) fn exist(&self) -> bool {
        !self.files.is_empty()
    }

    /// Returns whether there are records of anything but facts.
    pub(super) fn holds_data(&self) -> bool {
        self.holds_data
    }

    pub(super) fn last_sequence(&self) -> Option<u64> {
        self.last_sequence
    }

    pub(super) fn take_tail(&mut self) -> Option<Tail> {
        self.tail.take()
    }

    /// Puts the facts in journals over those in tables.
    pub(super) fn overlay(
        &self,
        stored: BTreeMap<Vec<u8>, (u64, table::Record)>,
    ) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut newest: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)> = stored
            .into_iter()
            .map(|(key, (sequence, record))| {
                let value = (record.kind == RecordKind::Value).then_some(record.value);
                (key, (sequence, value))
            })
            .collect();
        for (key, (sequence, value)) in &self.facts {
            let known = newest.get(key).map(|(known, _)| *known);
            if known.is_none_or(|known| known <= *sequence) {
                newest.insert(key.clone(), (*sequence, value.clone()));
            }
        }
        newest
            .into_iter()
            .filter_map(|(key, (_, value))| Some((key, value?)))
            .collect()
    }

    /// Compares journals with those that were known.
    pub(super) fn compare(
        &mut self,
        path: &Path,
        catalog: &Catalog,
        keyspaces: &Keyspaces,
        damage: &mut Vec<Damage>,
    ) {
        let (first, last) = (self.files.keys().next(), self.files.keys().last());
        for (number, known_hash) in &catalog.journals {
            let Some(file) = self.files.get(number) else {
                // The engine deletes the oldest ones once tables hold what they hold.
                let deleted = Some(number) < first && keyspaces.have_changed_since(catalog);
                let between = Some(number) > first && Some(number) < last;
                if !deleted && !between {
                    damage.push(missing_journal(path, *number));
                    self.damaged = true;
                }
                continue;
            };
            let problem = match (known_hash, file.hash) {
                (Some(known), Some(found)) if *known != found => {
                    "is not the journal that this database had under that name"
                }
                (Some(_), None) => "has lost its beginning",
                _ => continue,
            };
            damage.push(Damage::of(&file.path, problem));
            self.damaged = true;
        }
    }

    /// Notes when the last entry that was acknowledged is not there.
    pub(super) fn require_acknowledged(
        &self,
        path: &Path,
        notes: &Notes,
        keyspaces: &Keyspaces,
        damage: &mut Vec<Damage>,
    ) {
        if self.damaged {
            return;
        }
        let Some((last, file)) = self.files.last_key_value() else {
            let known = notes.progress.map_or(0, |progress| progress.journal);
            damage.push(missing_journal(path, known));
            return;
        };
        let Some(progress) = notes.progress else {
            return;
        };
        match &self.acknowledged {
            Acknowledged::Found => {}
            Acknowledged::Other { journal, offset } => damage.push(Damage::at(
                journal,
                *offset,
                format!(
                    "holds another entry {} of the log than the one that was acknowledged: it belongs to another database, or to this one at another time",
                    progress.sequence
                ),
            )),
            Acknowledged::NotFound if progress.sequence == 0 => {}
            Acknowledged::NotFound if progress.journal > *last => {
                damage.push(missing_journal(path, progress.journal));
            }
            Acknowledged::NotFound if self.should_hold(notes.progress) => {
                damage.push(Damage::of(
                    &file.path,
                    format!(
                        "ends before entry {} of the log, which was acknowledged",
                        progress.sequence
                    ),
                ));
            }
            Acknowledged::NotFound => {
                let forgotten = notes.catalog.as_ref().is_none_or(|catalog| {
                    !catalog.journals.contains_key(&progress.journal)
                        || keyspaces.have_changed_since(catalog)
                });
                if !forgotten {
                    damage.push(missing_journal(path, progress.journal));
                }
            }
        }
    }
}

fn missing_journal(path: &Path, number: u64) -> Damage {
    Damage::of(path.join(format!("{number}{JOURNAL_SUFFIX}")), "is missing")
}

/// Returns the first entry of the log that a batch adds.
fn first_entry(batch: &Batch<'_>, log: u64) -> Option<u64> {
    let entries = batch
        .records
        .iter()
        .filter(|record| record.keyspace == log && record.kind == RecordKind::Value);
    entries.filter_map(|record| keys::number(record.key)).min()
}
