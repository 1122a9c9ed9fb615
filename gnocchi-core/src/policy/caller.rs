//! Who is asking.

/// The user that basic authentication makes an administrator.
const ADMIN: &str = "admin";

/// Who is asking, and with which rights.
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

    /// Returns a credential that rules compare with; `None` when there is none of that name.
    #[must_use]
    pub(super) fn credential(&self, name: &str) -> Option<&str> {
        match name {
            "user" => self.creator.as_deref(),
            "user_id" => self.user_id.as_deref(),
            "project_id" => self.project_id.as_deref(),
            "domain_id" => self.domain_id.as_deref(),
            "system" => self.system.as_deref(),
            _ => None,
        }
    }

    /// Tells whether the caller has a role, whatever the case.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own.eq_ignore_ascii_case(role))
    }
}
