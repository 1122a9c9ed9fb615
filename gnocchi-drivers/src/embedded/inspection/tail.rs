//! What is left of writes that a crash interrupted, at the end of the last journal.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where tails are kept, below the directory of the database.
const KEPT_FOLDER: &str = "cut";

/// How many tails are kept; older ones go. A server that is killed again and again under load leaves one each time.
const KEPT_MAX: usize = 32;

/// The end of a journal that was not written completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Tail {
    /// The journal.
    pub(in crate::embedded) journal: PathBuf,
    /// Where it begins; everything before is intact.
    pub(in crate::embedded) offset: u64,
    /// How long it is, without zeros at its end.
    pub(in crate::embedded) bytes: u64,
}

/// What became of the bytes of a tail.
#[derive(Debug)]
pub(in crate::embedded) enum Kept {
    /// They are in this file.
    In(PathBuf),
    /// They could not be stored.
    Lost(io::Error),
}

impl Tail {
    /// Cuts the tail off its journal, after a copy of it was kept aside.
    ///
    /// A disk without room for the copy does not stop this: nothing in a tail was acknowledged, and a server that cannot start cannot
    /// make room either.
    ///
    /// # Errors
    /// [`io::Error`] when the journal cannot be read or cut.
    pub(in crate::embedded) fn cut(&self, directory: &Path) -> io::Result<Kept> {
        let kept = self.keep_aside(directory)?;
        let journal = File::options().write(true).open(&self.journal)?;
        journal.set_len(self.offset)?;
        journal.sync_all()?;
        Ok(kept)
    }

    /// Copies the tail to a file of its own.
    ///
    /// # Errors
    /// [`io::Error`] when the journal cannot be read.
    pub(in crate::embedded) fn keep_aside(&self, directory: &Path) -> io::Result<Kept> {
        let mut journal = File::open(&self.journal)?;
        let mut bytes = Vec::new();
        journal.seek(SeekFrom::Start(self.offset))?;
        journal.take(self.bytes).read_to_end(&mut bytes)?;
        Ok(match self.keep(directory, &bytes) {
            Ok(path) => Kept::In(path),
            Err(error) => Kept::Lost(error),
        })
    }

    fn keep(&self, directory: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = directory.join(KEPT_FOLDER);
        fs::create_dir_all(&folder)?;
        make_room(&folder)?;
        let journal = self.journal.file_stem().unwrap_or_default();
        let journal = journal.to_string_lossy();
        for attempt in 0_u32.. {
            let path = folder.join(format!("{journal}-{}-{attempt}.tail", self.offset));
            let mut file = match File::create_new(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let written = file.write_all(bytes).and_then(|()| file.sync_all());
            if let Err(error) = written {
                // A part of it would look like all of it.
                fs::remove_file(&path)?;
                return Err(error);
            }
            File::open(&folder)?.sync_all()?;
            return Ok(path);
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Removes the oldest tails.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        kept.push((entry.metadata()?.modified()?, entry.path()));
    }
    kept.sort();
    let superfluous = (kept.len() + 1).saturating_sub(KEPT_MAX);
    for (_, path) in kept.into_iter().take(superfluous) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_cut_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("7.jnl");
        let tail = Tail {
            journal: journal.clone(),
            offset: 3,
            bytes: 4,
        };
        for round in 0..KEPT_MAX + 3 {
            fs::write(&journal, b"abctail\0\0\0").unwrap();
            let Kept::In(path) = tail.cut(directory.path()).unwrap() else {
                panic!("there is room in round {round}")
            };
            assert_eq!(fs::read(&path).unwrap(), b"tail");
            assert_eq!(fs::read(&journal).unwrap(), b"abc");
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("7-3-"), "{name}");
        }
        let kept = fs::read_dir(directory.path().join(KEPT_FOLDER)).unwrap();
        assert_eq!(kept.count(), KEPT_MAX);
    }
}
