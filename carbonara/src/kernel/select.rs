//! Selection by rank without branches, for values that need no care.

use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, SimdMask, dispatch, f64x4, f64x8};

/// Parts up to this size are ranked by counting.
const COUNTED_PART_VALUES: usize = 64;

/// Values in a register.
const WIDTH: usize = 4;

/// Values whose ranks are counted in a register.
const WIDE: usize = 8;

/// Registers that are counted in together.
const BLOCK: usize = 2;

/// Divisions of one part into smaller ones before its values count as ill-disposed.
const DIVISIONS_MAX: usize = 40;

/// Memory that [`select`] uses again.
#[derive(Clone, Debug, Default)]
pub(super) struct SelectScratch {
    values: Vec<f64>,
    spare: Vec<f64>,
}

/// Replaces `selected` by the values of `ranks` (ascending, each once) among `values`.
///
/// Returns false, with `selected` meaning nothing, when some value is NaN or -0.0, which are ordered by rules that comparing numbers does not know,
/// or when the values lie such that dividing them is slow.
///
/// Why is it fast? Ordering random values by branches guesses wrong every other time, and a wrong guess costs as
/// much as dozens of comparisons. Here no branch depends on a single value. Large groups are divided a register at a time, the smaller
/// values going to the front and the others to the back. In small ones the rank of a value is counted, as the number of
/// smaller ones, for many values at once: the counts grow with the square of the size, yet for sixty values they take less
/// time than the wrong guesses of a sort.
pub(super) fn select(
    level: Level,
    values: &[f64],
    ranks: &[usize],
    scratch: &mut SelectScratch,
    selected: &mut Vec<f64>,
) -> bool {
    selected.clear();
    dispatch!(level, simd => select_in(simd, values, ranks, scratch, selected))
}

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn select_in<S: Simd>(
    simd: S,
    values: &[f64],
    ranks: &[usize],
    scratch: &mut SelectScratch,
    selected: &mut Vec<f64>,
) -> bool {
    if !compares_plainly(simd, values) {
        return false;
    }
    if values.len() <= COUNTED_PART_VALUES {
        count(simd, values, 0, ranks, selected);
        return true;
    }
    let SelectScratch {
        values: copy,
        spare,
    } = scratch;
    copy.clear();
    copy.extend_from_slice(values);
    if spare.len() < values.len() + WIDTH {
        spare.resize(values.len() + WIDTH, 0.0);
    }
    // Parts that hold wanted ranks, the front ones last: where each begins and ends, and how often it was divided.
    let mut waiting = [(0, values.len(), 0); DIVISIONS_MAX + 1];
    let mut parts = 1;
    let mut rest = ranks;
    while parts > 0 {
        parts -= 1;
        let (from, to, divisions) = waiting[parts];
        let wanted;
        (wanted, rest) = rest.split_at(rest.partition_point(|rank| *rank < to));
        if wanted.is_empty() {
            continue;
        }
        let part = &mut copy[from..to];
        if part.len() <= COUNTED_PART_VALUES {
            count(simd, part, from, wanted, selected);
            continue;
        }
        if divisions == DIVISIONS_MAX {
            return false;
        }
        let pivot = pivot_of(part);
        let border = match divide(
            simd,
            part,
            spare,
            |value| value.simd_lt(pivot),
            |value| value < pivot,
        ) {
            0 => {
                // Nothing is smaller: the values equal to the pivot come first.
                let equal = divide(
                    simd,
                    part,
                    spare,
                    |value| value.simd_le(pivot),
                    |value| value <= pivot,
                );
                let found = wanted.partition_point(|rank| *rank < from + equal);
                selected.extend(std::iter::repeat_n(pivot, found));
                rest = &ranks[selected.len()..];
                waiting[parts] = (from + equal, to, divisions + 1);
                parts += 1;
                continue;
            }
            border => from + border,
        };
        rest = &ranks[selected.len()..];
        waiting[parts] = (border, to, divisions + 1);
        waiting[parts + 1] = (from, border, divisions + 1);
        parts += 2;
    }
    true
}

/// Returns whether the order of the values is that of `<`.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn compares_plainly<S: Simd>(simd: S, values: &[f64]) -> bool {
    let negative_zero = f64x4::splat(simd, -0.0).to_bits();
    let (chunks, rest) = values.as_chunks::<WIDTH>();
    let mut odd = f64x4::splat(simd, 0.0).is_nan();
    for chunk in chunks {
        let chunk = f64x4::load_array_ref(simd, chunk);
        odd |= chunk.is_nan() | chunk.to_bits().simd_eq(negative_zero);
    }
    odd.all_false()
        && rest
            .iter()
            .all(|value| !value.is_nan() && value.to_bits() != (-0.0_f64).to_bits())
}

/// Moves the values that are `below` to the front, the others to the back, and returns how many went to the front.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn divide<S: Simd>(
    simd: S,
    values: &mut [f64],
    spare: &mut [f64],
    below: impl Fn(f64x4<S>) -> fearless_simd::mask64x4<S>,
    is_below: impl Fn(f64) -> bool,
) -> usize {
    let (mut front, mut back) = (0, 0);
    let whole = values.len() / WIDTH * WIDTH;
    for from in (0..whole).step_by(WIDTH) {
        let chunk = f64x4::from_slice(simd, &values[from..from + WIDTH]);
        let mask = below(chunk);
        // What is written behind the front was read before.
        simd.compress_f64x4(chunk, mask)
            .store_slice(&mut values[front..front + WIDTH]);
        simd.compress_f64x4(chunk, !mask)
            .store_slice(&mut spare[back..back + WIDTH]);
        let count = mask.to_bitmask().count_ones() as usize;
        front += count;
        back += WIDTH - count;
    }
    for from in whole..values.len() {
        let value = values[from];
        values[front] = value;
        spare[back] = value;
        let count = usize::from(is_below(value));
        front += count;
        back += 1 - count;
    }
    values[front..].copy_from_slice(&spare[..back]);
    front
}

/// Returns a value likely to lie near the middle: the median of three medians of three.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn pivot_of(values: &[f64]) -> f64 {
    let step = values.len() / 9;
    let three = |at: usize| {
        middle(
            values[at * step],
            values[(at + 3) * step],
            values[(at + 6) * step],
        )
    };
    middle(three(0), three(1), three(2))
}

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn middle(one: f64, two: f64, three: f64) -> f64 {
    let (low, high) = if two < one { (two, one) } else { (one, two) };
    let high = if three < high { three } else { high };
    if high < low { low } else { high }
}

/// Appends the values of `ranks`, of which `offset` is the first, by counting for each value how many are smaller.
///
/// The value of a rank is the largest of those that no more values are smaller than, be there equal ones or not.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled into each version of the caller"
)]
fn count<S: Simd>(
    simd: S,
    values: &[f64],
    offset: usize,
    ranks: &[usize],
    selected: &mut Vec<f64>,
) {
    let mut padded = [f64::INFINITY; COUNTED_PART_VALUES];
    padded[..values.len()].copy_from_slice(values);
    let mut smaller = [0.0; COUNTED_PART_VALUES];
    let (zero, one) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, 1.0));
    let blocks = values.len().div_ceil(WIDE * BLOCK);
    for block in 0..blocks {
        let from = block * WIDE * BLOCK;
        let candidates: [f64x8<S>; BLOCK] = std::array::from_fn(|index| {
            f64x8::from_slice(simd, &padded[from + index * WIDE..][..WIDE])
        });
        let mut counts = [zero; BLOCK];
        for value in values {
            let value = f64x8::splat(simd, *value);
            for (count, candidate) in counts.iter_mut().zip(&candidates) {
                *count += value.simd_lt(*candidate).select(one, zero);
            }
        }
        for (index, count) in counts.iter().enumerate() {
            count.store_slice(&mut smaller[from + index * WIDE..][..WIDE]);
        }
    }
    for rank in ranks {
        #[expect(clippy::cast_precision_loss, reason = "below the size of a part")]
        let rank = f64x8::splat(simd, (rank - offset) as f64);
        let none = f64x8::splat(simd, f64::NEG_INFINITY);
        let mut largest = none;
        for from in (0..blocks * WIDE * BLOCK).step_by(WIDE) {
            let candidates = f64x8::from_slice(simd, &padded[from..from + WIDE]);
            let smaller = f64x8::from_slice(simd, &smaller[from..from + WIDE]);
            largest = largest.max(smaller.simd_le(rank).select(candidates, none));
        }
        selected.push(largest.reduce_max());
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
