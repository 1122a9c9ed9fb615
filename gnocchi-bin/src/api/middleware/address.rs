//! Addresses: where the API is, as a client sees it, and names inside paths.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri, Path, Request};
use http::header::{AsHeaderName, HOST};
use http::request::Parts;
use http::{HeaderMap, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::api::request::storable;
use crate::api::response::error::ApiError;
use crate::api::state::ApiState;

/// What stays as it is in a path; other bytes are escaped.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// Marks a request that came over a TLS connection to this server. The program that serves the router adds it to the extensions of
/// the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverTls;

/// Where the API is: scheme, host and the path that it is mounted under, for example `http://example.org/gnocchi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// Returns the address of a path that begins with a slash; what needs escaping is escaped.
    #[must_use]
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{}", self.0, utf8_percent_encode(path, PATH))
    }

    /// Returns the address of a path that is escaped already.
    #[must_use]
    pub(crate) fn at_escaped(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    fn new(parts: &Parts, trusts_proxy: bool) -> Self {
        let own = match parts.extensions.get::<OverTls>() {
            Some(OverTls) => "https",
            None => "http",
        };
        let mut scheme = parts.uri.scheme_str().unwrap_or(own).to_owned();
        let mut host = text(&parts.headers, HOST)
            .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
            .unwrap_or("localhost")
            .to_owned();
        let mut prefix = mount_prefix(parts);
        if trusts_proxy {
            if let Some(forwarded) = text(&parts.headers, "forwarded") {
                for (key, value) in forwarded_element(forwarded) {
                    match key.to_ascii_lowercase().as_str() {
                        "proto" => value.clone_into(&mut scheme),
                        "host" => value.clone_into(&mut host),
                        _ => {}
                    }
                }
            } else {
                let first = |name: &str| {
                    text(&parts.headers, name)
                        .and_then(|list| list.split(',').next())
                        .map(str::trim)
                };
                if let Some(proto) = first("x-forwarded-proto") {
                    proto.clone_into(&mut scheme);
                }
                if let Some(forwarded_host) = first("x-forwarded-host") {
                    forwarded_host.clone_into(&mut host);
                }
            }
            if let Some(outer) = text(&parts.headers, "x-forwarded-prefix") {
                prefix.insert_str(0, outer.trim_end_matches('/'));
            }
        }
        Self(format!("{scheme}://{host}{prefix}"))
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the part of the path that a surrounding router has taken off.
fn mount_prefix(parts: &Parts) -> String {
    let original = parts
        .extensions
        .get::<OriginalUri>()
        .map_or("", |original| original.0.path());
    // A router that is mounted at `/gnocchi` sees a request for exactly that as one for `/`.
    if parts.uri.path() == "/" && !original.ends_with('/') {
        return original.to_owned();
    }
    original
        .strip_suffix(parts.uri.path())
        .unwrap_or_default()
        .to_owned()
}

/// Checks that the names and parameters of an address can be stored. A path that is not UTF-8 is not found.
///
/// # Errors
/// 400 when one of them contains U+0000, or the query is not UTF-8.
pub(crate) fn check(uri: &Uri) -> Result<(), ApiError> {
    if uri.path().contains("%00") {
        return Err(storable::refused("the path of the address"));
    }
    storable::check_encoded("the query of the address", uri.query().unwrap_or_default())
}

/// Takes empty segments out of the path of a request.
///
/// Why? Clients that people have join addresses with one slash too many, as in `/v1/archive_policy//low`.
pub(crate) fn merge_slashes(request: &mut Request) {
    let path = request.uri().path();
    if !path.contains("//") {
        return;
    }
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    // The part that a surrounding router has taken off stays as it is, but for slashes at its end.
    let original = request.extensions().get::<OriginalUri>();
    let original = original.and_then(|original| {
        let prefix = original.0.path().strip_suffix(path)?;
        let prefix = prefix.trim_end_matches('/');
        with_path(&original.0, &format!("{prefix}{merged}"))
    });
    if let Some(uri) = with_path(request.uri(), &merged) {
        *request.uri_mut() = uri;
        if let Some(original) = original {
            request.extensions_mut().insert(OriginalUri(original));
        }
    }
}

/// Returns an address with another path; `None` when it would be none.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    parts.path_and_query = Some(whole.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Returns the pairs of the first element of a `Forwarded` header.
fn forwarded_element(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let first = header.split(',').next().unwrap_or_default();
    first.split(';').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim(), value.trim().trim_matches('"')))
    })
}

impl FromRequestParts<ApiState> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let trusts_proxy = state.settings().uses_forwarding(&parts.extensions);
        Ok(Self::new(parts, trusts_proxy))
    }
}

/// The names inside a path, decoded. A path that does not decode leads nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(ApiError::no_such_address()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::middleware::address::*;

    fn base(headers: &[(&str, &str)], original: &str, trusts_proxy: bool) -> String {
        let mut request = http::Request::builder().uri("/v1/metric");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts
            .extensions
            .insert(OriginalUri(original.parse().unwrap()));
        BaseUrl::new(&parts, trusts_proxy).0
    }

    #[test]
    fn the_host_header_says_where_we_are() {
        assert_eq!(
            base(&[("host", "h:8041")], "/v1/metric", false),
            "http://h:8041"
        );
        assert_eq!(base(&[], "/v1/metric", false), "http://localhost");
        assert_eq!(
            base(&[("host", "h")], "/gnocchi/v1/metric", false),
            "http://h/gnocchi"
        );
    }

    #[test]
    fn proxies_are_believed_when_told_so() {
        let headers = [
            ("host", "inner"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "outer, middle"),
            ("x-forwarded-prefix", "/gnocchi/"),
        ];
        assert_eq!(base(&headers, "/v1/metric", false), "http://inner");
        assert_eq!(base(&headers, "/v1/metric", true), "https://outer/gnocchi");
        assert_eq!(
            base(&headers, "/m/v1/metric", true),
            "https://outer/gnocchi/m"
        );
        let forwarded = [
            ("host", "inner"),
            (
                "forwarded",
                "for=192.0.2.60;Proto=https;host=\"a:1\", host=b",
            ),
            ("x-forwarded-host", "ignored"),
            ("x-forwarded-prefix", "/gnocchi"),
        ];
        assert_eq!(base(&forwarded, "/v1/metric", true), "https://a:1/gnocchi");
    }

    #[test]
    fn paths_are_escaped() {
        let base = BaseUrl("http://h".to_owned());
        assert_eq!(
            base.at("/v1/archive_policy/✔ é/"),
            "http://h/v1/archive_policy/%E2%9C%94%20%C3%A9/"
        );
    }
}
