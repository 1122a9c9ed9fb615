//! Which store a directory, its measures and its indexer belong to.
//!
//! All three say it, and how often the store was opened and closed. They are compared before any of them is changed: parts of different stores, or
//! of one store at different times, would fit together without a complaint and miss whatever only the other part knew.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;
use uuid::Uuid;

use super::keys::Pairing;
use crate::disk::replace;

/// The file that says it for the directory.
pub(super) const IDENTITY_FILE: &str = "identity";

/// The last line of the file while the store is open. Until it is gone, the log beside the indexer is there and not empty.
const IN_USE: &str = "in use\n";

/// What a part of a store says about the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoreIdentity {
    pub(super) store: Uuid,
    /// How often the store was opened and closed.
    pub(super) pairing: u64,
}

impl StoreIdentity {
    /// Writes the text of the file.
    fn text(self) -> String {
        let Self { store, pairing } = self;
        format!("store {store}\nopened and closed {pairing}\n")
    }

    /// Reads the text of the file: the identity, and whether the store is noted as open.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let (text, is_in_use) = match text.strip_suffix(IN_USE) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (store, rest) = text.strip_prefix("store ")?.split_once('\n')?;
        let pairing = rest
            .strip_prefix("opened and closed ")?
            .strip_suffix('\n')?;
        let identity = Self {
            store: store.parse().ok()?,
            pairing: pairing.parse().ok()?,
        };
        // Numbers can be spelt in several ways, only one of which is ours.
        (identity.text() == text).then_some((identity, is_in_use))
    }

    /// Reads the file of a directory; `None` when there is none.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it says something else.
    pub(super) fn read(directory: &Path) -> io::Result<Option<Self>> {
        Ok(Self::read_whole(directory)?.map(|(identity, _)| identity))
    }

    /// Returns whether the store of a directory was not closed when a process used it last.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn is_in_use(directory: &Path) -> io::Result<bool> {
        Ok(Self::read_whole(directory)?.is_some_and(|(_, is_in_use)| is_in_use))
    }

    fn read_whole(directory: &Path) -> io::Result<Option<(Self, bool)>> {
        match fs::read(directory.join(IDENTITY_FILE)) {
            Ok(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(Self::parse)
                .map(Some)
                .ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file of a directory, whole or not at all.
    pub(super) fn write(self, directory: &Path) -> io::Result<()> {
        replace(directory, IDENTITY_FILE, self.text().as_bytes())
    }
}

/// The note that a store is open, which is taken back when this is dropped.
#[derive(Debug)]
pub(super) struct InUse {
    directory: PathBuf,
}

impl InUse {
    /// Notes that a store is open. The log beside its indexer must hold something from now on.
    pub(super) fn note(directory: &Path, identity: StoreIdentity) -> io::Result<Self> {
        replace(
            directory,
            IDENTITY_FILE,
            (identity.text() + IN_USE).as_bytes(),
        )?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Takes back what is noted, before the log beside the indexer may go away. This needs no room on the disk.
    pub(super) fn take_back(directory: &Path) -> io::Result<()> {
        if !matches!(StoreIdentity::is_in_use(directory), Ok(true)) {
            return Ok(());
        }
        let file = File::options()
            .write(true)
            .open(directory.join(IDENTITY_FILE))?;
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(IN_USE.len() as u64))?;
        file.sync_all()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Err(error) = Self::take_back(&self.directory) {
            warn!(%error, directory = %self.directory.display(), "cannot note that the store is no longer open");
        }
    }
}

/// What the parts of a store say, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// The measures, and whether the others agreed; `None` when they are new.
    pub(super) measures: Option<(Uuid, Pairing)>,
    /// The file of the directory, and what it says.
    pub(super) directory: (PathBuf, Option<StoreIdentity>),
    /// The indexer, and what it says.
    pub(super) indexer: (PathBuf, Option<StoreIdentity>),
}

/// Which parts of a store must say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// All of them: the store was complete once.
    All,
    /// Those that are there: its creation may have been interrupted.
    Some,
}

/// Why the parts of a store are not those of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) file: PathBuf,
    pub(super) problem: String,
}

impl Claims {
    /// Compares what the parts say.
    ///
    /// The measures are noted first when a store is opened or closed, and once more when the others are. In between the others may be
    /// one behind.
    pub(super) fn compare(&self, expected: Expected) -> Result<(), Mismatch> {
        for (file, said) in [&self.directory, &self.indexer] {
            let problem = match (self.measures, said) {
                (None, Some(_)) => "belongs to a store whose measures are missing".to_owned(),
                (_, None) if expected == Expected::All => {
                    "does not say which store it belongs to".to_owned()
                }
                (_, None) => continue,
                (Some((store, pairing)), Some(said)) => match disagreement(store, pairing, *said) {
                    Some(problem) => problem,
                    None => continue,
                },
            };
            return Err(Mismatch {
                file: file.clone(),
                problem,
            });
        }
        Ok(())
    }

    /// Returns what all parts say from this opening on.
    pub(super) fn next(&self, store: Uuid) -> StoreIdentity {
        let noted = self
            .measures
            .map_or(Pairing::default(), |(_, pairing)| pairing);
        StoreIdentity {
            store,
            // What was interrupted is finished first: no part gets further behind however often it is.
            pairing: noted.number + u64::from(noted.settled),
        }
    }
}

/// Returns how a part of a store does not fit to its measures.
fn disagreement(store: Uuid, pairing: Pairing, said: StoreIdentity) -> Option<String> {
    if said.store != store {
        return Some(format!(
            "belongs to the store {}, and the measures beside it to the store {store}",
            said.store
        ));
    }
    let order = match said.pairing.cmp(&pairing.number) {
        Ordering::Equal => return None,
        Ordering::Less if !pairing.settled && said.pairing + 1 == pairing.number => return None,
        Ordering::Less => "older",
        Ordering::Greater => "newer",
    };
    Some(format!(
        "is {order} than the measures beside it: the store was opened and closed {} times when it was written, and {} times when they were",
        said.pairing, pairing.number
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(store: u128, pairing: u64) -> StoreIdentity {
        StoreIdentity {
            store: Uuid::from_u128(store),
            pairing,
        }
    }

    #[test]
    fn the_file_comes_back_and_any_other_byte_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(StoreIdentity::read(directory.path()).unwrap(), None);
        let written = identity(u128::MAX / 3, 77);
        written.write(directory.path()).unwrap();
        assert_eq!(
            StoreIdentity::read(directory.path()).unwrap(),
            Some(written)
        );
        let path = directory.path().join(IDENTITY_FILE);
        let intact = fs::read(&path).unwrap();
        for length in 0..intact.len() {
            fs::write(&path, &intact[..length]).unwrap();
            assert!(StoreIdentity::read(directory.path()).is_err(), "{length}");
            let mut damaged = intact.clone();
            damaged[length] ^= 0x80;
            fs::write(&path, damaged).unwrap();
            assert!(StoreIdentity::read(directory.path()).is_err(), "{length}");
        }
    }

    #[test]
    fn the_note_that_a_store_is_open_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let written = identity(5, 8);
        written.write(directory.path()).unwrap();
        let closed = fs::read(directory.path().join(IDENTITY_FILE)).unwrap();
        assert!(!StoreIdentity::is_in_use(directory.path()).unwrap());
        let in_use = InUse::note(directory.path(), written).unwrap();
        assert!(StoreIdentity::is_in_use(directory.path()).unwrap());
        let read = StoreIdentity::read(directory.path()).unwrap();
        assert_eq!(read, Some(written));
        drop(in_use);
        assert!(!StoreIdentity::is_in_use(directory.path()).unwrap());
        assert_eq!(
            fs::read(directory.path().join(IDENTITY_FILE)).unwrap(),
            closed
        );
        InUse::take_back(directory.path()).unwrap();
    }

    fn compared(
        measures: Option<(u128, u64, bool)>,
        directory: Option<StoreIdentity>,
        indexer: Option<StoreIdentity>,
        expected: Expected,
    ) -> Result<StoreIdentity, String> {
        let claims = Claims {
            measures: measures.map(|(store, number, settled)| {
                (Uuid::from_u128(store), Pairing { number, settled })
            }),
            directory: ("identity".into(), directory),
            indexer: ("indexer.db".into(), indexer),
        };
        match claims.compare(expected) {
            Ok(()) => Ok(claims.next(Uuid::from_u128(1))),
            Err(mismatch) => Err(format!("{} {}", mismatch.file.display(), mismatch.problem)),
        }
    }

    #[test]
    fn parts_of_one_store_fit() {
        let one = |pairing| Some(identity(1, pairing));
        // New, of the version before, whole, and interrupted at each step of an opening.
        for (measures, directory, indexer, expected, next) in [
            (None, None, None, Expected::Some, 1),
            (Some((1, 0, true)), None, None, Expected::Some, 1),
            (Some((1, 1, false)), None, None, Expected::Some, 1),
            (Some((1, 1, false)), None, one(1), Expected::Some, 1),
            (Some((1, 1, false)), one(1), one(1), Expected::Some, 1),
            (Some((1, 5, true)), one(5), one(5), Expected::All, 6),
            (Some((1, 6, false)), one(5), one(5), Expected::All, 6),
            (Some((1, 6, false)), one(5), one(6), Expected::All, 6),
            (Some((1, 6, false)), one(6), one(6), Expected::All, 6),
        ] {
            let found = compared(measures, directory, indexer, expected);
            assert_eq!(found, Ok(identity(1, next)));
        }
    }

    #[test]
    fn parts_of_different_stores_or_times_do_not_fit() {
        let one = |pairing| Some(identity(1, pairing));
        let (measures, other) = (Some((1, 5, true)), Some(identity(2, 5)));
        let check = |measures, directory, indexer, expected: &str| {
            let found = compared(measures, directory, indexer, Expected::All).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        };
        check(measures, other, one(5), "identity belongs to the store");
        check(measures, one(5), other, "indexer.db belongs to the store");
        check(Some((2, 5, true)), one(5), one(5), "identity belongs to");
        check(measures, None, one(5), "identity does not say");
        check(measures, one(5), None, "indexer.db does not say");
        check(measures, one(5), one(4), "indexer.db is older");
        check(measures, one(5), one(6), "indexer.db is newer");
        check(measures, one(6), one(5), "identity is newer");
        check(Some((1, 5, false)), one(4), one(3), "indexer.db is older");
        check(Some((1, 5, false)), one(6), one(5), "identity is newer");
        check(None, one(5), one(5), "identity belongs to a store whose");
    }
}
