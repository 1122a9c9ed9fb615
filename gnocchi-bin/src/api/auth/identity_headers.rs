//! Callers by the identity headers that a token layer in front of the server sets.

use gnocchi_core::policy::Caller;
use http::HeaderMap;
use http::request::Parts;

use super::authenticator::Refusal;
use crate::api::TrustedProxies;

/// What callers are told that are not known.
const NEEDED: &str = "The proxy in front of the server must name the caller in one X-User-Id and one X-Project-Id header";

/// The headers that name the caller.
const HEADERS: [&str; 4] = ["x-user-id", "x-project-id", "x-domain-id", "x-roles"];

/// What callers are told whose headers do not count.
const UNTRUSTED: &str = "X-User-Id and X-Project-Id headers count only when a proxy sends them whose address is in [api] trusted_proxies";

/// Reads who calls, as a proxy says.
pub(super) fn caller(parts: &Parts, proxies: &TrustedProxies) -> Result<Caller, Refusal> {
    if !proxies.sent(&parts.extensions)
        && let Some(header) = HEADERS
            .iter()
            .find(|name| parts.headers.contains_key(**name))
    {
        TrustedProxies::note_ignored(header, &parts.extensions);
        return Err(Refusal::unauthorized(None, UNTRUSTED));
    }
    named(&parts.headers)
}

/// Reads who calls; a request without user and project has not passed the token layer.
fn named(headers: &HeaderMap) -> Result<Caller, Refusal> {
    let (user, project) = (text(headers, "x-user-id")?, text(headers, "x-project-id")?);
    if user.is_none() && project.is_none() {
        return Err(Refusal::unauthorized(None, NEEDED));
    }
    let roles = text(headers, "x-roles")?.unwrap_or_default();
    let roles = roles.split(',').map(trimmed);
    let roles = roles.filter(|role| !role.is_empty()).map(ToOwned::to_owned);
    Ok(Caller::of_project(
        user,
        project,
        text(headers, "x-domain-id")?,
        roles.collect(),
    ))
}

/// Drops the white space that HTTP allows around a value: space and tab. Any other belongs to the name, which is another one without
/// it.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Reads one header; `None` when it is not there, or empty. A header that occurs twice was not set by the token layer alone, and one
/// that cannot be read not by it at all.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok(),
        (Some(_), Some(_)) => None,
    };
    let value = trimmed(value.ok_or_else(|| Refusal::failed(None, None, NEEDED))?);
    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use http::{HeaderName, HeaderValue, Request};

    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Option<Caller> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        named(&headers.collect()).ok()
    }

    #[test]
    fn identities_are_read() {
        let full = [
            ("x-user-id", "u"),
            ("x-project-id", "p"),
            ("x-domain-id", "d"),
            ("x-roles", "member, Admin,"),
        ];
        let caller = read(&full).unwrap();
        assert_eq!(caller.creator.as_deref(), Some("u:p"));
        assert_eq!(caller.domain_id.as_deref(), Some("d"));
        assert_eq!(caller.roles, ["member", "Admin"]);
        assert!(caller.has_role("admin"));
        let user_only = read(&full[..1]).unwrap();
        assert_eq!(user_only.creator.as_deref(), Some("u:"));
        assert_eq!(user_only.project_id, None);
    }

    #[test]
    fn headers_that_a_client_has_added_name_nobody() {
        let check = |added: (&'static str, &'static str)| {
            let own = [("x-user-id", "u"), ("x-project-id", "p"), ("x-roles", "r")];
            let mut headers: HeaderMap = (own.into_iter())
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert!(named(&headers).is_ok());
            let value = HeaderValue::from_bytes(added.1.as_bytes()).unwrap();
            headers.append(added.0, value);
            assert!(named(&headers).is_err(), "{added:?}");
        };
        check(("x-user-id", "admin"));
        check(("x-project-id", "other"));
        check(("x-roles", "admin"));
        let mut headers = HeaderMap::new();
        headers.insert("x-user-id", HeaderValue::from_static("u"));
        headers.insert("x-project-id", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(named(&headers).is_err());
    }

    #[test]
    fn headers_count_from_proxies_only() {
        let from = |address: &str| {
            let peer: SocketAddr = address.parse().unwrap();
            let request = Request::builder()
                .header("x-user-id", "u")
                .header("x-roles", "admin");
            let request = request.extension(ConnectInfo(peer)).body(()).unwrap();
            let (parts, ()) = request.into_parts();
            caller(&parts, &TrustedProxies::default()).ok()?.creator
        };
        assert_eq!(from("127.0.0.1:1").as_deref(), Some("u:"));
        assert_eq!(from("192.0.2.1:1"), None);
    }

    #[test]
    fn only_spaces_and_tabs_are_no_part_of_a_name() {
        let check = |roles: &'static str, expected: &[&str]| {
            let caller = read(&[("x-user-id", " u\t"), ("x-roles", roles)]).unwrap();
            assert_eq!(caller.user_id.as_deref(), Some("u"));
            assert_eq!(caller.roles, expected, "{roles:?}");
        };
        check(" member ,\tadmin\t", &["member", "admin"]);
        for space in ['\u{a0}', '\u{85}', '\u{2003}', '\u{3000}', '\u{2028}'] {
            let mut headers = HeaderMap::new();
            for (name, text) in [("x-user-id", "admin"), ("x-roles", "admin")] {
                let value = format!("{text}{space}");
                headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let caller = named(&headers).unwrap();
            assert!(!caller.has_role("admin"), "{space:?}");
            assert_eq!(caller.user_id, Some(format!("admin{space}")));
        }
    }

    #[test]
    fn a_request_without_identity_has_no_caller() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-roles", "admin")]), None);
        assert_eq!(read(&[("x-user-id", ""), ("x-project-id", " ")]), None);
    }
}
