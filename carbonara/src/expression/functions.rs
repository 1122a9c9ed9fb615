//! The functions of expressions: their names and what they do to one cell.

use std::fmt;
use std::str::FromStr;

use crate::kernel::{CellStatistic, larger};
use crate::method::{AggregationMethod, MethodError, Statistic};

/// A text that names no function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionError;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryFunction {
    /// The number without its sign.
    Absolute,
    /// The number with the other sign.
    Negative,
    /// Cosine of an angle in radians.
    Cosine,
    /// Sine of an angle in radians.
    Sine,
    /// Tangent of an angle in radians.
    Tangent,
    /// Largest whole number that is not larger.
    Floor,
    /// Smallest whole number that is not smaller.
    Ceiling,
}

/// A function of two numbers.
///
/// Comparisons give 1.0 or 0.0; with NaN they are false, but for [`NotEqual`](Self::NotEqual). In all others but
/// [`Larger`](Self::Larger), NaN on one side gives NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryFunction {
    /// Whether both are equal.
    Equal,
    /// Whether they differ.
    NotEqual,
    /// Whether the first is smaller.
    Less,
    /// Whether the first is larger.
    Greater,
    /// Whether the first is smaller or equal.
    LessOrEqual,
    /// Whether the first is larger or equal.
    GreaterOrEqual,
    /// Rest of a division, with the sign of the divisor; NaN when that is zero.
    Modulo,
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient; infinite, or NaN for zero, when the divisor is zero.
    Divide,
    /// The first to the power of the second.
    Power,
    /// The larger one, ignoring NaN on one side.
    Larger,
    /// The first, but not less than the second.
    NotBelow,
    /// The first, but not more than the second.
    NotAbove,
}

/// A statistic of cells, or the difference of it to the one of the row before (`rate:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellMethod {
    /// Whether results are differences to the row before.
    pub of_rate: bool,
    /// The statistic.
    pub statistic: CellStatistic,
}

/// A statistic of the values, or of the differences between neighbouring values (`rate:`), of a group of rows.
///
/// The text form is that of expressions, which know `rate:` for `mean`, `median`, `std`, `min`, `max`, `sum`, `var` and `count` only. Made of an
/// [`AggregationMethod`], it can be any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResampleMethod {
    /// Whether the statistic is taken of the differences.
    pub of_rate: bool,
    /// The statistic.
    pub statistic: ResampleStatistic,
}

/// What is computed of a group of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResampleStatistic {
    /// What archive policies compute of points.
    Of(Statistic),
    /// Sample variance (divisor n - 1); absent for a group of a single row.
    Variance,
}

const RATE_PREFIX: &str = "rate:";
const VARIANCE: &str = "var";

impl UnaryFunction {
    /// The names of each function, the one that is printed first.
    const NAMED: [(Self, &'static [&'static str]); 7] = [
        (Self::Absolute, &["abs", "absolute"]),
        (Self::Negative, &["neg", "negative"]),
        (Self::Cosine, &["cos"]),
        (Self::Sine, &["sin"]),
        (Self::Tangent, &["tan"]),
        (Self::Floor, &["floor"]),
        (Self::Ceiling, &["ceil"]),
    ];

    /// Iterates over every function.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMED.into_iter().map(|(function, _)| function)
    }

    /// Replaces each cell by its result.
    pub(super) fn apply(self, cells: &mut [f64]) {
        match self {
            Self::Absolute => replace(cells, f64::abs),
            Self::Negative => replace(cells, |cell| -cell),
            Self::Cosine => replace(cells, f64::cos),
            Self::Sine => replace(cells, f64::sin),
            Self::Tangent => replace(cells, f64::tan),
            Self::Floor => replace(cells, f64::floor),
            Self::Ceiling => replace(cells, f64::ceil),
        }
    }
}

fn replace(cells: &mut [f64], function: impl Fn(f64) -> f64) {
    for cell in cells {
        *cell = function(*cell);
    }
}

/// Cells that wait for a function of two numbers.
///
/// Why not a function pointer? Each function then has a loop of its own in which it is inlined, and most of them share a vector register
/// between rows.
pub(super) trait CellPairs {
    /// Stores the result for each pair.
    fn fill(self, function: impl Fn(f64, f64) -> f64);
}

/// Two numbers that are no cells.
struct OnePair<'a> {
    left: f64,
    right: f64,
    result: &'a mut f64,
}

impl CellPairs for OnePair<'_> {
    fn fill(self, function: impl Fn(f64, f64) -> f64) {
        *self.result = function(self.left, self.right);
    }
}

impl BinaryFunction {
    /// The names of each function, the one that is printed first.
    const NAMED: [(Self, &'static [&'static str]); 15] = [
        (Self::Equal, &["==", "=", "eq"]),
        (Self::NotEqual, &["!=", "≠", "ne"]),
        (Self::Less, &["<", "lt"]),
        (Self::Greater, &[">", "gt"]),
        (Self::LessOrEqual, &["<=", "≤", "le"]),
        (Self::GreaterOrEqual, &[">=", "≥", "ge"]),
        (Self::Modulo, &["%", "mod"]),
        (Self::Add, &["+", "add"]),
        (Self::Subtract, &["-", "sub"]),
        (Self::Multiply, &["*", "×", "mul"]),
        (Self::Divide, &["/", "÷", "div"]),
        (Self::Power, &["**", "^", "pow"]),
        (Self::Larger, &["max"]),
        (Self::NotBelow, &["clip_min"]),
        (Self::NotAbove, &["clip_max"]),
    ];

    /// Iterates over every function.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMED.into_iter().map(|(function, _)| function)
    }

    /// Computes the function of two numbers.
    #[must_use]
    pub fn compute(self, left: f64, right: f64) -> f64 {
        let mut result = f64::NAN;
        self.apply(OnePair {
            left,
            right,
            result: &mut result,
        });
        result
    }

    /// Stores the result for each pair of cells.
    #[expect(clippy::float_cmp, reason = "that is what the user asks for")]
    pub(super) fn apply(self, pairs: impl CellPairs) {
        match self {
            Self::Equal => pairs.fill(|left, right| truth(left == right)),
            Self::NotEqual => pairs.fill(|left, right| truth(left != right)),
            Self::Less => pairs.fill(|left, right| truth(left < right)),
            Self::Greater => pairs.fill(|left, right| truth(left > right)),
            Self::LessOrEqual => pairs.fill(|left, right| truth(left <= right)),
            Self::GreaterOrEqual => pairs.fill(|left, right| truth(left >= right)),
            Self::Modulo => pairs.fill(modulo),
            Self::Add => pairs.fill(|left, right| left + right),
            Self::Subtract => pairs.fill(|left, right| left - right),
            Self::Multiply => pairs.fill(|left, right| left * right),
            Self::Divide => pairs.fill(|left, right| left / right),
            Self::Power => pairs.fill(f64::powf),
            Self::Larger => pairs.fill(larger),
            Self::NotBelow => pairs.fill(not_below),
            Self::NotAbove => pairs.fill(not_above),
        }
    }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn modulo(dividend: f64, divisor: f64) -> f64 {
    let rest = dividend % divisor;
    if rest == 0.0 {
        rest.copysign(divisor)
    } else if (rest < 0.0) == (divisor < 0.0) {
        rest
    } else {
        rest + divisor
    }
}

fn not_below(cell: f64, bound: f64) -> f64 {
    if cell < bound || bound.is_nan() {
        bound
    } else {
        cell
    }
}

fn not_above(cell: f64, bound: f64) -> f64 {
    if cell > bound || bound.is_nan() {
        bound
    } else {
        cell
    }
}

/// Finds the function that one of the names belongs to.
fn named<F: Copy>(functions: &[(F, &[&str])], text: &str) -> Result<F, FunctionError> {
    functions
        .iter()
        .find(|(_, names)| names.contains(&text))
        .map(|(function, _)| *function)
        .ok_or(FunctionError)
}

/// Writes the first name of a function.
fn write_name<F: PartialEq>(
    functions: &[(F, &[&str])],
    wanted: &F,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    functions
        .iter()
        .find(|(function, _)| function == wanted)
        .and_then(|(_, names)| names.first())
        .map_or(Ok(()), |name| f.write_str(name))
}

impl fmt::Display for UnaryFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(&Self::NAMED, self, f)
    }
}

impl FromStr for UnaryFunction {
    type Err = FunctionError;

    fn from_str(text: &str) -> Result<Self, FunctionError> {
        named(&Self::NAMED, text)
    }
}

impl fmt::Display for BinaryFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(&Self::NAMED, self, f)
    }
}

impl FromStr for BinaryFunction {
    type Err = FunctionError;

    fn from_str(text: &str) -> Result<Self, FunctionError> {
        named(&Self::NAMED, text)
    }
}

impl fmt::Display for CellMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_rate {
            f.write_str(RATE_PREFIX)?;
        }
        self.statistic.fmt(f)
    }
}

impl FromStr for CellMethod {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let (of_rate, statistic) = match text.strip_prefix(RATE_PREFIX) {
            Some(statistic) => (true, statistic),
            None => (false, text),
        };
        Ok(Self {
            of_rate,
            statistic: statistic.parse()?,
        })
    }
}

impl From<AggregationMethod> for ResampleMethod {
    fn from(method: AggregationMethod) -> Self {
        Self {
            of_rate: method.of_rate,
            statistic: ResampleStatistic::Of(method.statistic),
        }
    }
}

impl fmt::Display for ResampleMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_rate {
            f.write_str(RATE_PREFIX)?;
        }
        match self.statistic {
            ResampleStatistic::Of(statistic) => statistic.fmt(f),
            ResampleStatistic::Variance => f.write_str(VARIANCE),
        }
    }
}

impl FromStr for ResampleMethod {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let (of_rate, name) = match text.strip_prefix(RATE_PREFIX) {
            Some(name) => (true, name),
            None => (false, text),
        };
        let statistic = match name {
            VARIANCE => ResampleStatistic::Variance,
            name => ResampleStatistic::Of(name.parse()?),
        };
        match statistic {
            ResampleStatistic::Of(
                Statistic::First | Statistic::Last | Statistic::Percentile(_),
            ) if of_rate => Err(MethodError),
            statistic => Ok(Self { of_rate, statistic }),
        }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of a function")
    }
}

impl std::error::Error for FunctionError {}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
