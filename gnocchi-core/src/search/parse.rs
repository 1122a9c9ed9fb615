//! Filters as text: `host like "web-%" and (cpu >= 4 or not ended_at = null)`.
//!
//! A comparison is an attribute, an operator and a value. Operators: `= != ≠ < <= ≤ > >= ≥`, `eq ne lt le gt ge`, `like`, and `in` with a
//! list in brackets. Values: `null` (`none`, `None`), `true` and `false` (`True`, `False`), numbers, UUIDs, words, and text in single or
//! double quotes, in which a doubled quote stands for one. Binding from tight to loose: `not`, `and`, `∧`, `or`, `∨`. The members of a
//! chain stand in the filter from last to first: that is the order that clients know from error messages.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{
    alt, cut_err, delimited, eof, fail, not, opt, peek, preceded, repeat, separated, terminated,
};
use winnow::error::{ContextError, ErrMode, ModalResult, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::Stateful;
use winnow::token::{literal, one_of, take_while};

use super::filter::{Comparison, Filter, Scalar};

/// The longest text, in bytes: as much as fits a URL many times.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// How deep parentheses, negations and chains may be nested; each level takes some of the stack of a thread.
pub const DEPTH_MAX: usize = 32;

/// How many comparisons and values a text may hold.
pub const TERMS_MAX: usize = 10_000;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoName => "what stands left is no name",
            Self::List => "a single value is wanted, not a list",
            Self::NoList => "a list is wanted",
            Self::EmptyList => "the list is empty",
            Self::PatternOfId => "identifiers have no pattern",
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

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(syntax_error(
                text,
                0,
                format!("at most {TEXT_BYTES_MAX} bytes"),
            ));
        }
        let input = Stateful {
            input: text,
            state: Budget { depth: 0, terms: 0 },
        };
        let whole = (multispace0, loose_or, multispace0).map(|(_, expression, _)| expression);
        let expression = terminated(whole, end).parse(input).map_err(|error| {
            let expected = error.inner().context().find_map(|context| match context {
                StrContext::Expected(StrContextValue::Description(expected)) => Some(*expected),
                _ => None,
            });
            syntax_error(
                text,
                error.offset(),
                expected.unwrap_or("end of text").to_owned(),
            )
        })?;
        let filter = expression.into_filter(&Place::Root)?;
        // Chains inside of chains are printed in parentheses, also where the text has none.
        if filter.depth() > DEPTH_MAX {
            return Err(syntax_error(text, 0, TOO_DEEP.to_owned()));
        }
        Ok(filter)
    }
}

fn syntax_error(text: &str, offset: usize, expected: String) -> FilterError {
    let before = &text[..offset];
    let last_line = before.rsplit('\n').next().unwrap_or_default();
    FilterError::Syntax {
        expected,
        found: text[offset..].chars().next(),
        position: before.chars().count(),
        line: before.matches('\n').count() + 1,
        column: last_line.chars().count() + 1,
    }
}

/// What a text may still use up.
#[derive(Debug, Clone, Copy)]
struct Budget {
    depth: usize,
    terms: usize,
}

type Input<'a> = Stateful<&'a str, Budget>;

/// A filter as it is written.
enum Expression {
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

enum Term {
    /// Letters without quotes: a name, a text, or one of the words that mean null, true and false.
    Word(String),
    Text(String),
    Integer(i64),
    Number(f64),
    List(Vec<Term>),
}

#[derive(Clone, Copy)]
enum Meaning {
    Compare(Comparison),
    Like,
    In,
}

#[derive(Clone, Copy)]
struct Operator {
    spelling: &'static str,
    meaning: Meaning,
}

const OPERATORS: [(&str, Meaning); 17] = {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    use Meaning::{Compare, In, Like};
    // What another one begins with stands behind it.
    [
        (">=", Compare(GreaterOrEqual)),
        ("<=", Compare(LessOrEqual)),
        ("!=", Compare(NotEqual)),
        (">", Compare(Greater)),
        ("<", Compare(Less)),
        ("=", Compare(Equal)),
        ("≠", Compare(NotEqual)),
        ("≥", Compare(GreaterOrEqual)),
        ("≤", Compare(LessOrEqual)),
        ("eq", Compare(Equal)),
        ("ne", Compare(NotEqual)),
        ("lt", Compare(Less)),
        ("le", Compare(LessOrEqual)),
        ("gt", Compare(Greater)),
        ("ge", Compare(GreaterOrEqual)),
        ("like", Like),
        ("in", In),
    ]
};

/// Words that stand for null, in the place of a value.
const NULLS: [&str; 3] = ["null", "None", "none"];
const TRUTHS: [&str; 2] = ["True", "true"];
const FALSEHOODS: [&str; 2] = ["False", "false"];

/// What the parser says beyond [`DEPTH_MAX`] and [`TERMS_MAX`]; it wants texts that are known beforehand.
const TOO_DEEP: &str = "at most 32 levels of parentheses, negations and chains";
const TOO_MANY_TERMS: &str = "at most 10000 names and values";

/// Groups of digits in a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn refuse(what: &'static str) -> ErrMode<ContextError> {
    let mut error = ContextError::new();
    error.push(expected(what));
    ErrMode::Cut(error)
}

fn end(input: &mut Input<'_>) -> ModalResult<()> {
    eof.void()
        .context(expected("end of text"))
        .parse_next(input)
}

fn loose_or(input: &mut Input<'_>) -> ModalResult<Expression> {
    chain(input, "∨", tight_or)
}

fn tight_or(input: &mut Input<'_>) -> ModalResult<Expression> {
    chain(input, "or", loose_and)
}

fn loose_and(input: &mut Input<'_>) -> ModalResult<Expression> {
    chain(input, "∧", tight_and)
}

fn tight_and(input: &mut Input<'_>) -> ModalResult<Expression> {
    chain(input, "and", negation)
}

/// Members with an operator between them.
fn chain(
    input: &mut Input<'_>,
    spelling: &'static str,
    mut member: fn(&mut Input<'_>) -> ModalResult<Expression>,
) -> ModalResult<Expression> {
    let first = member.parse_next(input)?;
    let mut operator = opt(preceded(multispace0, |input: &mut Input<'_>| {
        keyword(input, spelling)
    }));
    let mut members = vec![first];
    while operator.parse_next(input)?.is_some() {
        members.push(cut_err(preceded(multispace0, member)).parse_next(input)?);
    }
    members.reverse();
    Ok(match (members.pop(), members.is_empty()) {
        (Some(only), true) => only,
        (first, _) => {
            members.extend(first);
            Expression::Chain { spelling, members }
        }
    })
}

fn negation(input: &mut Input<'_>) -> ModalResult<Expression> {
    if opt(|input: &mut Input<'_>| keyword(input, "not"))
        .parse_next(input)?
        .is_some()
    {
        let inner = nested(input, |input| {
            cut_err(preceded(multispace0, negation)).parse_next(input)
        })?;
        return Ok(Expression::Not(Box::new(inner)));
    }
    alt((group, comparison)).parse_next(input)
}

fn group(input: &mut Input<'_>) -> ModalResult<Expression> {
    ('(', multispace0).parse_next(input)?;
    let inner = nested(input, |input| cut_err(loose_or).parse_next(input))?;
    cut_err((multispace0, ')').context(expected("')'"))).parse_next(input)?;
    Ok(inner)
}

/// Parses something one level deeper, if there may be one.
fn nested<T>(
    input: &mut Input<'_>,
    inner: impl Fn(&mut Input<'_>) -> ModalResult<T>,
) -> ModalResult<T> {
    if input.state.depth == DEPTH_MAX {
        return Err(refuse(TOO_DEEP));
    }
    input.state.depth += 1;
    let outcome = inner(input);
    input.state.depth -= 1;
    outcome
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Expression> {
    let left = term.context(expected("a comparison")).parse_next(input)?;
    let operator = cut_err(preceded(multispace0, operator).context(expected("an operator")))
        .parse_next(input)?;
    let right = cut_err(preceded(multispace0, alt((list, term))).context(expected("a value")))
        .parse_next(input)?;
    Ok(Expression::Comparison {
        left,
        operator,
        right,
    })
}

fn operator(input: &mut Input<'_>) -> ModalResult<Operator> {
    for (spelling, meaning) in OPERATORS {
        if opt(|input: &mut Input<'_>| keyword(input, spelling))
            .parse_next(input)?
            .is_some()
        {
            return Ok(Operator { spelling, meaning });
        }
    }
    fail.parse_next(input)
}

/// One spelling; if it is a word, not the beginning of a longer one.
fn keyword(input: &mut Input<'_>, spelling: &'static str) -> ModalResult<()> {
    if spelling.starts_with(|first: char| first.is_ascii_alphabetic()) {
        terminated(literal(spelling), boundary)
            .void()
            .parse_next(input)
    } else {
        literal(spelling).void().parse_next(input)
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn boundary(input: &mut Input<'_>) -> ModalResult<()> {
    not(one_of(is_word)).parse_next(input)
}

fn list(input: &mut Input<'_>) -> ModalResult<Term> {
    ('[', multispace0).parse_next(input)?;
    let comma = (multispace0, ',', multispace0);
    let items: Vec<Term> = separated(0.., term, comma).parse_next(input)?;
    cut_err((multispace0, ']').context(expected("']'"))).parse_next(input)?;
    Ok(Term::List(items))
}

fn term(input: &mut Input<'_>) -> ModalResult<Term> {
    if input.state.terms == TERMS_MAX {
        return Err(refuse(TOO_MANY_TERMS));
    }
    input.state.terms += 1;
    alt((
        uuid.map(Term::Text),
        number,
        quoted('"').map(Term::Text),
        quoted('\'').map(Term::Text),
        word.map(Term::Word),
    ))
    .parse_next(input)
}

/// A UUID without quotes, whose hyphens may be missing. It stays the text that it is.
fn uuid(input: &mut Input<'_>) -> ModalResult<String> {
    fn groups(input: &mut Input<'_>) -> ModalResult<()> {
        for (index, digits) in UUID_GROUPS.into_iter().enumerate() {
            if index > 0 {
                opt('-').parse_next(input)?;
            }
            take_while(digits, |digit: char| digit.is_ascii_hexdigit()).parse_next(input)?;
        }
        Ok(())
    }
    terminated(groups.take(), boundary)
        .map(ToOwned::to_owned)
        .parse_next(input)
}

fn number(input: &mut Input<'_>) -> ModalResult<Term> {
    let sign = || opt(one_of(['+', '-']));
    let fraction = opt(('.', digit1));
    let exponent = opt((one_of(['e', 'E']), sign(), digit1));
    let (is_real, text) = ((sign(), digit1), fraction, exponent)
        .map(|(_, fraction, exponent)| fraction.is_some() || exponent.is_some())
        .with_taken()
        .parse_next(input)?;
    let whole = (!is_real).then(|| text.parse().ok()).flatten();
    match (whole, text.parse::<f64>()) {
        (Some(whole), _) => Ok(Term::Integer(whole)),
        (None, Ok(number)) if number.is_finite() => Ok(Term::Number(number)),
        _ => Err(refuse("a number that is not that large")),
    }
}

/// Text in quotes.
fn quoted<'a>(quote: char) -> impl Parser<Input<'a>, String, ErrMode<ContextError>> {
    let plain = move |input: &mut Input<'a>| {
        take_while(1.., move |character: char| character != quote).parse_next(input)
    };
    let doubled = move |input: &mut Input<'a>| {
        (quote, peek(quote)).take().parse_next(input)?;
        quote.take().parse_next(input)
    };
    let content = repeat(0.., alt((plain, doubled))).fold(String::new, |mut text, part: &str| {
        text.push_str(part);
        text
    });
    delimited(quote, content, quote)
}

fn word(input: &mut Input<'_>) -> ModalResult<String> {
    (one_of(char::is_alphabetic), take_while(0.., is_word))
        .take()
        .map(ToOwned::to_owned)
        .parse_next(input)
}

/// Where an expression stands, as clients are told.
enum Place<'a> {
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
    fn into_filter(self, place: &Place<'_>) -> Result<Filter, FilterError> {
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
            let values = items.into_iter().map(Term::into_scalar).collect();
            match values {
                Some(values) => Ok(Filter::In { attribute, values }),
                None => Err(refuse(Misuse::List)),
            }
        }
        (Meaning::In, _) => Err(refuse(Misuse::NoList)),
        (meaning, right) => match (meaning, right.into_scalar()) {
            (_, None) => Err(refuse(Misuse::List)),
            (Meaning::Compare(comparison), Some(value)) => Ok(Filter::Compare {
                comparison,
                attribute,
                value,
            }),
            (_, Some(pattern)) => Ok(Filter::Like { attribute, pattern }),
        },
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

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
