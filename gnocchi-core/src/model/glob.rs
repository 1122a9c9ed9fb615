//! Shell patterns over metric names.

/// A shell pattern: `*`, `?`, `[set]`, `[!set]`; case-sensitive, matched against the whole text.
///
/// A `[` without a closing bracket stands for itself, as in a shell.
///
/// Why pieces? What stands between two `*` has a fixed length, so it may be taken where it is found first; each piece is looked for once, in time
/// proportional to the text, and no pattern makes a match slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What stands before, between and behind the `*`; a single one has none.
    pieces: Vec<Piece>,
}

/// Tokens without a `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Literals only.
    Text(String),
    /// Others as well.
    Tokens {
        tokens: Vec<Token>,
        scan: Option<Scan>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    Set {
        negated: bool,
        /// Ascending, and apart from each other: a set may have thousands, and is asked at each place of a text.
        ranges: Vec<(char, char)>,
    },
}

/// How many tokens are compared one by one at each place of a text: longer pieces have a [`Scan`].
const COMPARED_TOKENS_MAX: usize = 8;

/// Finds a piece in one pass: which beginnings of it end at a character is a set of bits, which follows from the set at the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scan {
    /// The first character of each interval whose characters fit the same tokens, ascending; the first one is U+0000.
    intervals: Vec<char>,
    /// Which tokens they fit, `words` for each interval.
    masks: Vec<u64>,
    words: usize,
}

impl Token {
    /// Returns whether the token takes exactly this character.
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::AnyOne => true,
            Self::Set { negated, ranges } => {
                let begun = ranges.partition_point(|(low, _)| *low <= character);
                let last = ranges[..begun].last();
                last.is_some_and(|(_, high)| character <= *high) != *negated
            }
        }
    }

    /// Returns the characters that it names.
    fn ranges(&self) -> Vec<(char, char)> {
        match self {
            Self::Literal(literal) => vec![(*literal, *literal)],
            Self::AnyOne => Vec::new(),
            Self::Set { ranges, .. } => ranges.clone(),
        }
    }

    /// Returns whether the token takes characters that it does not name.
    fn takes_others(&self) -> bool {
        matches!(self, Self::AnyOne | Self::Set { negated: true, .. })
    }
}

impl Scan {
    fn new(tokens: &[Token]) -> Self {
        let mut intervals = vec![char::MIN];
        for (low, high) in tokens.iter().flat_map(Token::ranges) {
            intervals.push(low);
            intervals.extend((high..=char::MAX).nth(1));
        }
        intervals.sort_unstable();
        intervals.dedup();
        let words = tokens.len().div_ceil(64);
        let mut others = vec![0; words];
        for (place, token) in tokens.iter().enumerate() {
            others[place / 64] |= u64::from(token.takes_others()) << (place % 64);
        }
        let mut masks = others.repeat(intervals.len());
        for (place, token) in tokens.iter().enumerate() {
            for (low, high) in token.ranges() {
                let begin = intervals.partition_point(|first| *first < low);
                let end = intervals.partition_point(|first| *first <= high);
                for mask in masks[begin * words..end * words].chunks_exact_mut(words) {
                    mask[place / 64] ^= 1 << (place % 64);
                }
            }
        }
        Self {
            intervals,
            masks,
            words,
        }
    }

    /// Returns what is left of a text behind the first place where so many tokens fit.
    fn find<'t>(&self, tokens: usize, text: &'t str) -> Option<&'t str> {
        let last = tokens - 1;
        let mut state = vec![0_u64; self.words];
        for (place, character) in text.char_indices() {
            let interval = self.intervals.partition_point(|first| *first <= character) - 1;
            let mask = &self.masks[interval * self.words..][..self.words];
            // The beginning of no token fits everywhere.
            let mut carried = 1;
            for (word, mask) in state.iter_mut().zip(mask) {
                let top = *word >> 63;
                *word = (*word << 1 | carried) & mask;
                carried = top;
            }
            if state[last / 64] >> (last % 64) & 1 == 1 {
                return Some(&text[place + character.len_utf8()..]);
            }
        }
        None
    }
}

impl Piece {
    fn new(tokens: Vec<Token>) -> Self {
        let literal = |token: &Token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        };
        match tokens.iter().map(literal).collect() {
            Some(text) => Self::Text(text),
            None => Self::Tokens {
                scan: (tokens.len() > COMPARED_TOKENS_MAX).then(|| Scan::new(&tokens)),
                tokens,
            },
        }
    }

    /// Returns what is left of a text that begins with the piece.
    fn strip_from_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(literal) => text.strip_prefix(literal.as_str()),
            Self::Tokens { tokens, .. } => {
                let mut characters = text.chars();
                let mut fits = |token: &Token| characters.next().is_some_and(|c| token.takes(c));
                tokens.iter().all(&mut fits).then_some(characters.as_str())
            }
        }
    }

    /// Returns what is left of a text that ends with the piece.
    fn strip_from_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(literal) => text.strip_suffix(literal.as_str()),
            Self::Tokens { tokens, .. } => {
                let mut characters = text.chars();
                let mut fits =
                    |token: &Token| characters.next_back().is_some_and(|c| token.takes(c));
                tokens
                    .iter()
                    .rev()
                    .all(&mut fits)
                    .then_some(characters.as_str())
            }
        }
    }

    /// Returns what is left of a text behind the first place where the piece stands.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(literal) => {
                let place = text.find(literal.as_str())?;
                Some(&text[place + literal.len()..])
            }
            Self::Tokens {
                tokens,
                scan: Some(scan),
            } => scan.find(tokens.len(), text),
            Self::Tokens { scan: None, .. } => {
                let mut places = text.char_indices();
                places.find_map(|(place, _)| self.strip_from_start(&text[place..]))
            }
        }
    }
}

impl Glob {
    /// Compiles a pattern; every text is a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let characters: Vec<char> = pattern.chars().collect();
        let mut pieces = Vec::new();
        let mut tokens = Vec::new();
        let mut rest = characters.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            match first {
                // Several in a row are one.
                '*' if tokens.is_empty() && !pieces.is_empty() => {}
                '*' => pieces.push(Piece::new(std::mem::take(&mut tokens))),
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
        pieces.push(Piece::new(tokens));
        Self { pieces }
    }

    /// Returns the text that everything begins with that fits, and whether nothing else fits than this text.
    #[must_use]
    pub fn literal_prefix(&self) -> (String, bool) {
        let is_alone = self.pieces.len() == 1;
        match self.pieces.first() {
            Some(Piece::Text(text)) => (text.clone(), is_alone),
            Some(Piece::Tokens { tokens, .. }) => {
                let literals = tokens.iter().map_while(|token| match token {
                    Token::Literal(character) => Some(*character),
                    _ => None,
                });
                (literals.collect(), false)
            }
            None => (String::new(), true),
        }
    }

    /// Makes the pattern that only this text fits.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self {
            pieces: vec![Piece::Text(text.to_owned())],
        }
    }

    /// Returns whether the whole text fits the pattern. Time is proportional to the length of the text, and to that of the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else {
            return text.is_empty();
        };
        let Some(mut rest) = first.strip_from_start(text) else {
            return false;
        };
        let Some((last, between)) = others.split_last() else {
            return rest.is_empty();
        };
        match last.strip_from_end(rest) {
            Some(before) => rest = before,
            None => return false,
        }
        for piece in between {
            match piece.find(rest) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        true
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
    let ranges = apart(ranges);
    Some((Token::Set { negated, ranges }, &closing[1..]))
}

/// Sorts ranges and joins those that overlap; those that end before they begin hold nothing.
fn apart(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.retain(|(low, high)| low <= high);
    ranges.sort_unstable();
    ranges.dedup_by(|next, joined| {
        let overlaps = next.0 <= joined.1;
        if overlaps {
            joined.1 = joined.1.max(next.1);
        }
        overlaps
    });
    ranges
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
        check("[c-ea-bz-y]x", "ax", true);
        check("[a-yb-d]x", "ex", true);
        check("[a-yb-d]x", "zx", false);
        check("[!a-yb-d]x", "ex", false);
        check("[!z-a]x", "bx", true);
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
        // Each of these took time in proportion to the product of both lengths: minutes.
        let text = "a".repeat(1_000_000);
        let many = "a".repeat(100_000);
        assert!(!Glob::new(&format!("*{many}b*")).matches(&text));
        assert!(!Glob::new(&format!("*[ab]{}b*", "?".repeat(500))).matches(&text));
        assert!(!Glob::new(&format!("*{}b*", "[a-cx]".repeat(500))).matches(&text));
        let set: String = ('\u{4e00}'..'\u{8e00}').step_by(2).collect();
        assert!(!Glob::new(&format!("*[{set}]b*")).matches(&text));
    }

    /// What a pattern means, said in the shortest way.
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            (['*', rest @ ..], _) => (0..=text.len()).any(|from| fits(rest, &text[from..])),
            (['?', rest @ ..], [_, after @ ..]) => fits(rest, after),
            (['[', set, ']', rest @ ..], [first, after @ ..]) => set == first && fits(rest, after),
            ([literal, rest @ ..], [first, after @ ..]) => literal == first && fits(rest, after),
            ([], []) => true,
            _ => false,
        }
    }

    #[test]
    fn every_short_pattern_means_what_it_says() {
        let letters = ["a", "\u{e9}", "?", "*", "[a]", "a??aa?a\u{e9}?a"];
        let texts = [
            "",
            "a",
            "aa",
            "\u{e9}",
            "a\u{e9}a",
            "aaaa\u{e9}aa",
            "aaaaaa\u{e9}aa",
            "aa\u{e9}aaaa\u{e9}aaaa\u{e9}aa",
        ];
        let mut patterns = vec![String::new()];
        for _ in 0..4 {
            let longer = patterns
                .iter()
                .flat_map(|pattern| letters.map(|letter| format!("{pattern}{letter}")));
            let longer: Vec<String> = longer.collect();
            for pattern in &longer {
                let spelt: Vec<char> = pattern.chars().collect();
                for text in texts {
                    let characters: Vec<char> = text.chars().collect();
                    let expected = fits(&spelt, &characters);
                    assert_eq!(
                        Glob::new(pattern).matches(text),
                        expected,
                        "{pattern} {text}"
                    );
                }
            }
            patterns = longer;
        }
    }
}
