//! The rule language: parsing and evaluation.
//!
//! ```text
//! rule    := "" | or                 empty: everybody
//! or      := and { "or" and }
//! and     := not { "and" not }
//! not     := "not" not | "(" or ")" | check
//! check   := "@" | "!"               everybody, nobody
//!          | "role:" name            the caller has the role
//!          | "rule:" name            another rule
//!          | key ":" value           a credential of the caller equals the value
//!          | literal ":" value       'text', True, False, None or a number equals the value
//! value   := text with any number of %(name)s, each replaced by a property of the target
//! ```

use std::collections::HashMap;

use thiserror::Error;

use super::{Caller, Target};

/// How deep parentheses and negations may nest, and rules refer to each other.
const DEPTH_MAX: usize = 64;

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
    #[error("{check} is no check: it has no colon")]
    NoColon {
        /// The check.
        check: String,
    },
    /// The check needs a service that cannot be asked.
    #[error("remote checks are not supported: {check}")]
    Remote {
        /// The check.
        check: String,
    },
    /// Parentheses nest too deeply.
    #[error("a rule nests more than {DEPTH_MAX} levels deep")]
    TooDeep,
}

/// A compiled rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Always,
    Never,
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Rule(String),
    Role(Template),
    Credential { name: String, value: Template },
    Literal { text: String, value: Template },
}

/// A text with places for properties of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Property(String),
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        if text.trim().is_empty() {
            return Ok(Self::Always);
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

    pub(super) fn holds(
        &self,
        rules: &HashMap<String, Self>,
        fallback: Option<&Self>,
        caller: &Caller,
        target: &(impl Target + ?Sized),
        depth: usize,
    ) -> bool {
        let holds = |part: &Self| part.holds(rules, fallback, caller, target, depth);
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Not(part) => !holds(part),
            Self::All(parts) => parts.iter().all(holds),
            Self::Any(parts) => parts.iter().any(holds),
            // Rules that refer to each other in a circle decide nothing, so they let nobody through.
            Self::Rule(name) => {
                depth < DEPTH_MAX
                    && rules
                        .get(name)
                        .or(fallback)
                        .is_some_and(|rule| rule.holds(rules, fallback, caller, target, depth + 1))
            }
            Self::Role(role) => role.fill(target).is_some_and(|role| caller.has_role(&role)),
            Self::Credential { name, value } => caller
                .credential(name)
                .is_some_and(|credential| value.equals(credential, target)),
            Self::Literal { text, value } => value.equals(text, target),
        }
    }

    pub(super) fn has_negation(&self) -> bool {
        match self {
            Self::Not(_) => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_negation),
            _ => false,
        }
    }

    /// Returns the names of rules that it refers to.
    pub(super) fn references(&self) -> Vec<&str> {
        match self {
            Self::Rule(name) => vec![name],
            Self::Not(part) => part.references(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(Self::references).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Template {
    fn parse(mut text: &str) -> Self {
        let mut pieces = Vec::new();
        while let Some((before, name, after)) = text.split_once("%(").and_then(|(before, rest)| {
            rest.split_once(")s")
                .map(|(name, after)| (before, name, after))
        }) {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Property(name.to_owned()));
            text = after;
        }
        if !text.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        Self(pieces)
    }

    /// Compares with a text; a property that the target lacks makes it differ from everything.
    fn equals(&self, text: &str, target: &(impl Target + ?Sized)) -> bool {
        match self.0.as_slice() {
            [Piece::Property(name)] => target.property(name).is_some_and(|value| value == text),
            [Piece::Text(own)] => own == text,
            _ => self.fill(target).is_some_and(|own| own == text),
        }
    }

    fn fill(&self, target: &(impl Target + ?Sized)) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Property(name) => filled.push_str(&target.property(name)?),
            }
        }
        Some(filled)
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
    if let Some(text) = literal(kind) {
        return Ok(Expression::Literal {
            text,
            value: Template::parse(value),
        });
    }
    match kind {
        "http" | "https" => Err(RuleError::Remote {
            check: token.to_owned(),
        }),
        "rule" => Ok(Expression::Rule(value.to_owned())),
        "role" => Ok(Expression::Role(Template::parse(value))),
        name => Ok(Expression::Credential {
            name: name.to_owned(),
            value: Template::parse(value),
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

    fn holds(rule: &str, caller: &Caller, target: &[(&str, &str)]) -> bool {
        let rules = HashMap::from([
            ("admin".to_owned(), Expression::parse("role:admin").unwrap()),
            (
                "circle".to_owned(),
                Expression::parse("rule:circle").unwrap(),
            ),
        ]);
        Expression::parse(rule)
            .unwrap_or_else(|error| panic!("{rule}: {error}"))
            .holds(&rules, None, caller, target, 0)
    }

    #[test]
    fn checks_and_connectives() {
        let caller = Caller {
            project_id: Some("p".into()),
            roles: vec!["Member".into()],
            ..Caller::named("u")
        };
        let check = |rule: &str, expected: bool| {
            let target = [
                ("creator", "u"),
                ("project_id", "q"),
                ("public", "True"),
                ("a", "p"),
            ];
            assert_eq!(holds(rule, &caller, &target), expected, "{rule}");
        };
        check("", true);
        check("  ", true);
        check("@", true);
        check("!", false);
        check("role:member", true);
        check("role:admin", false);
        check("rule:admin", false);
        check("rule:missing", false);
        check("rule:circle", false);
        check("not rule:circle", true);
        check("user:%(creator)s", true);
        check("user:u", true);
        check("user:%(missing)s", false);
        check("project_id:%(project_id)s", false);
        check("domain_id:%(creator)s", false);
        check("user:%(creator)s and project_id:%(project_id)s", false);
        check("user:%(creator)s or project_id:%(project_id)s", true);
        check("not user:%(creator)s", false);
        check("not (role:admin or role:service)", true);
        check("(role:admin or role:member) and (project_id:%(a)s)", true);
        check("role:admin or role:member and !", false);
        check("'True':%(public)s", true);
        check("True:%(public)s", true);
        check("'no':%(public)s", false);
        check("5:5", true);
        check("user_id:%(creator)s:%(a)s", false);
    }

    #[test]
    fn texts_that_are_no_rules() {
        let check = |rule: &str, expected: RuleError| {
            assert_eq!(Expression::parse(rule), Err(expected), "{rule}");
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
        check(
            "http://x",
            RuleError::Remote {
                check: "http://x".to_owned(),
            },
        );
        check(&"(".repeat(100_000), RuleError::TooDeep);
    }
}
