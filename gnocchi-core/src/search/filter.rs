//! What a client asks, before its names and values are checked.

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value as a client wrote it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A real number; finite.
    Number(f64),
    /// Text.
    Text(String),
}

/// What a client asks of resources.
///
/// [`Display`](std::fmt::Display) prints the text that [`FromStr`](std::str::FromStr) reads as the same filter, as long as each chain
/// has two members or more, which is so for all that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// An attribute compared with a value.
    Compare {
        /// How.
        comparison: Comparison,
        /// The name of the attribute.
        attribute: String,
        /// The value on the right.
        value: Scalar,
    },
    /// An attribute that fits a pattern, where `%` stands for any text, `_` for any character, and a backslash makes the character behind
    /// it an ordinary one.
    Like {
        /// The name of the attribute.
        attribute: String,
        /// The pattern.
        pattern: Scalar,
    },
    /// An attribute that has one of some values.
    In {
        /// The name of the attribute.
        attribute: String,
        /// The values.
        values: Vec<Scalar>,
    },
    /// All of these.
    All(Vec<Filter>),
    /// At least one of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

impl Comparison {
    /// Returns whether the comparison holds for an ordering of its operands.
    #[must_use]
    pub fn accepts(self, outcome: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => outcome.is_eq(),
            Self::NotEqual => outcome.is_ne(),
            Self::Less => outcome.is_lt(),
            Self::LessOrEqual => outcome.is_le(),
            Self::Greater => outcome.is_gt(),
            Self::GreaterOrEqual => outcome.is_ge(),
        }
    }
}

impl Filter {
    /// Returns how deep chains and negations are nested.
    #[must_use]
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::All(members) | Self::Any(members) => {
                1 + members.iter().map(Self::depth).max().unwrap_or(0)
            }
            Self::Not(inner) => 1 + inner.depth(),
            Self::Compare { .. } | Self::Like { .. } | Self::In { .. } => 0,
        }
    }

    /// Joins filters that must all fit. One alone stays as it is.
    #[must_use]
    pub fn all(mut filters: Vec<Self>) -> Self {
        match filters.len() {
            1 => filters.remove(0),
            _ => Self::All(filters),
        }
    }

    /// Joins filters of which at least one must fit. One alone stays as it is.
    #[must_use]
    pub fn any(mut filters: Vec<Self>) -> Self {
        match filters.len() {
            1 => filters.remove(0),
            _ => Self::Any(filters),
        }
    }
}
