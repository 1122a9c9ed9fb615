//! Texts that no back-end could keep, refused where they come in.
//!
//! | entrance | checked by |
//! |---|---|
//! | JSON documents | [`check_document`], when they are decoded |
//! | addresses and forms: names and query parameters | [`check_encoded`] |
//! | names inside measures | [`check_key`], [`check_text`] |
//! | names of callers | [`check`] |
//!
//! Receivers of other protocols leave the line or series out and store the rest.

use gnocchi_core::model::is_storable;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::api::request::schema::{Checked, Path};
use crate::api::response::error::ApiError;

/// What is said of a text that holds the character.
const MESSAGE: &str = "U+0000 is not supported";

/// Checks a text; `what` names it.
///
/// # Errors
/// A bad request when it cannot be stored.
pub(crate) fn check(what: &str, text: &str) -> Result<(), ApiError> {
    if is_storable(text) {
        return Ok(());
    }
    Err(refused(what))
}

/// Returns the error for a text that holds the character; `what` names it.
pub(crate) fn refused(what: &str) -> ApiError {
    ApiError::bad_request(format!("{MESSAGE} in {what}"))
}

/// Checks the path or the query of an address, or a form, before it is decoded.
///
/// # Errors
/// A bad request when a text in it cannot be stored or is not UTF-8.
pub(crate) fn check_encoded(what: &str, encoded: &str) -> Result<(), ApiError> {
    if !encoded.contains('%') {
        return check(what, encoded);
    }
    let decoded = percent_decode_str(encoded).decode_utf8();
    let decoded = decoded.map_err(|_| ApiError::bad_request(format!("{what} is not UTF-8")))?;
    check(what, &decoded)
}

/// Checks every key and text of a document. `written` is what it was decoded from, which nearly always settles it.
///
/// # Errors
/// [`Invalid`](crate::api::request::schema::Invalid) with the first place whose text cannot be stored.
pub(crate) fn check_document(written: &[u8], document: &Value) -> Checked<()> {
    // JSON has no other way to write it.
    const ESCAPE: &[u8] = b"u0000";
    if !written.windows(ESCAPE.len()).any(|piece| piece == ESCAPE) {
        return Ok(());
    }
    check_value(document, &Path::Root)
}

fn check_value(value: &Value, path: &Path<'_>) -> Checked<()> {
    match value {
        Value::String(text) => check_text(path, text),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_value(item, &Path::Index(path, index))),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let path = Path::Key(path, key);
            check_key(&path, key)?;
            check_value(value, &path)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Checks the text at a place of a body.
///
/// # Errors
/// [`Invalid`](crate::api::request::schema::Invalid) when it cannot be stored.
pub(crate) fn check_text(path: &Path<'_>, text: &str) -> Checked<()> {
    if is_storable(text) {
        return Ok(());
    }
    Err(path.invalid(MESSAGE))
}

/// Checks the last key of a place of a body.
///
/// # Errors
/// [`Invalid`](crate::api::request::schema::Invalid) when it cannot be stored.
pub(crate) fn check_key(path: &Path<'_>, key: &str) -> Checked<()> {
    if is_storable(key) {
        return Ok(());
    }
    Err(path.invalid_key(MESSAGE))
}

#[cfg(test)]
mod tests {
    use crate::api::request::storable::*;

    #[test]
    fn documents_are_searched() {
        let check = |written: &str, expected: Option<&str>| {
            let document = serde_json::from_str(written).unwrap();
            let outcome = check_document(written.as_bytes(), &document);
            let invalid = outcome.err().map(|invalid| invalid.to_string());
            assert_eq!(invalid.as_deref(), expected, "{written}");
        };
        check(r#"{"a": ["b", 1, null, {"c": true}]}"#, None);
        // A backslash, then letters.
        check(r#"["\\u0000"]"#, None);
        check(r#""\u0000""#, Some("U+0000 is not supported"));
        check(
            r#"{"a": [1, {"b": "x\u0000y"}]}"#,
            Some("U+0000 is not supported for dictionary value @ data['a'][1]['b']"),
        );
        check(
            r#"{"a": {"\u0000": 1}}"#,
            Some(r"U+0000 is not supported @ data['a']['\x00']"),
        );
    }

    #[test]
    fn addresses_are_decoded() {
        let check = |encoded: &str, expected: Option<&str>| {
            let outcome = check_encoded("the query", encoded);
            let expected = expected.map(ApiError::bad_request);
            assert_eq!(outcome.err(), expected, "{encoded}");
        };
        check("", None);
        check("name=%E2%98%83&x=1%", None);
        check("name=%2500", None);
        check("name=a%00", Some("U+0000 is not supported in the query"));
        check("name=%ff", Some("the query is not UTF-8"));
    }
}
