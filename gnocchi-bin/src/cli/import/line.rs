//! Lines of a text file, each on its own: what is wrong with one never reaches the next.

use std::io::{self, BufRead};

/// The longest line that is read; far more than a measure needs, and what a file without line ends may take of memory.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;

/// The lines of a file.
pub(super) struct Lines<R> {
    input: R,
    /// The number of the line read last, counted from one.
    number: u64,
    /// That line, as far as it is not too long.
    bytes: Vec<u8>,
    /// Whether the line read last ended with a carriage return, to which a following line feed belongs.
    after_return: bool,
}

/// How reading one line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    TooLong,
    Nothing,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            bytes: Vec::new(),
            after_return: false,
        }
    }

    /// Reads the next line that is no comment and not empty.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Result<&str, String>)>> {
        loop {
            let taken = self.take_line()?;
            if taken == Taken::Nothing {
                return Ok(None);
            }
            self.number += 1;
            if self.bytes.starts_with(b"#") || self.bytes.trim_ascii().is_empty() {
                continue;
            }
            let text = if taken == Taken::TooLong {
                Err(format!("the line is longer than {LINE_BYTES_MAX} bytes"))
            } else {
                str::from_utf8(&self.bytes)
                    .map_err(|error| not_text(&self.bytes, error.valid_up_to()))
            };
            return Ok(Some((self.number, text)));
        }
    }

    /// Reads up to the end of a line (a line feed, a carriage return, or both), which is left out.
    fn take_line(&mut self) -> io::Result<Taken> {
        self.bytes.clear();
        let (mut anything, mut too_long) = (false, false);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let Some(first) = available.first() else {
                return Ok(match (anything, too_long) {
                    (false, _) => Taken::Nothing,
                    (true, false) => Taken::Whole,
                    (true, true) => Taken::TooLong,
                });
            };
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                self.input.consume(1);
                continue;
            }
            anything = true;
            let end = available
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &available[..end.unwrap_or(available.len())];
            let room = LINE_BYTES_MAX - self.bytes.len();
            too_long |= part.len() > room;
            self.bytes.extend_from_slice(&part[..part.len().min(room)]);
            let Some(end) = end else {
                let used = available.len();
                self.input.consume(used);
                continue;
            };
            self.after_return = available[end] == b'\r';
            self.input.consume(end + 1);
            return Ok(if too_long {
                Taken::TooLong
            } else {
                Taken::Whole
            });
        }
    }
}

/// Says that a line is in another encoding, and which byte shows it.
fn not_text(line: &[u8], valid_up_to: usize) -> String {
    let byte = line.get(valid_up_to).copied().unwrap_or_default();
    format!(
        "byte {} (0x{byte:02x}) is not UTF-8; convert the file first, for example with iconv -f WINDOWS-1252 -t UTF-8",
        valid_up_to + 1
    )
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn check(text: &[u8], expected: &[(u64, Result<&str, &str>)]) {
        // A buffer of three bytes cuts everywhere.
        for capacity in [3, 4096] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, text));
            let mut found = Vec::new();
            while let Some((number, line)) = lines.next().unwrap() {
                found.push((number, line.map(ToOwned::to_owned)));
            }
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for ((number, line), (expected_number, expected)) in found.iter().zip(expected) {
                assert_eq!(number, expected_number);
                match (line, expected) {
                    (Ok(line), Ok(expected)) => assert_eq!(line, expected),
                    (Err(line), Err(expected)) => assert!(line.contains(expected), "{line}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn lines_end_in_every_way() {
        let both = [(1, Ok("a,b")), (2, Ok("c"))];
        for text in [&b"a,b\nc\n"[..], b"a,b\r\nc\r\n", b"a,b\rc\r", b"a,b\nc"] {
            check(text, &both);
        }
        check(b"", &[]);
        check(b"\n", &[]);
    }

    #[test]
    fn comments_and_empty_lines_count_but_hold_nothing() {
        check(b"\n# x\r\n  \r\na\n", &[(4, Ok("a"))]);
    }

    #[test]
    fn the_byte_that_is_no_text_is_named() {
        check(
            b"caf\xe9,1\na",
            &[(1, Err("byte 4 (0xe9) is not UTF-8")), (2, Ok("a"))],
        );
    }

    #[test]
    fn a_line_that_is_too_long_does_not_lose_the_next() {
        let mut text = vec![b'x'; LINE_BYTES_MAX + 1];
        text.extend_from_slice(b"\na\n");
        check(
            &text,
            &[
                (1, Err("the line is longer than 65536 bytes")),
                (2, Ok("a")),
            ],
        );
    }
}
