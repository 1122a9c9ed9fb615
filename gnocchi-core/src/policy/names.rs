//! Names of rules: one that is never evaluated, or that does not exist, is a mistake that would open or close something silently.

use std::collections::{HashMap, HashSet};

use super::enforcer::PolicyError;
use super::expression::Expression;
use super::{Action, BASE_RULES};
use crate::text::nearest::nearest;

/// Checks that every rule is asked for and every reference leads somewhere.
///
/// # Errors
/// [`PolicyError::Unused`] and [`PolicyError::Missing`] for the first one, in the order of their names.
pub(super) fn check(
    rules: &HashMap<String, Expression>,
    fallback: &str,
) -> Result<(), PolicyError> {
    let mut names: Vec<&str> = rules.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut referred = HashSet::new();
    for name in &names {
        for reference in rules[*name].references() {
            referred.insert(reference);
            if rules.contains_key(reference) {
                continue;
            }
            let nearest = nearest(reference, names.iter().copied()).map(str::to_owned);
            if nearest.is_some() || !rules.contains_key(fallback) {
                return Err(PolicyError::Missing {
                    name: (*name).to_owned(),
                    reference: reference.to_owned(),
                    nearest,
                });
            }
        }
    }
    let asked = Action::ALL.iter().map(|action| action.name());
    let known: HashSet<&str> = asked
        .chain(BASE_RULES.map(|(name, _)| name))
        .chain([fallback])
        .collect();
    for name in names {
        if known.contains(name) || referred.contains(name) {
            continue;
        }
        let mut known: Vec<&str> = known.into_iter().collect();
        known.sort_unstable();
        return Err(PolicyError::Unused {
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Enforcer;

    #[test]
    fn names_that_lead_nowhere_are_refused_with_the_nearest_one() {
        let check = |rules: &[(&'static str, &'static str)], expected: &str| {
            let error = Enforcer::new(rules.iter().copied(), "default").unwrap_err();
            assert_eq!(error.to_string(), expected, "{rules:?}");
        };
        check(
            &[("get metrik", "@")],
            "rule `get metrik` decides nothing: no request asks for it and no rule refers to it; did you mean `get metric`?",
        );
        check(
            &[("watchers", "role:a")],
            "rule `watchers` decides nothing: no request asks for it and no rule refers to it",
        );
        check(
            &[("get status", "rule:context_is_admn")],
            "rule `get status` refers to rule `context_is_admn`, which does not exist; did you mean `context_is_admin`?",
        );
        check(
            &[("get status", "rule:watchers")],
            "rule `get status` refers to rule `watchers`, which does not exist",
        );
        // A fallback stands in for what is meant to be missing, not for what is misspelt.
        check(
            &[
                ("default", "@"),
                ("get status", "rule:watcher"),
                ("get metric", "rule:watchers"),
                ("watchers", "role:a"),
            ],
            "rule `get status` refers to rule `watcher`, which does not exist; did you mean `watchers`?",
        );
    }

    #[test]
    fn names_that_lead_somewhere_are_taken() {
        for rules in [
            &[("default", "!")][..],
            &[("creator", "user:x"), ("context_is_admin", "role:boss")],
            &[
                ("get status", "rule:watchers"),
                ("watchers", "rule:more"),
                ("more", "@"),
            ],
            &[("default", "!"), ("get status", "rule:watchers")],
        ] {
            Enforcer::new(rules.iter().copied(), "default").unwrap();
        }
    }
}
