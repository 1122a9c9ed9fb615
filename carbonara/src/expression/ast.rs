//! [`Expression`]: operations over series, as a tree.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use jiff::tz::TimeZone;

use super::functions::{BinaryFunction, CellMethod, ResampleMethod, UnaryFunction};
use crate::calendar::LocalSpanError;
use crate::resample::Granularity;

/// An operation over series, or a number.
///
/// Its text is an s-expression, such as `(aggregate mean (metric cpu.util mean))`; [`Display`](std::fmt::Display) prints one that reads back as the same
/// expression, provided that its references are words and that its methods are those of the grammar.
///
/// Operations are nested as deeply as a [`Grammar`](super::Grammar) lets them be; who builds a tree by hand keeps to
/// [`DEPTH_MAX`](super::DEPTH_MAX) too, because evaluating it is recursive.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number, the same for all rows.
    Number(f64),
    /// The series of these references, at least one.
    Metric(Vec<Reference>),
    /// A function of each cell.
    Unary(UnaryFunction, Box<Expression>),
    /// A function of the cells of two operands, row by row.
    Binary(BinaryFunction, Box<Expression>, Box<Expression>),
    /// Cells kept between bounds; where these contradict each other, the upper one wins.
    Clip {
        /// What is kept.
        of: Box<Expression>,
        /// The lower bound.
        lowest: Box<Expression>,
        /// The upper bound.
        highest: Option<Box<Expression>>,
    },
    /// Differences between neighbouring rows.
    RateOfChange(RateUnit, Box<Expression>),
    /// The columns of several operands, at least two, one after the other.
    Columns(Vec<Expression>),
    /// A statistic of each row, across its columns.
    Aggregate(CellMethod, Box<Expression>),
    /// A statistic of consecutive rows, column by column.
    Rolling {
        /// What is computed.
        method: CellMethod,
        /// Rows of one window.
        window: NonZeroUsize,
        /// Of what.
        of: Box<Expression>,
    },
    /// A statistic of the rows of each bucket, column by column.
    Resample {
        /// What is computed.
        method: ResampleMethod,
        /// How long buckets are.
        to: Granularity,
        /// Of what.
        of: Box<Expression>,
    },
}

/// A metric, or several, and one of their aggregations.
///
/// Both are text that means nothing here: the identifier of a metric or a pattern for names, and the name of an aggregation method,
/// even one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Which metrics.
    pub name: String,
    /// Which aggregation.
    pub method: String,
}

/// What a difference between neighbouring rows is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// The values; the first row is dropped.
    Row,
    /// The values, divided by the seconds between the rows; the first row stays, without a value.
    Second,
}

impl Reference {
    /// Makes a reference.
    #[must_use]
    pub fn new(name: impl Into<String>, method: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            method: method.into(),
        }
    }
}

impl Expression {
    /// Returns the distinct references in the order of their appearance; none when the expression is one of numbers only.
    ///
    /// # Examples
    /// ```
    /// use carbonara::expression::Expression;
    ///
    /// let expression: Expression = "(/ (metric (a mean) (b max)) (metric a mean))".parse()?;
    /// let names: Vec<&str> = expression.references().iter().map(|one| one.name.as_str()).collect();
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok::<(), carbonara::expression::ParseError>(())
    /// ```
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        let mut seen = HashSet::new();
        let mut references = Vec::new();
        self.visit_metrics(&mut |listed| {
            references.extend(listed.iter().filter(|reference| seen.insert(*reference)));
        });
        references
    }

    /// Lets a function change each reference, in the order of appearance; for instance to give all spellings of an identifier the same text.
    pub fn for_each_reference(&mut self, mut change: impl FnMut(&mut Reference)) {
        self.change_references(&mut change);
    }

    fn change_references(&mut self, change: &mut impl FnMut(&mut Reference)) {
        match self {
            Self::Number(_) => {}
            Self::Metric(references) => references.iter_mut().for_each(change),
            Self::Unary(_, of)
            | Self::RateOfChange(_, of)
            | Self::Aggregate(_, of)
            | Self::Rolling { of, .. }
            | Self::Resample { of, .. } => of.change_references(change),
            Self::Binary(_, left, right) => {
                left.change_references(change);
                right.change_references(change);
            }
            Self::Clip {
                of,
                lowest,
                highest,
            } => {
                of.change_references(change);
                lowest.change_references(change);
                if let Some(highest) = highest {
                    highest.change_references(change);
                }
            }
            Self::Columns(operands) => {
                for operand in operands {
                    operand.change_references(change);
                }
            }
        }
    }

    /// Checks that the clocks of a time zone count every span that the expression resamples by.
    ///
    /// # Errors
    /// [`LocalSpanError`] for the first span that they do not count.
    ///
    /// # Examples
    /// ```
    /// use carbonara::expression::Expression;
    /// use jiff::tz::{TimeZone, offset};
    ///
    /// let expression: Expression = "(resample sum 25200 (metric a mean))".parse()?;
    /// assert!(expression.check_time_zone(&TimeZone::UTC).is_ok());
    /// assert!(expression.check_time_zone(&offset(1).to_time_zone()).is_err());
    /// # Ok::<(), carbonara::expression::ParseError>(())
    /// ```
    pub fn check_time_zone(&self, zone: &TimeZone) -> Result<(), LocalSpanError> {
        let mut checked = Ok(());
        self.visit(&mut |expression| {
            if let (Self::Resample { to, .. }, Ok(())) = (expression, checked) {
                checked = to.counted_in(zone).map(|_| ());
            }
        });
        checked
    }

    /// Calls a function with the references of each metric operation, in the order of appearance.
    pub(super) fn visit_metrics<'a>(&'a self, visit: &mut impl FnMut(&'a [Reference])) {
        self.visit(&mut |expression| {
            if let Self::Metric(references) = expression {
                visit(references);
            }
        });
    }

    /// Returns how many operations, numbers and references there are: about how often each cell is looked at.
    #[must_use]
    pub fn parts(&self) -> usize {
        let mut parts = 0;
        self.visit(&mut |_| parts += 1);
        parts
    }

    /// Calls a function with each part of the expression, in the order of appearance.
    fn visit<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Number(_) | Self::Metric(_) => {}
            Self::Unary(_, of)
            | Self::RateOfChange(_, of)
            | Self::Aggregate(_, of)
            | Self::Rolling { of, .. }
            | Self::Resample { of, .. } => of.visit(visit),
            Self::Binary(_, left, right) => {
                left.visit(visit);
                right.visit(visit);
            }
            Self::Clip {
                of,
                lowest,
                highest,
            } => {
                of.visit(visit);
                lowest.visit(visit);
                if let Some(highest) = highest {
                    highest.visit(visit);
                }
            }
            Self::Columns(operands) => {
                for operand in operands {
                    operand.visit(visit);
                }
            }
        }
    }
}
