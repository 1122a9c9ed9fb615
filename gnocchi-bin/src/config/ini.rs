//! Reader of the INI dialect of `gnocchi.conf`.
//!
//! Why no crate? Those that read INI drop what this dialect and good errors need: the line of a value, repeated keys in
//! the order of the file, and a `#` inside a value that is not a comment.

/// One `option = value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The section that it stands in; `DEFAULT` before the first header.
    pub(super) section: String,
    /// Its name, with `_` for every `-`.
    pub(super) option: String,
    /// Its value without the space around it; lines of a continued value are joined by line feeds.
    pub(super) value: String,
    /// The line that it begins in, counted from one.
    pub(super) line: usize,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The line, counted from one.
    pub(super) line: usize,
    /// What was found or is missing.
    pub(super) problem: &'static str,
}

/// The section of options that stand before the first header.
pub(super) const DEFAULT_SECTION: &str = "DEFAULT";

/// Reads the text of a file.
///
/// A line is empty, a comment (`#` or `;` in front), a `[section]`, an `option = value` (or `option: value`), or begins
/// with space and continues the value above. One pair of quotes around a value is dropped.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = DEFAULT_SECTION.to_owned();
    let mut continues = false;
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = index + 1;
        let content = raw.trim();
        if content.is_empty() {
            continues = false;
        } else if content.starts_with(['#', ';']) {
            // A comment between the lines of a continued value ends nothing.
        } else if raw.starts_with([' ', '\t']) {
            let entry = entries.last_mut().filter(|_| continues);
            let entry = entry.ok_or(SyntaxError {
                line,
                problem: "an indented line continues a value, but there is none above",
            })?;
            entry.value.push('\n');
            entry.value.push_str(content);
        } else if let Some(header) = content.strip_prefix('[') {
            let name = header
                .strip_suffix(']')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            name.ok_or(SyntaxError {
                line,
                problem: "a section header reads [name]",
            })?
            .clone_into(&mut section);
            continues = false;
        } else {
            let (option, value) = content.split_once(['=', ':']).ok_or(SyntaxError {
                line,
                problem: "neither a [section] nor option = value",
            })?;
            let option = normalize(option.trim());
            if option.is_empty() {
                return Err(SyntaxError {
                    line,
                    problem: "the name of the option is missing before =",
                });
            }
            entries.push(Entry {
                section: section.clone(),
                option,
                value: value.trim().to_owned(),
                line,
            });
            continues = true;
        }
    }
    for entry in &mut entries {
        unquote(&mut entry.value);
    }
    Ok(entries)
}

/// Returns the one spelling of the name of an option: `uwsgi-mode` is `uwsgi_mode`.
pub(super) fn normalize(option: &str) -> String {
    option.replace('-', "_")
}

fn unquote(value: &mut String) {
    for quote in ['"', '\''] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            *value = inner.to_owned();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, &str, usize)]) {
        let entries = parse(text).unwrap();
        let entries: Vec<_> = entries
            .iter()
            .map(|e| {
                (
                    e.section.as_str(),
                    e.option.as_str(),
                    e.value.as_str(),
                    e.line,
                )
            })
            .collect();
        assert_eq!(entries, expected, "{text:?}");
    }

    #[test]
    fn options_stand_in_sections() {
        check(
            "debug = true\n[api]\nport=8041\nhost: ::1\n",
            &[
                ("DEFAULT", "debug", "true", 1),
                ("api", "port", "8041", 3),
                ("api", "host", "::1", 4),
            ],
        );
        check(
            "[ api ]\r\nuwsgi-mode = http\r\n",
            &[("api", "uwsgi_mode", "http", 2)],
        );
        check("\u{feff}[api]\na =\n", &[("api", "a", "", 2)]);
    }

    #[test]
    fn comments_stand_at_the_beginning_of_a_line_only() {
        check(
            "# one\n; two\n  # three\n[a]\nkey = se#cret;x\n",
            &[("a", "key", "se#cret;x", 5)],
        );
    }

    #[test]
    fn repeated_keys_and_sections_keep_their_order() {
        check(
            "[a]\nk = 1\n[b]\nk = 2\n[a]\nk = 3\n",
            &[("a", "k", "1", 2), ("b", "k", "2", 4), ("a", "k", "3", 6)],
        );
    }

    #[test]
    fn indented_lines_continue_a_value() {
        check(
            "[a]\nk = 1,\n  2,\n# between\n\t3\nl = 4\n",
            &[("a", "k", "1,\n2,\n3", 2), ("a", "l", "4", 6)],
        );
    }

    #[test]
    fn one_pair_of_quotes_is_dropped() {
        check(
            "a = \" x \"\nb = 'y'\nc = \"a\" and \"b\"\nd = \"\n",
            &[
                ("DEFAULT", "a", " x ", 1),
                ("DEFAULT", "b", "y", 2),
                ("DEFAULT", "c", "\"a\" and \"b\"", 3),
                ("DEFAULT", "d", "\"", 4),
            ],
        );
    }

    #[test]
    fn broken_lines_are_named() {
        let check = |text: &str, line: usize, problem: &str| {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(
                error.problem.contains(problem),
                "{text:?}: {}",
                error.problem
            );
        };
        check("[a]\nnonsense\n", 2, "neither");
        check("[a\nk = v\n", 1, "[name]");
        check("[]\n", 1, "[name]");
        check("= v\n", 1, "missing");
        check("  v\n", 1, "continues");
        check("[a]\n  v\n", 2, "continues");
        check("a = 1\n\n  v\n", 3, "continues");
    }
}
