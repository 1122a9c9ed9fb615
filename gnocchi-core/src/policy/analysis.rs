//! What can be said of rules before they are evaluated: that they end, how much they cost, and whether they have a negation.

use std::collections::HashMap;

use super::enforcer::PolicyError;
use super::expression::{DEPTH_MAX, Expression};

/// The most checks that one decision may take, rules that others refer to counted each time.
///
/// Why? Rules that refer to the next one twice double the work at each step, and a decision is made for each thing of a listing.
/// The default rules take at most five.
pub(super) const CHECKS_MAX: usize = 1000;

/// What is known of one rule, together with those that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Traits {
    /// How many checks it takes at most.
    pub(super) checks: usize,
    /// How many references stand behind each other.
    depth: usize,
    /// Whether more properties of the target can make it false.
    pub(super) needs_whole_target: bool,
}

/// Looks at each rule once.
struct Analysis<'a> {
    rules: &'a HashMap<String, Expression>,
    fallback: &'a str,
    /// `None` while a rule is being looked at.
    known: HashMap<&'a str, Option<Traits>>,
}

/// Returns what is known of every rule, by its name; `fallback` names the rule that stands in for missing ones.
///
/// # Errors
/// [`PolicyError`] when rules refer to themselves, to each other in too long a chain, or cost too much.
pub(super) fn analyse<'a>(
    rules: &'a HashMap<String, Expression>,
    fallback: &'a str,
) -> Result<HashMap<&'a str, Traits>, PolicyError> {
    let mut analysis = Analysis {
        rules,
        fallback,
        known: HashMap::new(),
    };
    // In a fixed order, so that the same rules are refused with the same words each time.
    let mut names: Vec<&str> = rules.keys().map(String::as_str).collect();
    names.sort_unstable();
    for name in names {
        analysis.of_rule(name, 0)?;
    }
    let known = analysis.known.into_iter();
    Ok(known
        .filter_map(|(name, traits)| Some((name, traits?)))
        .collect())
}

impl<'a> Analysis<'a> {
    /// Looks at a rule at the end of a chain of so many references.
    fn of_rule(&mut self, name: &'a str, chain: usize) -> Result<Traits, PolicyError> {
        let too_deep = || PolicyError::TooDeep {
            name: name.to_owned(),
        };
        match self.known.get(name) {
            Some(Some(traits)) => return Ok(*traits),
            Some(None) => {
                let name = name.to_owned();
                return Err(PolicyError::Circle { name });
            }
            None if chain > DEPTH_MAX => return Err(too_deep()),
            None => {}
        }
        self.known.insert(name, None);
        let rule = &self.rules[name];
        let mut traits = Traits {
            checks: rule.checks(),
            depth: 0,
            needs_whole_target: rule.needs_whole_target(),
        };
        for reference in rule.references() {
            let known = self.rules.contains_key(reference);
            let reference = if known { reference } else { self.fallback };
            if !self.rules.contains_key(reference) {
                continue;
            }
            let behind = self.of_rule(reference, chain + 1)?;
            traits.checks = traits.checks.saturating_add(behind.checks);
            traits.depth = traits.depth.max(behind.depth + 1);
            traits.needs_whole_target |= behind.needs_whole_target;
        }
        if traits.depth > DEPTH_MAX {
            return Err(too_deep());
        }
        if traits.checks > CHECKS_MAX {
            let name = name.to_owned();
            return Err(PolicyError::TooCostly { name });
        }
        self.known.insert(name, Some(traits));
        Ok(traits)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::parse::parse;
    use super::*;

    fn rules(texts: &[(&str, &str)]) -> HashMap<String, Expression> {
        let rules = texts.iter();
        rules
            .map(|(name, text)| ((*name).to_owned(), parse(text).unwrap()))
            .collect()
    }

    #[test]
    fn references_count_each_time() {
        let rules = rules(&[
            ("a", "rule:b or rule:b or role:x"),
            ("b", "rule:c and rule:missing"),
            ("c", "not role:x"),
            ("d", "@"),
        ]);
        let traits = analyse(&rules, "d").unwrap();
        let check = |name: &str, checks: usize, depth: usize, needs_whole_target: bool| {
            let expected = Traits {
                checks,
                depth,
                needs_whole_target,
            };
            assert_eq!(traits[name], expected, "{name}");
        };
        check("d", 1, 0, false);
        check("c", 1, 0, true);
        check("b", 4, 1, true);
        check("a", 11, 2, true);
    }

    #[test]
    fn rules_that_cost_too_much_are_refused_at_once() {
        let check = |text: &dyn Fn(usize) -> String, count: usize, expected: &str| {
            let rules = (0..count).map(|number| {
                let rule = if number + 1 < count {
                    text(number + 1)
                } else {
                    "role:x".to_owned()
                };
                (format!("r{number}"), parse(&rule).unwrap())
            });
            let rules: HashMap<String, Expression> = rules.collect();
            let began = Instant::now();
            let error = analyse(&rules, "default").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            // A file of a mebibyte holds some tens of thousands; two to the power of sixty takes years.
            assert!(began.elapsed() < Duration::from_secs(30));
        };
        let costly = "takes more than 1000 checks";
        check(&|next| format!("rule:r{next} or rule:r{next}"), 60, costly);
        check(
            &|next| format!("not (rule:r{next} and rule:r{next})"),
            60,
            costly,
        );
        let wide = |next: usize| format!("role:a or {} rule:r{next}", "rule:x or ".repeat(1000));
        check(&wide, 2, costly);
        let long = "refers to others in a chain of more than 64";
        check(&|next| format!("rule:r{next}"), 30_000, long);
    }
}
