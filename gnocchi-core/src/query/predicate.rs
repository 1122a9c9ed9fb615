//! Conditions on the values of points.

use carbonara::Series;
use carbonara::expression::BinaryFunction;

/// How many values are looked at together: their intermediate results stay in the cache.
const VALUES_PER_BLOCK: usize = 1024;

/// A condition on the value of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// All of these hold; with none it always does.
    All(Vec<Predicate>),
    /// One of these holds; with none it never does.
    Any(Vec<Predicate>),
    /// The result is not zero. NaN is not zero either.
    Holds(Operation),
}

/// A function of two operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What is computed.
    pub function: BinaryFunction,
    /// The first operand.
    pub left: Operand,
    /// The second operand.
    pub right: Operand,
}

/// What an operation is applied to.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// The value of the point.
    Value,
    /// Always this number.
    Number(f64),
    /// The result of another operation.
    Result(Box<Operation>),
}

impl Predicate {
    /// Returns the points whose values fulfil the condition.
    ///
    /// # Examples
    /// ```
    /// use carbonara::Series;
    /// use carbonara::expression::BinaryFunction;
    /// use gnocchi_core::query::{Operand, Operation, Predicate};
    ///
    /// let at_least_two = Predicate::Holds(Operation {
    ///     function: BinaryFunction::GreaterOrEqual,
    ///     left: Operand::Value,
    ///     right: Operand::Number(2.0),
    /// });
    /// let series = Series::from_points(vec![10, 20, 30], vec![1.0, 2.0, 3.0])?;
    /// assert_eq!(at_least_two.select(&series).timestamps_ns(), [20, 30]);
    /// # Ok::<(), carbonara::SeriesError>(())
    /// ```
    #[must_use]
    pub fn select(&self, series: &Series) -> Series {
        let (mut timestamps_ns, mut values) = (Vec::new(), Vec::new());
        let blocks = series.timestamps_ns().chunks(VALUES_PER_BLOCK);
        for (stamps, block) in blocks.zip(series.values().chunks(VALUES_PER_BLOCK)) {
            for (index, holds) in self.holds(block).into_iter().enumerate() {
                if holds {
                    timestamps_ns.push(stamps[index]);
                    values.push(block[index]);
                }
            }
        }
        Series::from_points(timestamps_ns, values).expect("a part of a series is a series")
    }

    /// Tells for each value whether it fulfils the condition.
    fn holds(&self, values: &[f64]) -> Vec<bool> {
        let combined = |predicates: &[Self], start: bool, combine: fn(&mut bool, bool)| {
            let mut all = vec![start; values.len()];
            for predicate in predicates {
                for (so_far, holds) in all.iter_mut().zip(predicate.holds(values)) {
                    combine(so_far, holds);
                }
            }
            all
        };
        match self {
            Self::All(predicates) => combined(predicates, true, |so_far, holds| *so_far &= holds),
            Self::Any(predicates) => combined(predicates, false, |so_far, holds| *so_far |= holds),
            Self::Holds(operation) => {
                let results = operation.results(values);
                results.into_iter().map(|result| result != 0.0).collect()
            }
        }
    }
}

impl Operation {
    /// Computes the operation for each value.
    fn results(&self, values: &[f64]) -> Vec<f64> {
        let mut results = self.left.column(values);
        match &self.right {
            Operand::Number(number) => {
                for result in &mut results {
                    *result = self.function.compute(*result, *number);
                }
            }
            right => {
                for (result, right) in results.iter_mut().zip(right.column(values)) {
                    *result = self.function.compute(*result, right);
                }
            }
        }
        results
    }
}

impl Operand {
    fn column(&self, values: &[f64]) -> Vec<f64> {
        match self {
            Self::Value => values.to_vec(),
            Self::Number(number) => vec![*number; values.len()],
            Self::Result(operation) => operation.results(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(function: &str, left: Operand, right: Operand) -> Operation {
        Operation {
            function: function.parse().unwrap(),
            left,
            right,
        }
    }

    fn value_and(function: &str, number: f64) -> Operation {
        operation(function, Operand::Value, Operand::Number(number))
    }

    fn check(predicate: &Predicate, expected: &[f64]) {
        let values = vec![-3.0, 0.0, 1.0, 2.0, 4.0, f64::INFINITY];
        let series = Series::from_points(vec![1, 2, 3, 4, 5, 6], values).unwrap();
        let selected = predicate.select(&series);
        assert_eq!(selected.values(), expected, "{predicate:?}");
        assert_eq!(selected.len(), expected.len());
    }

    #[test]
    fn comparisons_and_arithmetic() {
        let holds = |function, number| Predicate::Holds(value_and(function, number));
        check(&holds("=", 1.0), &[1.0]);
        check(&holds("≥", 2.0), &[2.0, 4.0, f64::INFINITY]);
        // What is not zero holds.
        check(&holds("-", 1.0), &[-3.0, 0.0, 2.0, 4.0, f64::INFINITY]);
        let rest = |divisor| Operand::Result(Box::new(value_and("%", divisor)));
        let even = Predicate::Holds(operation("=", rest(2.0), Operand::Number(0.0)));
        check(&even, &[0.0, 2.0, 4.0]);
        // The rest has the sign of the divisor.
        let one = Predicate::Holds(operation("=", rest(2.0), Operand::Number(1.0)));
        check(&one, &[-3.0, 1.0]);
        let constant = |left| operation("<", Operand::Number(left), Operand::Number(2.0));
        check(&Predicate::Holds(constant(3.0)), &[]);
        check(
            &Predicate::Holds(constant(1.0)),
            &[-3.0, 0.0, 1.0, 2.0, 4.0, f64::INFINITY],
        );
    }

    #[test]
    fn combinations() {
        let between = vec![
            Predicate::Holds(value_and(">", 0.0)),
            Predicate::Holds(value_and("<", 4.0)),
        ];
        check(&Predicate::All(between), &[1.0, 2.0]);
        let outside = vec![
            Predicate::Holds(value_and("<", 0.0)),
            Predicate::Holds(value_and(">", 2.0)),
        ];
        check(&Predicate::Any(outside), &[-3.0, 4.0, f64::INFINITY]);
        check(&Predicate::Any(Vec::new()), &[]);
        check(
            &Predicate::All(Vec::new()),
            &[-3.0, 0.0, 1.0, 2.0, 4.0, f64::INFINITY],
        );
    }

    #[test]
    fn nan_is_not_zero_and_equals_nothing() {
        let series = Series::from_points(vec![1], vec![f64::NAN]).unwrap();
        let selected = |function| {
            Predicate::Holds(value_and(function, 0.0))
                .select(&series)
                .len()
        };
        assert_eq!([selected("+"), selected("="), selected("!=")], [1, 0, 1]);
    }

    #[test]
    fn many_blocks_are_put_together() {
        let count = 3 * i64::try_from(VALUES_PER_BLOCK).unwrap() + 5;
        let values: Vec<f64> = (0..count)
            .map(|number| f64::from(i32::try_from(number).unwrap()))
            .collect();
        let series = Series::from_points((0..count).collect(), values).unwrap();
        let even = operation(
            "=",
            Operand::Result(Box::new(value_and("%", 2.0))),
            Operand::Number(0.0),
        );
        let expected: Vec<i64> = (0..count).step_by(2).collect();
        assert_eq!(
            Predicate::Holds(even).select(&series).timestamps_ns(),
            expected
        );
    }
}
