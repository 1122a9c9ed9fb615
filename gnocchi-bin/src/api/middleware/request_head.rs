//! Checks of the head of a request that hold for every route.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::api::middleware::cors::{self, Readers};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::settings::ApiSettings;

/// Headers that have one meaning only: of two, a proxy may have looked at the other one.
static SINGLE: [HeaderName; 5] = [
    HOST,
    AUTHORIZATION,
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-service-token"),
    CONTENT_TYPE,
];

/// What browsers say about the relation between a page and the server that it calls.
static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Content types that a web page may post to another origin without a preflight request.
const SIMPLE_CONTENT_TYPES: [&str; 3] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// Checks the head of a request.
///
/// # Errors
/// 400 when a header that must be unique is repeated, or `Host` is missing or no host; 403 when a web page of an origin that is not
/// allowed posts something.
pub(in crate::api) fn check(settings: &ApiSettings, request: &Request) -> ApiResult<()> {
    let headers = request.headers();
    for name in &SINGLE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(ApiError::bad_request(format!(
                "The request has more than one {name} header"
            )));
        }
    }
    check_host(request)?;
    if request.method() == Method::POST && is_forged(settings, request) {
        return Err(ApiError::text(
            StatusCode::FORBIDDEN,
            "A web page of another origin may only post this when [cors] allowed_origin names the origin",
        ));
    }
    Ok(())
}

fn check_host(request: &Request) -> ApiResult<()> {
    let Some(host) = request.headers().get(HOST) else {
        // A program that calls the router without a connection has no host to name.
        let came_over_a_connection = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .is_some();
        if came_over_a_connection && request.version() == Version::HTTP_11 {
            return Err(ApiError::bad_request(
                "A request of HTTP/1.1 must have a Host header",
            ));
        }
        return Ok(());
    };
    // An empty one says that there is no host to name.
    if !host.is_empty() && authority(host).is_none() {
        return Err(ApiError::bad_request(
            "The Host header is not a host with an optional port",
        ));
    }
    // Only the former is meant, but a proxy may have looked at the latter.
    let asked = request.uri().authority().map(Authority::as_str);
    if request.version() == Version::HTTP_2
        && let Some(asked) = asked
        && !asked.as_bytes().eq_ignore_ascii_case(host.as_bytes())
    {
        return Err(ApiError::bad_request(
            "The Host header is not the :authority of the request",
        ));
    }
    Ok(())
}

/// Reads a host and its port.
fn authority(value: &HeaderValue) -> Option<Authority> {
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

/// Returns whether a web page of an origin that is not allowed sends this. A browser adds the credentials that it has for this server,
/// and asks beforehand whether it may only for other content types than these.
fn is_forged(settings: &ApiSettings, request: &Request) -> bool {
    let headers = request.headers();
    if !is_simple(headers.get(CONTENT_TYPE)) {
        return false;
    }
    let site = headers.get(&FETCH_SITE).map(HeaderValue::as_bytes);
    if matches!(site, Some(b"same-origin" | b"none")) {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else {
        // Programs that are no browsers send neither header.
        return site.is_some();
    };
    // Who allows every origin allows none of them to act for a user.
    if let Some(Readers::Origin(_)) = cors::allowed_origin(&settings.cors, headers) {
        return false;
    }
    site.is_some() || !is_own(settings, request, origin)
}

fn is_simple(content_type: Option<&HeaderValue>) -> bool {
    content_type.is_none_or(|content_type| {
        let bytes = content_type.as_bytes();
        let essence = bytes.split(|byte| *byte == b';').next().unwrap_or_default();
        let essence = essence.trim_ascii();
        SIMPLE_CONTENT_TYPES
            .iter()
            .any(|simple| essence.eq_ignore_ascii_case(simple.as_bytes()))
    })
}

/// Returns whether an origin is the one that the request is sent to. A proxy may have changed the scheme, so only hosts are compared.
fn is_own(settings: &ApiSettings, request: &Request, origin: &HeaderValue) -> bool {
    let Some((_, page)) = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
    else {
        return false;
    };
    let forwarded = HeaderName::from_static("x-forwarded-host");
    let trusts_proxy = settings.uses_forwarding(request.extensions());
    let trusted = trusts_proxy.then_some(forwarded);
    [Some(HOST), trusted]
        .into_iter()
        .flatten()
        .filter_map(|name| request.headers().get(name))
        .any(|host| host.as_bytes().eq_ignore_ascii_case(page.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use crate::api::middleware::request_head::*;

    fn status_of(settings: &ApiSettings, request: &Request) -> u16 {
        check(settings, request).map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    fn post(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::post("/v1/influxdb/write");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn some_headers_are_unique() {
        let settings = ApiSettings::default();
        for name in &SINGLE {
            let request = |count| {
                let headers = vec![(name.as_str(), "a/b"); count];
                let mut request = post(&headers);
                if *name == HOST {
                    request.headers_mut().remove(HOST);
                    for _ in 0..count {
                        request.headers_mut().append(HOST, "a".parse().unwrap());
                    }
                }
                request
            };
            assert_eq!(status_of(&settings, &request(1)), 200, "{name}");
            assert_eq!(status_of(&settings, &request(2)), 400, "{name}");
        }
        let tags = [("if-match", "\"a\""), ("if-match", "\"b\"")];
        assert_eq!(status_of(&settings, &post(&tags)), 200);
    }

    #[test]
    fn a_connection_of_http_1_1_names_its_host() {
        let settings = ApiSettings::default();
        let from = |version, host: Option<&str>| {
            let mut request = post(&[]);
            *request.version_mut() = version;
            let peer: SocketAddr = "192.0.2.7:1".parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(host) = host {
                request.headers_mut().insert(HOST, host.parse().unwrap());
            }
            status_of(&settings, &request)
        };
        assert_eq!(from(Version::HTTP_11, None), 400);
        assert_eq!(from(Version::HTTP_10, None), 200);
        assert_eq!(from(Version::HTTP_2, None), 200);
        assert_eq!(status_of(&settings, &post(&[])), 200);
        for host in [
            "",
            "a",
            "a.b:8041",
            "a_b",
            "192.0.2.1:1",
            "[2001:db8::1]:8041",
        ] {
            assert_eq!(from(Version::HTTP_11, Some(host)), 200, "{host}");
        }
        for host in ["a b", "a/b", "user@a", "a, b", "a:b:c", "http://a"] {
            assert_eq!(from(Version::HTTP_11, Some(host)), 400, "{host}");
        }
    }

    #[test]
    fn a_request_of_http_2_has_one_host() {
        let settings = ApiSettings::default();
        let check = |authority: &str, host: &str, expected: u16| {
            let request = Request::get(format!("http://{authority}/v1/status"));
            let request = request.version(Version::HTTP_2).header(HOST, host);
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(
                status_of(&settings, &request),
                expected,
                "{authority} {host}"
            );
        };
        check("a:8041", "a:8041", 200);
        check("a:8041", "A:8041", 200);
        check("a:8041", "b:8041", 400);
        check("a:8041", "a", 400);
    }

    #[test]
    fn pages_of_other_origins_do_not_post() {
        let mut settings = ApiSettings {
            proxy_headers: true,
            ..ApiSettings::default()
        };
        settings.cors.allowed_origins = vec!["http://good.example".to_owned(), "*".to_owned()];
        let check = |headers: &[(&str, &str)], expected: u16| {
            let mut headers = headers.to_vec();
            headers.push(("host", "gnocchi.example:8041"));
            let found = status_of(&settings, &post(&headers));
            assert_eq!(found, expected, "{headers:?}");
        };
        let (own, good, evil) = (
            ("origin", "https://gnocchi.example:8041"),
            ("origin", "http://good.example"),
            ("origin", "http://evil.example"),
        );
        // No browser.
        check(&[], 200);
        check(&[("content-type", "text/plain")], 200);
        // The page of the server itself, or one that is allowed.
        check(&[own], 200);
        check(&[good], 200);
        check(&[good, ("sec-fetch-site", "cross-site")], 200);
        check(&[("sec-fetch-site", "same-origin"), evil], 200);
        check(&[("sec-fetch-site", "none")], 200);
        let behind_a_proxy = ("x-forwarded-host", "evil.example");
        check(&[evil, behind_a_proxy], 200);
        // Others.
        check(&[evil], 403);
        check(&[("origin", "null")], 403);
        check(&[("origin", "http://gnocchi.example")], 403);
        check(&[evil, ("content-type", "Text/Plain;charset=utf-8")], 403);
        check(
            &[evil, ("content-type", "application/x-www-form-urlencoded")],
            403,
        );
        check(&[own, ("sec-fetch-site", "same-site")], 403);
        check(&[("sec-fetch-site", "cross-site")], 403);
        // What a browser asks permission for.
        check(&[evil, ("content-type", "application/json")], 200);
        check(&[evil, ("content-type", "application/x-protobuf")], 200);
    }

    #[test]
    fn reading_is_left_to_the_browser() {
        let request = Request::get("/v1/status").header("origin", "http://evil.example");
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(status_of(&ApiSettings::default(), &request), 200);
    }
}
