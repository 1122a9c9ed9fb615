//! Archives: named sections one behind the other, a table of contents, a trailer.
//!
//! ```text
//! +----------+-----+------+----------+-----------------------------------+------+---+---+----------+----------+--------+
//! | section  | ... | TOC! | count(4) | position(8) length(8) u16 name .. | SFA! | 1 | 0 | toc (16) | pos. (8) | len(8) |
//! +----------+-----+------+----------+-----------------------------------+------+---+---+----------+----------+--------+
//!                  \____________ covered by the checksum toc ____________/
//! ```

use std::io::{Read, Seek, SeekFrom};

use xxhash_rust::xxh3::xxh3_128;

use super::{Cursor, FileError};

const TRAILER_BYTES: u64 = 38;
const TRAILER_START: &[u8] = b"SFA!\x01\x00";
const CONTENTS_START: &[u8] = b"TOC!";

/// Far more than the engine ever writes: it has a dozen sections with short names.
const CONTENTS_BYTES_MAX: u64 = 1 << 16;

/// A named part of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Section {
    name: Vec<u8>,
    pub(in crate::embedded) position: u64,
    pub(in crate::embedded) length: u64,
}

/// The table of contents of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Archive {
    sections: Vec<Section>,
}

impl Archive {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// [`FileError`] when the trailer or the table of contents is not intact, or sections don't follow one another.
    pub(in crate::embedded) fn read(file: &mut (impl Read + Seek)) -> Result<Self, FileError> {
        let length = file.seek(SeekFrom::End(0))?;
        let trailer_position = length
            .checked_sub(TRAILER_BYTES)
            .ok_or_else(|| FileError::damaged("is too short"))?;
        let trailer = read_at(file, trailer_position, TRAILER_BYTES)?;
        let broken = || FileError::damaged_at(trailer_position, "has a damaged trailer");
        let fields = trailer.strip_prefix(TRAILER_START).ok_or_else(broken)?;
        let mut fields = Cursor::new(fields);
        let (Some(checksum), Some(position), Some(contents_length)) =
            (fields.u128(), fields.u64(), fields.u64())
        else {
            return Err(broken());
        };
        if position.checked_add(contents_length) != Some(trailer_position)
            || contents_length > CONTENTS_BYTES_MAX
        {
            return Err(broken());
        }
        let contents = read_at(file, position, contents_length)?;
        if xxh3_128(&contents) != checksum {
            return Err(FileError::damaged_at(
                position,
                "has a damaged table of contents",
            ));
        }
        let sections = parse(&contents)
            .filter(|sections| follow_one_another(sections, position))
            .ok_or_else(|| {
                FileError::damaged_at(position, "has an impossible table of contents")
            })?;
        Ok(Self { sections })
    }

    /// Returns the section of this name.
    pub(in crate::embedded) fn section(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Returns the section of this name.
    ///
    /// # Errors
    /// [`FileError::Damaged`] when there is none.
    pub(in crate::embedded) fn require(&self, name: &str) -> Result<&Section, FileError> {
        self.section(name.as_bytes())
            .ok_or_else(|| FileError::damaged(format!("has no section {name}")))
    }
}

fn parse(contents: &[u8]) -> Option<Vec<Section>> {
    let mut cursor = Cursor::new(contents.strip_prefix(CONTENTS_START)?);
    let count = cursor.u32()?;
    let mut sections = Vec::new();
    for _ in 0..count {
        let (position, length) = (cursor.u64()?, cursor.u64()?);
        let name_length = usize::from(cursor.u16()?);
        sections.push(Section {
            name: cursor.take(name_length)?.to_vec(),
            position,
            length,
        });
    }
    (cursor.remaining() == 0).then_some(sections)
}

fn follow_one_another(sections: &[Section], end: u64) -> bool {
    let mut position = 0;
    for section in sections {
        let Some(next) = section.position.checked_add(section.length) else {
            return false;
        };
        if section.position != position {
            return false;
        }
        position = next;
    }
    position == end
}

/// Reads bytes whose number was checked against the length of the file or a limit.
pub(super) fn read_at(
    file: &mut (impl Read + Seek),
    position: u64,
    length: u64,
) -> Result<Vec<u8>, FileError> {
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    let read = file.by_ref().take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read) != Ok(length) {
        return Err(FileError::damaged_at(
            position.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
            "ends too early",
        ));
    }
    Ok(bytes)
}
