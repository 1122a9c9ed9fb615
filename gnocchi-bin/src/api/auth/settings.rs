//! Settings of authentication: plain data, built from the configuration.

use std::path::PathBuf;

use super::keystone::KeystoneSettings;

/// How callers are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthSettings {
    /// By the user name of the `Authorization` header.
    Basic(BasicSettings),
    /// By the name that a proxy in front of the server found out.
    RemoteUser(RemoteUserSettings),
    /// By a token of Keystone.
    Keystone(Box<KeystoneSettings>),
    /// By the `X-User-Id`, `X-Project-Id`, `X-Domain-Id` and `X-Roles` headers of a proxy in front of the server, which has
    /// validated a token. Everyone who reaches the server directly can claim any name.
    IdentityHeaders,
}

impl AuthSettings {
    /// Returns whether everyone who can connect can claim any name, the administrator included: no password is asked for.
    #[must_use]
    pub fn accepts_any_password(&self) -> bool {
        matches!(self, Self::Basic(basic) if basic.password_file.is_none())
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self::Basic(BasicSettings::default())
    }
}

/// Settings of names and passwords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasicSettings {
    /// The file of names and hashes of passwords. Without it any password is right.
    pub password_file: Option<PathBuf>,
}

/// Settings of callers that a proxy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUserSettings {
    /// The header in which the proxy writes the name. It must remove the header from what clients send.
    pub header: String,
}

impl Default for RemoteUserSettings {
    fn default() -> Self {
        Self {
            header: "X-Remote-User".to_owned(),
        }
    }
}
