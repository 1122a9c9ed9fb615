//! Bodies of errors in the three formats that clients can ask for.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::api::response::accept::ErrorFormat;
use crate::api::response::error::{ApiError, Detail, EXPLANATION};
use crate::api::response::python;
use crate::api::response::render;

/// Whom an error is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A client of this API.
    Client,
    /// A sender of another system, which looks for the text under the key `error`.
    Sender,
}

/// Writes an error in a format.
#[must_use]
pub(crate) fn response(error: &ApiError, format: ErrorFormat, audience: Audience) -> Response {
    let (body, content_type) = match format {
        ErrorFormat::Json => (json_body(error, audience), "application/json"),
        ErrorFormat::Html => (html_body(error).into_bytes(), "text/html; charset=UTF-8"),
        ErrorFormat::Plain => (plain_body(error).into_bytes(), "text/plain; charset=UTF-8"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or("Error"),
    }
}

fn json_body(error: &ApiError, audience: Audience) -> Vec<u8> {
    let description = match &error.detail {
        Detail::Nothing | Detail::NothingExplained(_) => Value::Null,
        Detail::Empty | Detail::EmptyExplained(_) => json!(""),
        Detail::Text(text) => json!(text),
        Detail::Explained { text, .. } => json!(text),
        Detail::Data(data) => data.clone(),
    };
    let mut body = json!({
        "code": error.status.as_u16(),
        "title": title(error.status),
        "description": description,
    });
    if audience == Audience::Sender {
        body["error"] = Value::String(sentence(error));
    }
    if let Detail::Explained { explanation, .. }
    | Detail::NothingExplained(explanation)
    | Detail::EmptyExplained(explanation) = &error.detail
    {
        body[EXPLANATION] = json!(explanation);
    }
    render::to_bytes(&body)
}

/// Says in one sentence what is wrong.
pub(crate) fn sentence(error: &ApiError) -> String {
    let data = match &error.detail {
        Detail::Nothing | Detail::Empty => return explanation(error.status).to_owned(),
        Detail::NothingExplained(text) | Detail::EmptyExplained(text) => return text.to_string(),
        Detail::Text(text) => return text.clone(),
        Detail::Explained { text, explanation } => return format!("{text} ({explanation})"),
        Detail::Data(data) => data,
    };
    let part = |key: &str| data[key].as_str().unwrap_or_default();
    let parts = match part("cause") {
        // The reason says it all.
        "Value error" => vec![part("reason")],
        cause => vec![cause, part("detail"), part("reason")],
    };
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let said = parts.join(": ");
    match data[EXPLANATION].as_str() {
        Some(explanation) => format!("{said} ({explanation})"),
        None => said,
    }
}

/// Returns the detail as text; data looks as Python prints it, because clients match parts of that.
fn detail_text(detail: &Detail) -> String {
    match detail {
        Detail::Nothing | Detail::Empty => String::new(),
        Detail::NothingExplained(text) | Detail::EmptyExplained(text) => text.to_string(),
        Detail::Text(text) => text.clone(),
        Detail::Explained { text, explanation } => format!("{text}\n\n {explanation}"),
        Detail::Data(data) => python::literal(data),
    }
}

fn plain_body(error: &ApiError) -> String {
    let code = error.status.as_u16();
    let (title, detail) = (title(error.status), detail_text(&error.detail));
    format!(
        "{code} {title}\n\n{}\n\n {detail}  ",
        explanation(error.status)
    )
}

fn html_body(error: &ApiError) -> String {
    let code = error.status.as_u16();
    let (title, detail) = (title(error.status), escaped(&detail_text(&error.detail)));
    format!(
        "<!DOCTYPE html>\n<html>\n <head>\n  <title>{code} {title}</title>\n </head>\n <body>\n  <h1>{code} {title}</h1>\n  \
         <p>{}</p>\n  <p>{detail}</p>\n </body>\n</html>\n",
        explanation(error.status)
    )
}

pub(in crate::api) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns one sentence about a status; some of them are matched by clients.
fn explanation(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        }
        StatusCode::UNAUTHORIZED => {
            "This server could not verify that you are authorized to access the document you requested."
        }
        StatusCode::FORBIDDEN => "Access was denied to this resource.",
        StatusCode::NOT_FOUND => "The resource could not be found.",
        StatusCode::METHOD_NOT_ALLOWED => "The resource does not support this method.",
        StatusCode::NOT_ACCEPTABLE => {
            "The resource has no representation of a type that the client accepts."
        }
        StatusCode::REQUEST_TIMEOUT => "The request was not received in time.",
        StatusCode::CONFLICT => "The request conflicts with the current state.",
        StatusCode::PRECONDITION_FAILED => {
            "The resource is not in the state that the request names."
        }
        StatusCode::PAYLOAD_TOO_LARGE => "The request is larger than this server accepts.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "The body of the request has a content type that is not supported here."
        }
        StatusCode::NOT_IMPLEMENTED => "The server does not support what the request asks for.",
        StatusCode::SERVICE_UNAVAILABLE => "The server cannot handle the request at present.",
        StatusCode::INSUFFICIENT_STORAGE => "The server has no disk space left.",
        _ => "The request failed.",
    }
}

#[cfg(test)]
mod tests {
    use crate::api::response::error_body::*;

    fn text(error: &ApiError, format: ErrorFormat) -> String {
        match format {
            ErrorFormat::Json => String::from_utf8(json_body(error, Audience::Client)).unwrap(),
            ErrorFormat::Html => html_body(error),
            ErrorFormat::Plain => plain_body(error),
        }
    }

    #[test]
    fn one_error_in_three_formats() {
        let error = ApiError::not_found("Archive policy ✔'<x> does not exist");
        assert_eq!(
            text(&error, ErrorFormat::Plain),
            "404 Not Found\n\nThe resource could not be found.\n\n Archive policy ✔'<x> does not exist  "
        );
        assert_eq!(
            text(&error, ErrorFormat::Json),
            r#"{"code": 404, "description": "Archive policy \u2714'<x> does not exist", "title": "Not Found"}"#
        );
        assert!(
            text(&error, ErrorFormat::Html)
                .contains("Archive policy ✔&#x27;&lt;x&gt; does not exist")
        );
    }

    #[test]
    fn details() {
        let json = |error: &ApiError| text(error, ErrorFormat::Json);
        assert!(json(&ApiError::no_such_address()).contains(r#""description": null"#));
        assert!(json(&ApiError::empty(StatusCode::FORBIDDEN)).contains(r#""description": """#));
        let data = ApiError::argument("start", "it's wrong");
        assert!(json(&data).contains(r#""description": {"cause": "Argument value error", "detail": "start", "reason": "it's wrong"}"#));
        let plain = text(&data, ErrorFormat::Plain);
        assert!(
            plain.contains(
                r#"{'cause': 'Argument value error', 'detail': 'start', 'reason': "it's wrong"}"#
            ),
            "{plain}"
        );
    }

    #[test]
    fn senders_find_a_sentence() {
        let check = |error: &ApiError, expected: &str| {
            let body: Value = serde_json::from_slice(&json_body(error, Audience::Sender)).unwrap();
            assert_eq!(body["error"], expected);
            assert_eq!(body["code"], error.status.as_u16());
        };
        let forbidden = ApiError::empty(StatusCode::FORBIDDEN);
        check(&forbidden, "Access was denied to this resource.");
        check(&ApiError::not_found("no x"), "no x");
        let argument = ApiError::argument("precision", "must be one of s, ms");
        check(
            &argument,
            "Argument value error: precision: must be one of s, ms",
        );
        let malformed = ApiError::malformed_body("it is empty");
        check(&malformed, "Unable to decode body: it is empty");
        let data = json!({"cause": "Value error", "detail": "line", "reason": "Unable to parse"});
        check(&ApiError::bad_data(data), "Unable to parse");
    }

    #[test]
    fn what_is_said_for_people_stands_beside_what_clients_compare() {
        let json = |error: &ApiError| text(error, ErrorFormat::Json);
        let sentence = ApiError::not_found("Metric x does not exist").explained("no such id");
        let body = json(&sentence);
        assert!(
            body.contains(r#""description": "Metric x does not exist""#),
            "{body}"
        );
        assert!(body.contains(r#""explanation": "no such id""#), "{body}");
        for format in [ErrorFormat::Plain, ErrorFormat::Html] {
            assert!(text(&sentence, format).contains("no such id"));
        }
        let nothing = ApiError::no_such_address().explained("see /v1/");
        let body = json(&nothing);
        assert!(
            body.contains(r#""description": null, "explanation": "see /v1/""#),
            "{body}"
        );
        let empty = ApiError::empty(StatusCode::METHOD_NOT_ALLOWED).explained("only GET");
        let body = json(&empty);
        assert!(
            body.contains(r#""description": "", "explanation": "only GET""#),
            "{body}"
        );
        assert!(text(&empty, ErrorFormat::Plain).contains("only GET"));
        let data = json(&ApiError::argument("start", "wrong").explained("it was x"));
        assert!(
            data.contains(r#""detail": "start", "explanation": "it was x", "reason""#),
            "{data}"
        );
    }

    #[test]
    fn headers_that_belong_to_a_status() {
        let busy = ApiError {
            retry_after_seconds: Some(3),
            ..ApiError::empty(StatusCode::SERVICE_UNAVAILABLE)
        };
        assert_eq!(
            response(&busy, ErrorFormat::Plain, Audience::Client).headers()[RETRY_AFTER],
            "3"
        );
    }
}
