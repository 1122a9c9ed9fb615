//! What checks may compare: the kinds of checks, and the credentials that callers have.
//!
//! A check of anything else holds for no caller, and its negation for every caller. So `not rol:guest` must not become a rule.

use std::collections::{HashMap, HashSet};

use super::enforcer::PolicyError;
use super::expression::Expression;
use crate::text::nearest::{nearest, one_slip_away};

/// What stands before the colon of a check that compares no credential: kinds of checks, then literals.
const KINDS: [&str; 7] = ["role", "rule", "http", "https", "True", "False", "None"];

/// The credentials of callers. Users whom a password or a proxy names have `user`, `roles` and `system`; those of Keystone have all
/// but `system`.
const CREDENTIALS: [&str; 6] = [
    "user",
    "user_id",
    "project_id",
    "domain_id",
    "roles",
    "system",
];

/// Credentials that callers of other OpenStack services have. Rules that are shared with these services name them; here they are
/// absent, as they were in the Python Gnocchi.
const OF_OTHER_SERVICES: [&str; 22] = [
    "auth_token",
    "domain",
    "is_admin",
    "is_admin_project",
    "project",
    "project_domain",
    "project_domain_id",
    "project_name",
    "read_only",
    "service_project_domain_id",
    "service_project_id",
    "service_roles",
    "service_user_domain_id",
    "service_user_id",
    "show_deleted",
    "system_scope",
    "tenant",
    "tenant_id",
    "user_domain",
    "user_domain_id",
    "user_identity",
    "user_name",
];

/// Returns the kind that one that does not exist is a near miss of.
pub(super) fn nearest_kind(kind: &str) -> Option<&'static str> {
    if OF_OTHER_SERVICES.contains(&kind) {
        return None;
    }
    let known = || KINDS.into_iter().chain(CREDENTIALS);
    nearest(kind, known()).or_else(|| one_slip_away(kind, known()))
}

/// Returns whether a check of this kind, or of this credential, can hold for some caller.
fn is_known(kind: &str) -> bool {
    KINDS.contains(&kind) || CREDENTIALS.contains(&kind)
}

/// Returns the names of all credentials, for messages.
pub(super) fn names() -> String {
    CREDENTIALS.join(", ")
}

/// A check that holds for no caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InertCheck {
    /// The rule that has it.
    pub rule: String,
    /// The credential that no caller has.
    pub credential: String,
}

/// Returns the checks that hold for no caller, in the order of the names of their rules. The rules must not refer to themselves.
///
/// # Errors
/// [`PolicyError::NegatesNothing`] when one of them is negated, unless callers of other services have the credential.
pub(super) fn inert_checks(
    rules: &HashMap<String, Expression>,
    fallback: &str,
) -> Result<Vec<InertCheck>, PolicyError> {
    let rules = Rules { rules, fallback };
    let mut inert = Vec::new();
    let mut names: Vec<&String> = rules.rules.keys().collect();
    names.sort_unstable();
    for name in names {
        let rule = &rules.rules[name];
        if let Some(credential) = rules.negated(rule) {
            return Err(PolicyError::NegatesNothing {
                name: name.clone(),
                credential: credential.to_owned(),
            });
        }
        let mut seen = HashSet::new();
        let unknown = rule.credentials().into_iter();
        let unknown =
            unknown.filter(|credential| !is_known(credential) && seen.insert(*credential));
        inert.extend(unknown.map(|credential| InertCheck {
            rule: name.clone(),
            credential: credential.to_owned(),
        }));
    }
    Ok(inert)
}

struct Rules<'a> {
    rules: &'a HashMap<String, Expression>,
    fallback: &'a str,
}

impl<'a> Rules<'a> {
    /// Returns a credential that exists nowhere and that a negation of the rule itself compares.
    fn negated(&self, rule: &'a Expression) -> Option<&'a str> {
        match rule {
            Expression::Not(part) => self.nowhere(part),
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().find_map(|part| self.negated(part))
            }
            _ => None,
        }
    }

    /// Returns a credential that exists nowhere and that the rule or one that it refers to compares.
    fn nowhere(&self, rule: &'a Expression) -> Option<&'a str> {
        let own = rule
            .credentials()
            .into_iter()
            .find(|credential| !is_known(credential) && !OF_OTHER_SERVICES.contains(credential));
        own.or_else(|| {
            let referred = rule.references().into_iter();
            let mut referred = referred.filter_map(|name| {
                let rule = self.rules.get(name);
                rule.or_else(|| self.rules.get(self.fallback))
            });
            referred.find_map(|rule| self.nowhere(rule))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Caller, Enforcer};
    use super::*;

    fn error(rule: &'static str) -> String {
        let error = Enforcer::new([("get status", rule)], "default").unwrap_err();
        let cause = std::error::Error::source(&error);
        cause.map_or_else(|| error.to_string(), ToString::to_string)
    }

    #[test]
    fn every_credential_of_a_caller_is_known() {
        let id = || Some("x".to_owned());
        let mut caller = Caller::of_project(id(), id(), id(), vec!["x".to_owned()]);
        caller.system = id();
        let compared = CREDENTIALS.iter();
        for name in compared {
            assert!(caller.credentials(name).next().is_some(), "{name}");
        }
        for name in KINDS.iter().chain(&OF_OTHER_SERVICES) {
            assert_eq!(caller.credentials(name).next(), None, "{name}");
        }
    }

    #[test]
    fn kinds_that_are_misspelt_are_refused() {
        for (rule, got, meant) in [
            ("rol:admin", "rol:admin", "role:admin"),
            ("not rol:x", "rol:x", "role:x"),
            ("roll:x", "roll:x", "role:x"),
            ("Role:admin", "Role:admin", "role:admin"),
            ("@ or (rule:a and not rols:b)", "rols:b", "roles:b"),
            ("ruel:admin", "ruel:admin", "rule:admin"),
            ("htps://h/x", "htps://h/x", "https://h/x"),
            ("users:x", "users:x", "user:x"),
            ("userid:%(id)s", "userid:%(id)s", "user_id:%(id)s"),
            ("project-id:x", "project-id:x", "project_id:x"),
            ("projectid:x", "projectid:x", "project_id:x"),
            ("true:%(public)s", "true:%(public)s", "True:%(public)s"),
        ] {
            let expected = format!("got `{got}`; did you mean `{meant}`?");
            assert_eq!(error(rule), expected, "{rule}");
        }
    }

    #[test]
    fn negations_of_what_no_caller_has_are_refused() {
        let expected = "rule `get status` negates a check of `colour`, which no caller has, so it would hold for every caller: \
                        got `colour`; expected one of user, user_id, project_id, domain_id, roles, system";
        for rule in [
            "not colour:red",
            "role:admin or not (role:x or colour:red)",
            "not rule:red",
            "not rule:missing",
        ] {
            let rules = [
                ("red", "rule:redder"),
                ("redder", "role:x and colour:red"),
                ("default", "rule:red"),
                ("get status", rule),
            ];
            let error = Enforcer::new(rules, "default").unwrap_err();
            assert_eq!(error.to_string(), expected, "{rule}");
            assert_eq!(error.rule(), "get status");
        }
    }

    #[test]
    fn credentials_of_other_services_are_taken_and_named() {
        let rules = [
            ("get status", "role:admin or is_admin:True or tenant_id:x"),
            (
                "get metric",
                "not is_admin_project:False or group:x or is_admin_project:True",
            ),
            ("get resource", "user:x or system:all or 'a':b or 5:5"),
        ];
        let enforcer = Enforcer::new(rules, "default").unwrap();
        let found: Vec<(&str, &str)> = enforcer
            .inert_checks()
            .iter()
            .map(|check| (check.rule.as_str(), check.credential.as_str()))
            .collect();
        let expected = [
            ("get metric", "is_admin_project"),
            ("get metric", "group"),
            ("get status", "is_admin"),
            ("get status", "tenant_id"),
        ];
        assert_eq!(found, expected);
        assert_eq!(Enforcer::default().inert_checks(), []);
    }
}
