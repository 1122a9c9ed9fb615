//! Ends of ranges of numbers.

use std::fmt;

/// An end of the range of a number attribute.
///
/// It keeps whether it was given as a whole number, because clients compare the type that they read with the one that they sent, and
/// `16` with `16.0` as text. Two limits are equal when they are written the same.
///
/// # Examples
///
/// ```
/// use gnocchi_core::model::NumberLimit;
///
/// assert_eq!(NumberLimit::from(16).to_string(), "16");
/// assert_eq!(NumberLimit::from(16.0).to_string(), "16.0");
/// assert_eq!(NumberLimit::from(16).value(), NumberLimit::from(16.0).value());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumberLimit {
    /// Given without a fraction.
    Whole(i64),
    /// Given with a fraction or an exponent, or too large for a whole number.
    Real(f64),
}

impl NumberLimit {
    /// Returns the number that values are compared with; whole numbers beyond 2^53 are rounded.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "the values that are compared with it are as precise"
    )]
    pub fn value(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

impl From<i64> for NumberLimit {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for NumberLimit {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl fmt::Display for NumberLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(formatter),
            Self::Real(number) => write!(formatter, "{number:?}"),
        }
    }
}
