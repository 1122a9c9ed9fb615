//! A batch of incoming measures of many metrics: what the write-ahead log holds.
//!
//! Every measure passes here twice before it is acknowledged, so nothing is compressed: regular
//! timestamps are a step, values are copied as they are.

use super::Encoding;
use super::bytes::{Reader, put_f64s, put_varint, varint_bytes};
use super::compression::Scratch;
use super::envelope::{Envelope, Kind, open};
use super::error::{Corruption, DecodeError};
use super::timestamps::{REGULAR_BYTES_MAX, put_timestamps, take_timestamps};
use crate::series::Series;

/// The version that is written.
const VERSION: u8 = 1;

/// Bytes of a metric's identity.
const METRIC_BYTES: usize = 16;

/// Encodes a batch as one payload, in the order given. A metric may occur more than once.
///
/// # Examples
/// ```
/// use carbonara::codec::measures;
/// use carbonara::Series;
///
/// let series = Series::from_points(vec![0, 1_000_000_000], vec![0.5, -2.0])?;
/// let bytes = measures::encode(&[(42, &series)]);
/// assert_eq!(measures::decode(&bytes)?, [(42, series)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(batch: &[(u128, &Series)]) -> Vec<u8> {
    let expected: usize = batch
        .iter()
        .map(|(_, series)| entry_bytes(series.len()))
        .sum();
    let mut out = Vec::new();
    let guess = varint_bytes(batch.len() as u64) + expected;
    let envelope = Envelope::begin(&mut out, Kind::Measures, VERSION, guess);
    put_varint(&mut out, batch.len() as u64);
    for (metric, series) in batch {
        out.extend_from_slice(&metric.to_le_bytes());
        put_varint(&mut out, series.len() as u64);
        put_timestamps(&mut out, series.timestamps_ns(), Encoding::Fresh);
        put_f64s(&mut out, series.values());
    }
    envelope.finish(&mut out);
    out
}

/// Decodes a batch, which must be all of `input`.
///
/// Takes no more memory than a small multiple of the input.
///
/// # Errors
/// [`DecodeError`] where the payload is incomplete, damaged or of an unknown version, or is
/// followed by other bytes.
pub fn decode(input: &[u8]) -> Result<Vec<(u128, Series)>, DecodeError> {
    let opened = open(input, Kind::Measures)?;
    if opened.version != VERSION {
        return Err(DecodeError::UnsupportedVersion(opened.version));
    }
    if opened.consumed != input.len() {
        return Err(Corruption::Layout.into());
    }
    Ok(decode_body(opened.body)?)
}

/// Returns the length of the entry of a regular series.
fn entry_bytes(points: usize) -> usize {
    METRIC_BYTES + varint_bytes(points as u64) + REGULAR_BYTES_MAX + size_of::<f64>() * points
}

fn decode_body(body: &[u8]) -> Result<Vec<(u128, Series)>, Corruption> {
    let mut reader = Reader::new(body);
    let mut scratch = Scratch::default();
    // An entry takes its identity and a count at least.
    let metrics = reader.varint_up_to(reader.remaining() / (METRIC_BYTES + 1))?;
    let mut batch = Vec::with_capacity(metrics);
    for _ in 0..metrics {
        let metric = u128::from_le_bytes(reader.array()?);
        let points = reader.varint_up_to(reader.remaining() / size_of::<f64>())?;
        if points == 0 {
            batch.push((metric, Series::new()));
            continue;
        }
        let timestamps_ns = take_timestamps(&mut reader, points, &mut scratch)?;
        let values = reader.f64s(points)?;
        batch.push((metric, Series::from_sorted(timestamps_ns, values)));
    }
    reader.finish()?;
    Ok(batch)
}
