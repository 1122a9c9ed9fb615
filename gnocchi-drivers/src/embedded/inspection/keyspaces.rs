//! Keyspaces: their manifests, the ends of their tables, and what is in the small ones.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::embedded::catalog::Catalog;
use crate::embedded::files::manifest::{self, CURRENT_FILE, Current, TableEntry};
use crate::embedded::files::table::{Block, Layout, Properties, Record, check};
use crate::embedded::files::{
    Damage, FileError, KEYSPACES_FOLDER, NAMES_KEYSPACE, RecordKind, TABLES_FOLDER,
};
use crate::embedded::keys;

/// The keyspaces of a whole database, in the order in which they are created: they are numbered from 1.
const KEYSPACES: [&str; 4] = [keys::LOG, keys::FRAMES, keys::SACKS, keys::META];

/// What a keyspace consists of.
#[derive(Debug)]
pub(in crate::embedded) struct Keyspace {
    pub(in crate::embedded) path: PathBuf,
    /// The name, when one is known.
    pub(in crate::embedded) name: Option<String>,
    /// The manifest in force, when there is one.
    pub(in crate::embedded) current: Option<Current>,
    /// The tables that the manifest names and that could be looked at.
    pub(in crate::embedded) tables: Vec<Table>,
    /// All tables that the manifest names.
    pub(in crate::embedded) entries: Vec<TableEntry>,
    /// Whether there are files of tables, named or not.
    has_table_files: bool,
}

/// A table of a keyspace.
#[derive(Debug)]
pub(in crate::embedded) struct Table {
    pub(in crate::embedded) entry: TableEntry,
    pub(in crate::embedded) properties: Properties,
}

impl Keyspace {
    /// Returns the file of a table.
    pub(in crate::embedded) fn table_path(&self, number: u64) -> PathBuf {
        self.path.join(TABLES_FOLDER).join(number.to_string())
    }

    /// Looks at the folder of a keyspace.
    fn inspect(path: PathBuf, damage: &mut Vec<Damage>) -> io::Result<Self> {
        let mut keyspace = Self {
            path,
            name: None,
            current: None,
            tables: Vec::new(),
            entries: Vec::new(),
            has_table_files: false,
        };
        keyspace.inspect_table_names(damage)?;
        let current_path = keyspace.path.join(CURRENT_FILE);
        let current = match fs::read(&current_path) {
            Ok(bytes) => Current::parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(keyspace),
            Err(error) => Err(error.into()),
        };
        let Some(current) = noted(current, &current_path, damage)? else {
            return Ok(keyspace);
        };
        keyspace.current = Some(current);
        let manifest_path = keyspace.path.join(current.file_name());
        let entries = fs::read(&manifest_path)
            .map_err(FileError::from)
            .and_then(|bytes| manifest::parse(current, &bytes));
        keyspace.entries = noted(entries, &manifest_path, damage)?.unwrap_or_default();
        for entry in &keyspace.entries {
            let table_path = keyspace.table_path(entry.number);
            let properties = read_properties(&table_path, *entry);
            if let Some(properties) = noted(properties, &table_path, damage)? {
                keyspace.tables.push(Table {
                    entry: *entry,
                    properties,
                });
            }
        }
        Ok(keyspace)
    }

    /// Looks for names that the engine does not expect, for which it panics or gives up.
    fn inspect_table_names(&mut self, damage: &mut Vec<Damage>) -> io::Result<()> {
        let folder = self.path.join(TABLES_FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                damage.push(FileError::Io(error).into_damage(&folder)?);
                return Ok(());
            }
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == ".DS_Store" || name.starts_with("._") {
                continue;
            }
            if name.parse::<u64>().is_err() || !entry.path().is_file() {
                damage.push(Damage::of(entry.path(), "is no table"));
            } else {
                self.has_table_files = true;
            }
        }
        Ok(())
    }

    /// Reads the newest value of every key; for small keyspaces.
    fn records(&self, damage: &mut Vec<Damage>) -> io::Result<BTreeMap<Vec<u8>, (u64, Record)>> {
        let mut newest: BTreeMap<Vec<u8>, (u64, Record)> = BTreeMap::new();
        for table in &self.tables {
            let path = self.table_path(table.entry.number);
            let Some(records) = noted(read_records(&path, table), &path, damage)? else {
                continue;
            };
            for record in records {
                let known = newest.get(&record.key).map(|(sequence, _)| *sequence);
                if known.is_none_or(|known| known <= record.sequence) {
                    newest.insert(record.key.clone(), (record.sequence, record));
                }
            }
        }
        Ok(newest)
    }

    fn last_sequence(&self) -> Option<u64> {
        let sequences = self
            .tables
            .iter()
            .map(|table| table.properties.last_sequence);
        sequences.max()
    }
}

fn read_properties(path: &Path, entry: TableEntry) -> Result<Properties, FileError> {
    let properties = Layout::read(&mut File::open(path)?, entry.first_sequence)?.properties;
    if properties.number != entry.number {
        return Err(FileError::damaged(format!(
            "is another table: it says that it is table {}",
            properties.number
        )));
    }
    Ok(properties)
}

fn read_records(path: &Path, table: &Table) -> Result<Vec<Record>, FileError> {
    let mut file = File::open(path)?;
    let first_sequence = table.entry.first_sequence;
    let layout = Layout::read(&mut file, first_sequence)?;
    let (mut position, end) = layout.data();
    let mut records = Vec::new();
    while position < end {
        let block = Block::read(&mut file, position, end)?;
        records.extend(block.records(table.properties.compression, first_sequence)?);
        position = block.end;
    }
    Ok(records)
}

/// Notes damage of a file.
fn noted<T>(
    result: Result<T, FileError>,
    path: &Path,
    damage: &mut Vec<Damage>,
) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            damage.push(error.into_damage(path)?);
            Ok(None)
        }
    }
}

/// All keyspaces of a database.
#[derive(Debug)]
pub(super) struct Keyspaces {
    pub(super) by_number: BTreeMap<u64, Keyspace>,
    folder_exists: bool,
}

impl Keyspaces {
    pub(super) fn inspect(path: &Path, damage: &mut Vec<Damage>) -> io::Result<Self> {
        let folder = path.join(KEYSPACES_FOLDER);
        let mut this = Self {
            by_number: BTreeMap::new(),
            folder_exists: false,
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(this),
            Err(error) => {
                damage.push(FileError::Io(error).into_damage(&folder)?);
                return Ok(this);
            }
        };
        this.folder_exists = true;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                continue;
            }
            match entry.file_name().to_str().map(str::parse) {
                Some(Ok(number)) => {
                    let keyspace = Keyspace::inspect(entry.path(), damage)?;
                    this.by_number.insert(number, keyspace);
                }
                _ => damage.push(Damage::of(entry.path(), "is no keyspace")),
            }
        }
        this.find_names(damage)?;
        this.check_what_is_read_at_once(damage)?;
        Ok(this)
    }

    /// Checks every byte of the tables that opening the database reads as a whole. What waits is bounded, the rest is small.
    fn check_what_is_read_at_once(&self, damage: &mut Vec<Damage>) -> io::Result<()> {
        for (number, keyspace) in &self.by_number {
            let is_read = *number == NAMES_KEYSPACE
                || keyspace
                    .name
                    .as_deref()
                    .is_some_and(|name| name != keys::FRAMES);
            if !is_read {
                continue;
            }
            for table in &keyspace.tables {
                let path = keyspace.table_path(table.entry.number);
                match check(&path, table.entry) {
                    Ok(found) => damage.extend(found),
                    Err(error) => damage.push(FileError::Io(error).into_damage(&path)?),
                }
            }
        }
        Ok(())
    }

    fn find_names(&mut self, damage: &mut Vec<Damage>) -> io::Result<()> {
        let Some(names) = self.by_number.get(&NAMES_KEYSPACE) else {
            self.assume_names();
            return Ok(());
        };
        let records = names.records(damage)?;
        for (key, (_, record)) in records {
            let number = key.strip_prefix(b"n").and_then(keys::number);
            if let Some(number) = number
                && record.kind == RecordKind::Value
                && let Some(keyspace) = self.by_number.get_mut(&number)
            {
                keyspace.name = String::from_utf8(record.value).ok();
            }
        }
        let names = &self.by_number[&NAMES_KEYSPACE];
        let is_damaged = damage.iter().any(|one| one.file.starts_with(&names.path));
        if is_damaged || names.current.is_none() {
            self.assume_names();
        }
        Ok(())
    }

    /// Names the keyspaces whose names are lost by their numbers, so that one damaged file hides nothing of the others.
    fn assume_names(&mut self) {
        for (number, name) in (NAMES_KEYSPACE + 1..).zip(KEYSPACES) {
            if self.number(name).is_none()
                && let Some(keyspace) = self.by_number.get_mut(&number)
                && keyspace.name.is_none()
            {
                keyspace.name = Some(name.to_owned());
            }
        }
    }

    pub(super) fn exist(&self) -> bool {
        self.folder_exists
    }

    /// Returns the number of a keyspace by its name.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let mut found = self.by_number.iter();
        found
            .find(|(_, keyspace)| keyspace.name.as_deref() == Some(name))
            .map(|(number, _)| *number)
    }

    /// Reads the newest record of every key of a small keyspace.
    pub(super) fn records(
        &mut self,
        number: u64,
        damage: &mut Vec<Damage>,
    ) -> io::Result<BTreeMap<Vec<u8>, (u64, Record)>> {
        match self.by_number.get(&number) {
            Some(keyspace) => keyspace.records(damage),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Returns whether there are tables of anything but names and facts.
    pub(super) fn hold_data(&self) -> bool {
        self.by_number.iter().any(|(number, keyspace)| {
            *number != NAMES_KEYSPACE
                && keyspace.name.as_deref() != Some(keys::META)
                && keyspace.has_table_files
        })
    }

    pub(super) fn last_sequence(&self) -> Option<u64> {
        let named = self
            .by_number
            .iter()
            .filter(|(number, _)| **number != NAMES_KEYSPACE);
        named
            .filter_map(|(_, keyspace)| keyspace.last_sequence())
            .max()
    }

    /// Notes what of a whole database is missing, which the engine would delete the rest of, or create anew.
    pub(super) fn require_all(&self, path: &Path, damage: &mut Vec<Damage>) {
        let folder = path.join(KEYSPACES_FOLDER);
        for (number, keyspace) in &self.by_number {
            let known = *number == NAMES_KEYSPACE || keyspace.name.is_some();
            let current_path = keyspace.path.join(CURRENT_FILE);
            let explained = damage.iter().any(|one| one.file == current_path);
            if keyspace.current.is_none() && (known || keyspace.has_table_files) && !explained {
                damage.push(Damage::of(current_path, "is missing"));
            } else if !known && keyspace.has_table_files {
                damage.push(Damage::of(
                    &keyspace.path,
                    "is a keyspace whose name is not known any more",
                ));
            }
        }
        let names_path = folder.join(NAMES_KEYSPACE.to_string());
        if !self.by_number.contains_key(&NAMES_KEYSPACE) {
            damage.push(Damage::of(names_path, "is missing"));
            return;
        }
        // What is wrong with the names explains missing ones.
        if damage.iter().any(|one| one.file.starts_with(&names_path)) {
            return;
        }
        for name in KEYSPACES {
            if self.number(name).is_none() {
                damage.push(Damage::of(
                    &folder,
                    format!("lacks the keyspace \"{name}\""),
                ));
            }
        }
    }

    /// Compares tables with those that were known.
    pub(super) fn compare(&self, path: &Path, catalog: &Catalog, damage: &mut Vec<Damage>) {
        for (number, known) in &catalog.keyspaces {
            let Some(keyspace) = self.by_number.get(number) else {
                let folder = path.join(KEYSPACES_FOLDER).join(number.to_string());
                damage.push(Damage::of(folder, "is missing"));
                continue;
            };
            if let Some(current) = keyspace.current
                && current.manifest < known.manifest
            {
                damage.push(Damage::of(
                    keyspace.path.join(CURRENT_FILE),
                    format!(
                        "names manifest {}, which is older than the last known one, {}",
                        current.manifest, known.manifest
                    ),
                ));
            }
            for table in &keyspace.tables {
                let fingerprint = known.tables.get(&table.entry.number);
                if fingerprint.is_some_and(|known| *known != table.properties.fingerprint) {
                    damage.push(Damage::of(
                        keyspace.table_path(table.entry.number),
                        "is not the table that this database had under that name",
                    ));
                }
            }
        }
    }

    /// Returns whether the tables of any keyspace have changed since.
    pub(super) fn have_changed_since(&self, catalog: &Catalog) -> bool {
        self.by_number.iter().any(|(number, keyspace)| {
            let known = catalog.keyspaces.get(number).map(|known| known.manifest);
            keyspace.current.map(|current| current.manifest) != known
        })
    }
}
