//! Raw points of one metric: the stored raw window.

use super::Encoding;
use super::bytes::{Reader, put_varint};
use super::column::{Content, fresh_bytes, put_column, take_column};
use super::compression::Scratch;
use super::envelope::{Envelope, Kind, open};
use super::error::{Corruption, DecodeError};
use super::timestamps::{REGULAR_BYTES_MAX, put_timestamps, take_timestamps};
use crate::series::Series;

/// The version that is written.
const VERSION: u8 = 1;

/// Points in one payload at most; longer series become several payloads.
///
/// Equal values at regular times take 30 bytes whatever their number. The limit is what a payload
/// may make a reader allocate beyond its own length: one megabyte.
pub const POINTS_PER_PAYLOAD_MAX: usize = 65_536;

/// Encodes a series: one payload for every [`POINTS_PER_PAYLOAD_MAX`] points, none for no points.
///
/// # Examples
/// ```
/// use carbonara::codec::{Encoding, points};
/// use carbonara::Series;
///
/// let series = Series::from_points(vec![0, 1_000_000_000], vec![0.5, -2.0])?;
/// let bytes = points::encode(&series, Encoding::Fresh);
/// assert_eq!(points::decode_all(&bytes)?, series);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(series: &Series, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    let timestamps = series.timestamps_ns().chunks(POINTS_PER_PAYLOAD_MAX);
    for (timestamps_ns, values) in timestamps.zip(series.values().chunks(POINTS_PER_PAYLOAD_MAX)) {
        let guess = match encoding {
            Encoding::Fresh => 2 + REGULAR_BYTES_MAX + fresh_bytes(values, Content::Values),
            Encoding::Sealed => 4 * values.len(),
        };
        let envelope = Envelope::begin(&mut out, Kind::Points, VERSION, guess);
        put_varint(&mut out, values.len() as u64);
        put_timestamps(&mut out, timestamps_ns, encoding);
        put_column(&mut out, values, Content::Values, encoding);
        envelope.finish(&mut out);
    }
    out
}

/// Decodes the payload at the front of `input`: the series, and the bytes that it took.
///
/// # Errors
/// [`DecodeError`] where the payload is incomplete, damaged or of an unknown version.
pub fn decode(input: &[u8]) -> Result<(Series, usize), DecodeError> {
    let opened = open(input, Kind::Points)?;
    if opened.version != VERSION {
        return Err(DecodeError::UnsupportedVersion(opened.version));
    }
    Ok((decode_body(opened.body)?, opened.consumed))
}

/// Decodes all payloads of `input`, to its end, as one series: at an equal timestamp the later payload wins.
///
/// # Errors
/// As [`decode`], for the first payload that fails.
pub fn decode_all(input: &[u8]) -> Result<Series, DecodeError> {
    let mut series = Series::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (later, consumed) = decode(rest)?;
        if series.is_empty() {
            series = later;
        } else {
            series.append_in_place(&later);
        }
        rest = rest.get(consumed..).unwrap_or_default();
    }
    Ok(series)
}

fn decode_body(body: &[u8]) -> Result<Series, Corruption> {
    let mut reader = Reader::new(body);
    let mut scratch = Scratch::default();
    let count = reader.varint_up_to(POINTS_PER_PAYLOAD_MAX)?;
    let timestamps_ns = take_timestamps(&mut reader, count, &mut scratch)?;
    let values = take_column(&mut reader, count, &mut scratch)?;
    reader.finish()?;
    Ok(Series::from_sorted(timestamps_ns, values))
}
