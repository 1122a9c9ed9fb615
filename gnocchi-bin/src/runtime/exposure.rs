//! Warnings about what is more open than an operator may expect: addresses without passwords, files that others can read.

use std::fs::{self, Metadata};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::policy_files::PolicyFiles;
use crate::api::TrustedProxies;
use crate::api::auth::AuthSettings;
use crate::config::Config;

/// What other users may not do with a file of settings or secrets: read or change it.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

/// What other users may do with a directory.
const OTHERS_ANYTHING: u32 = 0o007;

/// Warns when every client that can connect to an address can act as the administrator.
pub(super) fn warn_of_open_access(
    auth: &AuthSettings,
    proxies: &TrustedProxies,
    address: SocketAddr,
) {
    let reach = if address.ip().to_canonical().is_loopback() {
        "every user of this machine"
    } else {
        "everyone who can reach this address"
    };
    let claimants = if proxies.reach_beyond_this_machine() {
        "everyone who can send from the addresses of [api] trusted_proxies"
    } else {
        "every user of this machine"
    };
    match auth {
        AuthSettings::Basic(basic) if basic.password_file.is_none() => warn!(
            %address,
            "any password is accepted: {reach} can be the administrator; create a password file with `gnocchi passwd` and set [basic] password_file"
        ),
        AuthSettings::RemoteUser(remote) => warn!(
            %address,
            header = remote.header,
            "callers are who this header says when it comes from [api] trusted_proxies: {claimants} can be the administrator; the proxy must remove the header from what clients send"
        ),
        AuthSettings::IdentityHeaders => warn!(
            %address,
            "callers are who X-User-Id, X-Project-Id and X-Roles say when these come from [api] trusted_proxies: {claimants} can be the administrator; the proxy must remove these headers from what clients send"
        ),
        AuthSettings::Basic(_) | AuthSettings::Keystone(_) => {}
    }
}

/// Warns of a data directory that other users can look into.
pub(super) fn warn_of_open_directory(path: &Path) {
    let found = fs::metadata(path).ok();
    if let Some(mode) = found
        .as_ref()
        .map(mode)
        .filter(|mode| mode & OTHERS_ANYTHING != 0)
    {
        warn!(
            path = %path.display(),
            mode = format!("{mode:04o}"),
            "other users of this machine can look into the data directory; close it with chmod 700"
        );
    }
}

/// Warns of files with settings or secrets that other users can read or change.
pub(crate) fn warn_of_open_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) {
    for path in files {
        // An unreadable file is reported where it is read; a pipe of the shell belongs to it alone, whatever its mode.
        let found = fs::metadata(path).ok().filter(Metadata::is_file);
        let Some(mode) = found.as_ref().map(mode) else {
            continue;
        };
        let can = match (mode & OTHERS_READ != 0, mode & OTHERS_WRITE != 0) {
            (false, false) => continue,
            (true, false) => "read",
            (_, true) => "change",
        };
        warn!(
            path = %path.display(),
            mode = format!("{mode:04o}"),
            "other users of this machine can {can} this file; close it with chmod o-rwx"
        );
    }
}

/// Returns the files with rules or secrets that the settings name.
pub(super) fn settings_files(config: &Config) -> Vec<PathBuf> {
    let mut files = PolicyFiles::new(config.policy.clone()).paths();
    let mut tls = vec![&config.policy.remote.tls];
    match &config.api.auth {
        AuthSettings::Basic(basic) => files.extend(basic.password_file.clone()),
        AuthSettings::Keystone(keystone) => tls.push(&keystone.tls),
        AuthSettings::RemoteUser(_) | AuthSettings::IdentityHeaders => {}
    }
    let certificates = tls
        .into_iter()
        .filter_map(|tls| tls.client_certificate.as_ref());
    files.extend(certificates.map(|(_, key)| key.clone()));
    files.extend(config.api.tls.as_ref().map(|tls| tls.key.clone()));
    files
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}
