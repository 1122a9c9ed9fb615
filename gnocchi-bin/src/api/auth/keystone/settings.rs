//! Settings of Keystone: plain data.

use std::fmt;
use std::time::Duration;

use crate::outgoing::TlsSettings;

/// A user or project by id, or by name in a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its id.
    Id(String),
    /// By its name.
    Name {
        /// The name.
        name: String,
        /// Its domain.
        domain: Domain,
    },
}

/// A domain by id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    /// By its id.
    Id(String),
    /// By its name.
    Name(String),
}

/// What the service user may act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A project.
    Project(Named),
    /// A domain.
    Domain(Domain),
    /// The whole system.
    System,
}

/// A secret that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// As whom the server asks Keystone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUser {
    /// The user.
    pub user: Named,
    /// His password.
    pub password: Secret,
    /// What he acts on.
    pub scope: Scope,
}

/// Where Keystone is looked for in its own catalog of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The kind of address: `internal`, `public` or `admin`.
    pub interface: String,
    /// The region; any when `None`.
    pub region: Option<String>,
}

/// Whether a service token must have one of the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceRoles {
    /// A service token without any of them makes the request fail.
    #[default]
    Required,
    /// A service token without any of them is left out.
    Optional,
}

/// Settings of Keystone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeystoneSettings {
    /// The address of Keystone, with or without `/v3`.
    pub auth_url: String,
    /// The address that clients are told when they have no valid token.
    pub www_authenticate_uri: String,
    /// As whom the server asks.
    pub service_user: ServiceUser,
    /// Where tokens are validated, when not at `auth_url`.
    pub catalog: Option<CatalogEntry>,
    /// How it is reached by TLS.
    pub tls: TlsSettings,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How often a request is sent again that got no answer.
    pub retries_max: u32,
    /// How long a validated token is cached; `None` validates every time.
    pub cache: Option<Duration>,
    /// Roles of services whose requests may carry a user's token that has expired meanwhile.
    pub service_token_roles: Vec<String>,
    /// Whether a service token must have one of them.
    pub service_roles: ServiceRoles,
}
