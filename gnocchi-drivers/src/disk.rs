//! The file system under a data directory: whether it has room, and whether it takes writes.
//!
//! Why is room reserved? A storage engine whose write ends in the middle takes no more writes until it is opened again, and it
//! needs room of its own to turn what is in memory into files, and to merge files. So new data is refused while some room is
//! left. Half of that is for folding what was acknowledged and for deleting, which makes room again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gnocchi_core::error::BackendErrorKind;
use metrics::counter;
use parking_lot::Mutex;
use thiserror::Error;
use tracing::{info, warn};

/// How much room is kept free unless a program says otherwise, in bytes.
pub const RESERVE_BYTES_DEFAULT: u64 = 256 << 20;

/// The reserve is at most this part of the file system.
const RESERVE_DIVISOR_MIN: u64 = 10;

/// Fewer free inodes than this count as none.
const INODES_MIN: u64 = 16;

/// How long the last reading of free space is used.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The file by which a directory is tried, and how large it is.
const PROBE_FILE: &str = "probe";
const PROBE_BYTES: usize = 256 << 10;

/// What a file system says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// How much may still be written, in bytes.
    pub available_bytes: u64,
    /// How large the file system is, in bytes.
    pub total_bytes: u64,
    /// How many files may still be created; `None` where the number is not limited.
    pub available_inodes: Option<u64>,
    /// Whether it is mounted without the right to write.
    pub is_read_only: bool,
}

impl Space {
    /// Asks the file system that holds a file or directory.
    ///
    /// # Errors
    /// [`io::Error`] when the path does not exist, or the system cannot tell.
    #[cfg(unix)]
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Self {
            available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            available_inodes: (found.f_files > 0).then_some(found.f_favail),
            is_read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        })
    }

    /// Asks the file system that holds a file or directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`]: this system is not asked.
    #[cfg(not(unix))]
    pub fn of(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// New data.
    Growth,
    /// Folding what was acknowledged, and deleting.
    Upkeep,
}

/// Why a write is refused before it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(
        "disk full: {available_bytes} bytes are free, and {needed_bytes} must stay free (disk_reserve_bytes)"
    )]
    NoRoom {
        available_bytes: u64,
        needed_bytes: u64,
    },
    #[error("disk full: no more files can be created (the file system is out of inodes)")]
    NoInodes,
    #[error("the file system is mounted read-only")]
    ReadOnly,
}

impl Refusal {
    pub(crate) fn kind(self) -> BackendErrorKind {
        match self {
            Self::NoRoom { .. } | Self::NoInodes => BackendErrorKind::Full,
            Self::ReadOnly => BackendErrorKind::ReadOnly,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::NoRoom { .. } | Self::NoInodes => "disk_full",
            Self::ReadOnly => "read_only",
        }
    }
}

/// Watches the file system under a directory; the drivers that share the directory share this.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    reserve_bytes: u64,
    seen: Mutex<Seen>,
    /// Held while the file is there by which the directory is tried.
    probing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What the system said, and when it was asked; `None` before, and when it cannot tell.
    space: Option<Space>,
    asked: Option<Instant>,
    /// Why new data is refused.
    refusal: Option<Refusal>,
}

impl Disk {
    /// Watches the file system under a directory, of which `reserve_bytes` stay free, though at most a tenth of it; zero reserves
    /// nothing. Asks nothing yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, reserve_bytes: u64) -> Self {
        Self {
            path: path.into(),
            reserve_bytes,
            seen: Mutex::default(),
            probing: Mutex::default(),
        }
    }

    /// Lets a write of new data pass, or counts and refuses it.
    pub(crate) fn admit_growth(&self) -> Result<(), Refusal> {
        self.check(Purpose::Growth).inspect_err(|refusal| {
            counter!("gnocchi_writes_refused_total", "reason" => refusal.label()).increment(1);
        })
    }

    /// Returns an error when a write should not even be tried. What the system says is asked at most every 50 ms.
    pub(crate) fn check(&self, purpose: Purpose) -> Result<(), Refusal> {
        let mut seen = self.seen.lock();
        if seen
            .asked
            .is_none_or(|asked| asked.elapsed() >= CHECK_INTERVAL)
        {
            seen.asked = Some(Instant::now());
            // Where the system cannot tell, the write itself will.
            seen.space = Space::of(&self.path).ok();
            let refusal = seen
                .space
                .and_then(|space| self.refusal_of_growth(space, seen.refusal.is_some()));
            self.log_change(seen.refusal, refusal, seen.space);
            seen.refusal = refusal;
        }
        let refusal = match purpose {
            Purpose::Growth => seen.refusal,
            Purpose::Upkeep => seen
                .space
                .and_then(|space| refusal(space, self.reserve_of(space) / 2)),
        };
        refusal.map_or(Ok(()), Err)
    }

    /// Writes a file, waits until it is on the disk, and removes it.
    pub(crate) fn probe(&self) -> io::Result<()> {
        let _probing = self.probing.lock();
        let path = self.path.join(PROBE_FILE);
        let written = File::create(&path).and_then(|mut file| {
            // No zeros, which a file system may leave out.
            file.write_all(&vec![0x5a; PROBE_BYTES])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    fn reserve_of(&self, space: Space) -> u64 {
        self.reserve_bytes
            .min(space.total_bytes / RESERVE_DIVISOR_MIN)
    }

    /// Once new data is refused, an eighth more must be free before it is taken again, so that a disk on the verge is not full
    /// and not full in turns.
    fn refusal_of_growth(&self, space: Space, refused_before: bool) -> Option<Refusal> {
        let reserve = self.reserve_of(space);
        let more = if refused_before { reserve / 8 } else { 0 };
        refusal(space, reserve + more)
    }

    fn log_change(&self, before: Option<Refusal>, after: Option<Refusal>, space: Option<Space>) {
        let path = self.path.display();
        match (before, after) {
            (_, Some(refusal)) if before.map(Refusal::label) != Some(refusal.label()) => {
                warn!(%path, reason = %refusal, "writes are refused; reads go on");
            }
            (Some(_), None) => {
                let available_bytes = space.map(|space| space.available_bytes);
                info!(%path, available_bytes, "writes are accepted again");
            }
            _ => {}
        }
    }
}

fn refusal(space: Space, needed_bytes: u64) -> Option<Refusal> {
    if space.is_read_only {
        Some(Refusal::ReadOnly)
    } else if space.available_bytes < needed_bytes {
        Some(Refusal::NoRoom {
            available_bytes: space.available_bytes,
            needed_bytes,
        })
    } else if space
        .available_inodes
        .is_some_and(|inodes| inodes < INODES_MIN)
    {
        Some(Refusal::NoInodes)
    } else {
        None
    }
}

/// Waits until the entries of a directory are on the disk: a file or folder that was created in it, or
/// renamed, survives a power failure only then.
pub(crate) fn synchronize(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Replaces the content of a file of a directory, whole or not at all; the new content is on the disk afterwards.
#[cfg(all(feature = "embedded", feature = "sqlite"))]
pub(crate) fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let staging = directory.join(format!("{name}.new"));
    let mut file = File::create(&staging)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&staging, directory.join(name))?;
    synchronize(directory)
}

/// Waits until the entry of a file or directory in the directory above it is on the disk.
pub(crate) fn synchronize_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => synchronize(parent),
        // It is relative to the working directory.
        Some(_) => synchronize(Path::new(".")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn space(available_bytes: u64) -> Space {
        Space {
            available_bytes,
            total_bytes: 100 * GIB,
            available_inodes: Some(1_000_000),
            is_read_only: false,
        }
    }

    #[test]
    fn this_machine_says_something_plausible() {
        let directory = tempfile::tempdir().unwrap();
        let space = Space::of(directory.path()).unwrap();
        assert!(space.total_bytes >= space.available_bytes && space.total_bytes > 0);
        assert!(!space.is_read_only);
        assert!(Space::of(&directory.path().join("absent")).is_err());
    }

    #[test]
    fn new_data_is_refused_before_the_disk_is_full() {
        let disk = Disk::new("/", GIB);
        let check = |available_bytes, refused_before, expected_needed: Option<u64>| {
            let expected = expected_needed.map(|needed_bytes| Refusal::NoRoom {
                available_bytes,
                needed_bytes,
            });
            let found = disk.refusal_of_growth(space(available_bytes), refused_before);
            assert_eq!(found, expected, "{available_bytes} {refused_before}");
        };
        check(GIB, false, None);
        check(GIB - 1, false, Some(GIB));
        check(GIB, true, Some(GIB + GIB / 8));
        check(GIB + GIB / 8, true, None);
    }

    #[test]
    fn the_reserve_of_a_small_disk_is_a_tenth_of_it() {
        let disk = Disk::new("/", GIB);
        let small = |available_bytes| Space {
            total_bytes: GIB,
            ..space(available_bytes)
        };
        assert_eq!(disk.refusal_of_growth(small(GIB / 10), false), None);
        assert!(disk.refusal_of_growth(small(GIB / 10 - 1), false).is_some());
        let nothing = Disk::new("/", 0);
        assert_eq!(nothing.refusal_of_growth(space(0), false), None);
    }

    #[test]
    fn other_reasons_are_told_apart() {
        let read_only = Space {
            is_read_only: true,
            ..space(GIB)
        };
        assert_eq!(refusal(read_only, 0), Some(Refusal::ReadOnly));
        let without_inodes = Space {
            available_inodes: Some(0),
            ..space(GIB)
        };
        assert_eq!(refusal(without_inodes, 0), Some(Refusal::NoInodes));
        let unlimited = Space {
            available_inodes: None,
            ..space(GIB)
        };
        assert_eq!(refusal(unlimited, 0), None);
    }

    #[test]
    fn a_directory_is_tried_by_a_file_that_goes_away_again() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path(), 0);
        disk.probe().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(
            Disk::new(directory.path().join("absent"), 0)
                .probe()
                .is_err()
        );
    }

    #[test]
    fn a_directory_can_be_tried_by_many_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path(), 0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| disk.probe().unwrap()));
            }
        });
    }

    #[test]
    fn a_system_that_cannot_tell_refuses_nothing() {
        let disk = Disk::new("/nonexistent/gnocchi", u64::MAX);
        assert_eq!(disk.admit_growth(), Ok(()));
        assert_eq!(disk.check(Purpose::Upkeep), Ok(()));
    }
}
