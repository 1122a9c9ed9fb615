//! What a client accepts, from its `Accept` header.

use http::HeaderValue;

/// How the body of an error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// `text/plain`
    Plain,
    /// `text/html`
    Html,
    /// `application/json`
    Json,
}

impl ErrorFormat {
    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("text", "plain"),
            Self::Html => ("text", "html"),
            Self::Json => ("application", "json"),
        }
    }
}

/// How well a client likes one media type.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Liking {
    quality: f32,
    /// 2 for the type itself, 1 for all subtypes, 0 for everything.
    specificity: u8,
}

/// Returns whether a client takes JSON: it says so, or says nothing.
#[must_use]
pub(crate) fn admits_json(accept: Option<&HeaderValue>) -> bool {
    let Some(accept) = accept else { return true };
    match accept.as_bytes() {
        b"" | b"*/*" | b"application/json" => true,
        _ => accept.to_str().is_ok_and(|text| {
            liking(text, "application", "json").is_some_and(|liked| liked.quality > 0.0)
        }),
    }
}

/// Chooses how an error is written for a client: plain text unless it accepts something else, JSON where it accepts anything. Browsers
/// name HTML.
#[must_use]
pub(crate) fn error_format(accept: Option<&HeaderValue>) -> ErrorFormat {
    preferred(accept, ErrorFormat::Plain)
}

/// Chooses how an error is written for a sender of measures: JSON unless it prefers something else.
#[must_use]
pub(crate) fn error_format_of_sender(accept: Option<&HeaderValue>) -> ErrorFormat {
    preferred(accept, ErrorFormat::Json)
}

/// Returns the format that a client likes best; `otherwise` when it accepts none of them.
fn preferred(accept: Option<&HeaderValue>, otherwise: ErrorFormat) -> ErrorFormat {
    let text = accept
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    let mut best = (
        otherwise,
        Liking {
            quality: 0.0,
            specificity: 0,
        },
    );
    // Of equally liked ones the later wins, so this is the order of preference, from the end.
    for format in [ErrorFormat::Plain, ErrorFormat::Html, ErrorFormat::Json] {
        let (kind, subtype) = format.media_type();
        if let Some(liked) = liking(text, kind, subtype)
            && liked.quality > 0.0
            && liked >= best.1
        {
            best = (format, liked);
        }
    }
    best.0
}

/// Finds the most specific range that fits a media type.
fn liking(accept: &str, kind: &str, subtype: &str) -> Option<Liking> {
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (range_kind, range_subtype) = parts.next()?.split_once('/')?;
        let specificity = match (range_kind, range_subtype) {
            ("*", "*") => 0,
            (fits, "*") if fits.eq_ignore_ascii_case(kind) => 1,
            (fits, fits_too)
                if fits.eq_ignore_ascii_case(kind) && fits_too.eq_ignore_ascii_case(subtype) =>
            {
                2
            }
            _ => return None,
        };
        let quality = parts
            .find_map(|parameter| {
                parameter
                    .strip_prefix("q=")
                    .or_else(|| parameter.strip_prefix("Q="))
            })
            .map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
        Some(Liking {
            quality,
            specificity,
        })
    });
    ranges.max_by_key(|liked| liked.specificity)
}

#[cfg(test)]
mod tests {
    use crate::api::response::accept::*;

    #[test]
    fn json_or_not() {
        let check = |accept: Option<&'static str>, expected: bool| {
            assert_eq!(
                admits_json(accept.map(HeaderValue::from_static).as_ref()),
                expected,
                "{accept:?}"
            );
        };
        check(None, true);
        check(Some(""), true);
        check(Some("*/*"), true);
        check(Some("application/json"), true);
        check(Some("application/*"), true);
        check(Some("Application/JSON; q=0.1"), true);
        check(Some("text/plain, application/json; q=0.8"), true);
        check(Some("text/plain, */*; q=0.1"), true);
        check(Some("text/plain"), false);
        check(Some("text/html"), false);
        check(Some("*/*, application/json; q=0"), false);
        check(Some("nonsense"), false);
    }

    #[test]
    fn formats_of_errors() {
        let check = |accept: Option<&'static str>, expected: ErrorFormat| {
            assert_eq!(
                error_format(accept.map(HeaderValue::from_static).as_ref()),
                expected,
                "{accept:?}"
            );
        };
        check(None, ErrorFormat::Plain);
        check(Some(""), ErrorFormat::Plain);
        check(Some("text/plain"), ErrorFormat::Plain);
        check(Some("image/png"), ErrorFormat::Plain);
        check(Some("application/json"), ErrorFormat::Json);
        check(Some("application/*"), ErrorFormat::Json);
        check(Some("application/json, text/plain, */*"), ErrorFormat::Json);
        check(Some("*/*"), ErrorFormat::Json);
        check(Some("text/html, */*"), ErrorFormat::Html);
        check(Some("text/*"), ErrorFormat::Html);
        check(Some("text/plain, */*; q=0.1"), ErrorFormat::Plain);
        check(
            Some("text/html,application/xhtml+xml,*/*;q=0.8"),
            ErrorFormat::Html,
        );
        check(
            Some("text/plain, application/json; q=0.8"),
            ErrorFormat::Plain,
        );
        check(Some("application/json; q=0"), ErrorFormat::Plain);
    }

    #[test]
    fn formats_of_errors_for_senders() {
        let check = |accept: Option<&'static str>, expected: ErrorFormat| {
            let accept = accept.map(HeaderValue::from_static);
            assert_eq!(
                error_format_of_sender(accept.as_ref()),
                expected,
                "{accept:?}"
            );
        };
        check(None, ErrorFormat::Json);
        check(Some(""), ErrorFormat::Json);
        check(Some("*/*"), ErrorFormat::Json);
        check(Some("application/json"), ErrorFormat::Json);
        check(Some("application/x-msgpack"), ErrorFormat::Json);
        check(Some("text/plain"), ErrorFormat::Plain);
        check(Some("text/html,*/*;q=0.8"), ErrorFormat::Html);
    }
}
