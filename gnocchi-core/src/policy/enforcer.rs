//! The rules of one deployment, and decisions by them.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::analysis::{CHECKS_MAX, analyse};
use super::credentials::{self, InertCheck};
use super::expression::{DEPTH_MAX, Expression, Question, Reliance};
use super::names;
use super::parse::{RuleError, parse};
use super::{Action, Answers, BASE_RULES, Caller, NoTarget, RemoteCheck, Target};

/// A set of rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// One rule cannot be read.
    #[error("rule `{name}` cannot be read")]
    Rule {
        /// The name of the rule.
        name: String,
        /// What is wrong with it.
        source: RuleError,
    },
    /// A rule refers to itself, maybe through others.
    #[error("rule `{name}` refers to itself")]
    Circle {
        /// The name of the rule.
        name: String,
    },
    /// A rule refers to others, which refer to others, too many times.
    #[error("rule `{name}` refers to others in a chain of more than {DEPTH_MAX}")]
    TooDeep {
        /// The name of the rule.
        name: String,
    },
    /// A decision by the rule would take too long.
    #[error(
        "rule `{name}` takes more than {CHECKS_MAX} checks, those of the rules that it refers to counted each time"
    )]
    TooCostly {
        /// The name of the rule.
        name: String,
    },
    /// A rule decides nothing: no request asks for it, and no other rule refers to it.
    #[error("rule `{name}` decides nothing: no request asks for it and no rule refers to it{}", meant(.nearest.as_deref()))]
    Unused {
        /// The name of the rule.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A rule refers to one that does not exist.
    #[error("rule `{name}` refers to rule `{reference}`, which does not exist{}", meant(.nearest.as_deref()))]
    Missing {
        /// The name of the rule.
        name: String,
        /// The name of the one that does not exist.
        reference: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A rule negates a check that holds for no caller, itself or through others.
    #[error(
        "rule `{name}` negates a check of `{credential}`, which no caller has, so it would hold for every caller: \
         got `{credential}`; expected one of {}",
        credentials::names()
    )]
    NegatesNothing {
        /// The name of the rule.
        name: String,
        /// The credential that no caller has.
        credential: String,
    },
}

impl PolicyError {
    /// Returns the name of the rule that must be changed.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Rule { name, .. }
            | Self::Circle { name }
            | Self::TooDeep { name }
            | Self::TooCostly { name }
            | Self::Unused { name, .. }
            | Self::Missing { name, .. }
            | Self::NegatesNothing { name, .. } => name,
        }
    }
}

/// Returns the end of a message about a name that may be misspelt.
fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Decides who may do what.
#[derive(Debug, Clone)]
pub struct Enforcer {
    rules: HashMap<String, Expression>,
    actions: HashMap<Action, Expression>,
    /// Actions that more properties of the target can only allow, never forbid.
    monotone: HashSet<Action>,
    inert: Vec<InertCheck>,
    fallback: String,
}

impl Default for Enforcer {
    /// Takes the default rule of every action.
    fn default() -> Self {
        Self::new(std::iter::empty(), "default")
            .expect("the default rules are right, as a test shows")
    }
}

impl Enforcer {
    /// Compiles rules. Those given, as names and texts, replace the default ones of the same name; a reference to a rule that
    /// does not exist means the one called `fallback`.
    ///
    /// # Errors
    /// [`PolicyError`] when a rule cannot be read, refers to itself, costs too much, decides nothing, refers to a rule that
    /// does not exist, unless there is a fallback and no name that was probably meant, or negates a check that holds for no caller.
    pub fn new<'a>(
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
        fallback: impl Into<String>,
    ) -> Result<Self, PolicyError> {
        let defaults = Action::ALL
            .iter()
            .map(|action| (action.name(), action.default_rule()));
        let mut rules = HashMap::new();
        for (name, text) in BASE_RULES.into_iter().chain(defaults).chain(overrides) {
            let rule = parse(text).map_err(|source| PolicyError::Rule {
                name: name.to_owned(),
                source,
            })?;
            rules.insert(name.to_owned(), rule);
        }
        let fallback = fallback.into();
        names::check(&rules, &fallback)?;
        let traits = analyse(&rules, &fallback)?;
        let inert = credentials::inert_checks(&rules, &fallback)?;
        let actions = Action::ALL
            .iter()
            .map(|action| (*action, rules[action.name()].clone()))
            .collect();
        let is_monotone = |action: &Action| !traits[action.name()].needs_whole_target;
        let monotone = Action::ALL.iter().copied().filter(is_monotone).collect();
        Ok(Self {
            rules,
            actions,
            monotone,
            inert,
            fallback,
        })
    }

    /// Returns the checks that hold for no caller, because they compare credentials that exist in other OpenStack services only,
    /// or nowhere.
    #[must_use]
    pub fn inert_checks(&self) -> &[InertCheck] {
        &self.inert
    }

    /// Returns whether the rule of an action has no negation and asks no other service: who may do it to a target of which little is
    /// known may also do it when more is known.
    #[must_use]
    pub fn is_monotone(&self, action: Action) -> bool {
        self.monotone.contains(&action)
    }

    /// Returns how much of a target decides whether an action is allowed, where `apart` are credentials and the properties that the
    /// rule may compare them with apart from the rest of the target.
    pub(super) fn reliance(&self, action: Action, apart: &[(&str, &str)]) -> Reliance {
        let fallback = self.rules.get(&self.fallback);
        self.actions.get(&action).map_or(Reliance::None, |rule| {
            rule.reliance(&self.rules, fallback, apart)
        })
    }

    /// Returns whether a caller may do something to every target, whatever it is.
    #[must_use]
    pub fn allows_all(&self, action: Action, caller: &Caller) -> bool {
        self.is_monotone(action) && self.allows(action, caller, &NoTarget)
    }

    /// Returns whether a caller may do something to a target. What another service would have to allow is denied; see
    /// [`Self::decide`].
    #[must_use]
    pub fn allows(&self, action: Action, caller: &Caller, target: &(impl Target + ?Sized)) -> bool {
        self.decide(action, caller, target, &Answers::default())
            .unwrap_or(false)
    }

    /// Returns whether a caller may do something to a target, given what other services said so far.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn decide(
        &self,
        action: Action,
        caller: &Caller,
        target: &(impl Target + ?Sized),
        answers: &Answers,
    ) -> Result<bool, Box<RemoteCheck>> {
        let question = Question {
            rules: &self.rules,
            fallback: self.rules.get(&self.fallback),
            rule: action.name(),
            caller,
            target,
            answers,
        };
        match self.actions.get(&action) {
            Some(rule) => rule.holds(&question, 0),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_rules_by_kind_of_caller() {
        let enforcer = Enforcer::default();
        let admin = Caller::named("admin");
        let service = Caller {
            roles: vec!["service".into()],
            ..Caller::named("s")
        };
        let creator = Caller::named("u");
        let other = Caller::named("v");
        let owner = Caller {
            project_id: Some("p".into()),
            ..Caller::named("w")
        };
        let target: &[(&str, &str)] = &[
            ("creator", "u"),
            ("created_by_project_id", ""),
            ("project_id", "p"),
            ("resource.project_id", "p"),
        ];
        let check = |action: Action, expected: [bool; 5]| {
            let allowed = [&admin, &service, &creator, &owner, &other]
                .map(|caller| enforcer.allows(action, caller, target));
            assert_eq!(allowed, expected, "{action:?}");
        };
        check(Action::GetStatus, [true, false, false, false, false]);
        check(Action::CreateMetric, [true; 5]);
        check(
            Action::CreateArchivePolicy,
            [true, true, false, false, false],
        );
        check(
            Action::UpdateArchivePolicy,
            [true, false, false, false, false],
        );
        check(Action::GetResource, [true, false, true, true, false]);
        check(Action::UpdateResource, [true, true, true, false, false]);
        check(Action::DeleteMetric, [true, false, true, false, false]);
        check(Action::PostMeasures, [true, true, true, false, false]);
        check(Action::GetMeasures, [true, true, true, true, false]);
    }

    #[test]
    fn an_empty_project_owns_nothing() {
        let enforcer = Enforcer::default();
        let target: &[(&str, &str)] = &[("creator", "u"), ("created_by_project_id", "")];
        assert!(!enforcer.allows(Action::PostMeasures, &Caller::named("v"), target));
    }

    #[test]
    fn an_operator_replaces_rules() {
        let enforcer = Enforcer::new(
            [("get status", "rule:watchers"), ("watchers", "user:w")],
            "default",
        )
        .unwrap();
        assert!(enforcer.allows(Action::GetStatus, &Caller::named("w"), &NoTarget));
        assert!(!enforcer.allows(Action::GetStatus, &Caller::named("admin"), &NoTarget));
    }

    #[test]
    fn a_missing_rule_means_the_fallback() {
        let rules = [("get status", "rule:missing")];
        let every_caller =
            Enforcer::new(rules.into_iter().chain([("default", "@")]), "default").unwrap();
        assert!(every_caller.allows(Action::GetStatus, &Caller::named("x"), &NoTarget));
    }

    #[test]
    fn negations_are_found_through_references() {
        assert!(
            Action::ALL
                .iter()
                .all(|action| Enforcer::default().is_monotone(*action))
        );
        let rules = [
            ("get measures", "rule:a"),
            ("a", "rule:b or @"),
            ("b", "not role:x"),
            ("get metric", "not @"),
        ];
        let enforcer = Enforcer::new(rules, "default").unwrap();
        assert!(!enforcer.is_monotone(Action::GetMeasures));
        assert!(!enforcer.is_monotone(Action::GetMetric));
        assert!(enforcer.is_monotone(Action::PostMeasures));
        // The fallback counts for those that refer to a missing rule.
        let rules = [("default", "not @"), ("get measures", "rule:missing")];
        let enforcer = Enforcer::new(rules, "default").unwrap();
        assert!(!enforcer.is_monotone(Action::GetMeasures));
        assert!(enforcer.is_monotone(Action::PostMeasures));
    }

    #[test]
    fn rules_that_cannot_be_used_are_named() {
        let error = |rules: &[(&'static str, &'static str)]| {
            Enforcer::new(rules.iter().copied(), "default").unwrap_err()
        };
        assert_eq!(
            error(&[("get status", "rule:b"), ("b", "not rule:b")]),
            PolicyError::Circle { name: "b".into() }
        );
        // A missing rule means the fallback, which then refers to itself.
        assert_eq!(
            error(&[("default", "rule:missing or rule:absent")]),
            PolicyError::Circle {
                name: "default".into()
            }
        );
        assert!(matches!(error(&[("a", "(")]), PolicyError::Rule { name, .. } if name == "a"));
    }
}
