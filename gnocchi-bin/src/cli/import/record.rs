//! The fields of one line.

/// The fields of one line, in one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    text: String,
    /// Where each field ends.
    ends: Vec<usize>,
}

impl Record {
    /// Returns a field, counted from zero.
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => self.ends[before],
        };
        Some(&self.text[start..end])
    }

    /// Iterates over the fields.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.ends.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Returns the number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Takes a line apart. White space around fields does not belong to them; a field that begins with a quote ends with one,
    /// and two quotes inside it are one.
    ///
    /// # Errors
    /// A line that ends inside a quoted field.
    pub(super) fn split(&mut self, line: &str, delimiter: u8) -> Result<(), &'static str> {
        self.text.clear();
        self.ends.clear();
        // Why two ways? Nearly no line has a quote, and then it is its parts between delimiters.
        if !line.as_bytes().contains(&b'"') {
            for field in line.split(char::from(delimiter)) {
                self.push(field.trim());
            }
            return Ok(());
        }
        let mut rest = line;
        loop {
            let start =
                rest.trim_start_matches(|c: char| c.is_whitespace() && c != char::from(delimiter));
            rest = match start.strip_prefix('"') {
                None => {
                    let end = start.find(char::from(delimiter)).unwrap_or(start.len());
                    self.push(start[..end].trim());
                    &start[end..]
                }
                Some(quoted) => self.push_quoted(quoted, delimiter)?,
            };
            match rest.as_bytes().first() {
                None => return Ok(()),
                // A delimiter at the end begins one more field, which is empty.
                Some(_) => rest = &rest[1..],
            }
        }
    }

    /// Takes a field whose quote has been opened; returns what follows it, from the delimiter on.
    fn push_quoted<'a>(&mut self, quoted: &'a str, delimiter: u8) -> Result<&'a str, &'static str> {
        let mut field = String::new();
        let mut rest = quoted;
        loop {
            let (inside, after) = rest
                .split_once('"')
                .ok_or("a quote is not closed on its line")?;
            field.push_str(inside);
            let Some(more) = after.strip_prefix('"') else {
                rest = after;
                break;
            };
            field.push('"');
            rest = more;
        }
        let end = rest.find(char::from(delimiter)).unwrap_or(rest.len());
        // What stands between the quote and the delimiter belongs to the field, as other readers have it.
        field.push_str(rest[..end].trim_end());
        self.push(field.trim());
        Ok(&rest[end..])
    }

    fn push(&mut self, field: &str) {
        self.text.push_str(field);
        self.ends.push(self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, delimiter: u8, expected: &[&str]) {
        let mut record = Record::default();
        record.split(line, delimiter).unwrap();
        assert_eq!(record.iter().collect::<Vec<_>>(), expected, "{line:?}");
        assert_eq!(record.len(), expected.len());
        assert_eq!(record.get(expected.len()), None);
    }

    #[test]
    fn fields_stand_between_delimiters() {
        check("a,b", b',', &["a", "b"]);
        check(" a , b ,", b',', &["a", "b", ""]);
        check("", b',', &[""]);
        check("a;1,5", b';', &["a", "1,5"]);
        check("a\t\tb", b'\t', &["a", "", "b"]);
        check("a b", b'\t', &["a b"]);
    }

    #[test]
    fn quotes_hold_delimiters() {
        check(r#""a,""b", c"#, b',', &["a,\"b", "c"]);
        check(r#""a"  , "b,c""#, b',', &["a", "b,c"]);
        check(r#"f"g,h"#, b',', &["f\"g", "h"]);
        check(r#""a"b,c"#, b',', &["ab", "c"]);
        check("\"\",\"\"", b',', &["", ""]);
        check("\"\"\"\",1", b',', &["\"", "1"]);
        check(r#""","#, b',', &["", ""]);
        check("\"a\"\t\"b\"\t", b'\t', &["a", "b", ""]);
        check(r#"x,"""#, b',', &["x", ""]);
    }

    #[test]
    fn an_open_quote_is_refused() {
        for line in [r#"a,""#, r#""a,b"#, r#"a,"b""#] {
            let mut record = Record::default();
            let outcome = record.split(line, b',');
            let is_open = line.matches('"').count() % 2 == 1;
            assert_eq!(outcome.is_err(), is_open, "{line}");
        }
    }
}
