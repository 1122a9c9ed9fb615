//! Which parts a data directory has, and the mark that all of them were there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::identity::IDENTITY_FILE;
use super::store_error::StoreError;
use crate::disk::synchronize;

/// The directory of pending measures and aggregates.
pub(super) const MEASURES: &str = "measures";

/// The file of archive policies, metrics and resources. It is created after the measures.
pub(super) const INDEXER: &str = "indexer.db";

/// The file that is written once all of a new data directory stands. Its content is the version of the layout.
pub(super) const COMPLETE: &str = "complete";

/// The version of the layout that this program writes, and the one before, in which parts did not say which store they belong to.
const LAYOUT: &str = "2\n";
const LAYOUT_WITHOUT_IDENTITY: &str = "1\n";

/// What the mark of completeness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// There is none: the directory is new, or its creation was interrupted.
    Absent,
    /// All parts were there, and did not say which store they belong to.
    WithoutIdentity,
    /// All parts were there.
    Present,
}

/// Which parts of a data directory are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) mark: Mark,
    pub(super) measures: bool,
    pub(super) indexer: bool,
    pub(super) identity: bool,
}

impl Parts {
    pub(super) fn find(path: &Path) -> Result<Self, StoreError> {
        let file = path.join(COMPLETE);
        let mark = match fs::read(&file) {
            Ok(layout) if layout == LAYOUT.as_bytes() => Mark::Present,
            Ok(layout) if layout == LAYOUT_WITHOUT_IDENTITY.as_bytes() => Mark::WithoutIdentity,
            Ok(layout) if names_later_version(&layout) => {
                return Err(StoreError::LaterVersion {
                    path: path.to_owned(),
                });
            }
            Ok(_) => return Err(StoreError::DamagedMark { path: file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Mark::Absent,
            Err(source) => return Err(StoreError::Mark { path: file, source }),
        };
        Ok(Self {
            mark,
            // An empty directory is what the loss of its files leaves.
            measures: found(&path.join(MEASURES), |path| {
                Ok(fs::read_dir(path)?.next().is_some())
            })?,
            indexer: found(&path.join(INDEXER), is_file)?,
            identity: found(&path.join(IDENTITY_FILE), is_file)?,
        })
    }

    /// Returns a part that must have been there before.
    pub(super) fn missing(self) -> Option<&'static str> {
        match self {
            // New, or an interrupted first start: the measures are created first, then the indexer, the identity and the mark.
            Self {
                mark: Mark::Absent,
                indexer: false,
                identity: false,
                ..
            } => None,
            Self {
                measures: false, ..
            } => Some(MEASURES),
            Self { indexer: false, .. } => Some(INDEXER),
            Self {
                mark: Mark::Present,
                identity: false,
                ..
            } => Some(IDENTITY_FILE),
            Self { .. } => None,
        }
    }

    /// Returns whether all parts were there once.
    pub(super) fn were_complete(self) -> bool {
        self.mark != Mark::Absent || self.identity
    }
}

/// Returns whether a part is there. One that cannot be looked at is not missing: a backup would not help.
fn found(path: &Path, look: impl FnOnce(&Path) -> io::Result<bool>) -> Result<bool, StoreError> {
    match look(path) {
        Ok(found) => Ok(found),
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            Ok(false)
        }
        Err(source) => Err(StoreError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

fn is_file(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.is_file())
}

/// Returns whether this is a mark that a program with a newer layout wrote.
fn names_later_version(mark: &[u8]) -> bool {
    let version = |mark: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(mark).ok()?.strip_suffix('\n')?;
        digits.parse().ok()
    };
    version(mark) > version(LAYOUT.as_bytes())
}

/// Writes the mark of completeness so that it survives a power failure whole or not at all.
pub(super) fn mark(path: &Path) -> io::Result<()> {
    let staging = path.join(format!("{COMPLETE}.new"));
    let mut file = File::create(&staging)?;
    file.write_all(LAYOUT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staging, path.join(COMPLETE))?;
    synchronize(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_missing_only_where_they_were() {
        use Mark::{Absent, Present, WithoutIdentity};
        let check = |mark, [measures, indexer, identity]: [bool; 3], expected| {
            let parts = Parts {
                mark,
                measures,
                indexer,
                identity,
            };
            assert_eq!(parts.missing(), expected, "{parts:?}");
        };
        check(Absent, [false, false, false], None);
        check(Absent, [true, false, false], None);
        check(Absent, [true, true, false], None);
        check(Absent, [true, true, true], None);
        check(WithoutIdentity, [true, true, false], None);
        check(WithoutIdentity, [true, true, true], None);
        check(Present, [true, true, true], None);
        check(Absent, [false, true, false], Some(MEASURES));
        check(Absent, [false, false, true], Some(MEASURES));
        check(Absent, [true, false, true], Some(INDEXER));
        check(Present, [false, false, false], Some(MEASURES));
        check(Present, [false, true, true], Some(MEASURES));
        check(WithoutIdentity, [false, true, false], Some(MEASURES));
        check(WithoutIdentity, [true, false, false], Some(INDEXER));
        check(Present, [true, false, true], Some(INDEXER));
        check(Present, [true, true, false], Some(IDENTITY_FILE));
    }

    #[test]
    fn a_mark_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        mark(directory.path()).unwrap();
        let mark_of = || Parts::find(directory.path()).unwrap().mark;
        assert_eq!(mark_of(), Mark::Present);
        fs::write(directory.path().join(COMPLETE), "1\n").unwrap();
        assert_eq!(mark_of(), Mark::WithoutIdentity);
        fs::write(directory.path().join(COMPLETE), "3\n").unwrap();
        let error = Parts::find(directory.path()).unwrap_err().to_string();
        assert!(error.contains("later version"), "{error}");
        let garbled: [&[u8]; 5] = [b"", b"\0\0", b"x\n", b"0\n", &[0xff, 0xfe]];
        for mark in garbled {
            fs::write(directory.path().join(COMPLETE), mark).unwrap();
            let error = Parts::find(directory.path()).unwrap_err();
            assert!(matches!(error, StoreError::DamagedMark { .. }), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_looked_at_is_not_missing() {
        for part in [MEASURES, INDEXER, IDENTITY_FILE] {
            let directory = tempfile::tempdir().unwrap();
            std::os::unix::fs::symlink(part, directory.path().join(part)).unwrap();
            let error = Parts::find(directory.path()).unwrap_err();
            assert!(
                matches!(&error, StoreError::Unreadable { path, .. } if path.ends_with(part)),
                "{error}"
            );
        }
    }
}
