//! Conditions on values as clients write them.

use carbonara::expression::BinaryFunction;
use gnocchi_core::query::{Operand, Operation, Predicate};
use serde_json::Value;

use crate::api::request::schema::{Checked, Invalid, Path, listed};
use crate::api::response::error::{ApiError, ApiResult};

/// How many operations a condition may have: each one is a pass over all values.
const OPERATIONS_MAX: usize = 1000;

/// What is said of a key that is no operator, or one whose operand is not of its kind.
const NOT_VALID: &str = "not a valid value";

/// Which parts of a condition are already read.
#[derive(Debug, Default)]
struct Reader {
    operations: usize,
    /// A negation was met. It is well-formed, but there is none.
    negated: bool,
}

/// A condition of the right form, which may still hold a negation: there is none, but clients know that this is told after everything
/// that is wrong with the form of the request.
#[derive(Debug)]
pub(super) struct WellFormed {
    predicate: Predicate,
    negated: bool,
}

impl WellFormed {
    /// Returns the condition.
    ///
    /// # Errors
    /// A bad request when it holds a negation.
    pub(super) fn usable(self) -> ApiResult<Predicate> {
        if self.negated {
            return Err(ApiError::bad_request("Unknown operator not"));
        }
        Ok(self.predicate)
    }
}

/// Reads a condition.
///
/// # Errors
/// A bad request that names what is wrong and where.
pub(super) fn parse(body: &Value) -> ApiResult<WellFormed> {
    let mut reader = Reader::default();
    let predicate = reader.predicate(body, &Path::Root)?;
    if reader.operations > OPERATIONS_MAX {
        return Err(ApiError::bad_request(format!(
            "Invalid input: more than {OPERATIONS_MAX} operations"
        )));
    }
    Ok(WellFormed {
        predicate,
        negated: reader.negated,
    })
}

impl Reader {
    fn predicate(&mut self, value: &Value, path: &Path<'_>) -> Checked<Predicate> {
        let (key, operand) = only_entry(value, path)?;
        let place = Path::Key(path, key);
        if let Some(function) = function(key) {
            return Ok(Predicate::Holds(self.operation(function, operand, &place)?));
        }
        let Value::Array(items) = operand else {
            return Err(unknown_operator(&place, key));
        };
        let combine = match key {
            "and" | "∧" => Predicate::All,
            "or" | "∨" => Predicate::Any,
            "not" => {
                self.negated = true;
                Predicate::Any
            }
            _ => return Err(unknown_operator(&place, key)),
        };
        let mut predicates = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            predicates.push(self.predicate(item, &Path::Index(&place, index))?);
        }
        Ok(combine(predicates))
    }

    fn operation(
        &mut self,
        function: BinaryFunction,
        operand: &Value,
        path: &Path<'_>,
    ) -> Checked<Operation> {
        self.operations += 1;
        let (left, right) = match operand {
            Value::Array(items) => match items.as_slice() {
                [left, right] => (
                    self.operand(left, &Path::Index(path, 0))?,
                    self.operand(right, &Path::Index(path, 1))?,
                ),
                _ => return Err(path.invalid("expected float").sent(operand, NUMBERS)),
            },
            other => {
                let number = number(other)
                    .ok_or_else(|| path.invalid("expected float").sent(other, NUMBERS))?;
                (Operand::Value, Operand::Number(number))
            }
        };
        Ok(Operation {
            function,
            left,
            right,
        })
    }

    fn operand(&mut self, value: &Value, path: &Path<'_>) -> Checked<Operand> {
        if let Some(number) = number(value) {
            return Ok(Operand::Number(number));
        }
        if !value.is_object() {
            return Err(path
                .invalid("expected float")
                .sent(value, "a number or an operation"));
        }
        let (key, operand) = only_entry(value, path)?;
        let place = Path::Key(path, key);
        let function = function(key).ok_or_else(|| unknown_operator(&place, key))?;
        let operation = self.operation(function, operand, &place)?;
        Ok(Operand::Result(Box::new(operation)))
    }
}

/// What an operation takes.
const NUMBERS: &str = "a number, or a list of two numbers or operations";

/// The operators, as far as they are words or ASCII.
const OPERATORS: [&str; 26] = [
    "=", "==", "eq", "!=", "ne", "<", "lt", "<=", "le", ">", "gt", ">=", "ge", "+", "add", "-",
    "sub", "*", "mul", "/", "div", "%", "mod", "**", "pow", "and",
];

fn unknown_operator(place: &Path<'_>, key: &str) -> Invalid {
    let known = listed("operators", key, OPERATORS.into_iter().chain(["or"]));
    let explanation = format!("{known}; and and or take a list");
    place.invalid_key(NOT_VALID).explained(explanation)
}

/// Opens a mapping of one entry.
fn only_entry<'a>(value: &'a Value, path: &Path<'_>) -> Checked<(&'a str, &'a Value)> {
    match value {
        Value::Object(map) => {
            let mut entries = map.iter();
            match (entries.next(), entries.next()) {
                (Some((key, operand)), None) => Ok((key, operand)),
                (None, _) => Err(path.invalid("length of value must be at least 1")),
                (Some(_), Some(_)) => Err(path.invalid("length of value must be at most 1")),
            }
        }
        Value::Array(items) if items.is_empty() => {
            Err(path.invalid("length of value must be at least 1"))
        }
        other => Err(path
            .invalid("invalid value or type")
            .sent(other, "an object with one operator")),
    }
}

/// Finds a comparison or an arithmetic function. Those that only bound a value are none.
fn function(name: &str) -> Option<BinaryFunction> {
    name.parse().ok().filter(|function| {
        !matches!(
            function,
            BinaryFunction::Larger | BinaryFunction::NotBelow | BinaryFunction::NotAbove
        )
    })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        other => other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::response::error::{Detail, EXPLANATION};

    fn refused(body: &Value) -> ApiError {
        parse(body).unwrap_err()
    }

    fn check(body: &Value, reason: &str, detail: &[&str]) {
        let data = json!({"cause": "Invalid input", "reason": reason, "detail": detail});
        let Detail::Data(mut said) = refused(body).detail else {
            panic!("{body} has another kind of error");
        };
        said.as_object_mut().unwrap().remove(EXPLANATION);
        assert_eq!(said, data, "{body}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(&json!({}), "length of value must be at least 1", &[]);
        check(&json!([]), "length of value must be at least 1", &[]);
        check(&json!(5), "invalid value or type", &[]);
        check(
            &json!({"=": 1, ">": 2}),
            "length of value must be at most 1",
            &[],
        );
        check(
            &json!({"foo": 1}),
            "not a valid value @ data['foo']",
            &["foo"],
        );
        check(
            &json!({"max": 1}),
            "not a valid value @ data['max']",
            &["max"],
        );
        check(
            &json!({"and": {"=": 1}}),
            "not a valid value @ data['and']",
            &["and"],
        );
        check(
            &json!({"and": [5]}),
            "invalid value or type @ data['and'][0]",
            &["and", "0"],
        );
        let no_float = "expected float for dictionary value @ data['=']";
        for operand in [
            json!("x"),
            json!("1"),
            json!(null),
            json!([1]),
            json!({"%": 2}),
        ] {
            check(&json!({"=": operand}), no_float, &["="]);
        }
        check(
            &json!({"and": [{"=": 1}, {"=": "x"}]}),
            "expected float for dictionary value @ data['and'][1]['=']",
            &["and", "1", "="],
        );
        check(
            &json!({"=": [{"and": []}, 0]}),
            "not a valid value @ data['='][0]['and']",
            &["=", "0", "and"],
        );
    }

    #[test]
    fn there_is_no_negation_and_not_too_much_of_anything() {
        let unknown = ApiError::bad_request("Unknown operator not");
        let negated = parse(&json!({"and": [{"not": [{"=": 1}]}]})).unwrap();
        assert_eq!(negated.usable(), Err(unknown));
        check(
            &json!({"not": {"=": 1}}),
            "not a valid value @ data['not']",
            &["not"],
        );
        let many = vec![json!({"=": 1}); OPERATIONS_MAX + 1];
        assert!(matches!(parse(&json!({"or": many})), Err(ApiError { .. })));
        assert!(parse(&json!({"or": many[1..]})).is_ok());
    }

    #[test]
    fn operands() {
        let value_and = |function, number| Operation {
            function,
            left: Operand::Value,
            right: Operand::Number(number),
        };
        let parsed = |body| parse(&body).unwrap().usable().unwrap();
        let is_one = Predicate::Holds(value_and(BinaryFunction::Equal, 1.0));
        assert_eq!(parsed(json!({"eq": true})), is_one);
        let rest = value_and(BinaryFunction::Modulo, 2.0);
        let even = Operation {
            function: BinaryFunction::Equal,
            left: Operand::Result(Box::new(rest)),
            right: Operand::Number(0.0),
        };
        assert_eq!(
            parsed(json!({"∧": [{"=": [{"%": 2}, 0]}]})),
            Predicate::All(vec![Predicate::Holds(even)])
        );
        assert_eq!(parsed(json!({"∨": []})), Predicate::Any(Vec::new()));
    }
}
