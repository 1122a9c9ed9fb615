//! Why a text is no filter.

use std::fmt;

use thiserror::Error;

use crate::model::ResourceIdError;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The text breaks off from the grammar.
    #[error("expected {expected} at character {position}")]
    Syntax {
        /// What could have stood there.
        expected: String,
        /// What stands there; `None` at the end.
        found: Option<char>,
        /// How many characters stand before.
        position: usize,
        /// The line, from 1.
        line: usize,
        /// The place in the line, from 1.
        column: usize,
    },
    /// A comparison follows the grammar but makes no sense.
    #[error("a comparison makes no sense: {misuse}")]
    Misuse {
        /// What is wrong with it.
        misuse: Misuse,
        /// Where it is, from the outermost operator inwards.
        path: Vec<MisuseStep>,
    },
}

/// What is wrong with a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// What stands left is no name.
    NoName,
    /// A single value is wanted, and there is a list.
    List,
    /// A list is wanted, and there is none.
    NoList,
    /// The list holds nothing.
    EmptyList,
    /// Identifiers have no pattern.
    PatternOfId,
    /// No resource can have that identifier.
    ResourceId(ResourceIdError),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoName => "what stands left is not a name",
            Self::List => "a single value is wanted, not a list",
            Self::NoList => "a list is wanted",
            Self::EmptyList => "the list is empty",
            Self::PatternOfId => "identifiers have no pattern",
            Self::ResourceId(error) => return error.fmt(f),
        })
    }
}

/// One step on the way to a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MisuseStep {
    /// What an operator or an attribute holds, by its name as it is written.
    Key(String),
    /// A member of a chain.
    Index(usize),
    /// What stands in the place of a name, as it would be printed.
    Literal(String),
}
