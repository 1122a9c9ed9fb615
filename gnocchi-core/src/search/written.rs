//! Filters as they are written, and what they mean: names on the left, values on the right, and where that is not so.

use super::error::{FilterError, Misuse, MisuseStep};
use super::filter::{Comparison, Filter, Scalar};
use crate::model::ResourceId;

/// A filter as it is written.
pub(super) enum Expression {
    Chain {
        spelling: &'static str,
        members: Vec<Expression>,
    },
    Not(Box<Expression>),
    Comparison {
        left: Term,
        operator: Operator,
        right: Term,
    },
}

pub(super) enum Term {
    /// Letters without quotes: a name, a text, or one of the words that mean null, true and false.
    Word(String),
    Text(String),
    Integer(i64),
    Number(f64),
    List(Vec<Term>),
}

#[derive(Clone, Copy)]
pub(super) enum Meaning {
    Compare(Comparison),
    Like,
    In,
}

#[derive(Clone, Copy)]
pub(super) struct Operator {
    pub(super) spelling: &'static str,
    pub(super) meaning: Meaning,
}

/// Words that stand for null, in the place of a value.
const NULLS: [&str; 3] = ["null", "None", "none"];
const TRUTHS: [&str; 2] = ["True", "true"];
const FALSEHOODS: [&str; 2] = ["False", "false"];

/// Where an expression stands, as clients are told.
pub(super) enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn steps(&self) -> Vec<MisuseStep> {
        let (parent, step) = match self {
            Self::Root => return Vec::new(),
            Self::Key(parent, key) => (parent, MisuseStep::Key((*key).to_owned())),
            Self::Index(parent, index) => (parent, MisuseStep::Index(*index)),
        };
        let mut steps = parent.steps();
        steps.push(step);
        steps
    }

    fn refuse(&self, misuse: Misuse) -> FilterError {
        FilterError::Misuse {
            misuse,
            path: self.steps(),
        }
    }
}

impl Expression {
    /// Returns what it means; a comparison that makes no sense is told with its place.
    pub(super) fn into_filter(self, place: &Place<'_>) -> Result<Filter, FilterError> {
        match self {
            Self::Not(inner) => {
                let inner = inner.into_filter(&Place::Key(place, "not"))?;
                Ok(Filter::Not(Box::new(inner)))
            }
            Self::Chain { spelling, members } => {
                let place = Place::Key(place, spelling);
                let members = members.into_iter().enumerate();
                let filters = members
                    .map(|(index, member)| member.into_filter(&Place::Index(&place, index)))
                    .collect::<Result<_, _>>()?;
                Ok(match spelling {
                    "and" | "∧" => Filter::All(filters),
                    _ => Filter::Any(filters),
                })
            }
            Self::Comparison {
                left,
                operator,
                right,
            } => {
                let place = Place::Key(place, operator.spelling);
                let attribute = left.into_name(&place)?;
                compare(operator.meaning, attribute, right, &place)
            }
        }
    }
}

fn compare(
    meaning: Meaning,
    attribute: String,
    right: Term,
    place: &Place<'_>,
) -> Result<Filter, FilterError> {
    let refuse = |misuse| Place::Key(place, &attribute).refuse(misuse);
    match (meaning, right) {
        (Meaning::Like, _) if attribute == "id" => Err(refuse(Misuse::PatternOfId)),
        (Meaning::In, Term::List(items)) if items.is_empty() => Err(refuse(Misuse::EmptyList)),
        (Meaning::In, Term::List(items)) => {
            let values: Option<Vec<Scalar>> = items.into_iter().map(Term::into_scalar).collect();
            let values = values.ok_or_else(|| refuse(Misuse::List))?;
            let place = Place::Key(place, &attribute);
            for (index, value) in values.iter().enumerate() {
                check_id(&attribute, value, &Place::Index(&place, index))?;
            }
            Ok(Filter::In { attribute, values })
        }
        (Meaning::In, _) => Err(refuse(Misuse::NoList)),
        (meaning, right) => match (meaning, right.into_scalar()) {
            (_, None) => Err(refuse(Misuse::List)),
            (Meaning::Compare(comparison), Some(value)) => {
                check_id(&attribute, &value, &Place::Key(place, &attribute))?;
                Ok(Filter::Compare {
                    comparison,
                    attribute,
                    value,
                })
            }
            (_, Some(pattern)) => Ok(Filter::Like { attribute, pattern }),
        },
    }
}

/// Checks that a resource can have the id that it is compared with. Whose id it is makes no difference.
fn check_id(attribute: &str, value: &Scalar, place: &Place<'_>) -> Result<(), FilterError> {
    match value {
        Scalar::Text(text) if attribute == "id" => ResourceId::from_original(text, None)
            .map(drop)
            .map_err(|error| place.refuse(Misuse::ResourceId(error))),
        _ => Ok(()),
    }
}

impl Term {
    fn into_name(self, place: &Place<'_>) -> Result<String, FilterError> {
        let literal = match self {
            Self::Word(name) | Self::Text(name) => return Ok(name),
            Self::Integer(number) => format!("{number}.0"),
            Self::Number(number) => format!("{number:?}"),
            Self::List(_) => "[]".to_owned(),
        };
        let mut path = place.steps();
        path.push(MisuseStep::Literal(literal));
        Err(FilterError::Misuse {
            misuse: Misuse::NoName,
            path,
        })
    }

    /// Returns the value; `None` for a list.
    fn into_scalar(self) -> Option<Scalar> {
        Some(match self {
            Self::Word(word) if NULLS.contains(&word.as_str()) => Scalar::Null,
            Self::Word(word) if TRUTHS.contains(&word.as_str()) => Scalar::Bool(true),
            Self::Word(word) if FALSEHOODS.contains(&word.as_str()) => Scalar::Bool(false),
            Self::Word(text) | Self::Text(text) => Scalar::Text(text),
            Self::Integer(number) => Scalar::Integer(number),
            Self::Number(number) => Scalar::Number(number),
            Self::List(_) => return None,
        })
    }
}
