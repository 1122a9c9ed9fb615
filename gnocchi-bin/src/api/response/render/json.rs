//! JSON with `", "` and `": "` as separators and nothing but ASCII.
//!
//! Clients match parts of bodies such as `"name": "medium"`, so the one space after the colon is part of the contract.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, Formatter};

/// Renders a value.
#[must_use]
pub fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    write(&mut bytes, value);
    bytes
}

/// Renders a value at the end of `bytes`.
pub fn write(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = Serializer::with_formatter(bytes, Spaced);
    value
        .serialize(&mut serializer)
        .expect("bodies have text keys and memory takes every byte");
}

/// Writes what stands between two items, unless the next one is the first.
fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
    if first {
        Ok(())
    } else {
        writer.write_all(b", ")
    }
}

#[derive(Debug, Clone, Copy)]
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::response::render::json::*;

    #[test]
    fn separators_have_one_space() {
        let value = json!({"name": "medium", "list": [1, 2.5, null, true, []], "z": {}});
        let text = String::from_utf8(to_bytes(&value)).unwrap();
        assert_eq!(
            text,
            r#"{"list": [1, 2.5, null, true, []], "name": "medium", "z": {}}"#
        );
    }

    #[test]
    fn everything_is_ascii_and_reads_back() {
        let value = json!({"☃": "a\u{7f}é𝄞\"\\\n\u{1}"});
        let bytes = to_bytes(&value);
        assert!(bytes.is_ascii());
        assert!(String::from_utf8_lossy(&bytes).contains(r"\u2603"));
        assert!(String::from_utf8_lossy(&bytes).contains(r"\ud834\udd1e"));
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn whole_doubles_keep_their_point() {
        assert_eq!(to_bytes(&json!([43.0, 1e16])), b"[43.0, 1e+16]");
    }
}
