//! [`Item`]: lists of words and numbers, and their text.

use std::fmt;

use super::constants::DEPTH_MAX;
use super::error::{ParseError, ParseErrorKind, TextPlace, Unreadable};

/// A list of words, numbers and lists, before it is known to be an expression.
///
/// Adapters make one of their own lists; [`Item::parse`] makes one of an s-expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A number.
    Number(f64),
    /// A word; it may spell a number.
    Word(String),
    /// A list.
    List(Vec<Item>),
    /// Something that has no place in an expression, by the name of its kind.
    Other(&'static str),
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Word(&'a str),
}

impl Item {
    /// Reads the list that a text begins with: words between parentheses, separated by ASCII white space. What follows the list is ignored.
    ///
    /// # Errors
    /// [`ParseErrorKind::Unreadable`] when the text does not begin with a list, when the list does not end, or when lists are nested more deeply
    /// than [`DEPTH_MAX`].
    ///
    /// # Examples
    /// ```
    /// use carbonara::expression::Item;
    ///
    /// let word = |text: &str| Item::Word(text.to_owned());
    /// assert_eq!(Item::parse("(abs (+ a 1)) and more")?.to_string(), "(abs (+ a 1))");
    /// assert_eq!(Item::parse("(a)")?, Item::List(vec![word("a")]));
    /// # Ok::<(), carbonara::expression::ParseError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let unreadable = |why, offset| ParseError {
            kind: ParseErrorKind::Unreadable(why),
            path: Vec::new(),
            place: Some(TextPlace::at(text, offset)),
        };
        // The lists that are still open, the outermost first.
        let mut open: Vec<Vec<Self>> = Vec::new();
        for (offset, token) in tokens(text) {
            let depth = open.len();
            match (token, open.last_mut()) {
                (Token::Open, _) if depth == DEPTH_MAX => {
                    return Err(unreadable(Unreadable::TooDeep, offset));
                }
                (Token::Open, _) => open.push(Vec::new()),
                (_, None) => return Err(unreadable(Unreadable::NoOpening, offset)),
                (Token::Word(word), Some(list)) => list.push(Self::Word(word.to_owned())),
                (Token::Close, Some(list)) => {
                    let closed = Self::List(std::mem::take(list));
                    open.pop();
                    match open.last_mut() {
                        Some(outer) => outer.push(closed),
                        None => return Ok(closed),
                    }
                }
            }
        }
        let why = if open.is_empty() {
            Unreadable::NoOpening
        } else {
            Unreadable::NoClosing
        };
        Err(unreadable(why, text.len()))
    }

    /// Returns the kind of the item, as Python names it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "float",
            Self::Word(_) => "str",
            Self::List(_) => "list",
            Self::Other(kind) => kind,
        }
    }
}

/// Returns the place in a text of what [`Item::parse`] put at `path`.
pub(super) fn place_of(text: &str, path: &[usize]) -> TextPlace {
    // Where the next item goes: its index in each of the open lists.
    let mut next: Vec<usize> = Vec::new();
    for (offset, token) in tokens(text) {
        if token == Token::Close {
            next.pop();
        } else if next == path {
            return TextPlace::at(text, offset);
        }
        match token {
            Token::Open => next.push(0),
            Token::Close | Token::Word(_) => {
                if let Some(index) = next.last_mut() {
                    *index += 1;
                }
            }
        }
    }
    TextPlace::at(text, text.len())
}

/// Iterates over the parentheses and words of a text and the bytes before each.
fn tokens(text: &str) -> impl Iterator<Item = (usize, Token<'_>)> {
    let is_end = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')');
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        at += bytes[at..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())?;
        let start = at;
        let token = match bytes[start] {
            b'(' => {
                at += 1;
                Token::Open
            }
            b')' => {
                at += 1;
                Token::Close
            }
            _ => {
                let rest = &bytes[start..];
                at += rest
                    .iter()
                    .position(|byte| is_end(*byte))
                    .unwrap_or(rest.len());
                Token::Word(&text[start..at])
            }
        };
        Some((start, token))
    })
}

/// As an s-expression.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Word(word) => f.write_str(word),
            Self::Other(kind) => f.write_str(kind),
            Self::List(items) => {
                f.write_str("(")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str(")")
            }
        }
    }
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
