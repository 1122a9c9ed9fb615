//! One column of floats, in the cheapest of its forms.

use super::Encoding;
use super::bytes::{Reader, put_bulk, put_f64s, put_varint, varint_bytes};
use super::compression::{Scratch, compress, decompress};
use super::error::Corruption;

/// Every value as eight bytes.
const PLAIN: u8 = 0;
/// One value, repeated for every row.
const REPEATED: u8 = 1;
/// One non-negative integer, repeated for every row.
const REPEATED_INTEGER: u8 = 2;
/// Non-negative integers of one width.
const INTEGERS: u8 = 3;
/// Floats compressed by `pco`.
const COMPRESSED: u8 = 4;
/// Integers compressed by `pco`.
const COMPRESSED_INTEGERS: u8 = 5;

/// Bytes that an integer of [`INTEGERS`] may have.
const INTEGER_WIDTHS: [usize; 4] = [1, 2, 4, 8];

/// Integers up to here are floats without rounding.
const EXACT_INTEGER_MAX: i64 = 1 << f64::MANTISSA_DIGITS;

/// What is known about a column before looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Measured or computed values.
    Values,
    /// Counts: small non-negative integers.
    Counts,
}

/// Appends a column.
///
/// A fresh column is written in one pass, a sealed one in every form that may be shorter.
pub(super) fn put_column(out: &mut Vec<u8>, values: &[f64], content: Content, encoding: Encoding) {
    match (encoding, content) {
        (Encoding::Fresh, Content::Values) => match repeated(values) {
            Some(value) => put_repeated(out, value),
            None => put_plain(out, values),
        },
        (Encoding::Fresh, Content::Counts) => match integers(values) {
            Some(integers) if integers.iter().all(|&integer| integer >= 0) => {
                put_integers(out, &integers);
            }
            _ => put_plain(out, values),
        },
        (Encoding::Sealed, _) => put_sealed(out, values),
    }
}

/// Reads a column of `count` rows, which the caller has limited.
pub(super) fn take_column(
    reader: &mut Reader<'_>,
    count: usize,
    scratch: &mut Scratch,
) -> Result<Vec<f64>, Corruption> {
    match reader.byte()? {
        PLAIN => reader.f64s(count),
        REPEATED => Ok(vec![f64::from_le_bytes(reader.array()?); count]),
        REPEATED_INTEGER => Ok(vec![exact_float(reader.varint_i64()?)?; count]),
        INTEGERS => take_integers(reader, count),
        COMPRESSED => decompress(take_compressed(reader)?, count, scratch),
        COMPRESSED_INTEGERS => {
            let integers: Vec<i64> = decompress(take_compressed(reader)?, count, scratch)?;
            exact_floats(&integers)
        }
        _ => Err(Corruption::Layout),
    }
}

/// Passes over a column of `count` rows without looking at its values.
pub(super) fn skip_column(reader: &mut Reader<'_>, count: usize) -> Result<(), Corruption> {
    match reader.byte()? {
        PLAIN => reader.take_bulk::<8>(count).map(drop),
        REPEATED => reader.array::<8>().map(drop),
        REPEATED_INTEGER => reader.varint().map(drop),
        INTEGERS => {
            let width = usize::from(reader.byte()?);
            if !INTEGER_WIDTHS.contains(&width) {
                return Err(Corruption::Layout);
            }
            let length = count.checked_mul(width).ok_or(Corruption::Layout)?;
            reader.take(length).map(drop)
        }
        COMPRESSED | COMPRESSED_INTEGERS => take_compressed(reader).map(drop),
        _ => Err(Corruption::Layout),
    }
}

fn put_plain(out: &mut Vec<u8>, values: &[f64]) {
    out.push(PLAIN);
    put_f64s(out, values);
}

/// Returns the value that every row has, to the bit; mostly the second row tells that there is none.
fn repeated(values: &[f64]) -> Option<f64> {
    let (first, rest) = values.split_first()?;
    let is_repeated = rest.iter().all(|value| value.to_bits() == first.to_bits());
    is_repeated.then_some(*first)
}

fn put_repeated(out: &mut Vec<u8>, value: f64) {
    out.push(REPEATED);
    put_f64s(out, &[value]);
}

fn put_sealed(out: &mut Vec<u8>, values: &[f64]) {
    let integers = integers(values);
    if let Some(value) = repeated(values) {
        match integers.as_deref() {
            Some(all @ &[integer, ..]) if integer >= 0 => put_integers(out, all),
            _ => put_repeated(out, value),
        }
        return;
    }
    let mut scratch = Scratch::default();
    let mut narrow = Vec::new();
    if let Some(integers) = integers
        .as_deref()
        .filter(|all| all.iter().all(|&n| n >= 0))
    {
        put_integers(&mut narrow, integers);
    }
    let floats = compress(values, &mut scratch).map(|bytes| (COMPRESSED, bytes));
    let whole = integers
        .and_then(|integers| compress(&integers, &mut scratch))
        .map(|bytes| (COMPRESSED_INTEGERS, bytes));
    let shortest = floats
        .into_iter()
        .chain(whole)
        .min_by_key(|(_, bytes)| bytes.len());
    let plain_bytes = 1 + size_of_val(values);
    let simple_bytes = match narrow.len() {
        0 => plain_bytes,
        narrow_bytes => narrow_bytes.min(plain_bytes),
    };
    match shortest {
        Some((tag, bytes)) if 1 + compressed_bytes(&bytes) < simple_bytes => {
            out.push(tag);
            put_compressed(out, &bytes);
        }
        _ if simple_bytes < plain_bytes => out.extend_from_slice(&narrow),
        _ => put_plain(out, values),
    }
}

/// Appends compressed bytes behind their length.
pub(super) fn put_compressed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Returns how many bytes [`put_compressed`] appends.
pub(super) fn compressed_bytes(bytes: &[u8]) -> usize {
    varint_bytes(bytes.len() as u64) + bytes.len()
}

/// Takes compressed bytes by their length.
pub(super) fn take_compressed<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Corruption> {
    let length = reader.varint_up_to(reader.remaining())?;
    reader.take(length)
}

/// Returns the values as integers if all of them are, to the bit: a negative zero is not.
fn integers(values: &[f64]) -> Option<Vec<i64>> {
    let mut integers = Vec::with_capacity(values.len());
    for &value in values {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared with the float below"
        )]
        let integer = value as i64;
        #[expect(
            clippy::cast_precision_loss,
            reason = "limited to integers without rounding"
        )]
        let exact = (integer as f64).to_bits() == value.to_bits();
        if !exact || integer.abs() > EXACT_INTEGER_MAX {
            return None;
        }
        integers.push(integer);
    }
    Some(integers)
}

fn put_integers(out: &mut Vec<u8>, integers: &[i64]) {
    let largest = integers.iter().copied().max().unwrap_or(0).unsigned_abs();
    if let Some(&first) = integers.first()
        && integers.iter().all(|&integer| integer == first)
    {
        out.push(REPEATED_INTEGER);
        put_varint(out, largest);
        return;
    }
    out.push(INTEGERS);
    put_unsigned(out, integers, largest);
}

/// Appends non-negative numbers in the narrowest of 1, 2, 4 and 8 bytes, behind that width.
pub(super) fn put_unsigned(out: &mut Vec<u8>, numbers: &[i64], largest: u64) {
    /// The low bytes of a number, whose other bytes are zero.
    fn low<const WIDTH: usize>(number: i64) -> [u8; WIDTH] {
        let mut bytes = [0; WIDTH];
        for (to, from) in bytes.iter_mut().zip(number.to_le_bytes()) {
            *to = from;
        }
        bytes
    }
    match largest {
        0..=0xff => {
            out.push(1);
            put_bulk(out, numbers, low::<1>);
        }
        0x100..=0xffff => {
            out.push(2);
            put_bulk(out, numbers, low::<2>);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(4);
            put_bulk(out, numbers, low::<4>);
        }
        _ => {
            out.push(8);
            put_bulk(out, numbers, low::<8>);
        }
    }
}

/// Takes what [`put_unsigned`] wrote, each number through `convert`.
pub(super) fn take_unsigned<T>(
    reader: &mut Reader<'_>,
    count: usize,
    convert: impl Fn(u64) -> T,
) -> Result<Vec<T>, Corruption> {
    Ok(match reader.byte()? {
        1 => reader
            .take_bulk(count)?
            .iter()
            .map(|&[byte]| convert(byte.into()))
            .collect(),
        2 => {
            let items = reader.take_bulk(count)?;
            items
                .iter()
                .map(|&bytes| convert(u16::from_le_bytes(bytes).into()))
                .collect()
        }
        4 => {
            let items = reader.take_bulk(count)?;
            items
                .iter()
                .map(|&bytes| convert(u32::from_le_bytes(bytes).into()))
                .collect()
        }
        8 => {
            let items = reader.take_bulk(count)?;
            items
                .iter()
                .map(|&bytes| convert(u64::from_le_bytes(bytes)))
                .collect()
        }
        _ => return Err(Corruption::Layout),
    })
}

fn take_integers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Corruption> {
    let integers = take_unsigned(reader, count, |integer| {
        i64::try_from(integer).unwrap_or(i64::MAX)
    })?;
    exact_floats(&integers)
}

fn exact_float(integer: i64) -> Result<f64, Corruption> {
    if integer.unsigned_abs() > EXACT_INTEGER_MAX.unsigned_abs() {
        return Err(Corruption::Limit);
    }
    #[expect(clippy::cast_precision_loss, reason = "checked above")]
    let value = integer as f64;
    Ok(value)
}

fn exact_floats(integers: &[i64]) -> Result<Vec<f64>, Corruption> {
    integers
        .iter()
        .map(|&integer| exact_float(integer))
        .collect()
}

/// Returns about how many bytes a fresh column takes, and rarely less than it does.
pub(super) fn fresh_bytes(values: &[f64], content: Content) -> usize {
    let count = values.len();
    match content {
        _ if repeated(values).is_some() => 1 + size_of::<f64>(),
        Content::Values => 1 + 8 * count,
        Content::Counts => 1 + varint_bytes(count as u64) + 2 * count,
    }
}

#[cfg(test)]
#[path = "column_tests.rs"]
mod tests;
