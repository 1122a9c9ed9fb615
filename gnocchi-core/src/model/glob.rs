//! Shell patterns over metric names.

/// A shell pattern: `*`, `?`, `[set]`, `[!set]`; case-sensitive, matched against the whole text.
///
/// A `[` without a closing bracket stands for itself, as in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    AnyMany,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    /// Returns whether the token takes exactly this character.
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::AnyOne | Self::AnyMany => true,
            Self::Set { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&character))
                    != *negated
            }
        }
    }
}

impl Glob {
    /// Compiles a pattern; every text is a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let characters: Vec<char> = pattern.chars().collect();
        let mut tokens = Vec::with_capacity(characters.len());
        let mut rest = characters.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            match first {
                '*' if tokens.last() == Some(&Token::AnyMany) => {}
                '*' => tokens.push(Token::AnyMany),
                '?' => tokens.push(Token::AnyOne),
                '[' => match parse_set(tail) {
                    Some((set, after)) => {
                        tokens.push(set);
                        rest = after;
                    }
                    None => tokens.push(Token::Literal('[')),
                },
                other => tokens.push(Token::Literal(*other)),
            }
        }
        Self { tokens }
    }

    /// Returns the text that everything begins with that fits, and whether nothing else fits than this text.
    #[must_use]
    pub fn literal_prefix(&self) -> (String, bool) {
        let literals = self.tokens.iter().map_while(|token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        });
        let prefix: String = literals.collect();
        let is_whole = prefix.chars().count() == self.tokens.len();
        (prefix, is_whole)
    }

    /// Makes the pattern that only this text fits.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self {
            tokens: text.chars().map(Token::Literal).collect(),
        }
    }

    /// Returns whether the whole text fits the pattern. Time is at most proportional to pattern length times text length.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut token, mut position) = (0, 0);
        // Where to go on when a literal fails: the token after the last `*`, and the text it should be tried at next.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.tokens.get(token), text.get(position)) {
                (Some(Token::AnyMany), _) => {
                    retry = Some((token + 1, position + 1));
                    token += 1;
                }
                (Some(one), Some(character)) if one.takes(*character) => {
                    token += 1;
                    position += 1;
                }
                (None, None) => return true,
                _ => match retry {
                    Some((after_star, next)) if next <= text.len() => {
                        retry = Some((after_star, next + 1));
                        token = after_star;
                        position = next;
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// Parses the inside of `[...]`; `None` when the bracket is never closed.
fn parse_set(after_bracket: &[char]) -> Option<(Token, &[char])> {
    let (negated, body) = match after_bracket.split_first() {
        Some(('!', tail)) => (true, tail),
        _ => (false, after_bracket),
    };
    // A `]` in the first place is a member of the set.
    let end = body
        .iter()
        .skip(1)
        .position(|c| *c == ']')
        .map(|index| index + 1)?;
    let (members, closing) = body.split_at(end);
    let mut ranges = Vec::new();
    let mut rest = members;
    loop {
        match rest {
            [low, '-', high, tail @ ..] => {
                ranges.push((*low, *high));
                rest = tail;
            }
            [one, tail @ ..] => {
                ranges.push((*one, *one));
                rest = tail;
            }
            [] => break,
        }
    }
    Some((Token::Set { negated, ranges }, &closing[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_a_shell() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern} against {text}"
            );
        };
        check("*", "", true);
        check("disk.*", "disk.io.read", true);
        check("disk.*", "Disk.io", false);
        check("disk.?", "disk.", false);
        check("*.io.*", "disk.io.read", true);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
        check("[abc]x", "bx", true);
        check("[!abc]x", "bx", false);
        check("[!abc]x", "dx", true);
        check("[a-c]1", "b1", true);
        check("[]]", "]", true);
        check("[", "[", true);
        check("[a", "[a", true);
        check("", "", true);
        check("", "a", false);
        check("é?", "éà", true);
    }

    #[test]
    fn what_fits_begins_alike() {
        let check = |pattern: &str, prefix: &str, is_whole: bool| {
            let found = Glob::new(pattern).literal_prefix();
            assert_eq!(found, (prefix.to_owned(), is_whole), "{pattern}");
        };
        check("disk.io", "disk.io", true);
        check("disk.*", "disk.", false);
        check("[a]b", "", false);
        check("é[", "é[", true);
        check("", "", true);
    }

    #[test]
    fn a_literal_fits_itself_alone() {
        assert!(Glob::literal("[a]*?").matches("[a]*?"));
        assert!(!Glob::literal("a*").matches("ab"));
        assert!(Glob::literal("").matches(""));
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        assert!(!Glob::new(&"*a".repeat(200)).matches(&"b".repeat(10_000)));
    }
}
