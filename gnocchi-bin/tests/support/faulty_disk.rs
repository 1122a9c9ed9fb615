//! A disk that fails when it is told to, and what it would hold after a power failure. Needs a C compiler; see `faulty_disk.c`.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::Rng;
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::small_disk::is_required;

/// What `GNOCCHI_TEST_REQUIRE` calls the compiler.
const SERVICE: &str = "cc";

/// The unit in which a power failure keeps or loses what was not flushed.
const PAGE_BYTES: usize = 4096;

/// What fails now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Flushing reports an error, and what was to be flushed never is.
    Flush,
    /// Flushing takes until something else is set: a disk that is slow.
    HeldFlush,
    /// Writing reports an error.
    Write,
    /// Nothing can be changed, as after a remount.
    ReadOnly,
}

/// What a power failure leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// What was flushed, and nothing else.
    Flushed,
    /// That, and any pages and entries of directories that happened to be written already.
    FlushedAndSome,
}

/// A directory on such a disk.
pub(crate) struct FaultyDisk {
    root: TempDir,
}

impl FaultyDisk {
    /// Makes one for a test; `None`, with a message, where there is no compiler.
    pub(crate) fn new(test: &str) -> Option<Self> {
        // Flushing costs nothing in memory.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let disk = Self {
            root: root.unwrap(),
        };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faulty_disk.c");
        let compiled = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(disk.library())
            .args([source, "-ldl", "-lpthread"])
            .output();
        match compiled {
            Ok(output) => {
                let messages = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{messages}");
            }
            Err(error) => {
                assert!(
                    !is_required(SERVICE),
                    "there is no C compiler, and GNOCCHI_TEST_REQUIRE asks for it: {error}"
                );
                eprintln!("skipped: {test} needs a C compiler (cc)");
                return None;
            }
        }
        fs::create_dir(disk.data()).unwrap();
        disk.set(Fault::None);
        Some(disk)
    }

    /// Returns the directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn library(&self) -> PathBuf {
        self.root.path().join("faulty_disk.so")
    }

    fn mode(&self) -> PathBuf {
        self.root.path().join("mode")
    }

    fn kept(&self) -> PathBuf {
        self.root.path().join("kept")
    }

    /// Lets a program see the directory through this disk. What is there now counts as flushed.
    pub(crate) fn attach(&self, command: &mut Command) {
        let kept = self.kept();
        if kept.exists() {
            fs::remove_dir_all(&kept).unwrap();
        }
        fs::create_dir(&kept).unwrap();
        keep_all(&self.data(), &kept).unwrap();
        command
            .env("LD_PRELOAD", self.library())
            .env("FAULTY_DISK_DIR", self.data())
            .env("FAULTY_DISK_MODE", self.mode())
            .env("FAULTY_DISK_KEPT", kept);
    }

    /// Changes what fails.
    pub(crate) fn set(&self, fault: Fault) {
        let letter = match fault {
            Fault::None => "-",
            Fault::Flush => "f",
            Fault::HeldFlush => "h",
            Fault::Write => "w",
            Fault::ReadOnly => "r",
        };
        let staging = self.mode().with_extension("new");
        fs::write(&staging, letter).unwrap();
        fs::rename(staging, self.mode()).unwrap();
    }

    /// Puts the directory into the state in which a power failure leaves it. The program must be gone.
    pub(crate) fn cut_power(&self, survivors: Survivors, chance: &mut StdRng) {
        let after = self.root.path().join("after");
        let mut cut = PowerCut {
            kept: self.kept(),
            survivors,
            chance,
        };
        let inode = fs::metadata(self.data()).unwrap().ino();
        cut.directory(inode, Some(&self.data()), &after).unwrap();
        fs::remove_dir_all(self.data()).unwrap();
        fs::rename(after, self.data()).unwrap();
    }
}

/// Notes all that is below a directory as flushed.
fn keep_all(directory: &Path, kept: &Path) -> io::Result<()> {
    let entries = kept.join(format!("d{}", fs::metadata(directory)?.ino()));
    fs::create_dir_all(&entries)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs::metadata(&path)?;
        let kind = if metadata.is_dir() { 'd' } else { 'f' };
        let name = path.file_name().unwrap();
        fs::write(entries.join(name), format!("{kind}{}", metadata.ino()))?;
        if metadata.is_dir() {
            keep_all(&path, kept)?;
        } else {
            copy_sparsely(&path, &kept.join(format!("i{}", metadata.ino())))?;
        }
    }
    Ok(())
}

fn copy_sparsely(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (File::open(from)?, File::create(to)?);
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut page = vec![0; PAGE_BYTES];
    for offset in (0..length).step_by(PAGE_BYTES) {
        let read = read_page(&from, offset, &mut page)?;
        if page[..read].iter().any(|byte| *byte != 0) {
            to.write_all_at(&page[..read], offset)?;
        }
    }
    Ok(())
}

/// Reads up to one page; returns how much there was.
fn read_page(file: &File, offset: u64, page: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < page.len() {
        match file.read_at(&mut page[read..], offset + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

struct PowerCut<'a> {
    kept: PathBuf,
    survivors: Survivors,
    chance: &'a mut StdRng,
}

impl PowerCut<'_> {
    /// Decides whether something that was not flushed is there all the same.
    fn survives(&mut self) -> bool {
        self.survivors == Survivors::FlushedAndSome && self.chance.random()
    }

    /// Makes a directory as it is after the power failure, from what was flushed of this inode and from what it was before.
    fn directory(&mut self, inode: u64, before: Option<&Path>, after: &Path) -> io::Result<()> {
        fs::create_dir(after)?;
        let flushed = self.flushed_entries(inode)?;
        let written = before.map_or(Ok(BTreeMap::new()), written_entries)?;
        let names: BTreeSet<&String> = flushed.keys().chain(written.keys()).collect();
        for name in names {
            let (kept, seen) = (flushed.get(name), written.get(name));
            let chosen = match (kept, seen) {
                (Some(kept), Some(seen)) if kept == seen => Some(*kept),
                _ if self.survives() => seen.copied(),
                _ => kept.copied(),
            };
            let Some((kind, inode)) = chosen else {
                continue;
            };
            // What it was before is found by name only while that is the same inode.
            let before = before.filter(|_| seen == Some(&(kind, inode)));
            let before = before.map(|before| before.join(name));
            let after = after.join(name);
            match kind {
                'd' => self.directory(inode, before.as_deref(), &after)?,
                _ => self.file(inode, before.as_deref(), &after)?,
            }
        }
        Ok(())
    }

    fn flushed_entries(&self, inode: u64) -> io::Result<BTreeMap<String, (char, u64)>> {
        let folder = self.kept.join(format!("d{inode}"));
        let mut entries = BTreeMap::new();
        if !folder.exists() {
            return Ok(entries);
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let text = fs::read_to_string(entry.path())?;
            let kind = text.chars().next().unwrap();
            let inode = text[1..].parse().unwrap();
            entries.insert(entry.file_name().into_string().unwrap(), (kind, inode));
        }
        Ok(entries)
    }

    fn file(&mut self, inode: u64, before: Option<&Path>, after: &Path) -> io::Result<()> {
        let flushed = self.kept.join(format!("i{inode}"));
        if flushed.exists() {
            copy_sparsely(&flushed, after)?;
        } else {
            File::create(after)?;
        }
        let (Some(before), Survivors::FlushedAndSome) = (before, self.survivors) else {
            return Ok(());
        };
        let (written, after) = (
            File::open(before)?,
            File::options().read(true).write(true).open(after)?,
        );
        let length = written.metadata()?.len();
        if length != after.metadata()?.len() && self.survives() {
            after.set_len(length)?;
        }
        let length = after.metadata()?.len();
        let (mut old, mut new) = (vec![0; PAGE_BYTES], vec![0; PAGE_BYTES]);
        for offset in (0..length).step_by(PAGE_BYTES) {
            let (was, is) = (
                read_page(&after, offset, &mut old)?,
                read_page(&written, offset, &mut new)?,
            );
            let both = was.min(is);
            if old[..both] != new[..both] && self.survives() {
                after.write_all_at(&new[..both], offset)?;
            }
        }
        Ok(())
    }
}

/// Returns the entries of a directory: their types and inodes.
fn written_entries(directory: &Path) -> io::Result<BTreeMap<String, (char, u64)>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = fs::symlink_metadata(entry.path())?;
        let kind = if metadata.is_dir() { 'd' } else { 'f' };
        entries.insert(
            entry.file_name().into_string().unwrap(),
            (kind, metadata.ino()),
        );
    }
    Ok(entries)
}
