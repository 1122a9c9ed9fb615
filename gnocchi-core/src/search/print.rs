//! Filters as text that reads back as the same filter.

use std::fmt;

use super::filter::{Comparison, Filter, Scalar};

/// Words that mean something else than a name at the beginning of a comparison.
const RESERVED: [&str; 1] = ["not"];

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare {
                comparison,
                attribute,
                value,
            } => write!(f, "{} {comparison} {value}", Name(attribute)),
            Self::Like { attribute, pattern } => write!(f, "{} like {pattern}", Name(attribute)),
            Self::In { attribute, values } => {
                write!(f, "{} in [", Name(attribute))?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
            Self::All(members) => chain(f, members, " and "),
            Self::Any(members) => chain(f, members, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                member(f, inner)
            }
        }
    }
}

/// Members stand in a filter from last to first.
fn chain(f: &mut fmt::Formatter<'_>, members: &[Filter], operator: &str) -> fmt::Result {
    for (index, inner) in members.iter().rev().enumerate() {
        if index > 0 {
            f.write_str(operator)?;
        }
        member(f, inner)?;
    }
    Ok(())
}

fn member(f: &mut fmt::Formatter<'_>, inner: &Filter) -> fmt::Result {
    match inner {
        Filter::All(_) | Filter::Any(_) => write!(f, "({inner})"),
        _ => write!(f, "{inner}"),
    }
}

/// The symbol.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => quote(f, text),
        }
    }
}

/// The name of an attribute, in quotes unless it is a plain word.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let is_plain = self
            .0
            .starts_with(|first: char| first.is_ascii_alphabetic())
            && self.0.chars().all(is_word)
            && !RESERVED.contains(&self.0);
        if is_plain {
            f.write_str(self.0)
        } else {
            quote(f, self.0)
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('"', "\"\""))
}
