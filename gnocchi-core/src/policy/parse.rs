//! Rules from their text form.

use thiserror::Error;

use super::credentials::nearest_kind;
use super::expression::{DEPTH_MAX, Expression};
use super::template::Template;

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The text ends or goes on where it must not.
    #[error("unexpected {found} in a rule")]
    Unexpected {
        /// What stands there.
        found: String,
    },
    /// A check has no colon.
    #[error("{check} is not a check: it has no colon")]
    NoColon {
        /// The check.
        check: String,
    },
    /// A check is of a kind that does not exist.
    #[error("got `{check}`; did you mean `{nearest}`?")]
    UnknownKind {
        /// The check.
        check: String,
        /// The check that was probably meant.
        nearest: String,
    },
    /// A check compares with nothing.
    #[error("got `{check}`; expected a name after the colon")]
    NoValue {
        /// The check.
        check: String,
    },
    /// A place for a property of the target is not complete.
    #[error("got `{check}`; expected `%(name)s` for each property")]
    Place {
        /// The check.
        check: String,
    },
    /// Parentheses nest too deeply.
    #[error("a rule nests more than {DEPTH_MAX} levels deep")]
    TooDeep,
}

/// Compiles a rule.
pub(super) fn parse(text: &str) -> Result<Expression, RuleError> {
    if text.trim().is_empty() {
        return Ok(Expression::Always);
    }
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    let expression = parser.any(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(RuleError::Unexpected {
            found: format!("`{token}`"),
        }),
    }
}

/// Cuts a rule into words and parentheses. A parenthesis counts as one at the beginning or end of a word only, as in
/// `%(creator)s`, where it is part of the word.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for mut word in text.split_whitespace() {
        while let Some(rest) = word.strip_prefix('(') {
            tokens.push("(");
            word = rest;
        }
        let inner = word.trim_end_matches(')');
        if !inner.is_empty() {
            tokens.push(inner);
        }
        tokens.extend(word[inner.len()..].split_inclusive(')'));
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn accept(&mut self, word: &str) -> bool {
        let is_next = self
            .peek()
            .is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self, depth: usize) -> Result<Expression, RuleError> {
        let mut parts = vec![self.all(depth)?];
        while self.accept("or") {
            parts.push(self.all(depth)?);
        }
        Ok(alone(parts, Expression::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expression, RuleError> {
        let mut parts = vec![self.one(depth)?];
        while self.accept("and") {
            parts.push(self.one(depth)?);
        }
        Ok(alone(parts, Expression::All))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, RuleError> {
        if depth > DEPTH_MAX {
            return Err(RuleError::TooDeep);
        }
        if self.accept("not") {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.accept("(") {
            let inner = self.any(depth + 1)?;
            if self.accept(")") {
                return Ok(inner);
            }
        } else if let Some(token) = self.peek()
            && token != ")"
        {
            self.at += 1;
            return check(token);
        }
        let found = self
            .peek()
            .map_or_else(|| "end".to_owned(), |token| format!("`{token}`"));
        Err(RuleError::Unexpected { found })
    }
}

fn alone(
    mut parts: Vec<Expression>,
    several: impl Fn(Vec<Expression>) -> Expression,
) -> Expression {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        several(parts)
    }
}

fn check(token: &str) -> Result<Expression, RuleError> {
    match token {
        "@" => return Ok(Expression::Always),
        "!" => return Ok(Expression::Never),
        _ => {}
    }
    let (kind, value) = token.split_once(':').ok_or_else(|| RuleError::NoColon {
        check: token.to_owned(),
    })?;
    let template = |text| {
        let template = Template::parse(text);
        if template.is_complete() {
            Ok(template)
        } else {
            Err(RuleError::Place {
                check: token.to_owned(),
            })
        }
    };
    if let Some(text) = literal(kind) {
        let value = template(value)?;
        return Ok(Expression::Literal { text, value });
    }
    if let Some(nearest) = nearest_kind(kind) {
        return Err(RuleError::UnknownKind {
            check: token.to_owned(),
            nearest: format!("{nearest}:{value}"),
        });
    }
    match kind {
        "role" | "rule" if value.is_empty() => Err(RuleError::NoValue {
            check: token.to_owned(),
        }),
        "http" | "https" => Ok(Expression::Remote(template(token)?)),
        "rule" => Ok(Expression::Rule(value.to_owned())),
        "role" => Ok(Expression::Role(template(value)?)),
        name => Ok(Expression::Credential {
            name: name.to_owned(),
            value: template(value)?,
        }),
    }
}

/// Returns the text that a literal stands for.
fn literal(kind: &str) -> Option<String> {
    for quote in ['\'', '"'] {
        if let Some(text) = kind
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return Some(text.to_owned());
        }
    }
    let is_literal = matches!(kind, "True" | "False" | "None") || kind.parse::<f64>().is_ok();
    is_literal.then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_rules() {
        let check = |rule: &str, expected: RuleError| {
            assert_eq!(parse(rule), Err(expected), "{rule}");
        };
        let unexpected = |found: &str| RuleError::Unexpected {
            found: found.to_owned(),
        };
        check("role:a and", unexpected("end"));
        check("(role:a", unexpected("end"));
        check("role:a)", unexpected("`)`"));
        check("role:a role:b", unexpected("`role:b`"));
        check("()", unexpected("`)`"));
        check(
            "admin",
            RuleError::NoColon {
                check: "admin".to_owned(),
            },
        );
        for rule in ["role:", "not rule:"] {
            let check = rule.trim_start_matches("not ").to_owned();
            assert_eq!(parse(rule), Err(RuleError::NoValue { check }));
        }
        for rule in ["user:%(creator", "user:%(creator)d", "http://h/%()s"] {
            let check = rule.to_owned();
            assert_eq!(parse(rule), Err(RuleError::Place { check }));
        }
        check(&"(".repeat(100_000), RuleError::TooDeep);
    }
}
