//! Getting a directory ready for the engine: nothing is changed before everything was looked at.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Instant;

use metrics::counter;
use tracing::{info, warn};

use super::engine::{LOCK_INTERVAL, LOCK_PATIENCE};
use super::error::EmbeddedError;
use super::files::{KEYSPACES_FOLDER, LOCK_FILE, VERSION_FILE};
use super::inspection::{Inspection, Kept, Stage, Tail, known_format};
use super::progress::PROGRESS_FILE;
use crate::disk::synchronize;

/// A directory that was looked at and that no other process opens meanwhile.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) inspection: Inspection,
    /// Held until the engine takes it.
    lock: Option<File>,
}

impl Prepared {
    /// Takes a directory and looks at it. Nothing is changed. How far its log was synchronized is noted in `progress`.
    ///
    /// # Errors
    /// [`EmbeddedError`] when another process has it, or it cannot be looked at.
    pub(super) fn take(path: &Path, progress: &Path) -> Result<Self, EmbeddedError> {
        let lock = lock(path)?;
        let inspection = Inspection::of(path, progress).map_err(EmbeddedError::Directory)?;
        Ok(Self { inspection, lock })
    }

    /// Takes a directory that stands for itself: what is noted of it is inside.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn take_alone(path: &Path) -> Result<Self, EmbeddedError> {
        Self::take(path, &path.join(PROGRESS_FILE))
    }

    /// Fails when the engine would hide a loss.
    ///
    /// # Errors
    /// [`EmbeddedError::Damaged`] with what is wrong, [`EmbeddedError::Format`].
    pub(super) fn require_sound(&self) -> Result<(), EmbeddedError> {
        if !self.inspection.damage.is_empty() {
            return Err(EmbeddedError::Damaged(self.inspection.damage.clone()));
        }
        match self.inspection.facts.map(known_format) {
            Some(Err(found)) => Err(EmbeddedError::Format {
                found,
                known: super::engine::FORMAT,
            }),
            _ => Ok(()),
        }
    }

    /// Removes what an interrupted write or creation left, which the engine would do without a word or stumble over, and lets go of the
    /// lock.
    ///
    /// # Errors
    /// As [`require_sound`](Self::require_sound), and when the directory cannot be written to.
    pub(super) fn make_ready(self) -> Result<Inspection, EmbeddedError> {
        self.require_sound()?;
        let Self { inspection, lock } = self;
        let path = inspection.path.as_path();
        fs::create_dir_all(path).map_err(EmbeddedError::Directory)?;
        if lock.is_none() {
            let create = File::options()
                .create(true)
                .append(true)
                .open(path.join(LOCK_FILE));
            create.map_err(EmbeddedError::Directory)?;
        }
        if inspection.stage == Stage::Unfinished {
            remove_unfinished(&inspection).map_err(EmbeddedError::Directory)?;
        }
        cut_tail(&inspection).map_err(EmbeddedError::Directory)?;
        Ok(inspection)
    }
}

/// Locks a directory as the engine does; waits a little for one that is being closed. `None` when there is nothing to lock.
fn lock(path: &Path) -> Result<Option<File>, EmbeddedError> {
    let file = match File::open(path.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EmbeddedError::Directory(error)),
    };
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if begin.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_INTERVAL);
            }
            Err(TryLockError::WouldBlock) => return Err(fjall::Error::Locked.into()),
            Err(TryLockError::Error(error)) => return Err(EmbeddedError::Directory(error)),
        }
    }
}

/// Removes what a process left that ended while it created the database. Nothing is stored in it.
///
/// Why all of it? The engine refuses a directory that has a journal and no mark of a database. After a power failure it may also
/// find the name of a keyspace whose folder is gone, and then gives that name to a second one.
fn remove_unfinished(inspection: &Inspection) -> io::Result<()> {
    let path = inspection.path.as_path();
    let journals = inspection.journals.values();
    let journals = journals.map(|journal| journal.path.clone());
    let removed = [
        ignore_missing(fs::remove_file(path.join(VERSION_FILE)))?,
        ignore_missing(fs::remove_dir_all(path.join(KEYSPACES_FOLDER)))?,
    ];
    let mut is_changed = removed.contains(&true);
    for journal in journals {
        is_changed |= ignore_missing(fs::remove_file(journal))?;
    }
    if is_changed {
        synchronize(path)?;
        info!(path = %path.display(), "the creation of the database was interrupted and is begun again");
    }
    Ok(())
}

/// Returns whether there was something to remove.
fn ignore_missing(removed: io::Result<()>) -> io::Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Cuts off what a crash left at the end of the last journal.
fn cut_tail(inspection: &Inspection) -> io::Result<()> {
    let Some(tail) = &inspection.tail else {
        return Ok(());
    };
    let kept = tail.cut(&inspection.path)?;
    report_tail(
        tail,
        kept,
        "the last write was interrupted by a crash and is cut off; nothing of it was acknowledged",
    );
    Ok(())
}

/// Counts and logs the rest of an unfinished write; `what` says what is known about it.
pub(super) fn report_tail(tail: &Tail, kept: Kept, what: &str) {
    counter!("gnocchi_journal_tails_cut_total").increment(1);
    counter!("gnocchi_journal_bytes_cut_total").increment(tail.bytes);
    let (journal, offset, bytes) = (tail.journal.display(), tail.offset, tail.bytes);
    match kept {
        Kept::In(path) => warn!(
            %journal, offset, bytes, kept = %path.display(),
            "{what}"
        ),
        Kept::Lost(error) => warn!(
            %journal, offset, bytes, %error,
            "{what}; it could not be kept aside"
        ),
    }
}
