//! Names in the line protocol: measurements, tags and their values, fields.

use std::borrow::Cow;

use winnow::Parser;
use winnow::ascii::take_escaped;
use winnow::combinator::{alt, delimited, eof, fail, opt, peek, repeat, terminated};
use winnow::error::EmptyError;
use winnow::stream::Stream;
use winnow::token::{any, one_of, take_till};

/// The characters that a backslash makes ordinary. Before any other character it is one itself.
const ESCAPABLE: [char; 3] = [' ', ',', '='];

/// A name as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// Between double quotes, where only these are escaped.
    Quoted(&'a str),
    /// Without quotes.
    Plain(&'a str),
}

impl<'a> Name<'a> {
    /// Returns what is meant.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Quoted(raw) => unescape(raw, &['"']),
            Self::Plain(raw) => unescape(raw, &ESCAPABLE),
        }
    }

    /// Writes a text so that it reads back as the same text; `None` when that is not possible: no name is empty, holds a line
    /// break or ends with a backslash.
    #[must_use]
    pub fn print(text: &str) -> Option<String> {
        if text.is_empty() || text.ends_with('\\') || text.contains(['\n', '\r']) {
            return None;
        }
        let escape = |c: char| {
            let backslash = ESCAPABLE.contains(&c).then_some('\\');
            backslash.into_iter().chain([c])
        };
        let plain: String = text.chars().flat_map(escape).collect();
        // What begins with a quote could be taken for quoted, and the others for no part of a line.
        if text.starts_with(['"', '#', '\t']) {
            return Some(format!("\"{}\"", text.replace('"', "\\\"")));
        }
        Some(plain)
    }
}

/// Removes the backslash before each of some characters.
fn unescape<'a>(raw: &'a str, escapable: &[char]) -> Cow<'a, str> {
    if !raw.contains('\\') {
        return raw.into();
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let after = &rest[at + 1..];
        let escapes = after.starts_with(|next| escapable.contains(&next));
        text.push_str(&rest[..at + usize::from(!escapes)]);
        let kept = usize::from(escapes);
        text.push_str(&after[..kept]);
        rest = &after[kept..];
    }
    text.push_str(rest);
    text.into()
}

/// Whether an equals sign ends a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EqualsSign {
    Ends,
    Belongs,
}

/// Takes a measurement: an equals sign is a character like others there.
pub(super) fn measurement<'a>(input: &mut &'a str) -> Result<Name<'a>, EmptyError> {
    name(input, EqualsSign::Belongs)
}

/// Takes the name of a tag or field, or the value of a tag.
pub(super) fn key<'a>(input: &mut &'a str) -> Result<Name<'a>, EmptyError> {
    name(input, EqualsSign::Ends)
}

fn name<'a>(input: &mut &'a str, equals_sign: EqualsSign) -> Result<Name<'a>, EmptyError> {
    if input.starts_with('"')
        && let Some(quoted) = opt(quoted).parse_next(input)?
    {
        return Ok(Name::Quoted(quoted));
    }
    match plain_length(input.as_bytes(), equals_sign) {
        0 => fail.parse_next(input),
        length => Ok(Name::Plain(input.next_slice(length))),
    }
}

/// Returns the length of the name without quotes that some bytes begin with.
///
/// Why by hand? Nearly all bytes of a body are looked at here, and one look at each is what limits how many lines a second are
/// read. All bytes that matter are ASCII, so the end is never within a character.
fn plain_length(bytes: &[u8], equals_sign: EqualsSign) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b',' | b'\n' | b'\r' => break,
            b'=' if equals_sign == EqualsSign::Ends => break,
            b'\\' if matches!(bytes.get(at + 1), Some(b' ' | b',' | b'=')) => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Takes what stands between quotes. A quote that does not end where a name ends is a character like others.
fn quoted<'a>(input: &mut &'a str) -> Result<&'a str, EmptyError> {
    let part = alt((take_till(1.., ['"', '\\', '\n', '\r']), "\\\"", "\\"));
    let inside = repeat::<_, _, (), _, _>(1.., part).take();
    let end = alt((one_of([' ', ',', '=', '\n', '\r']).void(), eof.void()));
    terminated(delimited('"', inside, '"'), peek(end)).parse_next(input)
}

/// Takes a string with its quotes; line breaks are allowed inside.
pub(super) fn string<'a>(input: &mut &'a str) -> Result<&'a str, EmptyError> {
    let inside = take_escaped(take_till(1.., ['"', '\\']), '\\', any);
    delimited('"', opt(inside), '"').take().parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_what_is_not_escaped() {
        let check = |input: &str, expected: Option<(&str, &str)>| {
            let mut rest = input;
            let text = key(&mut rest)
                .ok()
                .map(|name| (name.text().into_owned(), rest));
            let text = text.as_ref().map(|(text, rest)| (text.as_str(), *rest));
            assert_eq!(text, expected, "{input}");
        };
        check("host=web", Some(("host", "=web")));
        check(r"a\ b\,c\=d e", Some(("a b,c=d", " e")));
        check(r"C:\Win,x", Some((r"C:\Win", ",x")));
        check(r"\\server\ x,", Some((r"\\server x", ",")));
        check(r"a\\ b c", Some((r"a\ b", " c")));
        check("a\\", Some(("a\\", "")));
        check(r#""a\" b"#, Some((r#""a\""#, " b")));
        check(r#""a b",x"#, Some(("a b", ",x")));
        check(r#""say \"hi\"" x"#, Some((r#"say "hi""#, " x")));
        check(r#""open,x"#, Some(("\"open", ",x")));
        check(r#""a"b"c,x"#, Some((r#""a"b"c"#, ",x")));
        check(r#"a"b"c"#, Some((r#"a"b"c"#, "")));
        check("☃", Some(("☃", "")));
        check("", None);
        check(",x", None);
        check("\"\",", Some(("\"\"", ",")));
    }

    #[test]
    fn an_equals_sign_is_a_part_of_a_measurement() {
        let mut rest = "a=b,host=c";
        assert_eq!(measurement(&mut rest).map(Name::text), Ok("a=b".into()));
        assert_eq!(rest, ",host=c");
    }

    #[test]
    fn strings() {
        let check = |input: &str, expected: Option<&str>| {
            let mut rest = input;
            assert_eq!(string(&mut rest).ok().map(|_| rest), expected, "{input}");
        };
        check(r#""","#, Some(","));
        check(r#""a, \" b\\" 1"#, Some(" 1"));
        check("\"two\nlines\"", Some(""));
        check(r#""open"#, None);
        check(r#""open\""#, None);
    }
}
