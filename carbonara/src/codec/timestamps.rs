//! Strictly ascending timestamps: nothing but a step where they are regular, else gaps.

use super::Encoding;
use super::bytes::{Reader, put_varint};
use super::column::{
    compressed_bytes, put_compressed, put_unsigned, take_compressed, take_unsigned,
};
use super::compression::{Scratch, compress, decompress};
use super::error::Corruption;

/// The first timestamp and one step for all.
const REGULAR: u8 = 0;
/// The first timestamp and the gaps, in a unit and of one width.
const GAPS: u8 = 1;
/// The first timestamp and the compressed distances from it.
const COMPRESSED: u8 = 2;

/// Units of gaps, by their code: nanoseconds, microseconds, milliseconds, seconds.
const UNITS_NS: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// Bytes of regular timestamps at most: tag, first, step.
pub(super) const REGULAR_BYTES_MAX: usize = 1 + 8 + 9;

/// Appends timestamps. They are not empty, ascend, and lie at or after the epoch.
pub(super) fn put_timestamps(out: &mut Vec<u8>, timestamps_ns: &[i64], encoding: Encoding) {
    let Some((&first, rest)) = timestamps_ns.split_first() else {
        return;
    };
    debug_assert!(
        timestamps_ns.is_sorted() && first >= 0,
        "timestamps do not ascend"
    );
    if let Some(step) = regular_step(timestamps_ns) {
        out.push(REGULAR);
        out.extend_from_slice(&first.to_le_bytes());
        if !rest.is_empty() {
            put_varint(out, step.unsigned_abs());
        }
        return;
    }
    let start = out.len();
    out.push(GAPS);
    out.extend_from_slice(&first.to_le_bytes());
    put_gaps(out, timestamps_ns);
    if encoding == Encoding::Sealed {
        let distances: Vec<i64> = rest.iter().map(|timestamp| timestamp - first).collect();
        if let Some(bytes) = compress(&distances, &mut Scratch::default())
            && start + 1 + 8 + compressed_bytes(&bytes) < out.len()
        {
            out.truncate(start);
            out.push(COMPRESSED);
            out.extend_from_slice(&first.to_le_bytes());
            put_compressed(out, &bytes);
        }
    }
}

/// Reads `count` timestamps, at least one, which the caller has limited.
pub(super) fn take_timestamps(
    reader: &mut Reader<'_>,
    count: usize,
    scratch: &mut Scratch,
) -> Result<Vec<i64>, Corruption> {
    let tag = reader.byte()?;
    let first = i64::from_le_bytes(reader.array()?);
    if first < 0 {
        return Err(Corruption::Order);
    }
    let following = count.checked_sub(1).ok_or(Corruption::Layout)?;
    match tag {
        REGULAR if following == 0 => Ok(vec![first]),
        REGULAR => regular(first, reader.varint_i64()?, following),
        GAPS => take_gaps(reader, first, following),
        COMPRESSED => {
            let distances: Vec<i64> = decompress(take_compressed(reader)?, following, scratch)?;
            from_distances(first, &distances)
        }
        _ => Err(Corruption::Layout),
    }
}

/// Returns the step if all gaps are equal; one timestamp is regular with any step.
///
/// Differences are compared without a branch for each, in runs, so that an irregular series of any
/// length is noticed early.
fn regular_step(timestamps_ns: &[i64]) -> Option<i64> {
    /// Timestamps compared between two looks at the result.
    const RUN: usize = 1_024;

    let [first, rest @ ..] = timestamps_ns else {
        return None;
    };
    let Some(second) = rest.first() else {
        return Some(1);
    };
    let step = second - first;
    for (before, after) in timestamps_ns.chunks(RUN).zip(rest.chunks(RUN)) {
        let difference = before
            .iter()
            .zip(after)
            .fold(0, |difference, (before, after)| {
                difference | ((after - before) ^ step)
            });
        if difference != 0 {
            return None;
        }
    }
    Some(step)
}

fn put_gaps(out: &mut Vec<u8>, timestamps_ns: &[i64]) {
    let mut gaps: Vec<i64> = timestamps_ns
        .iter()
        .zip(timestamps_ns.iter().skip(1))
        .map(|(before, after)| after - before)
        .collect();
    let code = coarsest_unit(&mut gaps);
    out.push(code);
    let largest = gaps.iter().copied().max().unwrap_or(0).unsigned_abs();
    put_unsigned(out, &gaps, largest);
}

/// Divides the gaps by the coarsest unit that divides all of them, and returns its code.
fn coarsest_unit(gaps: &mut [i64]) -> u8 {
    /// With the unit known to the compiler the division is a multiplication.
    fn divide<const UNIT_NS: i64>(gaps: &mut [i64]) -> bool {
        let divides = gaps.iter().all(|gap| gap % UNIT_NS == 0);
        if divides {
            for gap in gaps {
                *gap /= UNIT_NS;
            }
        }
        divides
    }
    if divide::<1_000_000_000>(gaps) {
        3
    } else if divide::<1_000_000>(gaps) {
        2
    } else {
        u8::from(divide::<1_000>(gaps))
    }
}

fn regular(first: i64, step: i64, following: usize) -> Result<Vec<i64>, Corruption> {
    let steps = i64::try_from(following).map_err(|_| Corruption::Limit)?;
    let fits = steps
        .checked_mul(step)
        .and_then(|span| span.checked_add(first))
        .is_some();
    if step < 1 || !fits {
        return Err(Corruption::Order);
    }
    let count = steps.checked_add(1).ok_or(Corruption::Limit)?;
    Ok((0..count).map(|index| first + index * step).collect())
}

fn take_gaps(
    reader: &mut Reader<'_>,
    first: i64,
    following: usize,
) -> Result<Vec<i64>, Corruption> {
    let code = reader.byte()?;
    let unit_ns = *UNITS_NS.get(usize::from(code)).ok_or(Corruption::Layout)?;
    let gaps = take_unsigned(reader, following, |gap| {
        i64::try_from(gap)
            .ok()
            .and_then(|gap| gap.checked_mul(unit_ns))
            .unwrap_or(0)
    })?;
    let mut timestamps_ns = Vec::with_capacity(following + 1);
    timestamps_ns.push(first);
    let mut last = first;
    for gap in gaps {
        last = last
            .checked_add(gap)
            .filter(|_| gap > 0)
            .ok_or(Corruption::Order)?;
        timestamps_ns.push(last);
    }
    Ok(timestamps_ns)
}

fn from_distances(first: i64, distances: &[i64]) -> Result<Vec<i64>, Corruption> {
    let mut timestamps_ns = Vec::with_capacity(distances.len() + 1);
    timestamps_ns.push(first);
    let mut last = first;
    for &distance in distances {
        let next = first.checked_add(distance).filter(|&next| next > last);
        last = next.ok_or(Corruption::Order)?;
        timestamps_ns.push(last);
    }
    Ok(timestamps_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(timestamps_ns: &[i64], encoding: Encoding) -> Vec<u8> {
        let mut out = Vec::new();
        put_timestamps(&mut out, timestamps_ns, encoding);
        let mut reader = Reader::new(&out);
        let after = take_timestamps(&mut reader, timestamps_ns.len(), &mut Scratch::default());
        assert_eq!(after.as_deref(), Ok(timestamps_ns));
        assert_eq!(reader.remaining(), 0);
        out
    }

    #[test]
    fn the_cheapest_form_is_taken() {
        let check = |timestamps_ns: &[i64], tag: u8, bytes: usize| {
            let out = round_trip(timestamps_ns, Encoding::Fresh);
            assert_eq!((out[0], out.len()), (tag, bytes), "{timestamps_ns:?}");
        };
        check(&[0], REGULAR, 9);
        check(&[i64::MAX], REGULAR, 9);
        check(&[0, i64::MAX], REGULAR, 18);
        check(&[7, 8, 9], REGULAR, 10);
        check(&[0, 1, 3], GAPS, 13);
        check(&[0, 1_000, 3_000], GAPS, 13);
        check(&[0, 60_000_000_000, 180_000_000_000], GAPS, 13);
        check(&[0, 60_000_000_000, 360_000_000_000], GAPS, 15);
        check(&[0, 1, i64::MAX], GAPS, 27);
    }

    #[test]
    fn irregularity_is_found_at_any_place() {
        for length in [3_usize, 1_023, 1_024, 1_025, 1_026, 2_049, 5_000] {
            for odd in [0, 1, length / 2, length - 2, length - 1] {
                let mut timestamps_ns: Vec<i64> = (1..).map(|n| n * 10).take(length).collect();
                timestamps_ns[odd] += 1;
                assert_eq!(regular_step(&timestamps_ns), None, "{length} {odd}");
                round_trip(&timestamps_ns, Encoding::Sealed);
            }
        }
    }

    #[test]
    fn sealed_gaps_are_compressed_when_that_is_shorter() {
        let timestamps_ns: Vec<i64> = (0..3_600).map(|n| n * 1_000 + n * n % 3).collect();
        let fresh = round_trip(&timestamps_ns, Encoding::Fresh);
        let sealed = round_trip(&timestamps_ns, Encoding::Sealed);
        assert_eq!(sealed[0], COMPRESSED);
        assert!(
            sealed.len() * 2 < fresh.len(),
            "{} {}",
            sealed.len(),
            fresh.len()
        );
    }

    #[test]
    fn what_does_not_ascend_is_refused() {
        let check = |body: &[u8], count: usize, expected: Corruption| {
            let mut scratch = Scratch::default();
            let result = take_timestamps(&mut Reader::new(body), count, &mut scratch);
            assert_eq!(result, Err(expected));
        };
        let with_first = |tag: u8, first: i64, rest: &[u8]| {
            [&[tag], first.to_le_bytes().as_slice(), rest].concat()
        };
        check(&with_first(REGULAR, -1, &[]), 1, Corruption::Order);
        check(&with_first(REGULAR, 5, &[0]), 2, Corruption::Order);
        check(&with_first(REGULAR, i64::MAX, &[1]), 2, Corruption::Order);
        check(&with_first(REGULAR, 0, &[2]), usize::MAX, Corruption::Limit);
        check(&with_first(REGULAR, 0, &[]), 0, Corruption::Layout);
        check(&with_first(GAPS, 0, &[0, 1, 1, 0]), 3, Corruption::Order);
        check(
            &with_first(GAPS, i64::MAX, &[0, 1, 1]),
            2,
            Corruption::Order,
        );
        check(&with_first(GAPS, 0, &[4, 1, 1]), 2, Corruption::Layout);
        check(
            &with_first(GAPS, 0, &[0, 3, 1, 1, 1]),
            2,
            Corruption::Layout,
        );
        check(&with_first(9, 0, &[]), 1, Corruption::Layout);
        let mut huge = with_first(GAPS, 0, &[3, 8]);
        huge.extend_from_slice(&u64::MAX.to_le_bytes());
        check(&huge, 2, Corruption::Order);
    }

    #[test]
    fn compressed_distances_must_ascend() {
        for distances in [
            vec![5, 5],
            vec![5, 4],
            vec![-1, 4],
            vec![0, 1],
            vec![1, i64::MAX],
        ] {
            let mut out = vec![COMPRESSED];
            out.extend_from_slice(&1_i64.to_le_bytes());
            put_compressed(
                &mut out,
                &compress(&distances, &mut Scratch::default()).unwrap(),
            );
            let result = take_timestamps(&mut Reader::new(&out), 3, &mut Scratch::default());
            assert_eq!(result, Err(Corruption::Order), "{distances:?}");
        }
    }
}
