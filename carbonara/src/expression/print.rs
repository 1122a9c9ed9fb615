//! Expressions as text.

use std::fmt;

use super::ast::{Expression, RateUnit, Reference};
use super::seconds;
use crate::resample::Granularity;

/// As an s-expression.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Metric(references) => write_references(references, f),
            Self::Unary(function, of) => write!(f, "({function} {of})"),
            Self::Binary(function, left, right) => write!(f, "({function} {left} {right})"),
            Self::Clip {
                of,
                lowest,
                highest: None,
            } => write!(f, "(clip {of} {lowest})"),
            Self::Clip {
                of,
                lowest,
                highest: Some(highest),
            } => write!(f, "(clip {of} {lowest} {highest})"),
            Self::RateOfChange(RateUnit::Row, of) => write!(f, "(rateofchange {of})"),
            Self::RateOfChange(RateUnit::Second, of) => write!(f, "(rateofchangesec {of})"),
            Self::Aggregate(method, of) => write!(f, "(aggregate {method} {of})"),
            // Only `aggregate` has several operands.
            Self::Columns(operands) => {
                for (index, operand) in operands.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(f, "{space}{operand}")?;
                }
                Ok(())
            }
            Self::Rolling { method, window, of } => write!(f, "(rolling {method} {window} {of})"),
            Self::Resample { method, to, of } => match to {
                Granularity::Span(span) => {
                    write!(f, "(resample {method} {} {of})", seconds::text(*span))
                }
                Granularity::Local(span) => {
                    write!(f, "(resample {method} {} {of})", seconds::text(span.span()))
                }
                Granularity::Calendar(unit) => write!(f, "(resample {method} {unit} {of})"),
            },
        }
    }
}

fn write_references(references: &[Reference], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("(metric")?;
    match references {
        [Reference { name, method }] => write!(f, " {name} {method}")?,
        several => {
            for Reference { name, method } in several {
                write!(f, " ({name} {method})")?;
            }
        }
    }
    f.write_str(")")
}
