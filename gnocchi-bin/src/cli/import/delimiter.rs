//! What separates the fields of a line, and how it is detected.

use std::fmt;
use std::str::FromStr;

use super::record::Record;

/// What separates fields in files that do not say it, the most frequent first.
const CANDIDATES: [Delimiter; 4] = [
    Delimiter::COMMA,
    Delimiter(b';'),
    Delimiter(b'\t'),
    Delimiter(b'|'),
];

/// How many lines are looked at to find the delimiter.
const LINES_COMPARED: usize = 20;

/// What separates the fields of a line: a byte of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter(u8);

impl Delimiter {
    pub(super) const COMMA: Self = Self(b',');

    /// Returns the byte.
    pub(super) fn byte(self) -> u8 {
        self.0
    }

    /// Reads the line `sep=;` with which spreadsheets name their delimiter.
    pub(super) fn of_announcement(line: &str) -> Option<Self> {
        let named = line.trim_matches('"').strip_prefix("sep=")?;
        match named.as_bytes() {
            [byte] => Self::try_from(*byte).ok(),
            _ => None,
        }
    }

    /// Finds the delimiter of a file by its first lines; `fits` returns whether the fields of a line are the names of columns, or a
    /// measure. `None` when no line has more than one field, whatever separates them.
    pub(super) fn find<'a>(
        lines: &(impl Iterator<Item = &'a str> + Clone),
        fits: impl Fn(&Record) -> bool,
    ) -> Option<Self> {
        let mut best: Option<(Score, Self)> = None;
        for candidate in CANDIDATES {
            if let Some(score) = candidate.score(lines.clone(), &fits)
                && best.as_ref().is_none_or(|(highest, _)| score > *highest)
            {
                best = Some((score, candidate));
            }
        }
        best.map(|(_, delimiter)| delimiter)
    }

    fn score<'a>(
        self,
        lines: impl Iterator<Item = &'a str>,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<Score> {
        let mut score: Option<Score> = None;
        let mut record = Record::default();
        for line in lines.take(LINES_COMPARED) {
            if record.split(line, self.0).is_err() {
                continue;
            }
            let fields = record.len();
            match &mut score {
                None if fields < 2 => return None,
                None => {
                    score = Some(Score {
                        fits: fits(&record),
                        same: 1,
                        fields,
                    });
                }
                Some(score) if score.fields == fields => score.same += 1,
                Some(_) => {}
            }
        }
        score
    }
}

/// How well a delimiter suits a file; what stands first decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// Whether the first line makes sense.
    fits: bool,
    /// How many lines have as many fields as the first one.
    same: usize,
    /// How many fields the first line has.
    fields: usize,
}

/// A delimiter that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DelimiterError {
    /// It is not one character of ASCII.
    NotOneCharacter,
    /// It occurs in fields: in timestamps, numbers and names, or as the quotation mark.
    InsideFields(char),
}

impl fmt::Display for DelimiterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALLOWED: &str = "allowed are tab, space and the punctuation of ASCII, such as , ; | and ~, but not \" . - + or :";
        match self {
            Self::NotOneCharacter => write!(
                f,
                "it is not one character of ASCII, nor one of the words tab, space, comma and semicolon; {ALLOWED}"
            ),
            Self::InsideFields(character) => {
                let place = match character {
                    '"' => "encloses fields",
                    ':' | '-' | '+' => "is part of timestamps",
                    '.' => "is part of numbers",
                    _ => "is part of names, numbers and timestamps",
                };
                write!(f, "{character} {place}; {ALLOWED}")
            }
        }
    }
}

impl std::error::Error for DelimiterError {}

impl TryFrom<u8> for Delimiter {
    type Error = DelimiterError;

    fn try_from(byte: u8) -> Result<Self, DelimiterError> {
        let is_used_otherwise =
            byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'.' | b'-' | b'+' | b':');
        if is_used_otherwise {
            Err(DelimiterError::InsideFields(char::from(byte)))
        } else if byte == b'\t' || (b' '..=b'~').contains(&byte) {
            Ok(Self(byte))
        } else {
            Err(DelimiterError::NotOneCharacter)
        }
    }
}

impl FromStr for Delimiter {
    type Err = DelimiterError;

    fn from_str(text: &str) -> Result<Self, DelimiterError> {
        match (text, text.as_bytes()) {
            ("tab" | "\\t", _) => Ok(Self(b'\t')),
            ("comma", _) => Ok(Self::COMMA),
            ("semicolon", _) => Ok(Self(b';')),
            ("space", _) => Ok(Self(b' ')),
            (_, [byte]) => Self::try_from(*byte),
            _ => Err(DelimiterError::NotOneCharacter),
        }
    }
}

/// The character in quotes, or its name.
impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("a tab"),
            b' ' => f.write_str("a space"),
            byte => write!(f, "'{}'", char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_have_names() {
        for (text, byte) in [
            (",", b','),
            (";", b';'),
            ("|", b'|'),
            ("tab", b'\t'),
            ("\\t", b'\t'),
            ("\t", b'\t'),
            ("semicolon", b';'),
        ] {
            assert_eq!(text.parse::<Delimiter>().unwrap().byte(), byte, "{text}");
        }
        for text in ["", "ab", "a", "1", "\"", "\n", "€", ":"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
        let refused = |text: &str| text.parse::<Delimiter>().unwrap_err().to_string();
        assert!(refused(":").starts_with(": is part of timestamps; allowed are tab, space"));
        assert!(refused(".").starts_with(". is part of numbers"));
        assert!(refused("€").starts_with("it is not one character of ASCII"));
    }

    #[test]
    fn spreadsheets_announce_it() {
        let announced = |line| Delimiter::of_announcement(line).map(Delimiter::byte);
        assert_eq!(announced("sep=;"), Some(b';'));
        assert_eq!(announced("sep=\t"), Some(b'\t'));
        assert_eq!(announced("\"sep=,\""), Some(b','));
        assert_eq!(announced("sep="), None);
        assert_eq!(announced("sep;value"), None);
    }

    #[test]
    fn the_delimiter_is_found() {
        let check = |lines: &[&str], expected: Option<u8>| {
            // A line makes sense when it begins with a name or a date.
            let fits = |record: &Record| {
                let first = record.get(0).unwrap_or_default();
                first == "time" || first.len() == 10
            };
            let found = Delimiter::find(&lines.iter().copied(), fits);
            assert_eq!(found.map(Delimiter::byte), expected, "{lines:?}");
        };
        check(&["time,value", "2024-05-01,1"], Some(b','));
        check(&["time;value", "2024-05-01;1,5"], Some(b';'));
        check(
            &["time\tvalue (ten, or more)", "2024-05-01\t1,5"],
            Some(b'\t'),
        );
        check(&["time|value"], Some(b'|'));
        check(&["2024-05-01;1,5", "2024-05-02;2,5"], Some(b';'));
        check(&["2024-05-01,1;5"], Some(b','));
        check(&["\"time;x\",value"], Some(b','));
        check(&["what;ever,else", "1;2", "3;4"], Some(b';'));
        check(&["time", "2024-05-01"], None);
        check(&[], None);
    }
}
