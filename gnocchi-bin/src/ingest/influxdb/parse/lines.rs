//! A body as lines: where each ends, also when it cannot be read.

use super::line::{self, Line};
use super::name::Name;

/// What some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a body that are neither blank nor comments, one after the other.
#[derive(Debug)]
pub(in crate::ingest::influxdb) struct Lines<'a> {
    body: &'a [u8],
    /// What is known to be text and not read yet.
    text: &'a str,
    /// What comes after it.
    rest: &'a [u8],
    /// Where the current line begins.
    start: usize,
    /// How far line breaks are counted, and the number of the line there.
    counted: (usize, usize),
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest::influxdb) enum Piece<'a> {
    /// It was read.
    Line {
        /// All of it.
        text: &'a str,
        /// What it says.
        line: Line<'a>,
    },
    /// It does not follow the protocol.
    Unparsable {
        /// The line, and what follows it.
        text: &'a str,
    },
    /// It is not UTF-8.
    NotUtf8,
}

impl<'a> Lines<'a> {
    pub(in crate::ingest::influxdb) fn of(body: &'a [u8]) -> Self {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        Self {
            body,
            text: "",
            rest: body,
            start: 0,
            counted: (0, 1),
        }
    }

    /// Reads the next line, and puts its fields that are no strings in place of what is in `fields`.
    pub(in crate::ingest::influxdb) fn next(
        &mut self,
        fields: &mut Vec<(Name<'a>, f64)>,
    ) -> Option<Piece<'a>> {
        loop {
            if self.text.is_empty() {
                if self.rest.is_empty() {
                    return None;
                }
                self.start = self.position();
                fields.clear();
                if let Some(piece) = self.decode() {
                    return Some(piece);
                }
                continue;
            }
            self.start = self.position();
            let before = self.text;
            match line::line(&mut self.text, fields) {
                Ok(Some(line)) => {
                    let text = &before[..before.len() - self.text.len()];
                    return Some(Piece::Line { text, line });
                }
                Ok(None) => {}
                Err(_) => {
                    fields.clear();
                    self.text = after_line(before);
                    return Some(Piece::Unparsable { text: before });
                }
            }
        }
    }

    /// Returns the number of the line that was read last, counted from one.
    pub(in crate::ingest::influxdb) fn number(&mut self) -> usize {
        let (position, number) = self.counted;
        let lines = self.body[position..self.start].split(|byte| *byte == b'\n');
        self.counted = (self.start, number + lines.count() - 1);
        self.counted.1
    }

    fn position(&self) -> usize {
        self.body.len() - self.rest.len() - self.text.len()
    }

    /// Decodes the following lines up to one that is not UTF-8. When that is the first one, it is skipped.
    fn decode(&mut self) -> Option<Piece<'a>> {
        let valid = match std::str::from_utf8(self.rest) {
            Ok(text) => {
                (self.text, self.rest) = (text, &[]);
                return None;
            }
            Err(error) => error.valid_up_to(),
        };
        let is_break = |byte: &u8| *byte == b'\n';
        let line = self.rest[..valid].iter().rposition(is_break);
        if let Some(line_break) = line {
            let (text, rest) = self.rest.split_at(line_break + 1);
            self.text = std::str::from_utf8(text).unwrap_or_default();
            self.rest = rest;
            return None;
        }
        let end = self.rest[valid..].iter().position(is_break);
        let end = end.map_or(self.rest.len(), |line_break| valid + line_break + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_comment = line.trim_ascii_start().starts_with(b"#");
        (!is_comment).then_some(Piece::NotUtf8)
    }
}

/// Returns what comes after the first line of a text that cannot be read. A line break inside a string does not end it, unless
/// the string has no end.
fn after_line(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut is_behind_series = false;
    let mut is_string = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if bytes.get(at + 1) != Some(&b'\n') => at += 1,
            b' ' => is_behind_series = true,
            b'"' if is_behind_series => is_string = !is_string,
            b'\n' if !is_string => break,
            _ => {}
        }
        at += 1;
    }
    if is_string {
        at = text.find('\n').unwrap_or(text.len());
    }
    text.get(at + 1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the lines, and what they are: the series of a good line.
    fn read(body: &[u8]) -> Vec<(usize, &str)> {
        let mut lines = Lines::of(body);
        let mut fields = Vec::new();
        let mut read = Vec::new();
        while let Some(piece) = lines.next(&mut fields) {
            let text = match piece {
                Piece::Line { line, .. } => line.series,
                Piece::Unparsable { .. } => "unparsable",
                Piece::NotUtf8 => "not UTF-8",
            };
            read.push((lines.number(), text));
        }
        read
    }

    #[test]
    fn a_bad_line_ends_where_the_next_one_begins() {
        assert_eq!(
            read(b"x\nm f=1\n\n# c\nm,a= f=1\nn f=2"),
            [(1, "unparsable"), (2, "m"), (5, "unparsable"), (6, "n")]
        );
        // Inside of a string there is no line.
        assert_eq!(
            read(b"m f=\"a\nn g=1\n\" x\no f=1"),
            [(1, "unparsable"), (4, "o")]
        );
        assert_eq!(read(b"m f=\"a\nb\" x"), [(1, "unparsable")]);
        // A string without end does not swallow the rest.
        assert_eq!(
            read(b"m f=\"a\nn g=1\no h=2"),
            [(1, "unparsable"), (2, "n"), (3, "o")]
        );
        assert_eq!(
            read("m \\é\nm f=\\\nn g=1\n\\".as_bytes()),
            [
                (1, "unparsable"),
                (2, "unparsable"),
                (3, "n"),
                (4, "unparsable")
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_text_is_passed_over() {
        assert_eq!(
            read(b"m f=1\nm\xff f=1\n#\xff\n\xff\nn f=1\n\xff"),
            [
                (1, "m"),
                (2, "not UTF-8"),
                (4, "not UTF-8"),
                (5, "n"),
                (6, "not UTF-8")
            ]
        );
    }

    #[test]
    fn what_editors_and_shells_leave() {
        assert_eq!(read(b"\xef\xbb\xbfm f=1\r\nn f=1\r"), [(1, "m"), (2, "n")]);
        assert_eq!(read(b"\xef\xbb\xbf"), []);
        assert_eq!(read(b"\r"), []);
    }
}
