//! Decoders: no panic for any bytes, and what they accept they can say again.

use carbonara::codec::{Encoding, frame, measures, points};
use carbonara::{Frame, Series};

/// Frames: what decodes, encodes to the same meaning, fresh and sealed.
pub fn frame_codec(data: &[u8]) {
    let _ = frame::decode_all(data);
    let Ok((decoded, consumed)) = frame::decode(&payload(b'F', data)) else {
        return;
    };
    assert_eq!(consumed, payload(b'F', data).len());
    for encoding in [Encoding::Fresh, Encoding::Sealed] {
        let (again, _) = frame::decode(&frame::encode(&decoded, encoding)).expect("our own bytes");
        assert!(same_frame(&decoded, &again));
    }
}

/// Raw points: what decodes, encodes to the same meaning, fresh and sealed.
pub fn points_codec(data: &[u8]) {
    let _ = points::decode_all(data);
    let Ok((decoded, _)) = points::decode(&payload(b'P', data)) else {
        return;
    };
    for encoding in [Encoding::Fresh, Encoding::Sealed] {
        let again = points::decode_all(&points::encode(&decoded, encoding)).expect("our own bytes");
        assert!(same_series(&decoded, &again));
    }
}

/// Batches of measures: what decodes, encodes to the same meaning, and took no more memory than the input earned.
pub fn measures_codec(data: &[u8]) {
    let _ = measures::decode(data);
    let Ok(decoded) = measures::decode(&payload(b'M', data)) else {
        return;
    };
    let points: usize = decoded.iter().map(|(_, series)| series.len()).sum();
    assert!(8 * points <= data.len());
    let borrowed: Vec<_> = decoded
        .iter()
        .map(|(metric, series)| (*metric, series))
        .collect();
    let again = measures::decode(&measures::encode(&borrowed)).expect("our own bytes");
    assert_eq!(decoded.len(), again.len());
    for ((metric, series), (metric_again, series_again)) in decoded.iter().zip(&again) {
        assert_eq!(metric, metric_again);
        assert!(same_series(series, series_again));
    }
}

/// Wraps data as the body of a payload of version 1.
///
/// Why? No fuzzer guesses a checksum: without this it would never get beyond the envelope.
fn payload(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 1];
    let mut rest = body.len();
    loop {
        let [group, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        out.push(if rest > 0 { group | 0x80 } else { group });
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn same_values(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.to_bits() == right.to_bits())
}

fn same_series(left: &Series, right: &Series) -> bool {
    left.timestamps_ns() == right.timestamps_ns() && same_values(left.values(), right.values())
}

fn same_frame(left: &Frame, right: &Frame) -> bool {
    left.granularity() == right.granularity()
        && left.components() == right.components()
        && left.buckets() == right.buckets()
        && left
            .columns()
            .iter()
            .zip(right.columns())
            .all(|(left, right)| same_values(left, right))
}
