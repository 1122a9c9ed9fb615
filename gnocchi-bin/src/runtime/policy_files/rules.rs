//! Rules as a file writes them: a mapping of names to texts, in YAML, of which JSON is a part.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleText {
    pub(super) name: String,
    pub(super) text: String,
    /// The line of its name, counted from one.
    pub(super) line: usize,
}

/// A file that is not a mapping of names to texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RulesError {
    /// The line, counted from one.
    pub(super) line: usize,
    pub(super) problem: String,
}

/// Reads the rules of a file in their order; an empty file has none. No two have the same name: which of them counts would be a
/// guess.
pub(super) fn parse(text: &str) -> Result<Vec<RuleText>, RulesError> {
    let mut events = Parser::new_from_str(text).filter(|event| {
        let is_frame = |event: &Event<'_>| {
            matches!(
                event,
                Event::Nothing
                    | Event::StreamStart
                    | Event::StreamEnd
                    | Event::DocumentStart(_)
                    | Event::DocumentEnd
            )
        };
        !event.as_ref().is_ok_and(|(event, _)| is_frame(event))
    });
    match next(&mut events)? {
        None => return Ok(Vec::new()),
        Some((Event::MappingStart(..), _)) => {}
        // A file of comments, or one that says that it has nothing.
        Some((Event::Scalar(text, ScalarStyle::Plain, ..), _)) if is_nothing(&text) => {
            return Ok(Vec::new());
        }
        Some((_, line)) => return refuse(line, "is not a mapping of names to rules"),
    }
    let mut rules: Vec<RuleText> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    while let Some((event, line)) = next(&mut events)? {
        let name = match event {
            Event::MappingEnd => break,
            Event::Scalar(name, ..) => name.into_owned(),
            _ => return refuse(line, "is not the name of a rule"),
        };
        let text = rule(&name, next(&mut events)?, line)?;
        if let Some(first) = lines.insert(name.clone(), line) {
            return refuse(
                line,
                format!("rule `{name}` is given twice, first in line {first}"),
            );
        }
        rules.push(RuleText { name, text, line });
    }
    match next(&mut events)? {
        None => Ok(rules),
        Some((_, line)) => refuse(
            line,
            "a second document is not read; put all rules into one",
        ),
    }
}

/// Reads the text of a rule.
fn rule(name: &str, event: Option<(Event<'_>, usize)>, line: usize) -> Result<String, RulesError> {
    let Some((event, line)) = event else {
        return refuse(line, format!("rule `{name}` has no text"));
    };
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) if is_nothing(&text) => refuse(
            line,
            format!(
                "rule `{name}` has no text; write \"\" to allow every caller, \"!\" to allow none"
            ),
        ),
        Event::Scalar(text, _, _, None) => Ok(text.into_owned()),
        _ => refuse(line, format!("rule `{name}` is not a text")),
    }
}

/// Returns whether a plain word stands for no value.
fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn next<'a>(
    events: &mut impl Iterator<Item = Result<(Event<'a>, Span), ScanError>>,
) -> Result<Option<(Event<'a>, usize)>, RulesError> {
    match events.next().transpose() {
        Ok(event) => Ok(event.map(|(event, span)| (event, span.start.line()))),
        Err(error) => refuse(error.marker().line(), error.info()),
    }
}

fn refuse<T>(line: usize, problem: impl Into<String>) -> Result<T, RulesError> {
    Err(RulesError {
        line: line.max(1),
        problem: problem.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let rules = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let found: Vec<_> = rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule.text.as_str(), rule.line))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn yaml_and_json() {
        check("", &[]);
        check("# nothing\n", &[]);
        check("---\n", &[]);
        check("{}", &[]);
        check(
            "# rules\n\"get status\": \"role:admin\"\n\nget metric: role:a or role:b\nopen: ''\n",
            &[
                ("get status", "role:admin", 2),
                ("get metric", "role:a or role:b", 4),
                ("open", "", 5),
            ],
        );
        check(
            "{\"get status\": \"role:admin\",\n \"get metric\": \"user:%(creator)s\"}",
            &[
                ("get status", "role:admin", 1),
                ("get metric", "user:%(creator)s", 2),
            ],
        );
        check(
            "a: >-\n  role:x\n  or role:y\nb: '@'\n",
            &[("a", "role:x or role:y", 1), ("b", "@", 4)],
        );
    }

    #[test]
    fn what_is_no_mapping_of_names_to_texts() {
        let check = |text: &str, line: usize, problem: &str| {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error:?}");
            assert!(error.problem.contains(problem), "{text}: {error:?}");
        };
        check("- a\n", 1, "is not a mapping");
        check("text", 1, "is not a mapping");
        check("a: b\nc:\n", 2, "rule `c` has no text");
        check("a: null\n", 1, "rule `a` has no text");
        check("a:\n  b: c\n", 2, "rule `a` is not a text");
        check("a: [[role:b]]\n", 1, "rule `a` is not a text");
        // A bare exclamation mark is something else in YAML, and would open what it should close.
        check("a: !\n", 1, "rule `a`");
        check("a: &x role:b\nc: *x\n", 2, "rule `c` is not a text");
        check("a: @\n", 1, "");
        check("a: \"b\n", 1, "");
        check("a: b\n---\nc: d\n", 3, "a second document");
        check(
            "a: b:c\nd: e:f\n\"a\": b:c\n",
            3,
            "rule `a` is given twice, first in line 1",
        );
        check("[a, b]: c\n", 1, "is not the name");
    }
}
