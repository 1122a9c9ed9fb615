//! Making sure that what files hold is on the disk after a write to them failed.
//!
//! Why is it not enough to call fsync again? When writing back fails, the system reports that once and then takes its pages for
//! clean: the next fsync succeeds without having written them, and they are gone after a power failure, or earlier. An entry of
//! the journal behind such a hole would be acknowledged and still be lost. So every file that may have unwritten pages is written
//! again, with the content that it has, before an fsync is relied on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::disk::synchronize;

/// The extension of journals; their names are numbers.
const JOURNAL_EXTENSION: &str = "jnl";

/// How many of the newest journals may have pages that were never written: the one in use, and the one before it when the engine
/// failed while it changed to the next one. Older ones were synchronized before that.
const JOURNALS_IN_DOUBT: usize = 2;

/// Where the trees are, what names the valid version of a tree, and how the files of versions begin.
const TREES: &str = "keyspaces";
const CURRENT_VERSION_FILE: &str = "current";
const VERSION_FILE_PREFIX: &str = "v";

/// How often and for how long a journal is looked at that is still open.
const CLOSE_INTERVAL: Duration = Duration::from_millis(2);
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
#[cfg(not(target_os = "linux"))]
const CLOSE_PAUSE: Duration = Duration::from_millis(500);

/// How much is copied at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Writes what a failed engine may have left unwritten, and waits until it is on the disk: the newest journals, and the records of
/// which tables are valid. Tables themselves are synchronized before a record names them.
///
/// The engine may be open, as long as it accepts no writes.
pub(super) fn renew(database: &Path) -> io::Result<()> {
    for journal in newest_journals(database)? {
        write_again(&journal)?;
    }
    synchronize(database)?;
    let trees = database.join(TREES);
    for tree in fs::read_dir(&trees)? {
        let tree = tree?;
        if !tree.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(tree.path())? {
            let file = file?;
            let name = file.file_name();
            let is_record = name == CURRENT_VERSION_FILE
                || name.to_string_lossy().starts_with(VERSION_FILE_PREFIX);
            if file.file_type()?.is_file() && is_record {
                write_again(&file.path())?;
            }
        }
        synchronize(&tree.path())?;
    }
    synchronize(&trees)
}

/// Waits until this process has no journal of a database open any more.
///
/// Why? A failed engine may have a part of its last batch in a buffer, which it writes when its journal is dropped. A thread of
/// the engine can hold that journal a little longer than the engine exists. Should the next engine be at work by then, the part would
/// land between two of its batches, and hide everything behind it from the one after that.
pub(super) fn wait_until_closed(database: &Path) -> io::Result<()> {
    let journals: Vec<PathBuf> = newest_journals(database)?
        .iter()
        .map(fs::canonicalize)
        .collect::<Result<_, _>>()?;
    let begin = Instant::now();
    while is_one_open(&journals)? {
        if begin.elapsed() > CLOSE_PATIENCE {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the failed engine does not close its journal",
            ));
        }
        std::thread::sleep(CLOSE_INTERVAL);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_one_open(files: &[PathBuf]) -> io::Result<bool> {
    for descriptor in fs::read_dir("/proc/self/fd")? {
        // Others open and close files meanwhile.
        if let Ok(path) = fs::read_link(descriptor?.path())
            && files.contains(&path)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Other systems do not list open files, so a pause has to do.
#[cfg(not(target_os = "linux"))]
fn is_one_open(_: &[PathBuf]) -> io::Result<bool> {
    std::thread::sleep(CLOSE_PAUSE);
    Ok(false)
}

fn newest_journals(database: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for file in fs::read_dir(database)? {
        let path = file?.path();
        let number: Option<u64> = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok())
            .filter(|_| {
                path.extension()
                    .is_some_and(|found| found == JOURNAL_EXTENSION)
            });
        journals.extend(number.map(|number| (number, path)));
    }
    journals.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
    let newest = journals.into_iter().take(JOURNALS_IN_DOUBT);
    Ok(newest.map(|(_, path)| path).collect())
}

/// Writes a file over itself. Zeros are left out: a journal is created full of zeros that take no room.
fn write_again(path: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let length = match file.read_at(&mut piece, offset) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = &piece[..length];
        if read.iter().any(|byte| *byte != 0) {
            file.write_all_at(read, offset)?;
        }
        offset += length as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn the_newest_journals_are_found_by_number() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["9.jnl", "10.jnl", "11.jnl", "lock", "12.tmp", "x.jnl"] {
            put(&directory.path().join(name), b"");
        }
        let found = newest_journals(directory.path()).unwrap();
        let expected = ["11.jnl", "10.jnl"].map(|name| directory.path().join(name));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_journal_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("0.jnl");
        put(&journal, b"x");
        wait_until_closed(directory.path()).unwrap();
        let file = File::open(&journal).unwrap();
        let closing = std::thread::spawn(move || {
            std::thread::sleep(10 * CLOSE_INTERVAL);
            drop(file);
        });
        wait_until_closed(directory.path()).unwrap();
        if cfg!(target_os = "linux") {
            assert!(closing.is_finished() || !is_one_open(&[journal]).unwrap());
        }
        closing.join().unwrap();
    }

    #[test]
    fn files_keep_their_content_and_their_holes() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("3.jnl");
        let mut content = vec![7; PIECE_BYTES + 5];
        content.resize(4 * PIECE_BYTES + 3, 0);
        content.extend_from_slice(b"end");
        let file = File::create(&journal).unwrap();
        file.set_len(content.len() as u64).unwrap();
        file.write_all_at(&content[..PIECE_BYTES + 5], 0).unwrap();
        file.write_all_at(b"end", content.len() as u64 - 3).unwrap();
        put(&directory.path().join("keyspaces/1/current"), b"which");
        put(&directory.path().join("keyspaces/1/v4"), b"what");
        put(&directory.path().join("keyspaces/1/tables/0"), b"rows");
        renew(directory.path()).unwrap();
        assert_eq!(fs::read(&journal).unwrap(), content);
        assert_eq!(
            fs::read(directory.path().join("keyspaces/1/current")).unwrap(),
            b"which"
        );
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::MetadataExt;
            let blocks = fs::metadata(&journal).unwrap().blocks();
            let written = 2 * PIECE_BYTES as u64 + (64 << 10);
            assert!(
                blocks * 512 <= written,
                "{blocks} blocks: a hole was filled"
            );
        }
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(renew(directory.path()).is_err(), "there are no trees");
    }
}
