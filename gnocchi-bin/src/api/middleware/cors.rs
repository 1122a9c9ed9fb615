//! Access by web pages of other origins.
//!
//! Written here rather than taken from a library because a browser that may not call gets no CORS header at all, and one that
//! may gets exactly what it asked for.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::api::settings::CorsSettings;

/// What allows every origin.
const ANY: &str = "*";

/// Response headers that pages may always read: without them they cannot page, follow what they created, change it only if it is
/// unchanged, or report an error. Browsers show them none of these by themselves.
const EXPOSED: [&str; 4] = ["Link", "Location", "ETag", "X-Request-Id"];

/// Answers an `OPTIONS` request: always with success, and with CORS headers if the page may do what it asks for.
pub(in crate::api) fn preflight(settings: &CorsSettings, request: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    vary(settings, response.headers_mut());
    let Some(origin) = allowed_origin(settings, request) else {
        return response;
    };
    let Some(method) = request.get(ACCESS_CONTROL_REQUEST_METHOD) else {
        return response;
    };
    let allows_method = settings
        .allow_methods
        .iter()
        .any(|allowed| method.as_bytes() == allowed.as_bytes());
    let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
    if !allows_method || !wanted.is_none_or(|wanted| allows_headers(settings, wanted)) {
        return response;
    }
    let headers = response.headers_mut();
    allow(settings, &origin, headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(
        ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from(settings.max_age_seconds),
    );
    response
}

/// The pages that a response may be read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Readers {
    /// Those of one origin, with credentials if the settings say so.
    Origin(HeaderValue),
    /// All, but none of them with credentials: otherwise every page could act on behalf of its visitors.
    All,
}

/// Returns who may read the response to a request, if pages of its origin may call.
pub(in crate::api) fn allowed_origin(
    settings: &CorsSettings,
    request: &HeaderMap,
) -> Option<Readers> {
    if settings.allowed_origins.is_empty() {
        return None;
    }
    let origin = request.get(ORIGIN)?;
    let mut named = settings.allowed_origins.iter();
    if named.any(|allowed| origin.as_bytes() == allowed.trim_end_matches('/').as_bytes()) {
        return Some(Readers::Origin(origin.clone()));
    }
    let mut named = settings.allowed_origins.iter();
    named.any(|allowed| allowed == ANY).then_some(Readers::All)
}

/// Marks responses as differing by origin, for caches. They do as soon as an origin is named.
pub(in crate::api) fn vary(settings: &CorsSettings, response: &mut HeaderMap) {
    if settings
        .allowed_origins
        .iter()
        .any(|allowed| allowed != ANY)
    {
        response.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Lets a page read the response and the exposed headers.
pub(in crate::api) fn mark(settings: &CorsSettings, readers: &Readers, response: &mut HeaderMap) {
    allow(settings, readers, response);
    let configured = settings.expose_headers.iter().map(String::as_str);
    let exposed: Vec<&str> = EXPOSED.into_iter().chain(configured).collect();
    if let Ok(exposed) = HeaderValue::try_from(exposed.join(",")) {
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Names the origin that may call.
fn allow(settings: &CorsSettings, readers: &Readers, response: &mut HeaderMap) {
    match readers {
        Readers::All => {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(ANY));
        }
        Readers::Origin(origin) => {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if settings.allow_credentials {
                response.insert(
                    ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                );
            }
        }
    }
}

/// Returns whether every header of a list may be sent. Those that any page may send need no permission.
fn allows_headers(settings: &CorsSettings, wanted: &HeaderValue) -> bool {
    const SAFE: [&str; 5] = [
        "accept",
        "accept-language",
        "content-language",
        "content-type",
        "origin",
    ];
    let Ok(wanted) = wanted.to_str() else {
        return false;
    };
    wanted
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .all(|name| {
            let listed = settings
                .allow_headers
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(name));
            listed || SAFE.iter().any(|safe| safe.eq_ignore_ascii_case(name))
        })
}

#[cfg(test)]
mod tests {
    use crate::api::middleware::cors::*;

    fn ask(origin: &'static str, method: &'static str, headers: Option<&'static str>) -> HeaderMap {
        let settings = CorsSettings {
            allowed_origins: vec!["http://foobar.com".to_owned()],
            ..CorsSettings::default()
        };
        ask_with(&settings, origin, method, headers)
    }

    fn ask_with(
        settings: &CorsSettings,
        origin: &'static str,
        method: &'static str,
        headers: Option<&'static str>,
    ) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_static(origin));
        request.insert(
            ACCESS_CONTROL_REQUEST_METHOD,
            HeaderValue::from_static(method),
        );
        if let Some(headers) = headers {
            request.insert(
                ACCESS_CONTROL_REQUEST_HEADERS,
                HeaderValue::from_static(headers),
            );
        }
        let response = preflight(settings, &request);
        assert_eq!(response.status(), StatusCode::OK);
        response.headers().clone()
    }

    #[test]
    fn a_page_that_may_call_gets_what_it_asks_for() {
        let headers = ask(
            "http://foobar.com",
            "GET",
            Some("x-auth-token, Content-Type"),
        );
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://foobar.com");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET");
        assert_eq!(
            headers[ACCESS_CONTROL_ALLOW_HEADERS],
            "x-auth-token, Content-Type"
        );
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "3600");
        assert_eq!(headers[VARY], "Origin");
    }

    #[test]
    fn other_pages_get_nothing() {
        for headers in [
            ask("http://notallowed.com", "GET", None),
            ask("http://foobar.com", "CONNECT", None),
            ask("http://foobar.com", "GET", Some("x-other")),
        ] {
            assert!(
                headers
                    .keys()
                    .all(|name| !name.as_str().starts_with("access-control")),
                "{headers:?}"
            );
            assert_eq!(headers[VARY], "Origin");
        }
    }

    #[test]
    fn pages_may_read_the_headers_that_they_need() {
        let mut settings = CorsSettings::default();
        let exposed = |settings: &CorsSettings| {
            let mut headers = HeaderMap::new();
            mark(settings, &Readers::All, &mut headers);
            headers[ACCESS_CONTROL_EXPOSE_HEADERS].clone()
        };
        assert_eq!(exposed(&settings), "Link,Location,ETag,X-Request-Id");
        settings.expose_headers = vec!["Retry-After".to_owned(), "Server".to_owned()];
        assert_eq!(
            exposed(&settings),
            "Link,Location,ETag,X-Request-Id,Retry-After,Server"
        );
    }

    #[test]
    fn all_pages_may_call_only_without_credentials() {
        let mut settings = CorsSettings {
            allowed_origins: vec!["*".to_owned()],
            ..CorsSettings::default()
        };
        let headers = ask_with(&settings, "http://else.com", "GET", None);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert!(!headers.contains_key(VARY));
        settings
            .allowed_origins
            .push("http://foobar.com".to_owned());
        let headers = ask_with(&settings, "http://foobar.com", "GET", None);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://foobar.com");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[VARY], "Origin");
    }
}
