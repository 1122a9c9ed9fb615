//! Numbers to bytes and back: little-endian runs in bulk, and variable-length integers.

use super::error::Corruption;

/// Values that are converted per turn of a bulk write: 1 KiB on the stack.
const BULK_VALUES: usize = 128;

/// Longest variable-length integer: ten groups of seven bits hold 64.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Appends an unsigned integer in groups of seven bits, lowest first, the high bit meaning "more follows".
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Returns what [`put_varint`] would write, without a vector, and how many bytes of it count.
pub(super) fn varint_digits(mut value: u64) -> ([u8; VARINT_BYTES_MAX], usize) {
    let used = varint_bytes(value);
    let mut digits = [0; VARINT_BYTES_MAX];
    for digit in &mut digits {
        let more = value >= 0x80;
        *digit = low_byte(value & 0x7f) | if more { 0x80 } else { 0 };
        value >>= 7;
    }
    (digits, used)
}

/// Returns how many bytes [`put_varint`] writes.
pub(super) fn varint_bytes(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Reads a variable-length integer from the front of `input`: the value and the bytes it took.
///
/// `Ok(None)` where the input ends inside the integer. Only the shortest form is accepted, so that
/// one number has one encoding.
pub(super) fn split_varint(input: &[u8]) -> Result<Option<(u64, usize)>, Corruption> {
    let mut value = 0_u64;
    for (index, &byte) in input.iter().take(VARINT_BYTES_MAX).enumerate() {
        let group = u64::from(byte & 0x7f);
        let shift = 7 * index;
        if shift == 63 && group > 1 {
            return Err(Corruption::Layout);
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(Corruption::Layout);
            }
            return Ok(Some((value, index + 1)));
        }
    }
    if input.len() >= VARINT_BYTES_MAX {
        return Err(Corruption::Layout);
    }
    Ok(None)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only the low byte is wanted"
)]
fn low_byte(value: u64) -> u8 {
    value as u8
}

/// Appends every item as `WIDTH` little-endian bytes.
///
/// Why through a buffer? Pushing eight bytes at a time checks the capacity every time. A block of
/// the stack is filled without checks, which the compiler turns into vector moves, and is then
/// appended as one copy: about the speed of a plain memory copy.
pub(super) fn put_bulk<T: Copy, const WIDTH: usize>(
    out: &mut Vec<u8>,
    items: &[T],
    to_bytes: impl Fn(T) -> [u8; WIDTH],
) {
    out.reserve(items.len() * WIDTH);
    let (blocks, rest) = items.as_chunks::<BULK_VALUES>();
    for block in blocks {
        out.extend_from_slice(block.map(&to_bytes).as_flattened());
    }
    for &item in rest {
        out.extend_from_slice(&to_bytes(item));
    }
}

/// Appends floats as their little-endian bit patterns.
pub(super) fn put_f64s(out: &mut Vec<u8>, values: &[f64]) {
    put_bulk(out, values, f64::to_le_bytes);
}

/// Walks through the body of a payload whose checksum has been verified.
///
/// Because the checksum is right, a body that ends too early was written that way: that is
/// [`Corruption::Layout`], not truncation. A clone goes on from the same place.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Corruption> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Corruption::Layout)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes `count` times `WIDTH` bytes.
    pub(super) fn take_bulk<const WIDTH: usize>(
        &mut self,
        count: usize,
    ) -> Result<&'a [[u8; WIDTH]], Corruption> {
        let length = count.checked_mul(WIDTH).ok_or(Corruption::Layout)?;
        let (items, _) = self.take(length)?.as_chunks::<WIDTH>();
        Ok(items)
    }

    pub(super) fn array<const WIDTH: usize>(&mut self) -> Result<[u8; WIDTH], Corruption> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<WIDTH>()
            .ok_or(Corruption::Layout)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Looks at the next byte without taking it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Corruption> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Corruption> {
        let (value, length) = split_varint(self.rest)?.ok_or(Corruption::Layout)?;
        self.take(length)?;
        Ok(value)
    }

    /// Reads a variable-length integer that must not exceed `limit`.
    pub(super) fn varint_up_to(&mut self, limit: usize) -> Result<usize, Corruption> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|&value| value <= limit)
            .ok_or(Corruption::Limit)
    }

    /// Reads a variable-length integer that fits a signed one.
    pub(super) fn varint_i64(&mut self) -> Result<i64, Corruption> {
        i64::try_from(self.varint()?).map_err(|_| Corruption::Limit)
    }

    pub(super) fn f64s(&mut self, count: usize) -> Result<Vec<f64>, Corruption> {
        let items = self.take_bulk::<8>(count)?;
        Ok(items
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes))
            .collect())
    }

    /// Checks that the body was read to its last byte.
    pub(super) fn finish(self) -> Result<(), Corruption> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Corruption::Layout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_in_their_shortest_form() {
        for shift in 0..64 {
            for value in [
                (1_u64 << shift) - 1,
                1 << shift,
                (1 << shift) + 1,
                u64::MAX >> shift,
            ] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_bytes(value));
                let (digits, used) = varint_digits(value);
                assert_eq!(out, digits[..used]);
                assert_eq!(split_varint(&out), Ok(Some((value, out.len()))));
                assert_eq!(split_varint(&out[..out.len() - 1]), Ok(None));
            }
        }
    }

    #[test]
    fn varints_that_are_too_long_are_refused() {
        let check = |input: &[u8]| assert_eq!(split_varint(input), Err(Corruption::Layout));
        check(&[0x80, 0x00]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
        check(&[0x80; 10]);
        check(&[0x80; 11]);
    }

    #[test]
    fn bulk_writes_equal_single_writes() {
        for count in [0, 1, BULK_VALUES - 1, BULK_VALUES, 3 * BULK_VALUES + 5] {
            let values: Vec<f64> = (0_u32..).take(count).map(|n| f64::from(n) * 0.3).collect();
            let mut bulk = Vec::new();
            put_f64s(&mut bulk, &values);
            let single: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            assert_eq!(bulk, single);
            assert_eq!(Reader::new(&bulk).f64s(count), Ok(values));
        }
    }

    #[test]
    fn a_body_that_ends_early_is_a_contradiction() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.take(4), Err(Corruption::Layout));
        assert_eq!(reader.f64s(usize::MAX), Err(Corruption::Layout));
        assert_eq!(reader.byte(), Ok(1));
        assert_eq!(reader.array(), Ok([2, 3]));
        assert_eq!(reader.byte(), Err(Corruption::Layout));
        assert_eq!(reader.finish(), Ok(()));
    }
}
