//! Callers by the identity headers that a token layer in front of the server sets.

use gnocchi_core::policy::Caller;
use http::HeaderMap;

use super::authenticator::Refusal;

/// Reads who calls; a request without user and project has not passed the token layer.
pub(super) fn caller(headers: &HeaderMap) -> Result<Caller, Refusal> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let (user, project) = (text("x-user-id"), text("x-project-id"));
    if user.is_none() && project.is_none() {
        return Err(Refusal::unauthorized(None));
    }
    let roles = text("x-roles").unwrap_or_default();
    let roles = roles.split(',').map(str::trim);
    let roles = roles.filter(|role| !role.is_empty()).map(ToOwned::to_owned);
    Ok(Caller::of_project(
        user,
        project,
        text("x-domain-id"),
        roles.collect(),
    ))
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
    fn a_request_without_identity_has_no_caller() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-roles", "admin")]), None);
        assert_eq!(read(&[("x-user-id", ""), ("x-project-id", " ")]), None);
    }
}
