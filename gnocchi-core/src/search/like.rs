//! Patterns of SQL.

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikePart {
    /// `%`: any text, also none.
    AnyText,
    /// `_`: any one character.
    AnyCharacter,
    /// This character.
    Literal(char),
}

/// Iterates over the parts of a pattern.
///
/// A backslash makes the character behind it an ordinary one, as in PostgreSQL and MySQL; at the end of a pattern it is one itself.
pub fn like_parts(pattern: &str) -> impl Iterator<Item = LikePart> {
    let mut characters = pattern.chars();
    std::iter::from_fn(move || {
        Some(match characters.next()? {
            '%' => LikePart::AnyText,
            '_' => LikePart::AnyCharacter,
            '\\' => LikePart::Literal(characters.next().unwrap_or('\\')),
            other => LikePart::Literal(other),
        })
    })
}

/// Returns whether the whole text fits a pattern. Time is at most proportional to pattern length times text length.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<LikePart> = like_parts(pattern).collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    // Where to go on when a character doesn't fit: behind the last `%`, and the text it should be tried at next.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(position)) {
            (Some(LikePart::AnyText), _) => {
                retry = Some((at + 1, position + 1));
                at += 1;
            }
            (Some(part), Some(found)) if part.is(*found) => {
                at += 1;
                position += 1;
            }
            (None, None) => return true,
            _ => match retry {
                Some((after, next)) if next <= text.len() => {
                    retry = Some((after, next + 1));
                    at = after;
                    position = next;
                }
                _ => return false,
            },
        }
    }
}

impl LikePart {
    /// Returns whether this part alone stands for that character.
    fn is(self, character: char) -> bool {
        match self {
            Self::AnyText => false,
            Self::AnyCharacter => true,
            Self::Literal(wanted) => wanted == character,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern, text), expected, "{pattern} against {text}");
        };
        check("", "", true);
        check("", "a", false);
        check("%", "", true);
        check("%", "abc", true);
        check("a%", "abc", true);
        check("%c", "abc", true);
        check("a_c", "aéc", true);
        check("a_c", "ac", false);
        check("A%", "abc", false);
        check("%b%d%", "abcde", true);
        check("%b%b%", "abc", false);
        check("a*", "abc", false);
        check("50%%", "50", true);
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern, text), expected, "{pattern} against {text}");
        };
        check(r"a\%", "a%", true);
        check(r"a\%", "abc", false);
        check(r"a\%", r"a\", false);
        check(r"web\_%", "web_01", true);
        check(r"web\_%", "webX01", false);
        check(r"a\\b", r"a\b", true);
        check(r"a\\%", r"a\b", true);
        check(r"a\\%", "a%", false);
        check(r"a\\\%", r"a\%", true);
        // What means nothing special stays what it is.
        check(r"\a\b", "ab", true);
        check(r"\a\b", r"\a\b", false);
        check(r"ab\", r"ab\", true);
        check(r"ab\", "ab", false);
        check(r"%\_%\%", "a_b%", true);
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        assert!(!fits(&"%a".repeat(200), &"b".repeat(10_000)));
        assert!(!fits(&r"%_\a".repeat(200), &"b".repeat(10_000)));
    }
}
