//! `[basic]`, `[remoteuser]`, and the options of `[api]` that say how callers are told apart.

use http::HeaderName;

use super::error::ConfigError;
use super::keystone;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, Section, defaulted};
use crate::api::auth::{AuthSettings, BasicSettings, RemoteUserSettings};

/// Names and passwords.
pub(super) static BASIC: SectionSpec = SectionSpec::new(
    "basic",
    "Users of a password file, with `[api] auth_mode = basic`.",
    &[OptionSpec::new(
        "password_file",
        "password file with lines `name:hash` (argon2 or bcrypt), as written by `gnocchi \
         passwd` or `htpasswd -B`; without it any password is accepted. Reloaded when it changes",
    )
    .path()],
);

/// Callers that a proxy knows.
pub(super) static REMOTE_USER: SectionSpec = SectionSpec::new(
    "remoteuser",
    "Users that a proxy has authenticated, with `[api] auth_mode = \
             remoteuser`.",
    &[OptionSpec::new(
        "header",
        "header in which a trusted proxy names the caller. The proxy must remove it from the \
         requests of clients",
    )
    .form("the name of a header")
    .or("X-Remote-User")],
);

/// Reads what the mode of authentication in the section `api` needs.
pub(super) fn read(api: Section<'_>, reader: &Reader) -> Result<AuthSettings, ConfigError> {
    let mode = api.text("auth_mode").map(defaulted)?;
    let trusts_headers = api.boolean("trusted_identity_headers")?;
    if trusts_headers && mode != "keystone" {
        let problem = "is for auth_mode = keystone only";
        return Err(api.refuse("trusted_identity_headers", problem));
    }
    match mode.as_str() {
        "basic" => {
            let password_file = reader.section(&BASIC).path("password_file")?;
            Ok(AuthSettings::Basic(BasicSettings { password_file }))
        }
        "remoteuser" => {
            let section = reader.section(&REMOTE_USER);
            let header = section.with("header", |text| {
                let name: Result<HeaderName, _> = text.parse();
                name.map(|_| text.to_owned())
                    .map_err(|_| "is not the name of a header".to_owned())
            })?;
            let header = defaulted(header);
            Ok(AuthSettings::RemoteUser(RemoteUserSettings { header }))
        }
        "keystone" if trusts_headers => Ok(AuthSettings::IdentityHeaders),
        "keystone" => Ok(AuthSettings::Keystone(Box::new(keystone::read(reader)?))),
        _ => Err(api.misfit("auth_mode")),
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
