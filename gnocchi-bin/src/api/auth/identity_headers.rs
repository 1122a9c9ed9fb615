//! Callers by the identity headers that a token layer in front of the server sets.

use gnocchi_core::policy::Caller;
use http::HeaderMap;

use super::authenticator::Refusal;

/// What callers are told that are not known.
const NEEDED: &str = "The proxy in front of the server must name the caller in one X-User-Id and one X-Project-Id header";

/// Reads who calls; a request without user and project has not passed the token layer.
pub(super) fn caller(headers: &HeaderMap) -> Result<Caller, Refusal> {
    let (user, project) = (text(headers, "x-user-id")?, text(headers, "x-project-id")?);
    if user.is_none() && project.is_none() {
        return Err(Refusal::unauthorized(None, NEEDED));
    }
    let roles = text(headers, "x-roles")?.unwrap_or_default();
    let roles = roles.split(',').map(str::trim);
    let roles = roles.filter(|role| !role.is_empty()).map(ToOwned::to_owned);
    Ok(Caller::of_project(
        user,
        project,
        text(headers, "x-domain-id")?,
        roles.collect(),
    ))
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
    let value = value
        .ok_or_else(|| Refusal::failed(None, None, NEEDED))?
        .trim();
    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Option<Caller> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        caller(&headers.collect()).ok()
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
            assert!(caller(&headers).is_ok());
            let value = HeaderValue::from_bytes(added.1.as_bytes()).unwrap();
            headers.append(added.0, value);
            assert!(caller(&headers).is_err(), "{added:?}");
        };
        check(("x-user-id", "admin"));
        check(("x-project-id", "other"));
        check(("x-roles", "admin"));
        let mut headers = HeaderMap::new();
        headers.insert("x-user-id", HeaderValue::from_static("u"));
        headers.insert("x-project-id", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(caller(&headers).is_err());
    }

    #[test]
    fn a_request_without_identity_has_no_caller() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-roles", "admin")]), None);
        assert_eq!(read(&[("x-user-id", ""), ("x-project-id", " ")]), None);
    }
}
