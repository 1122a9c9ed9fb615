//! Changes of the text of a password file. Comments and the order of the lines stay.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 255;

/// The name of a user, as a password file can hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName(String);

/// Why a text cannot be the name of a user, to be read after the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UserNameError {
    /// It has no characters, or too many.
    #[error("a user name must have 1 to {NAME_CHARACTERS_MAX} characters")]
    Length,
    /// It has a colon, with which the password begins.
    #[error("a user name must not contain a colon")]
    Colon,
    /// It has a character that ends lines or cannot be seen.
    #[error("a user name must not contain control characters")]
    Control,
    /// It would be read as a comment, or lose its spaces.
    #[error("a user name must not begin or end with a space, nor begin with #")]
    Edge,
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        if !(1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) {
            Err(UserNameError::Length)
        } else if text.contains(':') {
            Err(UserNameError::Colon)
        } else if text.chars().any(char::is_control) {
            Err(UserNameError::Control)
        } else if text.trim() != text || text.starts_with('#') {
            Err(UserNameError::Edge)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// They are new.
    Added,
    /// They have another password.
    Changed,
}

/// Returns the text in which a user has this hash.
#[must_use]
pub fn set(text: &str, name: &UserName, hash: &str) -> (String, Edited) {
    let line = format!("{name}:{hash}");
    let mut edited = Edited::Added;
    let mut lines = Vec::new();
    for known in text.lines() {
        if !is_of(known, name) {
            lines.push(known);
        } else if edited == Edited::Added {
            edited = Edited::Changed;
            lines.push(&line);
        }
    }
    if edited == Edited::Added {
        lines.push(&line);
    }
    (joined(&lines), edited)
}

/// Returns the text without a user; `None` when there is no such user.
#[must_use]
pub fn remove(text: &str, name: &UserName) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !is_of(line, name)).collect();
    (lines.len() < text.lines().count()).then(|| joined(&lines))
}

/// Returns the entry in a line, unless it is empty or a comment.
pub(super) fn entry(line: &str) -> Option<&str> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

fn is_of(line: &str, name: &UserName) -> bool {
    let entry = entry(line).and_then(|entry| entry.split_once(':'));
    entry.is_some_and(|(known, _)| known == name.0)
}

fn joined(lines: &[&str]) -> String {
    let mut text = lines.join("\n");
    if !lines.is_empty() {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn users_come_change_and_go_and_the_rest_stays() {
        let check_set = |text: &str, expected: &str, edited: Edited| {
            assert_eq!(
                set(text, &name("b"), "H"),
                (expected.into(), edited),
                "{text:?}"
            );
        };
        check_set("", "b:H\n", Edited::Added);
        check_set("# users\n\na:1", "# users\n\na:1\nb:H\n", Edited::Added);
        check_set("a:1\r\nb:2\r\nc:3\r\n", "a:1\nb:H\nc:3\n", Edited::Changed);
        check_set(" b:2 \nb:3\n", "b:H\n", Edited::Changed);
        check_set("#b:1\nB:2\nbb:3\n", "#b:1\nB:2\nbb:3\nb:H\n", Edited::Added);

        let check_removed = |text: &str, expected: Option<&str>| {
            assert_eq!(remove(text, &name("b")).as_deref(), expected, "{text:?}");
        };
        check_removed("", None);
        check_removed("#b:1\na:1\n", None);
        check_removed("#b:1\na:1\nb:2\nc:3\n", Some("#b:1\na:1\nc:3\n"));
        check_removed("b:2", Some(""));
    }

    #[test]
    fn names_survive_the_file() {
        for good in ["a", "jürgen", "a b", "a#", &"x".repeat(255)] {
            let (text, _) = set("", &name(good), "h");
            assert_eq!(
                entry(text.trim_end_matches('\n')),
                Some(format!("{good}:h").as_str())
            );
        }
        let check = |text: &str, expected: UserNameError| {
            assert_eq!(text.parse::<UserName>(), Err(expected), "{text:?}");
        };
        check("", UserNameError::Length);
        check(&"x".repeat(256), UserNameError::Length);
        check("a:b", UserNameError::Colon);
        check("a\nb", UserNameError::Control);
        check("a\u{7f}", UserNameError::Control);
        check(" a", UserNameError::Edge);
        check("a\u{a0}", UserNameError::Edge);
        check("#a", UserNameError::Edge);
    }
}
