//! What the server says when it refuses a call, as text for people.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// The wire form of an error.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: Value,
    /// What is said for people, beside a description that programs compare.
    explanation: Option<String>,
}

/// Returns what an error body says.
pub(super) fn reason(status: StatusCode, body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else {
        let canonical = status.canonical_reason();
        return canonical.unwrap_or("no explanation").to_owned();
    };
    let mut parts: Vec<String> = Vec::new();
    match &body.description {
        Value::String(text) if !text.is_empty() => parts.push(text.clone()),
        Value::Object(data) => {
            let texts = ["cause", "reason", "explanation"].map(|key| data.get(key).and_then(text));
            parts.extend(texts.into_iter().flatten());
            // The detail says where only when it is not a part of the reason already.
            if let Some(detail) = data.get("detail").and_then(text)
                && !parts.iter().any(|part| part.contains(&detail))
            {
                parts.insert(1.min(parts.len()), detail);
            }
        }
        _ => {}
    }
    if parts.is_empty() && !body.title.is_empty() {
        parts.push(body.title);
    }
    parts.extend(body.explanation);
    parts.join(": ")
}

/// Returns a value as text; none for what is empty.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(text).collect();
            (!items.is_empty()).then(|| items.join(", "))
        }
        other => Some(other.to_string()),
    }
}

/// Says what can be done about a refusal, if that is known.
pub(super) fn hint(status: StatusCode, reason: &str) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST if reason.starts_with("Unknown ") => {
            " (--create creates what is missing)"
        }
        StatusCode::BAD_REQUEST if reason.contains("no archive policy rule found") => {
            " (--policy names the archive policy of new metrics)"
        }
        StatusCode::UNAUTHORIZED => {
            " (see --user, --password-file and --token-file, or GNOCCHI_PASSWORD and GNOCCHI_TOKEN)"
        }
        // Whatever a Gnocchi misses, it names.
        StatusCode::NOT_FOUND if !reason.contains("does not exist") => {
            " (no Gnocchi responds at this address; --endpoint names a server without /v1, such as http://127.0.0.1:8041)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_found() {
        let check = |body: &str, expected: &str| {
            assert_eq!(reason(StatusCode::BAD_REQUEST, body.as_bytes()), expected);
        };
        check(
            r#"{"code": 400, "title": "Bad Request", "description": "Unknown metrics: a/b"}"#,
            "Unknown metrics: a/b",
        );
        check(
            r#"{"title": "Bad Request", "description": "Unknown metrics: 1/b", "explanation": "resource \"a\" has no metric b"}"#,
            "Unknown metrics: 1/b: resource \"a\" has no metric b",
        );
        check(
            r#"{"code": 400, "title": "Bad Request", "description": {"cause": "x"}}"#,
            "x",
        );
        check(
            r#"{"title": "Bad Request", "description": {"cause": "Invalid input", "detail": ["id"], "reason": "it has a slash @ data['id']"}}"#,
            "Invalid input: it has a slash @ data['id']",
        );
        check(
            r#"{"title": "Bad Request", "description": {"cause": "Argument value error", "detail": "limit", "reason": "too large"}}"#,
            "Argument value error: limit: too large",
        );
        check(
            r#"{"code": 403, "title": "Forbidden", "description": ""}"#,
            "Forbidden",
        );
        check(
            r#"{"title": "Not Found", "description": null}"#,
            "Not Found",
        );
        check("<html>", "Bad Request");
    }

    #[test]
    fn what_is_missing_is_told_from_where_no_server_is() {
        let hint = |reason| hint(StatusCode::NOT_FOUND, reason);
        assert_eq!(hint("Archive policy x does not exist"), "");
        assert!(hint("Not Found").contains("--endpoint"));
    }
}
