//! Checking the write-ahead log beside a database before SQLite reads it.
//!
//! SQLite reads a log up to the first frame that is not intact and forgets the rest. That is right for an unfinished transaction, and
//! wrong for one that was acknowledged. Two facts tell them apart:
//!
//! - The index of the log (`-shm`) says how many frames were committed. It is written after they were synchronized, so it never
//!   says too much. After a power failure it may be old or missing. Without it, damage in the last committed transaction cannot be
//!   told from an unfinished one, and a log that was cut off exactly behind a commit looks whole.
//! - The checksum of a frame continues that of the frame before. A frame that continues the checksum of a commit was written by the
//!   next transaction, which begins only after the commit is on the disk. Frames of an older transaction that was rolled back may stand
//!   behind the last one, but do not continue it.
//!
//! When a log is begun anew, SQLite writes a header with other salts over the old one. Everything in the old log is in the database by then;
//! what is left of it is recognized by its salts and ignored.
//!
//! Both layouts are described at <https://sqlite.org/walformat.html>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::beside;
use super::glance::index_of_log;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The beginning of a log whose checksums read its bytes as little-endian numbers; the last bit is set where they are big-endian.
const MAGIC: u32 = 0x377f_0682;
const LOG_VERSION: u32 = 3_007_000;

const PAGE_BYTES_MIN: u32 = 512;
const PAGE_BYTES_MAX: u32 = 65_536;

const INDEX_HEADER_BYTES: usize = 48;
const INDEX_CHECKED_BYTES: usize = 40;

/// The state of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogState {
    /// There is no log.
    Missing,
    /// There is a file without content, or of zeros.
    Empty,
    /// Everything that was committed is there, and nothing else.
    Sound,
    /// Behind the last intact commit are frames of an unfinished transaction: a crash interrupted it, or it was rolled back.
    Torn {
        offset: u64,
        bytes: u64,
        proof: Proof,
    },
    /// Something that was committed is not there or was changed.
    Damaged { offset: u64, problem: String },
}

/// What proves that the frames behind the last intact commit were never committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The index of the log: it says how many frames were committed.
    Index,
    /// Nothing: there is no index, or it is that of an earlier log. The frames may also be those of the last acknowledged transaction, damaged.
    None,
}

/// Returns the path of the log of a database.
pub(crate) fn log_path(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// Checks the log of a database that no process uses. Nothing is changed.
///
/// # Errors
/// [`io::Error`] when it cannot be read.
pub(crate) fn check_log(database: &Path) -> io::Result<LogState> {
    let path = log_path(database);
    let committed = Committed::read(&index_of_log(database))?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(LogState::Missing);
        }
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() == 0 {
        return Ok(LogState::Empty);
    }
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let Some(log) = Log::read(&mut reader)? else {
        return if File::open(&path).and_then(is_zero)? {
            Ok(LogState::Empty)
        } else {
            Ok(LogState::Damaged {
                offset: 0,
                problem: "has a damaged header; nothing in it can be read".into(),
            })
        };
    };
    log.check(&mut reader, committed)
}

fn is_zero(file: File) -> io::Result<bool> {
    let mut reader = BufReader::new(file);
    let mut chunk = [0; 8192];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(true),
            read if chunk[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// How much of a log was committed, as its index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Committed {
    salts: [u8; 8],
    frames: u64,
}

impl Committed {
    /// Reads the index of a log; `None` when there is none or none of its two headers is intact.
    ///
    /// A process that is killed while it writes them leaves two different ones. The one with fewer frames was valid in any case.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file
                .take(2 * INDEX_HEADER_BYTES as u64)
                .read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (headers, _) = bytes.as_chunks::<INDEX_HEADER_BYTES>();
        Ok(headers
            .iter()
            .filter_map(Self::decode)
            .min_by_key(|committed| committed.frames))
    }

    fn decode(header: &[u8; INDEX_HEADER_BYTES]) -> Option<Self> {
        let (checked, sums) = header.split_at(INDEX_CHECKED_BYTES);
        let native = |at: usize| Some(u32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let mut sum = Checksum::default();
        sum.add(checked, u32::from_ne_bytes);
        let expected = [sum.0.to_ne_bytes(), sum.1.to_ne_bytes()].concat();
        if native(0)? != LOG_VERSION || expected != sums {
            return None;
        }
        Some(Self {
            salts: header.get(32..40)?.try_into().ok()?,
            frames: native(16)?.into(),
        })
    }
}

/// The checksum of SQLite's log, which goes on from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Checksum(u32, u32);

impl Checksum {
    fn add(&mut self, bytes: &[u8], number: fn([u8; 4]) -> u32) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs {
            self.0 = self
                .0
                .wrapping_add(number([*a, *b, *c, *d]))
                .wrapping_add(self.1);
            self.1 = self
                .1
                .wrapping_add(number([*e, *f, *g, *h]))
                .wrapping_add(self.0);
        }
    }

    /// Reads a checksum as it is stored in a log.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks::<4>();
        let [first, second] = numbers.get(..2)?.try_into().ok()?;
        Some(Self(u32::from_be_bytes(first), u32::from_be_bytes(second)))
    }

    /// Returns the checksum in the header of a frame; the last frame may be too short to have one, and no other follows it.
    fn stored_in(frame: &[u8]) -> Self {
        let stored = frame.get(16..FRAME_HEADER_BYTES).and_then(Self::read);
        stored.unwrap_or_default()
    }
}

/// What the header of a log says.
struct Log {
    number: fn([u8; 4]) -> u32,
    page_bytes: usize,
    salts: [u8; 8],
    checksum: Checksum,
}

impl Log {
    /// Reads the header; `None` when it is damaged.
    fn read(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = Vec::new();
        reader.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        Ok(Self::decode(&header))
    }

    fn decode(header: &[u8]) -> Option<Self> {
        let field = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let (magic, page_bytes) = (field(0)?, field(8)?);
        let number: fn([u8; 4]) -> u32 = if magic & 1 == 1 {
            u32::from_be_bytes
        } else {
            u32::from_le_bytes
        };
        let is_known = magic & !1 == MAGIC
            && field(4)? == LOG_VERSION
            && page_bytes.is_power_of_two()
            && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes);
        let mut checksum = Checksum::default();
        checksum.add(header.get(..24)?, number);
        if !is_known || checksum != Checksum::read(header.get(24..HEADER_BYTES)?)? {
            return None;
        }
        Some(Self {
            number,
            page_bytes: usize::try_from(page_bytes).ok()?,
            salts: header.get(16..24)?.try_into().ok()?,
            checksum,
        })
    }

    fn check(
        mut self,
        reader: &mut impl Read,
        committed: Option<Committed>,
    ) -> io::Result<LogState> {
        let frame_bytes = FRAME_HEADER_BYTES + self.page_bytes;
        let mut frame = Vec::with_capacity(frame_bytes);
        let (mut intact, mut in_force) = (0_u64, 0_u64);
        // What is left of an older log may be much more than what is behind the last commit.
        let (mut position, mut end) = (HEADER_BYTES as u64, HEADER_BYTES as u64);
        let mut tail: Option<Tail> = None;
        loop {
            frame.clear();
            reader.take(frame_bytes as u64).read_to_end(&mut frame)?;
            if frame.is_empty() {
                break;
            }
            position += frame.len() as u64;
            if self.is_current(&frame) {
                end = position;
            }
            if let Some(tail) = &mut tail {
                tail.add(&frame, &self);
            } else if self.continues(self.checksum, &frame) {
                self.checksum = Checksum::stored_in(&frame);
                intact += 1;
                if is_commit(&frame) {
                    in_force = intact;
                }
            } else {
                tail = Some(Tail::of(&frame, &self));
            }
        }
        let offset = HEADER_BYTES as u64 + in_force * frame_bytes as u64;
        let committed = committed.filter(|committed| committed.salts == self.salts);
        if let Some(Committed { frames, .. }) = committed
            && frames > in_force
        {
            return Ok(LogState::Damaged {
                offset,
                problem: format!(
                    "is damaged or cut off: got {in_force} intact frames; expected {frames}, the number committed"
                ),
            });
        }
        if tail.as_ref().is_some_and(|tail| tail.was_committed) {
            return Ok(LogState::Damaged {
                offset,
                problem: "a committed transaction is damaged: later transactions follow it".into(),
            });
        }
        let is_torn = intact > in_force || tail.is_some_and(|tail| tail.is_current);
        Ok(if is_torn {
            LogState::Torn {
                offset,
                bytes: end.saturating_sub(offset),
                proof: committed.map_or(Proof::None, |_| Proof::Index),
            }
        } else {
            LogState::Sound
        })
    }

    /// Returns whether a frame is whole and continues a checksum.
    fn continues(&self, mut checksum: Checksum, frame: &[u8]) -> bool {
        if frame.len() < FRAME_HEADER_BYTES + self.page_bytes || !self.is_current(frame) {
            return false;
        }
        let (header, page) = frame.split_at(FRAME_HEADER_BYTES);
        checksum.add(&header[..8], self.number);
        checksum.add(page, self.number);
        checksum == Checksum::stored_in(frame)
    }

    /// Returns whether a frame was written after the log was begun anew the last time. One that is too short may have been.
    fn is_current(&self, frame: &[u8]) -> bool {
        frame.get(8..16).is_none_or(|salts| salts == self.salts)
    }
}

/// Returns whether a frame is the last one of a transaction.
fn is_commit(frame: &[u8]) -> bool {
    frame.get(4..8).is_some_and(|pages| pages != [0; 4])
}

/// What stands behind the last intact frame.
#[derive(Debug)]
struct Tail {
    /// Whether any of it was written after the log was begun anew the last time.
    is_current: bool,
    /// Whether a transaction of it was followed by another one.
    was_committed: bool,
    /// The checksum of the last frame, and whether that is the last one of its transaction.
    last: (Checksum, bool),
}

impl Tail {
    fn of(frame: &[u8], log: &Log) -> Self {
        Self {
            is_current: log.is_current(frame),
            was_committed: false,
            last: (Checksum::stored_in(frame), is_commit(frame)),
        }
    }

    fn add(&mut self, frame: &[u8], log: &Log) {
        let (checksum, is_commit_before) = self.last;
        let was_committed = is_commit_before && log.continues(checksum, frame);
        let next = Self::of(frame, log);
        *self = Self {
            is_current: self.is_current || next.is_current,
            was_committed: self.was_committed || was_committed,
            last: next.last,
        };
    }
}

#[cfg(test)]
#[path = "log_check_tests.rs"]
mod tests;
