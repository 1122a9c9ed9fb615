//! What a power failure leaves of a directory, worked out from a record of what was done to it.
//!
//! Assumed of the file system is what journalling ones promise: changes of names and lengths become durable in their order, and all
//! before an fsync with it; data of a file becomes durable by an fsync of that file. Everything else is lost, there, or there in part, sector
//! by sector.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::Rng;
use rand::rngs::StdRng;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Compiles the program that records, and returns its path.
pub(crate) fn recorder(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/record_writes.c");
    let program = folder.join("record_writes");
    let compiled = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(source)
        .status()
        .expect("a C compiler is needed, as for the server");
    assert!(compiled.success());
    program
}

#[derive(Debug, Clone)]
enum Change {
    Create {
        file: u64,
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    RemoveFolder {
        path: PathBuf,
    },
    Truncate {
        file: u64,
        length: u64,
    },
    Write {
        file: u64,
        offset: u64,
        bytes: Range<usize>,
    },
    SyncBegin {
        thread: u64,
    },
    SyncEnd {
        thread: u64,
        file: Option<u64>,
    },
}

/// What was in a directory before anything was recorded. All of it is durable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    tree: Tree,
    files: BTreeMap<u64, Content>,
}

impl Base {
    /// Reads a directory; one that is missing is empty.
    pub(crate) fn of(directory: &Path) -> Self {
        let mut base = Self::default();
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            if !folder.exists() {
                continue;
            }
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::metadata(&path).unwrap();
                if metadata.is_dir() {
                    base.tree.entries.insert(path.clone(), None);
                    folders.push(path);
                    continue;
                }
                let mut content = Content::default();
                content.write(0, &fs::read(&path).unwrap());
                content
                    .sectors
                    .retain(|_, bytes| *bytes != [0; SECTOR_BYTES]);
                base.files.insert(metadata.ino(), content);
                base.tree.entries.insert(path, Some(metadata.ino()));
            }
        }
        base
    }
}

/// What was done to a directory, in order.
#[derive(Debug)]
pub(crate) struct Record {
    base: Base,
    log: Vec<u8>,
    /// Each with the place in the log behind it.
    changes: Vec<(usize, Change)>,
}

impl Record {
    /// Reads a log; an incomplete last line is left out.
    pub(crate) fn read(path: &Path, base: Base) -> Self {
        let log = fs::read(path).unwrap();
        let mut changes = Vec::new();
        // Inodes of files that are gone are given out again, so files are numbered anew.
        let mut files: BTreeMap<u64, u64> =
            base.files.keys().map(|inode| (*inode, *inode)).collect();
        let mut next_file = base.files.keys().max().map_or(0, |last| last + 1);
        let mut position = 0;
        while let Some(length) = log[position..].iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&log[position..position + length]).unwrap();
            let behind = position + length + 1;
            let (verb, rest) = line.split_once(' ').unwrap();
            let numbers = || rest.split(' ').map(|number| number.parse().unwrap());
            let paths = || {
                let (from, to) = rest.split_once('\t').unwrap();
                (PathBuf::from(from), PathBuf::from(to))
            };
            let two = || {
                let numbers: Vec<u64> = numbers().collect();
                (numbers[0], numbers[1])
            };
            position = behind;
            let change = match verb {
                "create" => {
                    let (inode, path) = rest.split_once(' ').unwrap();
                    files.insert(inode.parse().unwrap(), next_file);
                    next_file += 1;
                    Change::Create {
                        file: next_file - 1,
                        path: path.into(),
                    }
                }
                "mkdir" => Change::MakeFolder { path: rest.into() },
                "unlink" => Change::Unlink { path: rest.into() },
                "rmdir" => Change::RemoveFolder { path: rest.into() },
                "rename" => {
                    let (from, to) = paths();
                    Change::Rename { from, to }
                }
                "link" => {
                    let (from, to) = paths();
                    Change::Link { from, to }
                }
                "truncate" => {
                    let (inode, length) = two();
                    Change::Truncate {
                        file: files[&inode],
                        length,
                    }
                }
                "write" => {
                    let numbers: Vec<u64> = numbers().collect();
                    let length = usize::try_from(numbers[2]).unwrap();
                    if behind + length > log.len() {
                        break;
                    }
                    position = behind + length;
                    Change::Write {
                        file: files[&numbers[0]],
                        offset: numbers[1],
                        bytes: behind..position,
                    }
                }
                "sync-begin" => {
                    let (thread, _) = two();
                    Change::SyncBegin { thread }
                }
                "sync-end" => {
                    let (thread, inode) = two();
                    Change::SyncEnd {
                        thread,
                        // Folders have none.
                        file: files.get(&inode).copied(),
                    }
                }
                other => panic!("{other} is no change"),
            };
            changes.push((position, change));
        }
        Self { base, log, changes }
    }

    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    /// Returns how many changes there are up to a place in the log.
    fn changes_before(&self, place: usize) -> usize {
        self.changes.partition_point(|(behind, _)| *behind <= place)
    }

    /// Makes the directory `target` what a power failure leaves of `source` when the log had come to `place`.
    pub(crate) fn cut(&self, place: usize, source: &Path, target: &Path, chance: &mut StdRng) {
        let changes = &self.changes[..self.changes_before(place)];
        let durable = Durable::of(changes);
        // Of the names and lengths that are not known to be durable, some of the first ones are.
        let pending = changes.len() - durable.names;
        let kept = durable.names + chance.random_range(0..=pending);
        let Base {
            mut tree,
            mut files,
        } = self.base.clone();
        for (index, (_, change)) in changes.iter().enumerate() {
            match change {
                Change::Truncate { file, length } if index < kept => {
                    files.entry(*file).or_default().truncate(*length);
                }
                Change::Write {
                    file,
                    offset,
                    bytes,
                } => {
                    let bytes = &self.log[bytes.clone()];
                    let content = files.entry(*file).or_default();
                    if durable.data.get(file).is_some_and(|before| index < *before) {
                        content.write(*offset, bytes);
                    } else {
                        content.write_in_part(*offset, bytes, chance);
                    }
                }
                Change::Truncate { .. } | Change::SyncBegin { .. } | Change::SyncEnd { .. } => {}
                name if index < kept => tree.apply(name),
                _ => {}
            }
        }
        tree.make(&files, source, target);
    }
}

/// What is known to be durable.
#[derive(Debug, Default)]
struct Durable {
    /// Changes of names and lengths before this one.
    names: usize,
    /// Writes to a file before this one.
    data: BTreeMap<u64, usize>,
}

impl Durable {
    fn of(changes: &[(usize, Change)]) -> Self {
        let mut durable = Self::default();
        let mut begun: BTreeMap<u64, usize> = BTreeMap::new();
        for (index, (_, change)) in changes.iter().enumerate() {
            match change {
                Change::SyncBegin { thread } => {
                    begun.insert(*thread, index);
                }
                Change::SyncEnd { thread, file } => {
                    let begin = begun[thread];
                    durable.names = durable.names.max(begin);
                    if let Some(file) = file {
                        let data = durable.data.entry(*file).or_default();
                        *data = (*data).max(begin);
                    }
                }
                _ => {}
            }
        }
        durable
    }
}

/// What is in a file, as far as it is not zeros.
#[derive(Debug, Clone, Default)]
struct Content {
    length: u64,
    sectors: BTreeMap<u64, [u8; SECTOR_BYTES]>,
}

impl Content {
    fn truncate(&mut self, length: u64) {
        let sector_bytes = SECTOR_BYTES as u64;
        self.sectors
            .retain(|sector, _| sector * sector_bytes < length);
        let inside = usize::try_from(length % sector_bytes).unwrap();
        if let Some(last) = self.sectors.get_mut(&(length / sector_bytes)) {
            last[inside..].fill(0);
        }
        self.length = length;
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.pieces(offset, bytes, |_| true);
        self.length = self.length.max(offset + bytes.len() as u64);
    }

    /// Some of the sectors get there; the length may say so of those that did not.
    fn write_in_part(&mut self, offset: u64, bytes: &[u8], chance: &mut StdRng) {
        let share = *[0.0, 0.5, 0.9, 1.0].get(chance.random_range(0..4)).unwrap();
        self.pieces(offset, bytes, |_| chance.random_bool(share));
        if share > 0.0 {
            self.length = self.length.max(offset + bytes.len() as u64);
        }
    }

    fn pieces(&mut self, offset: u64, bytes: &[u8], mut is_written: impl FnMut(u64) -> bool) {
        let sector_bytes = SECTOR_BYTES as u64;
        let mut position = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let sector = position / sector_bytes;
            let inside = usize::try_from(position % sector_bytes).unwrap();
            let (piece, behind) = rest.split_at(rest.len().min(SECTOR_BYTES - inside));
            if is_written(sector) {
                let content = self.sectors.entry(sector).or_insert([0; SECTOR_BYTES]);
                content[inside..inside + piece.len()].copy_from_slice(piece);
            }
            position += piece.len() as u64;
            rest = behind;
        }
    }
}

/// Names of files and folders.
#[derive(Debug, Clone, Default)]
struct Tree {
    /// Files have a number.
    entries: BTreeMap<PathBuf, Option<u64>>,
}

impl Tree {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { file, path } => {
                self.entries.insert(path.clone(), Some(*file));
            }
            Change::MakeFolder { path } => {
                self.entries.insert(path.clone(), None);
            }
            Change::Unlink { path } | Change::RemoveFolder { path } => {
                self.entries.remove(path);
            }
            Change::Link { from, to } => {
                let entry = self.entries[from];
                self.entries.insert(to.clone(), entry);
            }
            Change::Rename { from, to } => {
                let below: Vec<PathBuf> = self
                    .entries
                    .keys()
                    .filter(|path| path.starts_with(from))
                    .cloned()
                    .collect();
                for path in below {
                    let entry = self.entries.remove(&path).unwrap();
                    let rest = path.strip_prefix(from).unwrap();
                    let moved = if rest == Path::new("") {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    self.entries.insert(moved, entry);
                }
            }
            Change::Truncate { .. }
            | Change::Write { .. }
            | Change::SyncBegin { .. }
            | Change::SyncEnd { .. } => {}
        }
    }

    fn make(&self, files: &BTreeMap<u64, Content>, source: &Path, target: &Path) {
        fs::create_dir_all(target).unwrap();
        for (path, number) in &self.entries {
            let path = target.join(path.strip_prefix(source).unwrap());
            let Some(number) = number else {
                fs::create_dir_all(path).unwrap();
                continue;
            };
            let file = File::create(path).unwrap();
            let Some(content) = files.get(number) else {
                continue;
            };
            for (sector, bytes) in &content.sectors {
                file.write_all_at(bytes, sector * SECTOR_BYTES as u64)
                    .unwrap();
            }
            file.set_len(content.length).unwrap();
        }
    }
}
