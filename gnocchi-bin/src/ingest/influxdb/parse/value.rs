//! Values of fields in the line protocol.

use crate::api::measures::Number;

/// The words that are true or false.
const WORDS: [(&str, f64); 10] = [
    ("t", 1.0),
    ("T", 1.0),
    ("true", 1.0),
    ("True", 1.0),
    ("TRUE", 1.0),
    ("f", 0.0),
    ("F", 0.0),
    ("false", 0.0),
    ("False", 0.0),
    ("FALSE", 0.0),
];

/// Reads a value that is no string: a number, a whole number that ends with `i` or, without a sign, with `u`, or a word.
pub(super) fn value(text: &str) -> Option<f64> {
    if let Some((number, length)) = Number::scan(text.as_bytes())
        && length == text.len()
    {
        return number.to_f64();
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "values are doubles, as for every other sender of whole numbers"
    )]
    match text.as_bytes().last()? {
        b'i' => Some(text[..text.len() - 1].parse::<i64>().ok()? as f64),
        b'u' => Some(unsigned(&text[..text.len() - 1])? as f64),
        _ => float(text).or_else(|| word(text)),
    }
}

/// The standard library would take a plus sign.
fn unsigned(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

/// Reads what JSON does not write: a plus sign, a point without a digit on one side, leading zeros. There are no words for
/// infinities, and no number is as large as one.
fn float(text: &str) -> Option<f64> {
    let is_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(is_number) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn word(text: &str) -> Option<f64> {
    let known = WORDS.iter().find(|(word, _)| *word == text);
    known.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_value() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(value(text), expected, "{text}");
        check("123", Some(123.0));
        check("-1.5e-3", Some(-0.0015));
        check("+5", Some(5.0));
        check(".5", Some(0.5));
        check("5.", Some(5.0));
        check("007", Some(7.0));
        check("-5i", Some(-5.0));
        check("9223372036854775807i", Some(9_223_372_036_854_775_807.0));
        check("9223372036854775808i", None);
        check("1u", Some(1.0));
        check("18446744073709551615u", Some(18_446_744_073_709_551_615.0));
        check("-1u", None);
        check("+1u", None);
        check("1.5i", None);
        check("i", None);
        check("u", None);
        check("", None);
        check("1x", None);
        check("1e999", None);
        check("NaN", None);
        check("inf", None);
        check("tRUE", None);
        check("yes", None);
        for (word, meaning) in WORDS {
            check(word, Some(meaning));
        }
    }
}
