//! Tables: blocks of sorted records, and what belongs to them.
//!
//! ```text
//! block:  LSM 3 (4), kind (1), checksum of the data (16), length (4), length when not compressed (4), checksum of the header (4), data
//! data of records:  records, 255, indexes of the block, trailer (31)
//! record: kind (1), sequence (varint), key, value unless deleted
//! ```
//!
//! The first record of an interval has its whole key, length (varint) and bytes. The others of the interval repeat a part of it: how many
//! bytes of it (varint), how many more (varint), these. The trailer begins with the number of records of an interval, and ends with that of all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::archive::{Archive, read_at};
use super::manifest::TableEntry;
use super::{Cursor, Damage, FileError, RecordKind};

const BLOCK_START: &[u8] = b"LSM\x03";
const HEADER_BYTES: u64 = 33;
const TRAILER_BYTES: usize = 31;
const RECORDS_END: u8 = 255;

/// The largest block: a value has at most 4 GiB, but the engine compresses none and writes blocks of some kilobytes around a value.
const BLOCK_BYTES_MAX: u64 = u32::MAX as u64;

/// The sections that consist of blocks.
const BLOCK_SECTIONS: [&str; 6] = ["data", "tli", "index", "filter_tli", "filter", "meta"];

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum BlockKind {
    Records,
    Index,
    Filter,
    Properties,
}

impl BlockKind {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Records),
            1 => Some(Self::Index),
            2 => Some(Self::Filter),
            3 => Some(Self::Properties),
            _ => None,
        }
    }
}

/// What stands before the data of a block.
#[derive(Debug, Clone, Copy)]
struct Header {
    kind: BlockKind,
    checksum: u128,
    length: u32,
    whole_length: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (covered, header_checksum) = bytes.split_last_chunk::<4>()?;
        let mut cursor = Cursor::new(covered.strip_prefix(BLOCK_START)?);
        let header = Self {
            kind: BlockKind::from_number(cursor.u8()?)?,
            checksum: cursor.u128()?,
            length: cursor.u32()?,
            whole_length: cursor.u32()?,
        };
        // The checksum of a header is the lower part of a larger one.
        let expected = xxh3_128(covered).to_le_bytes();
        (cursor.remaining() == 0 && expected.starts_with(header_checksum)).then_some(header)
    }
}

/// How blocks of records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Compression {
    None,
    Lz4,
}

/// A block that is intact.
#[derive(Debug, Clone)]
pub(in crate::embedded) struct Block {
    pub(in crate::embedded) position: u64,
    pub(in crate::embedded) kind: BlockKind,
    checksum: u128,
    data: Vec<u8>,
    whole_length: u32,
    /// Where the next one begins.
    pub(in crate::embedded) end: u64,
}

impl Block {
    /// Reads the block at a position; it must end before `end`.
    pub(in crate::embedded) fn read(
        file: &mut (impl Read + Seek),
        position: u64,
        end: u64,
    ) -> Result<Self, FileError> {
        let data_position = position + HEADER_BYTES;
        if data_position > end {
            return Err(FileError::damaged_at(
                position,
                "has a block without a whole header",
            ));
        }
        let header = read_at(file, position, HEADER_BYTES)?;
        let header = Header::parse(&header)
            .ok_or_else(|| FileError::damaged_at(position, "has a block with a damaged header"))?;
        let length = u64::from(header.length);
        if length > end - data_position || length > BLOCK_BYTES_MAX {
            return Err(FileError::damaged_at(
                position,
                "has a block that is longer than its section",
            ));
        }
        let data = read_at(file, data_position, length)?;
        if xxh3_128(&data) != header.checksum {
            return Err(FileError::damaged_at(
                position,
                "has a damaged block: its checksum differs",
            ));
        }
        Ok(Self {
            position,
            kind: header.kind,
            checksum: header.checksum,
            data,
            whole_length: header.whole_length,
            end: data_position + length,
        })
    }

    /// Returns how its data seems to be compressed, for tables that do not say it any more.
    pub(in crate::embedded) fn seeming_compression(&self) -> Compression {
        if usize::try_from(self.whole_length) == Ok(self.data.len()) {
            Compression::None
        } else {
            Compression::Lz4
        }
    }

    /// Reads the records of the block.
    ///
    /// # Errors
    /// [`FileError::Damaged`] when they cannot be told apart: the checksum is right, so the engine wrote something unknown.
    pub(in crate::embedded) fn records(
        &self,
        compression: Compression,
        first_sequence: u64,
    ) -> Result<Vec<Record>, FileError> {
        let unknown = || {
            FileError::damaged_at(
                self.position,
                "has a block that is intact but cannot be understood",
            )
        };
        let whole;
        let data = match compression {
            Compression::None => self.data.as_slice(),
            Compression::Lz4 => {
                let length = usize::try_from(self.whole_length).map_err(|_| unknown())?;
                // A byte of what is compressed stands for 255 at most.
                if length / 256 > self.data.len() {
                    return Err(unknown());
                }
                whole = lz4_flex::block::decompress(&self.data, length).map_err(|_| unknown())?;
                whole.as_slice()
            }
        };
        parse_records(data, first_sequence).ok_or_else(unknown)
    }
}

/// A record of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Record {
    pub(in crate::embedded) key: Vec<u8>,
    pub(in crate::embedded) sequence: u64,
    pub(in crate::embedded) kind: RecordKind,
    pub(in crate::embedded) value: Vec<u8>,
}

fn parse_records(data: &[u8], first_sequence: u64) -> Option<Vec<Record>> {
    let (records, trailer) = data.split_at_checked(data.len().checked_sub(TRAILER_BYTES)?)?;
    let interval = usize::from(*trailer.first()?);
    let count = u32::from_le_bytes(*trailer.last_chunk()?);
    let mut cursor = Cursor::new(records);
    let mut found: Vec<Record> = Vec::new();
    let mut base: &[u8] = &[];
    for index in 0..usize::try_from(count).ok()? {
        let kind = RecordKind::from_number(cursor.u8()?)?;
        let sequence = cursor.varint()?.checked_add(first_sequence)?;
        let key = if index % interval.max(1) == 0 {
            let length = cursor.varint_length()?;
            base = cursor.take(length)?;
            base.to_vec()
        } else {
            let (shared, rest) = (cursor.varint_length()?, cursor.varint_length()?);
            [base.get(..shared)?, cursor.take(rest)?].concat()
        };
        let value = match kind {
            RecordKind::Deleted => Vec::new(),
            RecordKind::Value => {
                let length = cursor.varint_length()?;
                cursor.take(length)?.to_vec()
            }
        };
        found.push(Record {
            key,
            sequence,
            kind,
            value,
        });
    }
    (cursor.u8() == Some(RECORDS_END)).then_some(found)
}

/// What a table says about itself.
#[derive(Debug, Clone)]
pub(in crate::embedded) struct Properties {
    pub(in crate::embedded) number: u64,
    pub(in crate::embedded) compression: Compression,
    /// The largest sequence of a record.
    pub(in crate::embedded) last_sequence: u64,
    /// No other table has the same: it covers the time at which the table was written and its smallest and largest keys.
    pub(in crate::embedded) fingerprint: u128,
}

/// The parts of a table.
#[derive(Debug)]
pub(in crate::embedded) struct Layout {
    archive: Archive,
    pub(in crate::embedded) properties: Properties,
}

impl Layout {
    /// Reads what is needed to find everything else; none of the records.
    pub(in crate::embedded) fn read(
        file: &mut (impl Read + Seek),
        first_sequence: u64,
    ) -> Result<Self, FileError> {
        let archive = Archive::read(file)?;
        let section = archive.require("meta")?;
        let (position, end) = (section.position, section.position + section.length);
        archive.require("data")?;
        archive.require("tli")?;
        let block = Block::read(file, position, end)?;
        if block.kind != BlockKind::Properties || block.end != end {
            return Err(FileError::damaged_at(position, "has no properties"));
        }
        let records = block.records(Compression::None, 0)?;
        let fingerprint = block.checksum;
        let properties = parse_properties(&records, first_sequence, fingerprint)
            .ok_or_else(|| FileError::damaged_at(position, "has unknown properties"))?;
        Ok(Self {
            archive,
            properties,
        })
    }

    /// Returns where blocks are: their first byte and the first behind them, for each section that there is.
    pub(in crate::embedded) fn block_sections(&self) -> impl Iterator<Item = (u64, u64)> {
        BLOCK_SECTIONS.iter().filter_map(|name| {
            let section = self.archive.section(name.as_bytes())?;
            Some((section.position, section.position + section.length))
        })
    }

    /// Returns where the blocks of records are.
    pub(in crate::embedded) fn data(&self) -> (u64, u64) {
        self.archive.section(b"data").map_or((0, 0), |section| {
            (section.position, section.position + section.length)
        })
    }
}

fn parse_properties(
    records: &[Record],
    first_sequence: u64,
    fingerprint: u128,
) -> Option<Properties> {
    let properties: BTreeMap<&[u8], &[u8]> = records
        .iter()
        .map(|record| (record.key.as_slice(), record.value.as_slice()))
        .collect();
    let property = |name: &str| properties.get(name.as_bytes()).copied();
    let number = |name: &str| property(name)?.try_into().ok().map(u64::from_le_bytes);
    let constants: [(&str, &[u8]); 4] = [
        ("table_version", &[3]),
        ("filter_hash_type", &[0]),
        ("checksum_type", &[0]),
        ("restart_interval#index", &[1]),
    ];
    if constants
        .iter()
        .any(|(name, expected)| property(name) != Some(*expected))
    {
        return None;
    }
    Some(Properties {
        number: number("table_id")?,
        compression: match property("compression#data")? {
            [0] => Compression::None,
            [1] => Compression::Lz4,
            _ => return None,
        },
        last_sequence: number("seqno#max")?.checked_add(first_sequence)?,
        fingerprint,
    })
}

/// Returns the position of the next intact header of a block from here on, before `end`.
///
/// Behind a damaged block this finds the next one, if that is intact.
pub(in crate::embedded) fn next_block(
    file: &mut (impl Read + Seek),
    from: u64,
    end: u64,
) -> Result<Option<u64>, FileError> {
    const PIECE_BYTES: u64 = 1 << 20;
    let mut position = from;
    while position + HEADER_BYTES <= end {
        let piece = read_at(file, position, PIECE_BYTES.min(end - position))?;
        let header_bytes = usize::try_from(HEADER_BYTES).unwrap_or(usize::MAX);
        let found = piece
            .windows(header_bytes)
            .position(|window| window.starts_with(BLOCK_START) && Header::parse(window).is_some());
        if let Some(found) = found {
            return Ok(Some(position + u64::try_from(found).unwrap_or(0)));
        }
        if end - position <= PIECE_BYTES {
            break;
        }
        // A header may lie across the border of two pieces.
        position += PIECE_BYTES - HEADER_BYTES;
    }
    Ok(None)
}

/// Checks every byte of a table.
///
/// # Errors
/// [`io::Error`] when the file cannot be read for a reason that is not damage; `NotFound` when it is gone.
pub(in crate::embedded) fn check(path: &Path, entry: TableEntry) -> io::Result<Vec<Damage>> {
    let mut file = File::open(path)?;
    let mut damage = Vec::new();
    if checksum(&mut file)? == entry.checksum {
        return Ok(damage);
    }
    // Which block is it?
    match Layout::read(&mut file, entry.first_sequence) {
        Err(error) => damage.push(error.into_damage(path)?),
        Ok(layout) => {
            for (start, end) in layout.block_sections() {
                check_blocks(&mut file, path, start, end, &mut damage)?;
            }
        }
    }
    if damage.is_empty() {
        damage.push(Damage::of(
            path,
            "is not what was written: its checksum differs",
        ));
    }
    Ok(damage)
}

fn checksum(file: &mut File) -> io::Result<u128> {
    let mut hasher = Xxh3Default::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.digest128()),
            length => hasher.update(&piece[..length]),
        }
    }
}

fn check_blocks(
    file: &mut File,
    path: &Path,
    start: u64,
    end: u64,
    damage: &mut Vec<Damage>,
) -> io::Result<()> {
    let mut position = start;
    while position < end {
        match Block::read(file, position, end) {
            Ok(block) => position = block.end,
            Err(error) => {
                damage.push(error.into_damage(path)?);
                let next = next_block(file, position + 1, end);
                position = match next {
                    Ok(next) => next.unwrap_or(end),
                    Err(FileError::Io(error)) => return Err(error),
                    Err(FileError::Damaged { .. }) => end,
                };
            }
        }
    }
    Ok(())
}
