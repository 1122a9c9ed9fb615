//! Damaged and hostile payloads: never a panic, never a wrong value that is taken for right.

#![expect(clippy::unwrap_used, reason = "what is made here is known to be right")]

mod support;

use std::fs;
use std::path::Path;

use carbonara::ComponentSet;
use carbonara::codec::{Corruption, DecodeError, Encoding, frame, measures, points};
use support::{assert_same_frame, assert_same_series};

/// Every payload that is kept as a vector: all kinds, versions and forms of columns.
fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let files = fs::read_dir(folder).unwrap();
    let vectors: Vec<_> = files
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!vectors.is_empty());
    vectors
}

/// Decodes by the kind that the payload had before it was damaged.
fn decode(kind: u8, bytes: &[u8]) -> Result<(), DecodeError> {
    match kind {
        b'F' => {
            let decoded = frame::decode(bytes).map(drop);
            if !bytes.is_empty() {
                // Columns that are passed over hide no damage.
                let none = ComponentSet::for_methods(&[]);
                assert_eq!(frame::decode_all_of(bytes, &none).map(drop), decoded);
            }
            decoded
        }
        b'P' => points::decode(bytes).map(drop),
        b'M' => measures::decode(bytes).map(drop),
        other => panic!("a vector of kind {other}"),
    }
}

/// Wraps a body as a payload with the right length and checksum.
fn payload(kind: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, version];
    let mut length = body.len();
    while length >= 0x80 {
        out.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(body);
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Cuts the body out of a payload.
fn body(payload: &[u8]) -> &[u8] {
    let length_bytes = 1 + payload[2..]
        .iter()
        .take_while(|byte| **byte >= 0x80)
        .count();
    &payload[2 + length_bytes..payload.len() - 4]
}

#[test]
fn every_flipped_bit_is_noticed() {
    for vector in vectors() {
        let mut damaged = vector.clone();
        for index in 0..vector.len() {
            for bit in 0..8 {
                damaged[index] ^= 1 << bit;
                let result = decode(vector[0], &damaged);
                assert!(
                    matches!(
                        result,
                        Err(DecodeError::Corrupt(_) | DecodeError::Truncated)
                    ),
                    "bit {bit} of byte {index}: {result:?}"
                );
                damaged[index] = vector[index];
            }
        }
    }
}

#[test]
fn every_overwritten_byte_is_noticed() {
    for vector in vectors() {
        let mut damaged = vector.clone();
        for index in 0..vector.len() {
            for value in [0x00, 0x7f, 0x80, 0xff] {
                damaged[index] = value;
                assert_eq!(
                    decode(vector[0], &damaged).is_ok(),
                    value == vector[index],
                    "{index}"
                );
            }
            damaged[index] = vector[index];
        }
    }
}

#[test]
fn every_cut_is_truncation() {
    for vector in vectors() {
        for length in 0..vector.len() {
            assert_eq!(
                decode(vector[0], &vector[..length]),
                Err(DecodeError::Truncated),
                "{length}"
            );
        }
    }
}

#[test]
fn a_row_of_payloads_cut_inside_one_is_truncation() {
    let vectors = vectors();
    let row: Vec<&Vec<u8>> = vectors.iter().filter(|vector| vector[0] == b'P').collect();
    let joined: Vec<u8> = row
        .iter()
        .flat_map(|vector| vector.iter().copied())
        .collect();
    let mut borders = vec![0];
    for vector in &row {
        borders.push(borders.last().unwrap() + vector.len());
    }
    for length in 0..=joined.len() {
        let result = points::decode_all(&joined[..length]);
        if borders.contains(&length) {
            assert!(result.is_ok());
        } else {
            assert_eq!(result, Err(DecodeError::Truncated), "{length}");
        }
    }
}

#[test]
fn a_later_version_is_named_once_its_checksum_is_right() {
    for vector in vectors() {
        let later = payload(vector[0], 200, b"whatever version 200 means");
        assert_eq!(
            decode(vector[0], &later),
            Err(DecodeError::UnsupportedVersion(200))
        );
        let mut damaged = vector.clone();
        damaged[1] = 200;
        assert_eq!(
            decode(vector[0], &damaged),
            Err(Corruption::Checksum.into())
        );
    }
}

#[test]
fn other_kinds_and_empty_disks_are_not_payloads() {
    for vector in vectors() {
        for kind in [b'F', b'P', b'M']
            .into_iter()
            .filter(|kind| *kind != vector[0])
        {
            assert_eq!(decode(kind, &vector), Err(Corruption::Kind.into()));
        }
        assert_eq!(decode(vector[0], &[0; 4_096]), Err(Corruption::Kind.into()));
    }
}

#[test]
fn bytes_behind_a_body_are_refused() {
    for vector in vectors() {
        let longer = [body(&vector), &[0]].concat();
        let result = decode(vector[0], &payload(vector[0], vector[1], &longer));
        assert!(matches!(result, Err(DecodeError::Corrupt(_))), "{result:?}");
    }
    let vectors = vectors();
    let batch = vectors.iter().find(|vector| vector[0] == b'M').unwrap();
    assert_eq!(
        measures::decode(&[batch, batch.as_slice()].concat()),
        Err(Corruption::Layout.into())
    );
}

#[test]
fn a_column_repeats_the_one_before_it_if_there_is_one_and_the_version_says_so() {
    // Granularity, one or two columns with their codes, block, rows, regular offsets; then the columns.
    let one = [&[60, 1, 2, 0, 1, 0, 0][..], &[6]].concat();
    let two = [&[60, 2, 2, 4, 0, 1, 0, 0][..], &[2, 7, 6]].concat();
    assert_eq!(
        decode(b'F', &payload(b'F', 2, &one)),
        Err(Corruption::Layout.into())
    );
    assert_eq!(
        decode(b'F', &payload(b'F', 1, &two)),
        Err(Corruption::Layout.into())
    );
    let (frame, _) = frame::decode(&payload(b'F', 2, &two)).unwrap();
    assert_eq!(frame.columns(), [[7.0], [7.0]]);
}

/// Decodes hostile bytes; what is accepted must mean the same after another round trip.
fn accepts_only_what_it_can_say(kind: u8, bytes: &[u8]) -> bool {
    match kind {
        b'F' => frame::decode(bytes).is_ok_and(|(first, _)| {
            for encoding in [Encoding::Fresh, Encoding::Sealed] {
                let (again, _) = frame::decode(&frame::encode(&first, encoding)).unwrap();
                assert_same_frame(&first, &again);
            }
            true
        }),
        b'P' => points::decode(bytes).is_ok_and(|(first, _)| {
            for encoding in [Encoding::Fresh, Encoding::Sealed] {
                let again = points::decode_all(&points::encode(&first, encoding)).unwrap();
                assert_same_series(&first, &again);
            }
            true
        }),
        _ => measures::decode(bytes).is_ok_and(|first| {
            let borrowed: Vec<_> = first
                .iter()
                .map(|(metric, series)| (*metric, series))
                .collect();
            let again = measures::decode(&measures::encode(&borrowed)).unwrap();
            assert_eq!(first.len(), again.len());
            for ((metric, series), (metric_again, series_again)) in first.iter().zip(&again) {
                assert_eq!(metric, metric_again);
                assert_same_series(series, series_again);
            }
            true
        }),
    }
}

#[test]
fn damage_under_a_right_checksum_never_panics() {
    let mut accepted = 0;
    for vector in vectors() {
        let mut damaged = body(&vector).to_vec();
        // Structure sits at the front of a body and of its columns: every byte there, some further on.
        let indices = (0..damaged.len()).filter(|index| *index < 100 || index % 37 == 0);
        for index in indices.collect::<Vec<_>>() {
            let original = damaged[index];
            for value in [original ^ 1, original ^ 0x10, original ^ 0x80, 0x00, 0xff] {
                damaged[index] = value;
                let bytes = payload(vector[0], vector[1], &damaged);
                accepted += usize::from(accepts_only_what_it_can_say(vector[0], &bytes));
            }
            damaged[index] = original;
        }
    }
    // Changed values are still values: a test that saw none accepted would have tested nothing.
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn a_few_bytes_do_not_claim_much_memory() {
    // 65536 equal points are the most that a short payload of points can stand for.
    let mut hostile = vec![0x81, 0x80, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    hostile.extend_from_slice(&[2, 0]);
    let check = |kind: u8, body: &[u8]| {
        assert_eq!(
            decode(kind, &payload(kind, 1, body)),
            Err(Corruption::Limit.into())
        );
    };
    check(b'P', &hostile);
    hostile[..3].copy_from_slice(&[0x80, 0x80, 0x04]);
    assert_eq!(decode(b'P', &payload(b'P', 1, &hostile)), Ok(()));
    // A batch of 2^40 entries, an entry of 2^40 points.
    check(b'M', &[0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
    let entry = [&[1][..], &[0; 16], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x20]].concat();
    check(b'M', &entry);
    // A frame of 3601 rows, and one of 215 columns.
    check(b'F', &[60, 1, 2, 0, 0x91, 0x1c]);
    check(b'F', &[60, 0xd7, 1]);
}
