//! Why something is no expression.

use std::fmt;

/// Why a text or a list is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where in the list: the index in it, the index in the list found there, and so on. Empty for the whole.
    pub path: Vec<usize>,
    /// Where in the text, when there was one.
    pub place: Option<TextPlace>,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The text does not spell a list.
    Unreadable(Unreadable),
    /// The list is empty.
    Empty,
    /// It is something else than a list.
    NotAList {
        /// What it is, as [`Item`](super::Item) names it.
        found: &'static str,
    },
    /// The list holds nothing but the name of an operation.
    NoArgument,
    /// The list is no operation, or something inside is none.
    InvalidOperation {
        /// What stands where the outermost list has the name of its operation.
        name: String,
        /// What is wrong at the place of the error.
        reason: InvalidOperation,
    },
    /// A reference of a `metric` operation is not a name and an aggregation.
    MalformedReference {
        /// Which of the arguments, counted from zero.
        index: usize,
    },
}

/// Why a text does not spell a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// It does not begin with a parenthesis.
    NoOpening,
    /// It ends before the list does.
    NoClosing,
    /// Lists are nested more deeply than [`DEPTH_MAX`](super::DEPTH_MAX).
    TooDeep,
}

/// What is wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOperation {
    /// No operation has that name.
    UnknownName,
    /// There are too few or too many arguments.
    ArgumentCount,
    /// It is neither an operation nor a number.
    NotAnOperand,
    /// No aggregation that the operation knows.
    UnknownAggregation,
    /// Not a number of rows, at least one.
    Window,
    /// Not a length of time, nor a letter of a calendar unit.
    Timespan,
    /// Operations are nested more deeply than [`DEPTH_MAX`](super::DEPTH_MAX).
    TooDeep,
    /// There are more than [`OPERATIONS_MAX`](super::OPERATIONS_MAX) operations.
    TooManyOperations,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPlace {
    /// Bytes before it.
    pub offset: usize,
    /// Number of its line, the first being 1.
    pub line: usize,
    /// Number of its character in the line, the first being 1.
    pub column: usize,
}

impl TextPlace {
    /// Returns the place that has `offset` bytes of `text` before it.
    pub(super) fn at(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            offset: before.len(),
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.place {
            Some(place) => write!(f, " {place}"),
            None if self.path.is_empty() => Ok(()),
            None => {
                f.write_str(" (at ")?;
                for index in &self.path {
                    write!(f, "[{index}]")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => why.fmt(f),
            Self::Empty => f.write_str("operation is empty"),
            Self::NotAList { found } => write!(f, "expected a list, found {found}"),
            Self::NoArgument => f.write_str("operation has no argument"),
            Self::InvalidOperation { name, reason } => {
                write!(f, "'{name}' operation invalid: {reason}")
            }
            Self::MalformedReference { index } => write!(
                f,
                "argument {index} of 'metric' is not a name and an aggregation"
            ),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOpening => "expected '('",
            Self::NoClosing => "expected ')', found end of text",
            Self::TooDeep => "lists are nested too deeply",
        })
    }
}

impl fmt::Display for InvalidOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "unknown operation",
            Self::ArgumentCount => "wrong number of arguments",
            Self::NotAnOperand => "neither an operation nor a number",
            Self::UnknownAggregation => "unknown aggregation",
            Self::Window => "window is not a number of rows, at least one",
            Self::Timespan => "not a positive timespan",
            Self::TooDeep => "nested too deeply",
            Self::TooManyOperations => "too many operations",
        })
    }
}

/// As `(at char 15), (line:1, col:16)`, the form that clients know.
impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            line,
            column,
        } = self;
        write!(f, "(at char {offset}), (line:{line}, col:{column})")
    }
}

impl std::error::Error for ParseError {}
