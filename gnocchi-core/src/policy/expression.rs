//! The rule language: what a rule is, and how it is evaluated.
//!
//! ```text
//! rule    := "" | or                 empty: every caller
//! or      := and { "or" and }
//! and     := not { "and" not }
//! not     := "not" not | "(" or ")" | check
//! check   := "@" | "!"               every caller, no caller
//!          | "role:" name            the caller has the role
//!          | "rule:" name            another rule
//!          | "http:" value | "https:" value   the service at this address says `True`
//!          | key ":" value           a credential of the caller equals the value
//!          | literal ":" value       'text', True, False, None or a number equals the value
//! value   := text with any number of %(name)s, each replaced by a property of the target
//! ```

use std::collections::HashMap;

use super::remote::{self, Answers, RemoteCheck};
use super::template::Template;
use super::{Caller, Target};

/// How deep parentheses and negations may nest, and rules refer to each other.
pub(super) const DEPTH_MAX: usize = 64;

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
    Credential {
        name: String,
        value: Template,
    },
    Literal {
        text: String,
        value: Template,
    },
    /// The address of a service that decides.
    Remote(Template),
}

/// What a rule is evaluated for.
pub(super) struct Question<'a, T: ?Sized> {
    pub(super) rules: &'a HashMap<String, Expression>,
    /// The rule that stands in for missing ones.
    pub(super) fallback: Option<&'a Expression>,
    /// The name of the rule that decides.
    pub(super) rule: &'a str,
    pub(super) caller: &'a Caller,
    pub(super) target: &'a T,
    pub(super) answers: &'a Answers,
}

/// Whether a rule lets a caller through, or which service has to say so first.
pub(super) type Outcome = Result<bool, Box<RemoteCheck>>;

impl Expression {
    /// Evaluates the rule. Other services are asked only when nothing else decides.
    pub(super) fn holds<T: Target + ?Sized>(
        &self,
        question: &Question<'_, T>,
        depth: usize,
    ) -> Outcome {
        let Question { caller, target, .. } = *question;
        match self {
            Self::Always => Ok(true),
            Self::Never => Ok(false),
            Self::Not(part) => part.holds(question, depth).map(|holds| !holds),
            Self::All(parts) => settle(parts, false, |part| part.holds(question, depth)),
            Self::Any(parts) => settle(parts, true, |part| part.holds(question, depth)),
            // Circles are refused beforehand. A chain of references that is too long decides nothing, so it denies access.
            Self::Rule(name) => {
                let rule = question.rules.get(name).or(question.fallback);
                match rule {
                    Some(rule) if depth < DEPTH_MAX => rule.holds(question, depth + 1),
                    _ => Ok(false),
                }
            }
            Self::Role(role) => {
                let role = role.fill(target);
                Ok(role.is_some_and(|role| caller.has_role(&role)))
            }
            Self::Credential { name, value } => {
                let mut credentials = caller.credentials(name);
                Ok(credentials.any(|credential| value.equals(credential, target)))
            }
            Self::Literal { text, value } => {
                let both_nothing = text == NOTHING && value.is_null(target);
                Ok(both_nothing || value.equals(text, target))
            }
            Self::Remote(url) => match url.fill_with(target, remote::encode) {
                None => Ok(false),
                Some(url) => {
                    let check = RemoteCheck::new(url, question.rule, caller, target);
                    question.answers.find(check)
                }
            },
        }
    }

    /// Returns whether more properties of the target can make it false: it has a negation, or asks a service that sees them.
    pub(super) fn needs_whole_target(&self) -> bool {
        match self {
            Self::Not(_) | Self::Remote(_) => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::needs_whole_target),
            _ => false,
        }
    }

    /// Returns how many checks it has, without those of rules that it refers to.
    pub(super) fn checks(&self) -> usize {
        match self {
            Self::Not(part) => part.checks(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::checks).sum(),
            _ => 1,
        }
    }

    /// Returns the names of the credentials that it compares, without those of rules that it refers to.
    pub(super) fn credentials(&self) -> Vec<&str> {
        match self {
            Self::Credential { name, .. } => vec![name],
            Self::Not(part) => part.credentials(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(Self::credentials).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the names of rules that it refers to, as often as it does.
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

/// How much of a target decides a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reliance {
    /// Nothing of it: the caller alone decides.
    None,
    /// At least one of a few properties, each by itself, so that the rule can be asked about each of them apart.
    Apart,
    /// The target as a whole.
    Whole,
}

impl Expression {
    /// Returns how much of a target decides the rule, where `apart` are the credentials and the properties that may be compared apart
    /// from the rest of the target. A service is asked about these properties, too: one question for each row of a listing would
    /// take too long.
    pub(super) fn reliance(
        &self,
        rules: &HashMap<String, Self>,
        fallback: Option<&Self>,
        apart: &[(&str, &str)],
    ) -> Reliance {
        let of_part = |part: &Self| part.reliance(rules, fallback, apart);
        let of_properties = |template: &Template, is_apart: &dyn Fn(&str) -> bool| {
            let of_name = |name| {
                if is_apart(name) {
                    Reliance::Apart
                } else {
                    Reliance::Whole
                }
            };
            template
                .properties()
                .map(of_name)
                .fold(Reliance::None, Ord::max)
        };
        match self {
            Self::Always | Self::Never => Reliance::None,
            Self::Not(part) => match of_part(part) {
                Reliance::None => Reliance::None,
                Reliance::Apart | Reliance::Whole => Reliance::Whole,
            },
            Self::Any(parts) => parts.iter().map(of_part).fold(Reliance::None, Ord::max),
            Self::All(parts) => {
                let mut relying = parts
                    .iter()
                    .map(of_part)
                    .filter(|one| *one > Reliance::None);
                match (relying.next(), relying.next()) {
                    (None, _) => Reliance::None,
                    (Some(only), None) => only,
                    (Some(_), Some(_)) => Reliance::Whole,
                }
            }
            // Circles are refused beforehand.
            Self::Rule(name) => rules.get(name).or(fallback).map_or(Reliance::None, of_part),
            Self::Credential { name, value } => of_properties(value, &|property| {
                let pair = (name.as_str(), property);
                apart.contains(&pair)
            }),
            // Values other than the caller's own may fit as well.
            Self::Role(value) | Self::Literal { value, .. } => of_properties(value, &|_| false),
            Self::Remote(url) => Reliance::Apart.max(of_properties(url, &|property| {
                apart.iter().any(|(_, known)| *known == property)
            })),
        }
    }
}

/// The literal that equals a property without a value.
const NOTHING: &str = "None";

/// Evaluates parts until one is `decisive`. Why go on behind a part that another service has to decide? A later one may make
/// that question needless.
fn settle(parts: &[Expression], decisive: bool, holds: impl Fn(&Expression) -> Outcome) -> Outcome {
    let mut open = None;
    for part in parts {
        match holds(part) {
            Ok(held) if held == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(check) => open = open.or(Some(check)),
        }
    }
    open.map_or(Ok(!decisive), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Properties;
    use crate::policy::parse::parse;

    fn question<'a, T: ?Sized>(
        rules: &'a HashMap<String, Expression>,
        caller: &'a Caller,
        target: &'a T,
        answers: &'a Answers,
    ) -> Question<'a, T> {
        Question {
            rules,
            fallback: None,
            rule: "the rule",
            caller,
            target,
            answers,
        }
    }

    fn holds(rule: &str, caller: &Caller, target: &(impl Target + ?Sized)) -> bool {
        let rules = HashMap::from([
            ("admin".to_owned(), parse("role:admin").unwrap()),
            ("circle".to_owned(), parse("rule:circle").unwrap()),
        ]);
        let answers = Answers::default();
        parse(rule)
            .unwrap_or_else(|error| panic!("{rule}: {error}"))
            .holds(&question(&rules, caller, target, &answers), 0)
            .unwrap()
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
            assert_eq!(holds(rule, &caller, target.as_slice()), expected, "{rule}");
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
        check("roles:Member", true);
        check("roles:Admin", false);
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
    fn how_much_of_a_target_decides() {
        let rules = HashMap::from([
            (
                "owner".to_owned(),
                parse("project_id:%(project_id)s").unwrap(),
            ),
            ("secret".to_owned(), parse("'x':%(name)s").unwrap()),
        ]);
        let apart = [("project_id", "project_id"), ("user", "creator")];
        let check = |rule: &str, expected: Reliance| {
            let rule = parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
            let found = rule.reliance(&rules, rules.get("secret"), &apart);
            assert_eq!(found, expected, "{rule:?}");
        };
        check("", Reliance::None);
        check("!", Reliance::None);
        check("role:admin or not role:guest", Reliance::None);
        check("user_id:u", Reliance::None);
        check("rule:owner", Reliance::Apart);
        check("role:a and rule:owner", Reliance::Apart);
        check("rule:owner or user:%(creator)s", Reliance::Apart);
        check("http://h", Reliance::Apart);
        check("http://h/%(project_id)s", Reliance::Apart);
        // Each alone says no, both together may say yes.
        check("rule:owner and user:%(creator)s", Reliance::Whole);
        check("not rule:owner", Reliance::Whole);
        check("not http://h", Reliance::Whole);
        check("role:%(wanted)s", Reliance::Whole);
        // Other values than those of the caller fit, or another credential does.
        check("role:%(project_id)s", Reliance::Whole);
        check("'shared':%(project_id)s", Reliance::Whole);
        check("user:%(project_id)s", Reliance::Whole);
        check("user_id:%(user_id)s", Reliance::Whole);
        check("http://h/%(id)s", Reliance::Whole);
        check("rule:owner or rule:secret", Reliance::Whole);
        // A missing rule means the fallback.
        check("rule:missing", Reliance::Whole);
    }

    #[test]
    fn properties_without_a_value() {
        let target = Properties::new().with("a", "x").with_maybe("b", None);
        let check = |rule: &str, expected: bool| {
            assert_eq!(
                holds(rule, &Caller::named("None"), &target),
                expected,
                "{rule}"
            );
        };
        check("None:%(b)s", true);
        check("None:%(a)s", false);
        check("None:%(c)s", false);
        // A user of that name does not own what has no owner.
        check("user:%(b)s", false);
    }

    #[test]
    fn other_services_are_asked_when_nothing_else_decides() {
        let caller = Caller::named("u");
        let target = Properties::new().with("id", "a/b");
        let outcome = |rule: &str, answers: &Answers| {
            let rule = parse(rule).unwrap();
            rule.holds(&question(&HashMap::new(), &caller, &target, answers), 0)
        };
        let none = Answers::default();
        let check = |rule: &str, expected: Result<bool, &str>| {
            let outcome = outcome(rule, &none);
            let outcome = outcome.as_ref().map_err(|check| check.url.as_str());
            assert_eq!(outcome.copied(), expected, "{rule}");
        };
        check("http://h/%(id)s", Err("http://h/a%2Fb"));
        check("https://h", Err("https://h"));
        check("http://h/%(missing)s", Ok(false));
        check("http://h or user:u", Ok(true));
        check("http://h and !", Ok(false));
        check("http://h and user:u", Err("http://h"));
        check("not http://h", Err("http://h"));
        check("http://a or http://b", Err("http://a"));

        let asked = *outcome("http://h", &none).unwrap_err();
        assert_eq!(asked.rule, "the rule");
        assert_eq!(asked.target["id"], "a/b");
        assert_eq!(asked.caller, caller);
        let mut answers = Answers::default();
        answers.add(asked, true);
        assert_eq!(outcome("http://h", &answers), Ok(true));
        assert_eq!(outcome("not http://h", &answers), Ok(false));
    }
}
