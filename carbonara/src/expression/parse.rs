//! From lists to expressions.

use std::num::NonZeroUsize;
use std::str::FromStr;

use super::ast::{Expression, RateUnit, Reference};
use super::constants::{DEPTH_MAX, OPERATIONS_MAX};
use super::error::{InvalidOperation, ParseError, ParseErrorKind};
use super::item::{Item, place_of};
use super::seconds;
use crate::resample::Granularity;
use crate::time::Timespan;

/// How expressions are read.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    /// Reads a positive length of time; a number comes as its text.
    pub read_timespan: fn(&str) -> Option<Timespan>,
}

/// Lengths of time are numbers of seconds.
impl Default for Grammar {
    fn default() -> Self {
        Self {
            read_timespan: seconds::read,
        }
    }
}

impl Grammar {
    /// Reads the s-expression that a text begins with; what follows is ignored.
    ///
    /// # Errors
    /// [`ParseError`], with the place in the text.
    pub fn parse(&self, text: &str) -> Result<Expression, ParseError> {
        let item = Item::parse(text)?;
        self.expression(&item).map_err(|error| ParseError {
            place: Some(place_of(text, &error.path)),
            ..error
        })
    }

    /// Makes an expression of a list.
    ///
    /// # Errors
    /// [`ParseError`], with the path to the place in the list.
    pub fn expression(&self, item: &Item) -> Result<Expression, ParseError> {
        let whole = |kind| ParseError {
            kind,
            path: Vec::new(),
            place: None,
        };
        let Item::List(list) = item else {
            return Err(whole(ParseErrorKind::NotAList { found: item.kind() }));
        };
        match list.as_slice() {
            [] => return Err(whole(ParseErrorKind::Empty)),
            [_] => return Err(whole(ParseErrorKind::NoArgument)),
            _ => {}
        }
        let mut reader = Reader {
            grammar: self,
            path: Vec::new(),
            operations: 0,
        };
        reader.operation(list).map_err(|what| {
            let kind = match what {
                Wrong::Operation(reason) => ParseErrorKind::InvalidOperation {
                    name: list.first().map(Item::to_string).unwrap_or_default(),
                    reason,
                },
                Wrong::Reference { index } => ParseErrorKind::MalformedReference { index },
            };
            ParseError {
                kind,
                path: reader.path,
                place: None,
            }
        })
    }
}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Grammar::default().parse(text)
    }
}

/// What is wrong at the place that the reader has come to.
enum Wrong {
    Operation(InvalidOperation),
    Reference { index: usize },
}

impl From<InvalidOperation> for Wrong {
    fn from(reason: InvalidOperation) -> Self {
        Self::Operation(reason)
    }
}

struct Reader<'a> {
    grammar: &'a Grammar,
    /// Where the reader is. After an error it stays there.
    path: Vec<usize>,
    operations: usize,
}

impl Reader<'_> {
    /// Reads something at an index of the list that the reader is in.
    fn at<T>(
        &mut self,
        index: usize,
        read: impl FnOnce(&mut Self) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        self.path.push(index);
        let result = read(self)?;
        self.path.pop();
        Ok(result)
    }

    fn operation(&mut self, list: &[Item]) -> Result<Expression, Wrong> {
        if self.path.len() >= DEPTH_MAX {
            return Err(InvalidOperation::TooDeep.into());
        }
        self.operations += 1;
        if self.operations > OPERATIONS_MAX {
            return Err(InvalidOperation::TooManyOperations.into());
        }
        let [Item::Word(name), arguments @ ..] = list else {
            return Err(InvalidOperation::UnknownName.into());
        };
        match (name.as_str(), arguments) {
            ("metric", _) => self.metric(arguments).map(Expression::Metric),
            ("aggregate", [method, of @ ..]) if !of.is_empty() => {
                let method = self.at(1, |_| aggregation(method))?;
                Ok(Expression::Aggregate(method, self.columns(2, of)?))
            }
            ("rolling", [method, window, of]) => Ok(Expression::Rolling {
                method: self.at(1, |_| aggregation(method))?,
                window: self.at(2, |_| rows(window))?,
                of: self.operand(3, of)?,
            }),
            ("resample", [method, to, of]) => Ok(Expression::Resample {
                method: self.at(1, |_| aggregation(method))?,
                to: self.at(2, |reader| reader.granularity(to))?,
                of: self.operand(3, of)?,
            }),
            ("rateofchange", [of]) => Ok(Expression::RateOfChange(
                RateUnit::Row,
                self.operand(1, of)?,
            )),
            ("rateofchangesec", [of]) => Ok(Expression::RateOfChange(
                RateUnit::Second,
                self.operand(1, of)?,
            )),
            ("clip", [of, lowest, rest @ ..]) if rest.len() < 2 => Ok(Expression::Clip {
                of: self.operand(1, of)?,
                lowest: self.operand(2, lowest)?,
                highest: match rest.first() {
                    Some(highest) => Some(self.operand(3, highest)?),
                    None => None,
                },
            }),
            (
                "aggregate" | "rolling" | "resample" | "rateofchange" | "rateofchangesec" | "clip",
                _,
            ) => Err(InvalidOperation::ArgumentCount.into()),
            (name, _) => self.function(name, arguments),
        }
    }

    /// Reads a function of one or two operands.
    fn function(&mut self, name: &str, arguments: &[Item]) -> Result<Expression, Wrong> {
        match (name.parse(), name.parse(), arguments) {
            (Ok(unary), _, [of]) => Ok(Expression::Unary(unary, self.operand(1, of)?)),
            (_, Ok(binary), [left, right]) => {
                let left = self.operand(1, left)?;
                Ok(Expression::Binary(binary, left, self.operand(2, right)?))
            }
            (Err(_), Err(_), _) => self.at(0, |_| Err(InvalidOperation::UnknownName.into())),
            _ => Err(InvalidOperation::ArgumentCount.into()),
        }
    }

    fn operand(&mut self, index: usize, item: &Item) -> Result<Box<Expression>, Wrong> {
        self.at(index, |reader| match item {
            Item::List(list) => reader.operation(list),
            item => number(item)
                .map(Expression::Number)
                .ok_or(InvalidOperation::NotAnOperand.into()),
        })
        .map(Box::new)
    }

    /// Reads operands, the first of them at an index, whose columns count together.
    fn columns(&mut self, index: usize, items: &[Item]) -> Result<Box<Expression>, Wrong> {
        if let [of] = items {
            return self.operand(index, of);
        }
        let mut operands = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            operands.push(*self.operand(index + place, item)?);
        }
        let mut listed = Vec::new();
        for operand in &operands {
            match operand {
                Expression::Metric(references) => listed.extend(references.iter().cloned()),
                _ => return Ok(Box::new(Expression::Columns(operands))),
            }
        }
        // The same as one list of all references, in which each counts once.
        Ok(Box::new(Expression::Metric(listed)))
    }

    /// Reads a name and an aggregation, or a list of such pairs.
    fn metric(&mut self, arguments: &[Item]) -> Result<Vec<Reference>, Wrong> {
        if let [Item::Word(name), Item::Word(method)] = arguments {
            return Ok(vec![Reference::new(name, method)]);
        }
        if arguments.is_empty() {
            return Err(InvalidOperation::ArgumentCount.into());
        }
        let pairs = arguments.iter().enumerate().map(|(index, argument)| {
            self.at(index + 1, |_| match argument {
                Item::List(pair) => match pair.as_slice() {
                    [Item::Word(name), Item::Word(method)] => Ok(Reference::new(name, method)),
                    _ => Err(Wrong::Reference { index }),
                },
                _ => Err(Wrong::Reference { index }),
            })
        });
        pairs.collect()
    }

    fn granularity(&self, item: &Item) -> Result<Granularity, Wrong> {
        let read = |text: &str| match text.parse() {
            Ok(unit) => Some(Granularity::Calendar(unit)),
            Err(_) => (self.grammar.read_timespan)(text).map(Granularity::Span),
        };
        let granularity = match item {
            Item::Word(text) => read(text),
            Item::Number(number) => read(&format!("{number:?}")),
            Item::List(_) | Item::Other(_) => None,
        };
        granularity.ok_or(InvalidOperation::Timespan.into())
    }
}

fn aggregation<M: FromStr>(item: &Item) -> Result<M, Wrong> {
    match item {
        Item::Word(name) => name.parse().ok(),
        _ => None,
    }
    .ok_or(InvalidOperation::UnknownAggregation.into())
}

/// Reads a number of rows. The fraction of a number is cut; a word must be a whole number.
fn rows(item: &Item) -> Result<NonZeroUsize, Wrong> {
    let rows = match item {
        // A cast cuts, and stops at the largest number: no series is that long.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "cut on purpose; not negative"
        )]
        Item::Number(rows) if *rows >= 1.0 => NonZeroUsize::new(*rows as usize),
        Item::Word(word) => word.trim().parse().ok(),
        _ => None,
    };
    rows.ok_or(InvalidOperation::Window.into())
}

/// Reads a number, or a word that is one; `nan` and `inf` are numbers.
fn number(item: &Item) -> Option<f64> {
    match item {
        Item::Number(number) => Some(*number),
        Item::Word(word) => word.trim().parse().ok(),
        Item::List(_) | Item::Other(_) => None,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
