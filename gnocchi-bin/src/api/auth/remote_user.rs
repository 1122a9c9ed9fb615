//! Callers by the name that a proxy, or a program that embeds the router, found out.

use gnocchi_core::policy::Caller;
use http::HeaderName;
use http::request::Parts;

use super::authenticator::Refusal;
use super::identity_headers::trimmed;
use crate::api::TrustedProxies;

/// Who calls, as an embedding program says it: it adds this to the extensions of a request, which beats any header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUser(pub String);

/// The header in which a proxy writes who calls.
#[derive(Debug, Clone)]
pub struct RemoteUserHeader(HeaderName);

impl RemoteUserHeader {
    /// Believes this header.
    #[must_use]
    pub fn new(header: HeaderName) -> Self {
        Self(header)
    }

    /// Reads who calls. A header that occurs twice was not set by the proxy alone, so it names no caller.
    pub(super) fn caller(
        &self,
        parts: &Parts,
        proxies: &TrustedProxies,
    ) -> Result<Caller, Refusal> {
        if let Some(RemoteUser(name)) = parts.extensions.get() {
            return Ok(Caller::named(name));
        }
        if !proxies.sent(&parts.extensions) && parts.headers.contains_key(&self.0) {
            TrustedProxies::note_ignored(self.0.as_str(), &parts.extensions);
            let header = &self.0;
            let text = format!(
                "The {header} header counts only when a proxy sends it whose address is in [api] trusted_proxies"
            );
            return Err(Refusal::unauthorized(None, text));
        }
        let mut values = parts.headers.get_all(&self.0).iter();
        let name = match (values.next(), values.next()) {
            (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok(),
            (Some(_), Some(_)) => None,
            (None, _) => Some(""),
        };
        let needed = || {
            let header = &self.0;
            format!("The proxy in front of the server must name the caller in one {header} header")
        };
        match name.map(trimmed) {
            None => Err(Refusal::failed(None, None, needed())),
            Some("") => Err(Refusal::unauthorized(None, needed())),
            Some(name) => Ok(Caller::named(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use http::Request;

    use super::*;

    fn name(
        build: impl FnOnce(http::request::Builder) -> http::request::Builder,
    ) -> Option<String> {
        let (parts, ()) = build(Request::builder()).body(()).unwrap().into_parts();
        let header = RemoteUserHeader::new(HeaderName::from_static("x-remote-user"));
        header
            .caller(&parts, &TrustedProxies::default())
            .ok()?
            .creator
    }

    #[test]
    fn names_are_read() {
        let check = |value: &[u8], expected: Option<&str>| {
            let found = name(|request| request.header("X-Remote-User", value));
            assert_eq!(found.as_deref(), expected, "{value:?}");
        };
        check(b"jd", Some("jd"));
        check("jürgen".as_bytes(), Some("jürgen"));
        check(b"", None);
        check(b" ", None);
        check(b"\xff", None);
        check(b" \tjd\t ", Some("jd"));
        // Other white space belongs to the name.
        check("admin\u{a0}".as_bytes(), Some("admin\u{a0}"));
        check("\u{3000}admin".as_bytes(), Some("\u{3000}admin"));
        assert_eq!(name(|request| request), None);
        let other = name(|request| request.header("remote-user", "jd"));
        assert_eq!(other, None);
    }

    #[test]
    fn two_headers_name_nobody() {
        let twice = name(|request| {
            request
                .header("x-remote-user", "jd")
                .header("x-remote-user", "admin")
        });
        assert_eq!(twice, None);
    }

    #[test]
    fn the_header_counts_from_proxies_only() {
        let from = |address: &str| {
            let peer: SocketAddr = address.parse().unwrap();
            name(|request| {
                request
                    .header("x-remote-user", "jd")
                    .extension(ConnectInfo(peer))
            })
        };
        assert_eq!(from("127.0.0.1:1").as_deref(), Some("jd"));
        assert_eq!(from("[::1]:1").as_deref(), Some("jd"));
        assert_eq!(from("192.0.2.1:1"), None);
    }

    #[test]
    fn an_embedding_program_beats_headers() {
        let found = name(|request| {
            request
                .header("x-remote-user", "admin")
                .extension(RemoteUser("jd".to_owned()))
        });
        assert_eq!(found.as_deref(), Some("jd"));
    }
}
