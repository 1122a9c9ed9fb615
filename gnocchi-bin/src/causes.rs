//! Errors as one line of text, for logs and for who started a tool.

use std::error::Error as StdError;

/// Joins an error and its causes; a cause that only repeats what was said is left out.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{text}")]
    struct Outer {
        text: &'static str,
        source: io::Error,
    }

    #[test]
    fn causes_are_told_once() {
        let check = |text: &'static str, expected: &str| {
            let source = io::Error::other("no room");
            assert_eq!(with_causes(&Outer { text, source }), expected);
        };
        check("cannot write", "cannot write: no room");
        check("cannot write, no room", "cannot write, no room");
    }
}
