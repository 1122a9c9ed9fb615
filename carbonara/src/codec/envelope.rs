//! What all payloads have in common: kind, version, length and checksum.
//!
//! This layer never changes, whatever happens to the bodies: a program of any age can skip a
//! payload of a later version, and can tell a damaged one from one that it does not know.

use super::bytes::{split_varint, varint_bytes, varint_digits};
use super::error::{Corruption, DecodeError};

/// Bytes of the checksum that ends a payload.
const CHECKSUM_BYTES: usize = 4;

/// Bytes of the kind and the version, which start a payload.
const HEADER_BYTES: usize = 2;

/// What a payload holds; its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Frame = b'F',
    Points = b'P',
    Measures = b'M',
}

/// A payload that is being written at the end of a vector.
#[derive(Debug)]
pub(super) struct Envelope {
    start: usize,
    length_bytes: usize,
}

impl Envelope {
    /// Starts a payload; the body is what the caller then appends.
    ///
    /// `body_bytes` is a guess of its length. A guess that needs another number of digits costs one
    /// move of the body, nothing else.
    pub(super) fn begin(out: &mut Vec<u8>, kind: Kind, version: u8, body_bytes: usize) -> Self {
        let length_bytes = varint_bytes(body_bytes as u64);
        out.reserve(HEADER_BYTES + length_bytes + body_bytes + CHECKSUM_BYTES);
        let start = out.len();
        out.extend_from_slice(&[kind as u8, version]);
        out.resize(out.len() + length_bytes, 0);
        Self {
            start,
            length_bytes,
        }
    }

    /// Fills in the length and appends the checksum.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        let length_at = self.start + HEADER_BYTES;
        let body_at = length_at + self.length_bytes;
        let (digits, used) = varint_digits(out.len().saturating_sub(body_at) as u64);
        out.splice(length_at..body_at, digits.into_iter().take(used));
        let checksum = crc32c::crc32c(out.get(self.start..).unwrap_or_default());
        out.extend_from_slice(&checksum.to_le_bytes());
    }
}

/// A payload whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened<'a> {
    pub(super) version: u8,
    pub(super) body: &'a [u8],
    /// Bytes of the whole payload.
    pub(super) consumed: usize,
}

/// Verifies the payload at the front of `input`.
///
/// Order matters: the length is only used to find the checksum, and the version is only believed
/// once the checksum is right.
pub(super) fn open(input: &[u8], kind: Kind) -> Result<Opened<'_>, DecodeError> {
    let (&first, _) = input.split_first().ok_or(DecodeError::Truncated)?;
    if first != kind as u8 {
        return Err(Corruption::Kind.into());
    }
    let (&[_, version], rest) = input
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(DecodeError::Truncated)?;
    let (body_bytes, length_bytes) = split_varint(rest)?.ok_or(DecodeError::Truncated)?;
    let consumed = usize::try_from(body_bytes)
        .ok()
        .and_then(|bytes| bytes.checked_add(HEADER_BYTES + length_bytes + CHECKSUM_BYTES))
        .filter(|&bytes| bytes <= input.len())
        .ok_or(DecodeError::Truncated)?;
    let payload = input.get(..consumed).ok_or(DecodeError::Truncated)?;
    let (covered, checksum) = payload
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(DecodeError::Truncated)?;
    if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return Err(Corruption::Checksum.into());
    }
    let body = covered
        .get(HEADER_BYTES + length_bytes..)
        .ok_or(Corruption::Layout)?;
    Ok(Opened {
        version,
        body,
        consumed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::bytes::put_varint;
    use super::*;

    fn sealed(body: &[u8], guess: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        let envelope = Envelope::begin(&mut out, Kind::Points, 1, guess);
        out.extend_from_slice(body);
        envelope.finish(&mut out);
        out.split_off(6)
    }

    #[test]
    fn a_wrong_guess_of_the_length_changes_nothing() {
        for length in [0, 1, 127, 128, 20_000] {
            let body = vec![7; length];
            let expected = sealed(&body, length);
            for guess in [0, 127, 128, 1 << 20] {
                assert_eq!(sealed(&body, guess), expected);
            }
            let mut followed = expected.clone();
            followed.extend_from_slice(b"next");
            let opened = open(&followed, Kind::Points).unwrap();
            assert_eq!(opened.body, body);
            assert_eq!(opened.version, 1);
            assert_eq!(opened.consumed, expected.len());
        }
    }

    #[test]
    fn another_kind_is_named_before_the_checksum() {
        let payload = sealed(b"body", 4);
        assert_eq!(
            open(&payload, Kind::Frame).unwrap_err(),
            Corruption::Kind.into()
        );
        assert_eq!(open(&[], Kind::Frame).unwrap_err(), DecodeError::Truncated);
    }

    #[test]
    fn a_length_beyond_memory_is_truncation() {
        let mut payload = vec![b'P', 1];
        put_varint(&mut payload, u64::MAX);
        assert_eq!(
            open(&payload, Kind::Points).unwrap_err(),
            DecodeError::Truncated
        );
    }
}
