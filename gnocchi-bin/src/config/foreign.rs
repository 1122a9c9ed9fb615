//! Sections that files of existing deployments have and that do nothing here, or may not be left out silently.

use super::option::{OptionSpec, SectionSpec};

/// The daemon for statsd.
pub(super) static STATSD: SectionSpec = SectionSpec::foreign("statsd");

/// The daemon for AMQP.
pub(super) static AMQP1D: SectionSpec = SectionSpec::foreign("amqp1d");

/// Who may do what. To leave own rules out silently would open what they close.
pub(super) static OSLO_POLICY: SectionSpec = SectionSpec::new(
    "oslo_policy",
    &[
        OptionSpec::new("policy_file", "file of own access rules").unsupported(),
        OptionSpec::new("policy_dirs", "directories of own access rules").unsupported(),
        OptionSpec::new("policy_default_rule", "rule for unknown names").accepted(),
        OptionSpec::new("enforce_scope", "whether scopes are checked").accepted(),
        OptionSpec::new(
            "enforce_new_defaults",
            "whether older defaults are left out",
        )
        .accepted(),
        OptionSpec::new("remote_content_type", "form of remote checks").accepted(),
        OptionSpec::new(
            "remote_ssl_verify_server_crt",
            "whether certificates are checked",
        )
        .accepted(),
        OptionSpec::new("remote_ssl_ca_crt_file", "certificates").accepted(),
        OptionSpec::new("remote_ssl_client_crt_file", "own certificate").accepted(),
        OptionSpec::new("remote_ssl_client_key_file", "own key").accepted(),
        OptionSpec::new("remote_timeout", "seconds").accepted(),
    ],
);

/// Middleware for Keystone tokens.
pub(super) static KEYSTONE_AUTHTOKEN: SectionSpec = SectionSpec::foreign("keystone_authtoken");

/// Pools of the SQL library.
pub(super) static DATABASE: SectionSpec = SectionSpec::foreign("database");

/// Middleware behind proxies; its one option has moved to `[api]`.
pub(super) static OSLO_MIDDLEWARE: SectionSpec = SectionSpec::new("oslo_middleware", &[]);
