//! Looking at the write-ahead log beside a database before SQLite does.
//!
//! SQLite takes a log that it cannot read for one that was never there: it reads up to the first frame that is not right, and forgets what is
//! behind. That is what it should do with a write that a crash interrupted, and wrong for one that was acknowledged. Which one it is
//! follows from the log itself (a transaction begins only after the one before is on the disk) and from the index of the log (`-shm`),
//! which says how many frames were committed and is written after they were synchronized.
//!
//! The layout of both is described at <https://sqlite.org/walformat.html>.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::beside;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The beginning of a log whose checksums read its bytes as little-endian numbers; the last bit is set where they are big-endian.
const MAGIC: u32 = 0x377f_0682;
const LOG_VERSION: u32 = 3_007_000;

const PAGE_BYTES_MIN: u32 = 512;
const PAGE_BYTES_MAX: u32 = 65_536;

const INDEX_HEADER_BYTES: usize = 48;
const INDEX_CHECKED_BYTES: usize = 40;

/// What is found in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogState {
    /// There is no log.
    Missing,
    /// There is a file without content.
    Empty,
    /// Everything that was committed is there.
    Sound,
    /// Behind everything that was committed is a write that a crash interrupted.
    Torn { offset: u64, bytes: u64 },
    /// Something that was committed is not there or was changed.
    Damaged { offset: u64, problem: String },
}

/// Returns the path of the log of a database.
pub(crate) fn log_path(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// Looks at the log of a database that no process uses. Nothing is changed.
///
/// # Errors
/// [`io::Error`] when it cannot be read.
pub(crate) fn check_log(database: &Path) -> io::Result<LogState> {
    let path = log_path(database);
    let committed = Committed::read(&beside(database, "-shm"))?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(without_frames(committed, LogState::Missing));
        }
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(without_frames(committed, LogState::Empty));
    }
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let Some(log) = Log::read(&mut reader)? else {
        return if fs::File::open(&path).and_then(is_zero)? {
            Ok(without_frames(committed, LogState::Empty))
        } else {
            Ok(LogState::Damaged {
                offset: 0,
                problem: "has a damaged header, so that nothing of it can be read".into(),
            })
        };
    };
    log.check(&mut reader, length, committed)
}

/// Judges a log that holds nothing by what its index says.
fn without_frames(committed: Option<Committed>, state: LogState) -> LogState {
    match committed {
        Some(Committed { frames, .. }) if frames > 0 => LogState::Damaged {
            offset: 0,
            problem: format!("is {}, although {frames} pages were committed to it", {
                if state == LogState::Missing {
                    "missing"
                } else {
                    "empty"
                }
            }),
        },
        _ => state,
    }
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
    /// Reads the index of a log; `None` when there is none or it says nothing reliable.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file
                .take(2 * INDEX_HEADER_BYTES as u64)
                .read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Self::decode(&bytes))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let first = bytes.get(..INDEX_HEADER_BYTES)?;
        // Two copies, written one after the other.
        if bytes.get(INDEX_HEADER_BYTES..2 * INDEX_HEADER_BYTES)? != first {
            return None;
        }
        let (checked, sums) = first.split_at(INDEX_CHECKED_BYTES);
        let native = |at: usize| Some(u32::from_ne_bytes(first.get(at..at + 4)?.try_into().ok()?));
        let mut sum = Checksum::default();
        sum.add(checked, u32::from_ne_bytes);
        let expected = [sum.0.to_ne_bytes(), sum.1.to_ne_bytes()].concat();
        if native(0)? != LOG_VERSION || expected != sums {
            return None;
        }
        Some(Self {
            salts: first.get(32..40)?.try_into().ok()?,
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

    fn is(self, bytes: &[u8]) -> bool {
        bytes == [self.0.to_be_bytes(), self.1.to_be_bytes()].concat()
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
        if !is_known || !checksum.is(header.get(24..HEADER_BYTES)?) {
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
        length: u64,
        committed: Option<Committed>,
    ) -> io::Result<LogState> {
        let frame_bytes = FRAME_HEADER_BYTES + self.page_bytes;
        let offset_of = |frame: u64| HEADER_BYTES as u64 + frame * frame_bytes as u64;
        let mut frame = Vec::with_capacity(frame_bytes);
        let (mut sound, mut tail) = (0_u64, Tail::default());
        let mut is_broken = false;
        loop {
            frame.clear();
            reader.take(frame_bytes as u64).read_to_end(&mut frame)?;
            if frame.is_empty() {
                break;
            }
            is_broken |= frame.len() < frame_bytes || !self.continues(&frame);
            if is_broken {
                tail.add(&frame, self.salts);
            } else {
                sound += 1;
            }
        }
        let offset = offset_of(sound);
        if let Some(committed) = committed
            && committed.salts == self.salts
            && committed.frames > sound
        {
            return Ok(LogState::Damaged {
                offset,
                problem: format!(
                    "is damaged or cut off: it has {sound} intact pages, and {} were committed to it",
                    committed.frames
                ),
            });
        }
        Ok(if tail.goes_on_after_commit {
            LogState::Damaged {
                offset,
                problem: "is damaged: intact writes were made behind this one".into(),
            }
        } else if tail.is_current {
            LogState::Torn {
                offset,
                bytes: length.saturating_sub(offset),
            }
        } else {
            LogState::Sound
        })
    }

    /// Returns whether a frame is the right one at its place.
    fn continues(&mut self, frame: &[u8]) -> bool {
        let (header, page) = frame.split_at(FRAME_HEADER_BYTES);
        if header[8..16] != self.salts {
            return false;
        }
        let mut checksum = self.checksum;
        checksum.add(&header[..8], self.number);
        checksum.add(page, self.number);
        let is_right = checksum.is(&header[16..]);
        if is_right {
            self.checksum = checksum;
        }
        is_right
    }
}

/// What stands behind the last intact frame.
#[derive(Debug, Default)]
struct Tail {
    /// Whether any of it was written after the log was begun anew the last time.
    is_current: bool,
    has_commit: bool,
    /// Whether a transaction was begun after another one that is not intact: so that one was acknowledged.
    goes_on_after_commit: bool,
}

impl Tail {
    fn add(&mut self, frame: &[u8], salts: [u8; 8]) {
        let is_current = match frame.get(8..16) {
            Some(found) => found == salts,
            // Too short to say.
            None => true,
        };
        if !is_current {
            return;
        }
        self.is_current = true;
        self.goes_on_after_commit |= self.has_commit;
        self.has_commit |= frame.get(4..8).is_some_and(|pages| pages != [0; 4]);
    }
}

#[cfg(test)]
#[path = "log_check_tests.rs"]
mod tests;
