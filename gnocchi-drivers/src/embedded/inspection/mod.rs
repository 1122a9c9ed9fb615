//! Looking at the files of a database before, or instead of, opening it. Nothing is changed.
//!
//! The engine repairs by itself when it opens a directory, see [`files`](super::files). So this decides first whether what it would do is
//! right: whether everything is there that should be, belongs together, and reaches as far as what was acknowledged. Read are journals,
//! manifests, the ends of tables, and the records that describe the database; how long that takes does not depend on how much is stored.

mod journals;
mod keyspaces;
mod tail;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalog::{CATALOG_FILE, Catalog};
use super::engine::FORMAT;
use super::files::{Damage, FileError, VERSION, VERSION_FILE};
use super::keys::{self, Identity, Pairing};
use super::progress::Progress;
pub(super) use journals::JournalFile;
use journals::Journals;
pub(super) use keyspaces::Keyspace;
use keyspaces::Keyspaces;
pub(super) use tail::{Kept, Tail};

/// The format in which nothing beside the engine's own files said what should be there.
const FORMAT_WITHOUT_NOTES: u32 = 1;

/// How far a directory has come to be a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is nothing.
    Absent,
    /// Its creation was interrupted before anything was stored.
    Unfinished,
    /// It holds what it should, unless there is damage.
    Whole,
}

/// What a database says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredFacts {
    pub(super) format: u32,
    pub(super) identity: Identity,
    /// How often it was opened.
    pub(super) generation: u64,
    /// What it says about the store that it is part of.
    pub(super) pairing: Pairing,
}

/// What was found in the directory of a database.
#[derive(Debug)]
pub(super) struct Inspection {
    pub(super) path: PathBuf,
    /// Where it is noted how far the log was synchronized.
    pub(super) progress_path: PathBuf,
    pub(super) stage: Stage,
    /// What it says about itself, when that can be read.
    pub(super) facts: Option<StoredFacts>,
    /// Journals by number.
    pub(super) journals: BTreeMap<u64, JournalFile>,
    /// Keyspaces by number.
    pub(super) keyspaces: BTreeMap<u64, Keyspace>,
    /// How far the log was synchronized, when that is known.
    pub(super) progress: Option<Progress>,
    /// The end of the last journal that was not written completely before a crash. None of it was acknowledged.
    pub(super) tail: Option<Tail>,
    /// The largest sequence of a batch.
    pub(super) last_sequence: Option<u64>,
    /// What stands against opening it.
    pub(super) damage: Vec<Damage>,
}

impl Inspection {
    /// Looks at a directory. How far it was synchronized is noted in `progress`, see [`Progress`].
    ///
    /// # Errors
    /// [`io::Error`] when it cannot be looked at. What is wrong with its files is part of the result.
    pub(super) fn of(path: &Path, progress: &Path) -> io::Result<Self> {
        let mut inspection = Self {
            path: path.to_owned(),
            progress_path: progress.to_owned(),
            stage: Stage::Absent,
            facts: None,
            journals: BTreeMap::new(),
            keyspaces: BTreeMap::new(),
            progress: None,
            tail: None,
            last_sequence: None,
            damage: Vec::new(),
        };
        let notes = Notes::read(path, progress, &mut inspection.damage)?;
        if !path.try_exists()? {
            if notes.began() {
                inspection.damage.push(Damage::of(path, "is missing"));
            }
            return Ok(inspection);
        }
        let mut keyspaces = Keyspaces::inspect(path, &mut inspection.damage)?;
        let meta = keyspaces.number(keys::META);
        let mut journals = Journals::list(path, &mut inspection.damage)?;
        journals.scan(&keyspaces, notes.progress, &mut inspection.damage)?;
        let has_files = notes.exist || keyspaces.exist() || journals.exist();
        let has_version = check_version(path, &mut inspection.damage)?;
        if !has_files && has_version == Version::Absent {
            return Ok(inspection);
        }
        let records = match meta {
            Some(meta) => {
                let stored = keyspaces.records(meta, &mut inspection.damage)?;
                journals.overlay(stored)
            }
            None => BTreeMap::new(),
        };
        inspection.facts = stored_facts(&records);
        let has_data = keyspaces.hold_data() || journals.holds_data();
        let began = notes.began();
        let is_empty = !has_data && journals.last_sequence().is_none();
        inspection.stage = if inspection.facts.is_none() && is_empty && !began {
            Stage::Unfinished
        } else {
            Stage::Whole
        };
        match inspection.stage {
            Stage::Absent => {}
            Stage::Unfinished => {
                // Files that were created and not written yet.
                let may_be_empty = [
                    path.join(VERSION_FILE),
                    path.join(CATALOG_FILE),
                    progress.into(),
                ];
                inspection
                    .damage
                    .retain(|damage| !may_be_empty.contains(&damage.file));
            }
            Stage::Whole => {
                if has_version == Version::Absent {
                    inspection
                        .damage
                        .push(Damage::of(path.join(VERSION_FILE), "is missing"));
                }
                keyspaces.require_all(path, &mut inspection.damage);
                inspection.check_notes(&notes, &keyspaces, &mut journals);
            }
        }
        inspection.tail = journals.take_tail();
        inspection.last_sequence = journals.last_sequence().max(keyspaces.last_sequence());
        inspection.journals = journals.files;
        inspection.keyspaces = keyspaces.by_number;
        inspection.progress = notes.progress;
        inspection.damage.sort();
        inspection.damage.dedup();
        Ok(inspection)
    }

    /// Compares what is there with what was noted of it before.
    fn check_notes(&mut self, notes: &Notes, keyspaces: &Keyspaces, journals: &mut Journals) {
        let Some(facts) = self.facts else {
            journals.require_acknowledged(&self.path, notes, keyspaces, &mut self.damage);
            // Unless something else explains it already.
            if self.damage.is_empty() {
                self.damage.push(Damage::of(
                    &self.path,
                    "lacks the records that describe the database, although it holds data",
                ));
            }
            return;
        };
        if facts.format > FORMAT_WITHOUT_NOTES {
            self.require_notes(notes);
        }
        if let Some(progress) = notes.progress {
            let file = self.progress_path.clone();
            self.check_note(&file, progress.identity, progress.generation, facts);
        }
        if let Some(catalog) = &notes.catalog {
            let file = self.path.join(CATALOG_FILE);
            self.check_note(&file, catalog.identity, catalog.generation, facts);
            // An older one may know tables whose numbers were given out again.
            if catalog.identity == facts.identity && catalog.generation == facts.generation {
                keyspaces.compare(&self.path, catalog, &mut self.damage);
                journals.compare(&self.path, catalog, keyspaces, &mut self.damage);
            }
        }
        journals.require_acknowledged(&self.path, notes, keyspaces, &mut self.damage);
    }

    fn require_notes(&mut self, notes: &Notes) {
        for (file, missing) in [
            (self.progress_path.clone(), notes.progress.is_none()),
            (self.path.join(CATALOG_FILE), notes.catalog.is_none()),
        ] {
            if missing && !self.damage.iter().any(|damage| damage.file == file) {
                self.damage.push(Damage::of(file, "is missing"));
            }
        }
    }

    fn check_note(&mut self, file: &Path, identity: Identity, generation: u64, facts: StoredFacts) {
        if identity != facts.identity {
            self.damage.push(Damage::of(
                file,
                "belongs to another database than the files beside it",
            ));
        } else if generation > facts.generation {
            self.damage.push(Damage::of(
                &self.path,
                format!(
                    "holds an older state than the last known one: it was opened {generation} times, its files know of {}",
                    facts.generation
                ),
            ));
        }
    }
}

/// What was noted beside the database.
#[derive(Debug, Default)]
struct Notes {
    progress: Option<Progress>,
    catalog: Option<Catalog>,
    exist: bool,
}

impl Notes {
    fn read(path: &Path, progress_path: &Path, damage: &mut Vec<Damage>) -> io::Result<Self> {
        let progress = noted(progress_path, Progress::read(progress_path), damage)?;
        let catalog_path = path.join(CATALOG_FILE);
        let catalog = noted(&catalog_path, Catalog::read(path), damage)?;
        let exist = progress_path.try_exists()? || catalog_path.try_exists()?;
        Ok(Self {
            progress,
            catalog,
            exist,
        })
    }

    /// Returns whether the database was opened once.
    fn began(&self) -> bool {
        self.progress
            .is_some_and(|progress| progress.generation > 0)
    }
}

fn noted<T>(
    path: &Path,
    read: Result<Option<T>, FileError>,
    damage: &mut Vec<Damage>,
) -> io::Result<Option<T>> {
    match read {
        Ok(note) => Ok(note),
        Err(error) => {
            damage.push(error.into_damage(path)?);
            Ok(None)
        }
    }
}

/// Whether the mark of a database is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Absent,
    Present,
}

fn check_version(path: &Path, damage: &mut Vec<Damage>) -> io::Result<Version> {
    let file = path.join(VERSION_FILE);
    match fs::read(&file) {
        Ok(bytes) if bytes == VERSION => Ok(Version::Present),
        Ok(_) => {
            damage.push(Damage::of(
                file,
                "does not name the version of the engine that this program has",
            ));
            Ok(Version::Present)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Version::Absent),
        Err(error) => {
            damage.push(FileError::Io(error).into_damage(&file)?);
            Ok(Version::Present)
        }
    }
}

fn stored_facts(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<StoredFacts> {
    let record = |name: &str| records.get(name.as_bytes());
    let counter = |name: &str| match record(name) {
        Some(counter) => keys::number(counter),
        None => Some(0),
    };
    let format = record(keys::META_FORMAT)?.as_slice().try_into().ok()?;
    Some(StoredFacts {
        format: u32::from_be_bytes(format),
        identity: record(keys::META_IDENTITY)?.as_slice().try_into().ok()?,
        generation: counter(keys::META_GENERATION)?,
        pairing: match record(keys::META_PAIRING) {
            Some(pairing) => Pairing::decode(pairing)?,
            None => Pairing::default(),
        },
    })
}

/// Fails for a format that this program does not know.
pub(super) fn known_format(facts: StoredFacts) -> Result<(), u32> {
    if (FORMAT_WITHOUT_NOTES..=FORMAT).contains(&facts.format) {
        Ok(())
    } else {
        Err(facts.format)
    }
}
