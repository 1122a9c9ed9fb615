//! Text that looks as Python prints it: clients match parts of error messages that were made that way.

use std::fmt::Write;

use serde_json::Value;

/// Prints a text as a literal: in single quotes unless it holds some and no double ones.
#[must_use]
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push(quote);
    for character in text.chars() {
        match character {
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            other if other == quote => {
                literal.push('\\');
                literal.push(other);
            }
            other if other.is_control() => {
                let code = u32::from(other);
                // Writing to a string cannot fail.
                let _ = if code < 0x100 {
                    write!(literal, "\\x{code:02x}")
                } else {
                    write!(literal, "\\u{code:04x}")
                };
            }
            other => literal.push(other),
        }
    }
    literal.push(quote);
    literal
}

/// Prints a JSON value as the literal of the same data.
#[must_use]
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), literal(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::response::python::*;

    #[test]
    fn literals() {
        let check = |value: Value, expected: &str| assert_eq!(literal(&value), expected);
        check(json!("it's"), r#""it's""#);
        check(json!("a\"b"), r#"'a"b'"#);
        check(json!("it's \"x\""), r#"'it\'s "x"'"#);
        check(json!("☃\n\u{1}\\"), r"'☃\n\x01\\'");
        check(
            json!({"cause": "Invalid input", "detail": [], "n": 1, "x": null, "y": true}),
            "{'cause': 'Invalid input', 'detail': [], 'n': 1, 'x': None, 'y': True}",
        );
    }
}
