//! Tokens that Python writes and JSON lacks.

const TOKENS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];

/// Puts the bare tokens `NaN`, `Infinity` and `-Infinity` in quotes, where they stand outside of texts; `None` when there is
/// none.
pub(super) fn quote_bare_tokens(body: &[u8]) -> Option<Vec<u8>> {
    let mut quoted = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut inside_text = false;
    while at < body.len() {
        match body[at] {
            b'"' => inside_text = !inside_text,
            b'\\' if inside_text => at += 1,
            b'N' | b'I' | b'-' if !inside_text => {
                if let Some(token) = TOKENS.iter().find(|token| body[at..].starts_with(token)) {
                    quoted.extend_from_slice(&body[copied..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(token);
                    quoted.push(b'"');
                    at += token.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    quoted.extend_from_slice(&body[copied..]);
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_tokens_are_quoted() {
        let check = |body: &str, expected: Option<&str>| {
            let quoted =
                quote_bare_tokens(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(quoted.as_deref(), expected, "{body}");
        };
        check(r#"[1, -1, "NaN"]"#, None);
        check(
            "[NaN, Infinity, -Infinity, 1]",
            Some(r#"["NaN", "Infinity", "-Infinity", 1]"#),
        );
        check(r#"{"a\"NaN": NaN}"#, Some(r#"{"a\"NaN": "NaN"}"#));
        check(r#""\\" NaN"#, Some(r#""\\" "NaN""#));
        check(r#""\"#, None);
        check("", None);
    }
}
