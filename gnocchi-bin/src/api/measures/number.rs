//! Numbers as JSON writes them, read from bytes.

use carbonara::Timestamp;

use crate::api::timestamp;

/// Every whole number up to this one is a double.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Powers of ten that are doubles.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// More digits than this may not fit in 64 bits.
const MANTISSA_DIGITS_MAX: usize = 19;

/// A number as it is written: `mantissa` times ten to the power of `exponent`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<'a> {
    text: &'a [u8],
    negative: bool,
    mantissa: u64,
    exponent: i32,
    /// Whether the mantissa holds every digit.
    is_complete: bool,
}

impl<'a> Number<'a> {
    /// Reads the number that `bytes` begin with and returns it with its length; `None` when JSON writes no number like that.
    pub(crate) fn scan(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut at = 0;
        let negative = bytes.first() == Some(&b'-');
        at += usize::from(negative);
        let (mut mantissa, whole) = digits(0, &bytes[at..]);
        // No leading zeros.
        if whole == 0 || whole > 1 && bytes[at] == b'0' {
            return None;
        }
        at += whole;
        let mut count = whole;
        let mut exponent = 0_i32;
        if bytes.get(at) == Some(&b'.') {
            let (with_fraction, places) = digits(mantissa, &bytes[at + 1..]);
            if places == 0 {
                return None;
            }
            mantissa = with_fraction;
            count += places;
            exponent = -i32::try_from(places).ok()?;
            at += 1 + places;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            let exponent_negative = bytes.get(at) == Some(&b'-');
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            let (power, length) = digits(0, &bytes[at..]);
            // Longer exponents are rare and left to the complete parser.
            if length == 0 || length > 4 {
                return None;
            }
            let power = i32::try_from(power).ok()?;
            exponent += if exponent_negative { -power } else { power };
            at += length;
        }
        let number = Self {
            text: &bytes[..at],
            negative,
            mantissa,
            exponent,
            is_complete: count <= MANTISSA_DIGITS_MAX,
        };
        Some((number, at))
    }

    /// Returns the nearest double; `None` when there is no finite one.
    pub(crate) fn to_f64(self) -> Option<f64> {
        // Why is this exact? Both numbers are doubles without rounding, so one multiplication or division rounds once, and
        // that is the definition of the nearest double. Other numbers take the long way of the standard library.
        if self.is_complete && self.mantissa <= EXACT_INTEGER_MAX {
            #[expect(
                clippy::cast_precision_loss,
                reason = "whole numbers up to 2^53 are exact"
            )]
            let mantissa = self.mantissa as f64;
            let power = usize::try_from(self.exponent.unsigned_abs()).ok()?;
            if let Some(power) = POWERS_OF_TEN.get(power) {
                let magnitude = if self.exponent < 0 {
                    mantissa / power
                } else {
                    mantissa * power
                };
                return Some(if self.negative { -magnitude } else { magnitude });
            }
        }
        let text = std::str::from_utf8(self.text).ok()?;
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// Returns the timestamp so many seconds after the epoch; `None` when it cannot be stored.
    pub(super) fn to_timestamp(self) -> Option<Timestamp> {
        // Up to 15 digits the text and the nearest double mean the same decimal, which is what a timestamp is made of.
        if self.is_complete
            && !self.negative
            && self.mantissa < 1_000_000_000_000_000
            && (-9..=0).contains(&self.exponent)
        {
            let scale = 10_i64.pow(u32::try_from(self.exponent + 9).ok()?);
            let nanoseconds = i64::try_from(self.mantissa).ok()?.checked_mul(scale)?;
            return Timestamp::from_nanosecond(nanoseconds).ok();
        }
        timestamp::from_seconds(self.to_f64()?).ok()
    }
}

/// Appends leading digits to a number, wrapping; returns how many there are.
fn digits(mut number: u64, bytes: &[u8]) -> (u64, usize) {
    let mut length = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        length += 1;
    }
    (number, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_json_writes() {
        let check = |text: &str, expected: Option<(f64, usize)>| {
            let scanned = Number::scan(text.as_bytes())
                .and_then(|(number, length)| Some((number.to_f64()?, length)));
            assert_eq!(scanned, expected, "{text}");
        };
        check("12,", Some((12.0, 2)));
        check("-0.5}", Some((-0.5, 4)));
        check("1e3", Some((1000.0, 3)));
        check("1.5E-3 ", Some((0.0015, 6)));
        check("0", Some((0.0, 1)));
        check("01", None);
        check("-", None);
        check("1.", None);
        check(".5", None);
        check("1e", None);
        check("+1", None);
        check("NaN", None);
        check("1e999", None);
        check("9007199254740993", Some((9_007_199_254_740_992.0, 16)));
        check(
            "123456789012345678901234567890",
            Some((123_456_789_012_345_678_901_234_567_890.0, 30)),
        );
        let negative_zero = Number::scan(b"-0").unwrap().0.to_f64().unwrap();
        assert!(negative_zero.is_sign_negative());
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(text in r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
            let (number, length) = Number::scan(text.as_bytes()).unwrap();
            prop_assert_eq!(length, text.len());
            let expected: f64 = text.parse().unwrap();
            let expected = Some(expected).filter(|value| value.is_finite());
            prop_assert_eq!(number.to_f64().map(f64::to_bits), expected.map(f64::to_bits));
        }

        #[test]
        fn timestamps_agree_with_doubles(text in r"[1-9][0-9]{0,9}(\.[0-9]{1,12})?") {
            let number = Number::scan(text.as_bytes()).unwrap().0;
            let expected = timestamp::from_seconds(text.parse().unwrap()).ok();
            prop_assert_eq!(number.to_timestamp(), expected);
        }
    }
}
