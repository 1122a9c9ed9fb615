//! `[oslo_policy]`: own rules of who may do what.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, Section, defaulted};
use crate::api::auth::{HttpChecksSettings, RemoteContentType};
use crate::outgoing::{TlsSettings, Verification};

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "oslo_policy",
    "Own access rules.",
    &[
        OptionSpec::new(
            "policy_file",
            "file of access rules, in YAML or JSON, looked up beside the \
             configuration. A file that is named must exist. Reloaded when it \
             changes",
        )
        .path()
        .otherwise("`policy.yaml`, if it exists"),
        OptionSpec::new(
            "policy_dirs",
            "directories of such files, in order of precedence after it: later ones \
             win",
        )
        .list("paths")
        .otherwise("`policy.d`, if it exists"),
        OptionSpec::new(
            "policy_default_rule",
            "rule that applies if a rule is missing",
        )
        .or("default"),
        OptionSpec::new(
            "remote_content_type",
            "content type of requests to other services (`http:` and `https:` checks)",
        )
        .one_of(&[FORM, JSON])
        .or(FORM),
        OptionSpec::new(
            "remote_ssl_verify_server_crt",
            "check the certificates of other services",
        )
        .boolean()
        .or("true"),
        OptionSpec::new("remote_ssl_ca_crt_file", "trusted certificates, in PEM").path(),
        OptionSpec::new("remote_ssl_client_crt_file", "client certificate, in PEM").path(),
        OptionSpec::new(
            "remote_ssl_client_key_file",
            "key of the client certificate, in PEM",
        )
        .path(),
        OptionSpec::new(
            "remote_timeout",
            "seconds within which another service must respond",
        )
        .seconds(0)
        .or("60"),
        OptionSpec::new("enforce_scope", "whether scopes are checked").accepted(),
        OptionSpec::new(
            "enforce_new_defaults",
            "whether older defaults are left out",
        )
        .accepted(),
    ],
);

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A file or directory of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPath {
    /// Where it is; a relative path is looked for in each of the directories of the configuration.
    pub path: PathBuf,
    /// What it means when it is not there.
    pub missing: Missing,
}

/// What a missing file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// There are no rules of this kind.
    Fine,
    /// It is set explicitly, so ignoring it would open what it closes.
    Refused,
}

/// Settings of own access rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySettings {
    /// The file.
    pub file: PolicyPath,
    /// Directories of more files; later ones win.
    pub directories: Vec<PolicyPath>,
    /// Where relative paths are looked for; the first place that has them wins.
    pub search: Vec<PathBuf>,
    /// The rule that stands in for missing ones.
    pub default_rule: String,
    /// How other services are asked.
    pub remote: HttpChecksSettings,
}

impl PolicySettings {
    pub(super) fn read(reader: &Reader, search: Vec<PathBuf>) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        let named = |path: PathBuf| PolicyPath {
            path,
            missing: Missing::Refused,
        };
        let usual = |path: &str| PolicyPath {
            path: path.into(),
            missing: Missing::Fine,
        };
        let file = section.path("policy_file")?;
        let directories = section.list("policy_dirs")?;
        Ok(Self {
            file: file.map_or_else(|| usual("policy.yaml"), named),
            directories: if directories.is_empty() {
                vec![usual("policy.d")]
            } else {
                directories
                    .into_iter()
                    .map(|path| named(path.into()))
                    .collect()
            },
            search,
            default_rule: section.text("policy_default_rule").map(defaulted)?,
            remote: remote(section)?,
        })
    }
}

fn remote(section: Section<'_>) -> Result<HttpChecksSettings, ConfigError> {
    let content_type = match section.text("remote_content_type").map(defaulted)?.as_str() {
        FORM => RemoteContentType::Form,
        JSON => RemoteContentType::Json,
        _ => return Err(section.misfit("remote_content_type")),
    };
    let client_certificate = match (
        section.path("remote_ssl_client_crt_file")?,
        section.path("remote_ssl_client_key_file")?,
    ) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            let problem = "certificate and key go together";
            return Err(section.refuse("remote_ssl_client_crt_file", problem));
        }
    };
    let verification = if section.boolean("remote_ssl_verify_server_crt")? {
        Verification::Checked
    } else {
        Verification::Skipped
    };
    let timeout: Duration = section.seconds("remote_timeout")?;
    Ok(HttpChecksSettings {
        content_type,
        tls: TlsSettings {
            verification,
            ca_file: section.path("remote_ssl_ca_crt_file")?,
            client_certificate,
        },
        timeout,
    })
}
