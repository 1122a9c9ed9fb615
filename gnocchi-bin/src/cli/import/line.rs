//! Lines of a CSV file, each on its own: what is wrong with one never reaches the next.

use std::io::{self, BufRead};

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};

/// The longest line that is read; far more than a measure needs, and what a file without line ends may take of memory.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What some editors put before the first character.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What a line that is no comment and not empty holds.
pub(super) type Line<'a> = Result<&'a StringRecord, &'static str>;

/// The lines of a file.
pub(super) struct Lines<R> {
    input: R,
    /// The number of the line read last, counted from one.
    number: u64,
    /// That line, as far as it is not too long.
    bytes: Vec<u8>,
    record: StringRecord,
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
            record: StringRecord::new(),
            after_return: false,
        }
    }

    /// Returns the number of the next line that is no comment and not empty, and its fields or what is wrong with it.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        loop {
            let taken = self.take_line()?;
            if taken == Taken::Nothing {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.bytes.starts_with(BYTE_ORDER_MARK) {
                self.bytes.drain(..BYTE_ORDER_MARK.len());
            }
            if self.bytes.starts_with(b"#") || self.bytes.trim_ascii().is_empty() {
                continue;
            }
            if taken == Taken::TooLong {
                return Ok(Some((self.number, Err("the line is too long"))));
            }
            let fields = fields(&mut self.bytes, &mut self.record);
            let line = fields.map(|()| &self.record);
            return Ok(Some((self.number, line)));
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

/// Takes a line apart.
fn fields(line: &mut Vec<u8>, record: &mut StringRecord) -> Result<(), &'static str> {
    const NOT_TEXT: &str = "the line is not UTF-8 text";
    if line.contains(&b'"') {
        *record = quoted_fields(line)?.ok_or(NOT_TEXT)?;
        return Ok(());
    }
    // Why not the CSV reader? Without quotes a line is its parts between commas, which is many times faster than setting up
    // a reader for one line.
    let text = str::from_utf8(line).map_err(|_| NOT_TEXT)?;
    record.clear();
    for field in text.split(',') {
        record.push_field(field.trim());
    }
    Ok(())
}

/// Takes a line with quotes apart; `None` when it is not text.
fn quoted_fields(line: &mut Vec<u8>) -> Result<Option<StringRecord>, &'static str> {
    // A quoted field that is still open at the end of the line takes this line feed in, and no other field can.
    line.push(b'\n');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::None)
        .buffer_capacity(line.len())
        .from_reader(line.as_slice());
    let mut record = ByteRecord::new();
    let read = reader.read_byte_record(&mut record);
    debug_assert!(matches!(read, Ok(true)), "{read:?}");
    if record.iter().any(|field| field.contains(&b'\n')) {
        return Err("a quote is not closed on its line");
    }
    record.trim();
    Ok(StringRecord::from_byte_record(record).ok())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn check(text: &[u8], expected: &[(u64, Result<&[&str], &str>)]) {
        // A buffer of three bytes cuts everywhere.
        for capacity in [3, 4096] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, text));
            let mut found = Vec::new();
            while let Some((number, line)) = lines.next().unwrap() {
                let line = line.map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>());
                found.push((number, line));
            }
            let expected: Vec<_> = expected
                .iter()
                .map(|(number, line)| {
                    let line = line.map(|fields| fields.iter().map(|f| (*f).to_owned()).collect());
                    (*number, line)
                })
                .collect();
            assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn lines_end_in_every_way() {
        let both: [(u64, Result<&[&str], &str>); 2] = [(1, Ok(&["a", "b"])), (2, Ok(&["c"]))];
        for text in [
            &b"a,b\nc\n"[..],
            b"a,b\r\nc\r\n",
            b"a,b\rc\r",
            b" a , b \nc",
        ] {
            check(text, &both);
        }
        check("\u{feff}a\n".as_bytes(), &[(1, Ok(&["a"]))]);
        check(b"", &[]);
        check(b"\n", &[]);
    }

    #[test]
    fn comments_and_empty_lines_count_but_hold_nothing() {
        check(b"\n# x\r\n  \r\na\n", &[(4, Ok(&["a"]))]);
    }

    #[test]
    fn quotes_hold_commas_but_no_line_ends() {
        check(
            b"\"a,\"\"b\", c\nd,\"e\nf\"g\n\"h\"\n",
            &[
                (1, Ok(&["a,\"b", "c"])),
                (2, Err("a quote is not closed on its line")),
                (3, Ok(&["f\"g"])),
                (4, Ok(&["h"])),
            ],
        );
        check(b"a,\"", &[(1, Err("a quote is not closed on its line"))]);
    }

    #[test]
    fn what_is_not_text_is_told() {
        let not_text = Err("the line is not UTF-8 text");
        check(
            b"\xff\n\"\xff\"\na",
            &[(1, not_text), (2, not_text), (3, Ok(&["a"]))],
        );
    }

    #[test]
    fn a_line_that_is_too_long_does_not_lose_the_next() {
        let mut text = vec![b'x'; LINE_BYTES_MAX + 1];
        text.extend_from_slice(b"\na\n");
        check(&text, &[(1, Err("the line is too long")), (2, Ok(&["a"]))]);
    }
}
