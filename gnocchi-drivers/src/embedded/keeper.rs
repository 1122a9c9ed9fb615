//! Keeps the notes beside the database up to date while it is open.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gnocchi_core::log_limit::LogLimit;
use parking_lot::{Condvar, Mutex};
use tracing::warn;

use super::catalog::{Catalog, JOURNAL_START_BYTES, KnownKeyspace, journal_hash};
use super::files::manifest::{self, CURRENT_FILE, Current};
use super::files::table::Layout;
use super::files::{FileError, JOURNAL_SUFFIX, KEYSPACES_FOLDER, TABLES_FOLDER};
use super::keys::Identity;
use super::progress::{Progress, ProgressFile, entry_hash};
use crate::disk::synchronize;

/// How often the catalog is compared with what is there.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often files that the engine changes meanwhile are looked at again.
const ATTEMPTS_MAX: usize = 8;

/// How often it is logged that the catalog cannot be kept: a few times at once, and then once in this time.
static UNNOTED: LogLimit = LogLimit::new(3, Duration::from_mins(1));

/// Keeps the notes of an open database.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    position: Mutex<Position>,
    catalog: Mutex<Catalog>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

/// How far the log was synchronized.
#[derive(Debug)]
struct Position {
    file: ProgressFile,
    /// The journal that is written to.
    journal: u64,
    next_journal: PathBuf,
    /// Whether the last write failed; each failure is logged once.
    failed: bool,
}

impl Position {
    fn new(directory: &Path, file: ProgressFile, journal: u64) -> Self {
        Self {
            file,
            journal,
            next_journal: journal_path(directory, journal + 1),
            failed: false,
        }
    }
}

fn journal_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}{JOURNAL_SUFFIX}"))
}

impl Keeper {
    /// Notes that an opened database has this identity and generation, and keeps its notes from now on.
    ///
    /// # Errors
    /// [`io::Error`] when the notes cannot be written.
    pub(super) fn start(
        path: &Path,
        progress_path: &Path,
        identity: Identity,
        generation: u64,
    ) -> io::Result<Self> {
        let last = Progress::read(progress_path).ok().flatten();
        let last = last.filter(|progress| progress.identity == identity);
        let progress = Progress {
            generation,
            ..last.unwrap_or(Progress::beginning(identity))
        };
        let file = ProgressFile::open(progress_path, progress)?;
        let journal = journals(path)?.into_keys().last().unwrap_or(0);
        let catalog = Catalog {
            identity,
            generation,
            ..Catalog::default()
        };
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            position: Mutex::new(Position::new(path, file, journal)),
            catalog: Mutex::new(catalog),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        shared.refresh()?;
        let watched = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("gnocchi-catalog".to_owned())
            .spawn(move || watched.watch())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Makes the notes of a database that is about to be created, or that had none.
    pub(super) fn begin(path: &Path, progress_path: &Path, identity: Identity) -> io::Result<()> {
        let catalog = Catalog {
            identity,
            ..Catalog::default()
        };
        catalog.write(path)?;
        ProgressFile::open(progress_path, Progress::beginning(identity))?;
        synchronize(path)
    }

    /// Returns a journal so that what is written from now on is in it or in a later one.
    pub(super) fn journal(&self) -> u64 {
        let mut position = self.shared.position.lock();
        while position.next_journal.exists() {
            position.journal += 1;
            position.next_journal = journal_path(&self.shared.path, position.journal + 1);
        }
        position.journal
    }

    /// Notes that everything up to and including an entry of the log is on the disk; `journal` is what [`journal`](Self::journal) said
    /// before the entry was written.
    pub(super) fn synchronized(&self, journal: u64, sequence: u64, entry: &[u8]) {
        let mut position = self.shared.position.lock();
        let progress = Progress {
            journal,
            sequence,
            entry_hash: entry_hash(entry),
            ..position.file.progress()
        };
        match position.file.write(progress) {
            Ok(()) => position.failed = false,
            // An older note is right, too.
            Err(error) if !position.failed => {
                position.failed = true;
                warn!(path = %position.file.path().display(), %error, "cannot note how far measures were stored; damage may go unnoticed");
            }
            Err(_) => {}
        }
    }

    /// Brings the catalog up to date.
    pub(super) fn refresh(&self) {
        self.shared.refresh_and_log();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.shared.stopped.lock() = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.take() {
            // Whatever it failed with was logged.
            thread.join().ok();
        }
        self.shared.refresh_and_log();
        self.shared.position.lock().file.synchronize().ok();
    }
}

impl Shared {
    fn watch(&self) {
        let mut stopped = self.stopped.lock();
        while !*stopped {
            self.stop.wait_for(&mut stopped, INTERVAL);
            if !*stopped {
                parking_lot::MutexGuard::unlocked(&mut stopped, || self.refresh_and_log());
            }
        }
    }

    fn refresh_and_log(&self) {
        if let Err(error) = self.refresh()
            && let Some(held_back) = UNNOTED.pass()
        {
            warn!(path = %self.path.display(), %error, held_back, "cannot note which files the database has; damage may go unnoticed");
        }
    }

    fn refresh(&self) -> io::Result<()> {
        let mut catalog = self.catalog.lock();
        for _ in 0..ATTEMPTS_MAX {
            let noted = observe(&self.path, &catalog).and_then(|found| {
                if found != *catalog {
                    self.make_durable(&found, &catalog)?;
                    found.write(&self.path)?;
                    *catalog = found;
                }
                Ok(())
            });
            match noted {
                Ok(()) => return Ok(()),
                // The engine changed something between two looks.
                Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(FileError::Io(error)) => return Err(error),
                // A file that is damaged stays as it was known.
                Err(FileError::Damaged { problem, .. }) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
            }
        }
        // It changes too fast; the next time will do.
        Ok(())
    }

    /// Waits until what is about to be noted is on the disk.
    ///
    /// Why? The engine writes the beginning of a journal without waiting for the disk, and renames a
    /// file before it synchronizes the directory. A note that survived a power failure when the thing
    /// itself did not would make a sound database look damaged.
    fn make_durable(&self, found: &Catalog, known: &Catalog) -> io::Result<()> {
        if found.journals != known.journals {
            for (number, hash) in &found.journals {
                if hash.is_some() && known.journals.get(number) != Some(hash) {
                    File::open(journal_path(&self.path, *number))?.sync_data()?;
                }
            }
            synchronize(&self.path)?;
        }
        let keyspaces = self.path.join(KEYSPACES_FOLDER);
        for (number, keyspace) in &found.keyspaces {
            let known = known.keyspaces.get(number);
            if known.is_none_or(|known| known.manifest != keyspace.manifest) {
                synchronize(&keyspaces.join(number.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Looks at which files there are. What is known of a file is not read again.
fn observe(path: &Path, known: &Catalog) -> Result<Catalog, FileError> {
    let mut found = Catalog {
        identity: known.identity,
        generation: known.generation,
        ..Catalog::default()
    };
    for entry in fs::read_dir(path.join(KEYSPACES_FOLDER))? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(number) = number else {
            continue;
        };
        let known = known.keyspaces.get(&number);
        if let Some(keyspace) = observe_keyspace(&entry.path(), known)? {
            found.keyspaces.insert(number, keyspace);
        }
    }
    // Last: the engine changes a manifest before it deletes the journal that is not needed any more. The other way round, a journal
    // could be noted beside the manifest for which it was deleted, and a crash would then make it look lost.
    for (number, journal) in journals(path)? {
        let hash = match known.journals.get(&number) {
            Some(Some(hash)) => Some(*hash),
            _ => read_journal_hash(&journal)?,
        };
        found.journals.insert(number, hash);
    }
    Ok(found)
}

/// Returns `None` for a keyspace that is being created.
fn observe_keyspace(
    path: &Path,
    known: Option<&KnownKeyspace>,
) -> Result<Option<KnownKeyspace>, FileError> {
    let current = match fs::read(path.join(CURRENT_FILE)) {
        Ok(bytes) => Current::parse(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(known) = known
        && known.manifest == current.manifest
    {
        return Ok(Some(known.clone()));
    }
    let entries = manifest::parse(current, &fs::read(path.join(current.file_name()))?)?;
    let mut tables = BTreeMap::new();
    for entry in entries {
        let known = known.and_then(|known| known.tables.get(&entry.number));
        let fingerprint = if let Some(fingerprint) = known {
            *fingerprint
        } else {
            let table = path.join(TABLES_FOLDER).join(entry.number.to_string());
            let layout = Layout::read(&mut File::open(table)?, entry.first_sequence)?;
            layout.properties.fingerprint
        };
        tables.insert(entry.number, fingerprint);
    }
    Ok(Some(KnownKeyspace {
        manifest: current.manifest,
        tables,
    }))
}

fn journals(path: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut journals = BTreeMap::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(JOURNAL_SUFFIX)?.parse().ok());
        journals.extend(number.map(|number| (number, entry.path())));
    }
    Ok(journals)
}

fn read_journal_hash(path: &Path) -> io::Result<Option<u64>> {
    let mut start = Vec::new();
    let limit = u64::try_from(JOURNAL_START_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut start)?;
    // What is not written yet is zeros, and no batch ends with one.
    Ok(journal_hash(&start).filter(|_| start.last() != Some(&0)))
}
