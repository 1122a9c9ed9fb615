//! Who is asking.

use core::net::IpAddr;
use std::fmt;

use crate::model::creator_of;

/// The user that basic authentication makes an administrator.
const ADMIN: &str = "admin";

/// How much of a name is logged, in characters: the sender of a request chooses it.
const LOGGED_CHARACTERS_MAX: usize = 64;

/// Who is asking, and with which rights.
///
/// Displayed as logs name it: the creator, and where the request came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// What is written down as the creator of what the caller makes.
    pub creator: Option<String>,
    /// The user's id in an identity service.
    pub user_id: Option<String>,
    /// The project's id in an identity service.
    pub project_id: Option<String>,
    /// The domain's id in an identity service.
    pub domain_id: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The system scope.
    pub system: Option<String>,
    /// What keeps this caller from the things of others.
    pub tenancy: Tenancy,
    /// Where the request came from, for logs: rules do not see it.
    pub address: Option<IpAddr>,
}

/// Whether callers belong to projects that keep even the existence of their things from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tenancy {
    /// They are bare names: every caller lists and searches everything, and rules decide about whatever is more than that.
    #[default]
    Shared,
    /// Callers list what rules open to the project.
    Projects,
}

impl Caller {
    /// Makes the caller that a bare name stands for: a user of no project, an administrator when called `admin`.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let roles = if name == ADMIN {
            vec![ADMIN.to_owned()]
        } else {
            Vec::new()
        };
        Self {
            creator: Some(name),
            roles,
            system: Some("all".to_owned()),
            ..Self::default()
        }
    }

    /// Makes the caller that an identity service knows: a user, the project in which they work, its domain, and their
    /// roles there. Empty ids count as none.
    #[must_use]
    pub fn of_project(
        user_id: Option<String>,
        project_id: Option<String>,
        domain_id: Option<String>,
        roles: Vec<String>,
    ) -> Self {
        let some = |id: Option<String>| id.filter(|id| !id.is_empty());
        let (user_id, project_id) = (some(user_id), some(project_id));
        Self {
            creator: Some(creator_of(
                user_id.as_deref().unwrap_or_default(),
                project_id.as_deref().unwrap_or_default(),
            )),
            user_id,
            project_id,
            domain_id: some(domain_id),
            roles,
            system: None,
            tenancy: Tenancy::Projects,
            address: None,
        }
    }

    /// Returns the credentials of a name that rules compare with: one, none, or each of the roles.
    pub(super) fn credentials(&self, name: &str) -> impl Iterator<Item = &str> {
        let one = match name {
            "user" => self.creator.as_deref(),
            "user_id" => self.user_id.as_deref(),
            "project_id" => self.project_id.as_deref(),
            "domain_id" => self.domain_id.as_deref(),
            "system" => self.system.as_deref(),
            _ => None,
        };
        let roles = self.roles.iter().filter(move |_| name == "roles");
        one.into_iter().chain(roles.map(String::as_str))
    }

    /// Returns whether the caller has a role, whatever the case.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own.eq_ignore_ascii_case(role))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.creator.as_deref().unwrap_or("unknown");
        match name.char_indices().nth(LOGGED_CHARACTERS_MAX) {
            Some((end, _)) => write!(f, "{}...", &name[..end])?,
            None => f.write_str(name)?,
        }
        match self.address {
            Some(address) => write!(f, " at {address}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_logged_by_name_and_address() {
        let mut caller = Caller::named("collector");
        assert_eq!(caller.to_string(), "collector");
        caller.address = Some([10, 0, 0, 1].into());
        assert_eq!(caller.to_string(), "collector at 10.0.0.1");
        let long = Caller::named("é".repeat(LOGGED_CHARACTERS_MAX + 1));
        let expected = format!("{}...", "é".repeat(LOGGED_CHARACTERS_MAX));
        assert_eq!(long.to_string(), expected);
        assert_eq!(Caller::default().to_string(), "unknown");
    }
}
