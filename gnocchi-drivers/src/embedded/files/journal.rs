//! Journals: batches, one behind the other.
//!
//! ```text
//! batch:   begin, as many entries as it says, end
//! begin:   1, number of entries (4), sequence (8)
//! record:  2, kind (1), compression (1) = 0, keyspace (8), length of the key (2), of the value (4), of the value as stored (4), key, value
//! clear:   4, keyspace (8)
//! end:     3, checksum of all entries (8), "FJL", 3
//! ```
//!
//! A batch is written by several calls, and what belongs to one batch is synchronized before a caller hears of it. So after a crash the last
//! batches may be there in part, or be a hole with a later batch behind it; none of these was acknowledged. The sequences of batches
//! increase. The checksum does not cover them, so a sequence that does not is damage.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::{Cursor, FileError, RecordKind, VERSION};

const BEGIN: u8 = 1;
const RECORD: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;

/// How far a sequence may be from the one before. Changes of tables take a few; more is damage of a field that no checksum covers.
const SEQUENCE_STEP_MAX: u64 = 1 << 32;

/// A record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct Record<'a> {
    pub(in crate::embedded) keyspace: u64,
    pub(in crate::embedded) key: &'a [u8],
    pub(in crate::embedded) kind: RecordKind,
    pub(in crate::embedded) value: &'a [u8],
}

/// A batch that is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Batch<'a> {
    /// Where it stands in the file.
    pub(in crate::embedded) place: Range<usize>,
    pub(in crate::embedded) sequence: u64,
    pub(in crate::embedded) records: Vec<Record<'a>>,
}

/// Why there is no intact batch at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Broken {
    /// It does not begin like one, or something in it is none.
    NoEntry,
    /// The file ends inside of it.
    Incomplete,
    /// There are more or fewer entries than it says.
    Count,
    /// The checksum differs.
    Checksum,
    /// Its sequence is not possible behind the batch before it.
    Sequence,
}

impl Broken {
    /// Describes it as the end of a sentence that begins with the name of the file.
    pub(in crate::embedded) fn problem(self) -> &'static str {
        match self {
            Self::NoEntry => "holds something that is no batch",
            Self::Incomplete => "ends inside a batch",
            Self::Count => "has a batch with another number of entries than it says",
            Self::Checksum => "has a damaged batch: its checksum differs",
            Self::Sequence => "has a batch whose sequence cannot follow the one before",
        }
    }
}

impl<'a> Batch<'a> {
    /// Reads the batch at a place.
    pub(in crate::embedded) fn parse(bytes: &'a [u8], start: usize) -> Result<Self, Broken> {
        let (batch, verdict) = Self::parse_entries(bytes, start)?;
        verdict.map(|()| batch)
    }

    /// Reads what looks like a batch, and whether its end is right.
    fn parse_entries(bytes: &'a [u8], start: usize) -> Result<(Self, Result<(), Broken>), Broken> {
        let mut cursor = Cursor::new(bytes.get(start..).unwrap_or_default());
        if cursor.u8().ok_or(Broken::Incomplete)? != BEGIN {
            return Err(Broken::NoEntry);
        }
        let count = cursor.u32().ok_or(Broken::Incomplete)?;
        let sequence = cursor.u64().ok_or(Broken::Incomplete)?;
        let entries_start = cursor.position;
        let mut records = Vec::new();
        let mut entries: u32 = 0;
        loop {
            let entry_start = cursor.position;
            match cursor.u8().ok_or(Broken::Incomplete)? {
                RECORD => records.push(record(&mut cursor)?),
                CLEAR => {
                    cursor.u64().ok_or(Broken::Incomplete)?;
                }
                END if entries == count => {
                    let checksum = cursor.u64().ok_or(Broken::Incomplete)?;
                    let mark = cursor.take(VERSION.len()).ok_or(Broken::Incomplete)?;
                    let verdict = if mark != VERSION {
                        Err(Broken::NoEntry)
                    } else if xxh3_64(&cursor.bytes[entries_start..entry_start]) != checksum {
                        Err(Broken::Checksum)
                    } else {
                        Ok(())
                    };
                    let batch = Self {
                        place: start..start + cursor.position,
                        sequence,
                        records,
                    };
                    return Ok((batch, verdict));
                }
                END => return Err(Broken::Count),
                _ => return Err(Broken::NoEntry),
            }
            entries += 1;
            if entries > count {
                return Err(Broken::Count);
            }
        }
    }

    /// Returns whether it may stand behind a batch of this sequence.
    fn follows(&self, before: Option<u64>) -> bool {
        before.is_none_or(|before| {
            self.sequence > before && self.sequence - before <= SEQUENCE_STEP_MAX
        })
    }
}

fn record<'a>(cursor: &mut Cursor<'a>) -> Result<Record<'a>, Broken> {
    let kind = cursor.u8().ok_or(Broken::Incomplete)?;
    let compression = cursor.u8().ok_or(Broken::Incomplete)?;
    let keyspace = cursor.u64().ok_or(Broken::Incomplete)?;
    let key_length = cursor.u16().ok_or(Broken::Incomplete)?;
    let length = cursor.u32().ok_or(Broken::Incomplete)?;
    let stored_length = cursor.u32().ok_or(Broken::Incomplete)?;
    let kind = RecordKind::from_number(kind).ok_or(Broken::NoEntry)?;
    // This program never had values of journals compressed, and the engine panics at an empty key.
    if compression != 0 || length != stored_length || key_length == 0 {
        return Err(Broken::NoEntry);
    }
    let key = cursor
        .take(usize::from(key_length))
        .ok_or(Broken::Incomplete)?;
    let value = usize::try_from(length)
        .ok()
        .and_then(|length| cursor.take(length))
        .ok_or(Broken::Incomplete)?;
    Ok(Record {
        keyspace,
        key,
        kind,
        value,
    })
}

/// The intact batches of a journal from its beginning on, then what stands behind them.
#[derive(Debug, Clone)]
pub(in crate::embedded) struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    last: Option<u64>,
    broken: Option<Broken>,
}

impl<'a> Batches<'a> {
    /// Reads a journal without the zeros at its end; `before` is the sequence of the last batch of the journal before.
    pub(in crate::embedded) fn new(bytes: &'a [u8], before: Option<u64>) -> Self {
        Self {
            bytes,
            position: 0,
            last: before,
            broken: None,
        }
    }

    /// Returns the sequence of the last batch so far.
    pub(in crate::embedded) fn last_sequence(&self) -> Option<u64> {
        self.last
    }

    /// Returns what is behind the intact batches once all of them were taken, unless that is the end.
    pub(in crate::embedded) fn rest(&self) -> Option<Rest<'a>> {
        Some(Rest {
            bytes: self.bytes,
            start: self.position,
            broken: self.broken?,
            last: self.last,
        })
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        if self.broken.is_some() || self.position == self.bytes.len() {
            return None;
        }
        match Batch::parse(self.bytes, self.position) {
            Ok(batch) if batch.follows(self.last) => {
                self.position = batch.place.end;
                self.last = Some(batch.sequence);
                return Some(batch);
            }
            Ok(_) => self.broken = Some(Broken::Sequence),
            Err(broken) => self.broken = Some(broken),
        }
        None
    }
}

/// Bytes behind the intact batches of a journal.
#[derive(Debug, Clone, Copy)]
pub(in crate::embedded) struct Rest<'a> {
    bytes: &'a [u8],
    /// Where they begin in the file.
    pub(in crate::embedded) start: usize,
    /// Why what stands there is no intact batch.
    pub(in crate::embedded) broken: Broken,
    last: Option<u64>,
}

impl<'a> Rest<'a> {
    pub(in crate::embedded) fn bytes(&self) -> &'a [u8] {
        &self.bytes[self.start..]
    }

    /// Returns the entries of the batch at its beginning, as far as they look like some: nothing says that they are what was written.
    pub(in crate::embedded) fn seeming_records(&self) -> Vec<Record<'a>> {
        match Batch::parse_entries(self.bytes, self.start) {
            Ok((batch, _)) => batch.records,
            Err(_) => Vec::new(),
        }
    }

    /// Finds the intact batches behind the broken one. A batch begins where one ends: where the broken one seems to end, or behind the
    /// mark of an end.
    pub(in crate::embedded) fn later_batches(&self) -> impl Iterator<Item = Batch<'a>> + use<'a> {
        let bytes = self.bytes;
        // A batch whose only fault is its sequence may be right, and the sequence of the one before wrong.
        let (mut last, mut candidate) = if self.broken == Broken::Sequence {
            (None, Some(self.start))
        } else {
            let broken = Batch::parse_entries(bytes, self.start).ok();
            (self.last, broken.map(|(broken, _)| broken.place.end))
        };
        let mut position = self.start;
        std::iter::from_fn(move || {
            loop {
                let start = if let Some(start) = candidate.take() {
                    start
                } else {
                    position = behind_next_end(bytes, position)?;
                    position
                };
                if let Ok(batch) = Batch::parse(bytes, start)
                    && batch.follows(last)
                {
                    position = batch.place.end;
                    candidate = Some(position);
                    last = Some(batch.sequence);
                    return Some(batch);
                }
            }
        })
    }
}

fn behind_next_end(bytes: &[u8], from: usize) -> Option<usize> {
    let found = bytes
        .get(from..)?
        .windows(VERSION.len())
        .position(|window| window == VERSION)?;
    Some(from + found + VERSION.len())
}

/// Reads a journal without the zeros at its end, which may be many: space is set aside when a journal is created.
pub(in crate::embedded) fn read(file: &mut File) -> Result<Vec<u8>, FileError> {
    let length = data_length(file)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref().take(length).read_to_end(&mut bytes)?;
    bytes.truncate(without_zeros(&bytes));
    Ok(bytes)
}

/// Returns how many bytes there are without the zeros at the end.
fn without_zeros(bytes: &[u8]) -> usize {
    // Why in words? They are compared 16 at a time, and there may be millions of zeros.
    let (head, words) = bytes.as_rchunks::<16>();
    let zero_words = words
        .iter()
        .rev()
        .take_while(|word| **word == [0; 16])
        .count();
    let kept = head.len() + (words.len() - zero_words) * 16;
    let zeros = bytes[..kept].iter().rev().take_while(|byte| **byte == 0);
    kept - zeros.count()
}

/// Returns where the last bytes end that the file system stores; what is behind them is zeros.
#[cfg(unix)]
fn data_length(file: &File) -> Result<u64, FileError> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    let length = file.metadata()?.len();
    let mut end = 0;
    loop {
        let data = match seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(end),
            // A file system that does not know of holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(length),
            Err(error) => return Err(FileError::Io(error.into())),
        };
        end = match seek(file, SeekFrom::Hole(data)) {
            Ok(hole) => hole,
            Err(error) => return Err(FileError::Io(error.into())),
        };
        if end >= length {
            return Ok(length);
        }
    }
}

#[cfg(not(unix))]
fn data_length(file: &File) -> Result<u64, FileError> {
    Ok(file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the value of a record.
    type KeyValue<'a> = (&'a [u8], &'a [u8]);

    /// Writes batches as the engine does: sequence, then the records of keyspace 7.
    fn written(batches: &[(u64, &[KeyValue<'_>])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (sequence, records) in batches {
            bytes.push(BEGIN);
            bytes.extend(u32::try_from(records.len()).unwrap().to_le_bytes());
            bytes.extend(sequence.to_le_bytes());
            let start = bytes.len();
            for (key, value) in *records {
                bytes.extend([RECORD, 0, 0]);
                bytes.extend(7_u64.to_le_bytes());
                bytes.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
                let length = u32::try_from(value.len()).unwrap().to_le_bytes();
                bytes.extend([length, length].concat());
                bytes.extend([*key, *value].concat());
            }
            let checksum = xxh3_64(&bytes[start..]);
            bytes.push(END);
            bytes.extend(checksum.to_le_bytes());
            bytes.extend(VERSION);
        }
        bytes
    }

    fn sequences<'a>(batches: impl Iterator<Item = Batch<'a>>) -> Vec<u64> {
        batches.map(|batch| batch.sequence).collect()
    }

    /// Returns the sequences of the intact batches, and what is behind them.
    fn parsed(bytes: &[u8], before: Option<u64>) -> (Vec<u64>, Option<Rest<'_>>) {
        let mut batches = Batches::new(bytes, before);
        (sequences(batches.by_ref()), batches.rest())
    }

    fn sample() -> (Vec<u8>, Vec<usize>) {
        let bytes = written(&[
            (3, &[(b"a", b"1"), (b"b", b"FJL\x03\x01")]),
            (4, &[(b"a", b"2")]),
            (9, &[(b"c", b"")]),
        ]);
        let ends = Batches::new(&bytes, None)
            .map(|batch| batch.place.end)
            .collect();
        (bytes, ends)
    }

    #[test]
    fn a_record_without_a_key_is_none() {
        let bytes = written(&[(3, &[(b"a", b"1")]), (4, &[(b"", b"2")])]);
        let (intact, rest) = parsed(&bytes, None);
        assert_eq!(intact, [3]);
        assert_eq!(rest.unwrap().broken, Broken::NoEntry);
    }

    #[test]
    fn batches_come_back() {
        let (bytes, ends) = sample();
        let (found, rest) = parsed(&bytes, Some(2));
        assert_eq!(found, [3, 4, 9]);
        assert!(rest.is_none());
        assert_eq!(ends.last(), Some(&bytes.len()));
        assert_eq!(
            Batch::parse(&bytes, 0).unwrap().records[1],
            Record {
                keyspace: 7,
                key: b"b",
                kind: RecordKind::Value,
                value: b"FJL\x03\x01",
            }
        );
    }

    #[test]
    fn what_is_behind_a_damaged_batch_is_found() {
        let (bytes, ends) = sample();
        for position in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[position] ^= flip;
                let (intact, rest) = parsed(&damaged, None);
                let damaged_batch = ends.iter().filter(|end| **end <= position).count();
                let start = damaged_batch
                    .checked_sub(1)
                    .map_or(0, |before| ends[before]);
                let is_sequence = (start + 5..start + 13).contains(&position);
                let Some(rest) = rest else {
                    assert!(is_sequence, "byte {position} may be anything");
                    continue;
                };
                assert!(intact.len() >= damaged_batch, "byte {position}");
                // A sequence that became larger makes that of the batch behind it impossible.
                if !is_sequence {
                    let found = sequences(rest.later_batches());
                    assert_eq!(found, [4, 9][damaged_batch.min(2)..], "byte {position}");
                    assert_eq!(rest.start, start, "byte {position}");
                }
            }
        }
    }

    #[test]
    fn a_cut_leaves_the_whole_batches() {
        let (bytes, ends) = sample();
        for length in 0..bytes.len() {
            let (intact, rest) = parsed(&bytes[..length], None);
            let whole = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(intact.len(), whole);
            match rest {
                None => assert!(length == 0 || ends.contains(&length)),
                Some(rest) => {
                    assert_eq!(rest.broken, Broken::Incomplete, "cut at {length}");
                    assert_eq!(rest.later_batches().count(), 0, "cut at {length}");
                }
            }
        }
    }

    #[test]
    fn sequences_increase() {
        for (before, first, intact) in [
            (Some(2), 3, true),
            (Some(3), 3, false),
            (Some(4), 3, false),
            (None, u64::MAX, true),
            (Some(2), 2 + SEQUENCE_STEP_MAX, true),
            (Some(2), 3 + SEQUENCE_STEP_MAX, false),
        ] {
            let bytes = written(&[(first, &[(b"a", b"")])]);
            let (_, rest) = parsed(&bytes, before);
            assert_eq!(rest.is_none(), intact, "{before:?} {first}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_no_data() {
        for (length, zeros) in [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 15),
            (15, 40),
            (16, 0),
            (17, 1000),
        ] {
            let mut bytes = vec![7; length];
            bytes.resize(length + zeros, 0);
            assert_eq!(without_zeros(&bytes), length);
        }
    }

    #[test]
    fn a_file_with_holes_is_read_without_its_end() {
        use std::io::Write;

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        file.set_len(64 << 20).unwrap();
        assert_eq!(read(&mut file).unwrap(), b"abc");
        file.seek(SeekFrom::Start(1 << 20)).unwrap();
        file.write_all(b"d").unwrap();
        let bytes = read(&mut file).unwrap();
        assert_eq!((bytes.len(), bytes.last()), ((1 << 20) + 1, Some(&b'd')));
        file.set_len(0).unwrap();
        assert_eq!(read(&mut file).unwrap(), b"");
    }
}
