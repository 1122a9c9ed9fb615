//! Who calls and what he may, as a configuration describes it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gnocchi_core::clock::SystemClock;
use http::HeaderName;
use thiserror::Error;

use super::policy_files::{PolicyFileError, PolicyFiles, WatchedPolicy};
use super::watch::{Reload, Stamps, Watch};
use crate::api::auth::keystone::Keystone;
use crate::api::auth::passwords::{BYTES_MAX, PasswordLineError, Passwords};
use crate::api::auth::{
    AccessControl, AuthSettings, Authenticator, Basic, HttpChecks, Policy, RemoteUserHeader,
};
use crate::causes::with_causes;
use crate::config::Config;
use crate::files;
use crate::outgoing::OutgoingError;

/// Why the configured authentication cannot work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file of passwords cannot be read.
    #[error("cannot read the password file {}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The password file has no user, so no login could succeed.
    #[error("the password file {} has no user; add one with `gnocchi passwd`", path.display())]
    NoUsers {
        /// The file.
        path: PathBuf,
    },
    /// A line of the file of passwords cannot be used.
    #[error("{}:{}: {}", path.display(), error.line, error.problem)]
    PasswordLine {
        /// The file.
        path: PathBuf,
        /// Which line, and why.
        error: PasswordLineError,
    },
    /// Access rules cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// Another service cannot be asked.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// A header cannot have this name.
    #[error("`{name}` is not the name of a header")]
    Header {
        /// The name.
        name: String,
    },
}

/// Reads all files that the configuration names, and returns what they amount to and what has to be read again when they change.
pub(super) fn access_control(config: &Config) -> Result<(AccessControl, Watch), AccessError> {
    let mut watch = Watch::default();
    let authenticator = authenticator(&config.api.auth, &mut watch)?;
    let files = PolicyFiles::new(config.policy.clone());
    let stamps = Stamps::of(files.paths());
    let policy = Policy::new(files.load()?);
    let watched = WatchedPolicy {
        files,
        policy: policy.clone(),
    };
    watch.add(Arc::new(watched), stamps);
    let access = AccessControl {
        authenticator,
        policy,
        remote: Arc::new(HttpChecks::new(&config.policy.remote)?),
    };
    Ok((access, watch))
}

fn authenticator(settings: &AuthSettings, watch: &mut Watch) -> Result<Authenticator, AccessError> {
    Ok(match settings {
        AuthSettings::Basic(basic) => Authenticator::Basic(match &basic.password_file {
            None => Basic::default(),
            Some(path) => {
                let stamps = Stamps::of(vec![path.clone()]);
                let passwords = Passwords::parse(&read(path)?);
                let passwords = Arc::new(passwords.map_err(|error| line(path, error))?);
                if passwords.is_empty() {
                    return Err(AccessError::NoUsers { path: path.clone() });
                }
                let watched = WatchedPasswords {
                    path: path.clone(),
                    passwords: Arc::clone(&passwords),
                };
                watch.add(Arc::new(watched), stamps);
                Basic::with_passwords(passwords)
            }
        }),
        AuthSettings::RemoteUser(remote) => {
            let name = HeaderName::try_from(&remote.header);
            let name = name.map_err(|_| AccessError::Header {
                name: remote.header.clone(),
            })?;
            Authenticator::RemoteUser(RemoteUserHeader::new(name))
        }
        AuthSettings::Keystone(keystone) => {
            let clock = Arc::new(SystemClock);
            Authenticator::Keystone(Keystone::connect(keystone, clock)?)
        }
        AuthSettings::IdentityHeaders => Authenticator::IdentityHeaders,
    })
}

/// The passwords in use, and the file that they come from.
#[derive(Debug)]
struct WatchedPasswords {
    path: PathBuf,
    passwords: Arc<Passwords>,
}

impl WatchedPasswords {
    fn read(&self) -> Result<(), AccessError> {
        let replaced = self.passwords.replace(&read(&self.path)?);
        replaced.map_err(|error| line(&self.path, error))
    }
}

impl Reload for WatchedPasswords {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn reload(&self) {
        match self.read() {
            Ok(()) if self.passwords.is_empty() => {
                let file = self.path.display();
                tracing::error!(%file, "the password file has no user any more: no login can succeed");
            }
            Ok(()) => tracing::info!("the password file was read again and is in use"),
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(
                    error,
                    "the password file cannot be used, the earlier passwords stay in use"
                );
            }
        }
    }
}

fn read(path: &Path) -> Result<String, AccessError> {
    files::read_text(path, BYTES_MAX).map_err(|source| AccessError::PasswordFile {
        path: path.to_owned(),
        source,
    })
}

fn line(path: &Path, error: PasswordLineError) -> AccessError {
    AccessError::PasswordLine {
        path: path.to_owned(),
        error,
    }
}
