//! Reading what a database holds from its files, without the engine and without changing a byte: for verification and repair.

mod merge;
mod table_reader;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Damage;
use super::inspection::Inspection;
pub(super) use merge::{Journals, Loss, Stored, merge};

/// How often the files of a running server are looked at: what is wrong each time is damage, the rest is a change between two looks.
const LOOKS: usize = 3;
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Whether a process may change the files meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Idle,
    Running,
}

/// Looks at a directory; at one that changes several times.
pub(super) fn look(path: &Path, progress: &Path, usage: Use) -> io::Result<Inspection> {
    let mut inspection = Inspection::of(path, progress)?;
    if usage == Use::Idle {
        return Ok(inspection);
    }
    // The end of a journal is being written.
    inspection.tail = None;
    for _ in 1..LOOKS {
        if inspection.damage.is_empty() {
            break;
        }
        std::thread::sleep(LOOK_INTERVAL);
        let mut next = Inspection::of(path, progress)?;
        let seen: BTreeSet<Damage> = std::mem::take(&mut inspection.damage).into_iter().collect();
        next.damage.retain(|damage| seen.contains(damage));
        next.tail = None;
        inspection = next;
    }
    Ok(inspection)
}

/// Takes the lock of a file; `None` when there is no file. Nothing is created.
///
/// # Errors
/// `WouldBlock` when another process has it.
pub(super) fn lock_if_free(path: PathBuf) -> io::Result<Option<File>> {
    use std::fs::TryLockError;

    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
