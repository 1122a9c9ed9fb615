//! Names that are given but do not exist, and options that change nothing.
//!
//! In the sections of this project a name that does not exist is an error. The others belong to libraries of existing deployments,
//! whose options come and go: there it is an error only when another option was probably meant, and ignored with a warning
//! otherwise. An option of this project that stands in another section was probably meant, too: an ignored `tls_cert` would turn TLS
//! off silently.

use std::collections::BTreeSet;

use gnocchi_core::text::nearest::{nearest, one_slip_away};

use super::SECTIONS;
use super::error::{BadValue, ConfigError, Origin};
use super::ini;
use super::option::{Effect, SectionSpec};
use super::reader::reference;
use super::source::{Given, Layer};

/// Sections of which this project has defined every option.
pub(super) const OWN: [&str; 8] = [
    "api",
    "archive_policy",
    "basic",
    "incoming",
    "indexer",
    "metricd",
    "remoteuser",
    "storage",
];

/// Refuses names that do not exist, options that are given twice, and those that ask for what this build does not have; returns
/// what changes nothing, in sentences for the log.
pub(super) fn check(layers: &[Layer]) -> Result<Vec<String>, ConfigError> {
    let mut warnings = BTreeSet::new();
    for ((section, option), givens) in layers.iter().flatten() {
        let origin = &givens
            .last()
            .expect("a layer holds at least one text for each of its options")
            .origin;
        let Some(spec) = SECTIONS.iter().find(|spec| spec.name == section) else {
            if is_referred_to(layers, section, option) {
                continue;
            }
            warnings.extend(unknown_section(section, option, origin)?);
            continue;
        };
        let Some(known) = spec.option(option) else {
            if is_referred_to(layers, section, option) {
                continue;
            }
            warnings.extend(unknown_option(spec, option, origin)?);
            continue;
        };
        match known.effect {
            Effect::Accepted => {
                warnings.insert(format!(
                    "{origin}: [{section}] {option} is accepted and has no effect in this build"
                ));
            }
            Effect::Unsupported => {
                let problem = "this is not part of this build; remove the option".to_owned();
                let (section, option) = (section.clone(), option.clone());
                let bad = BadValue {
                    origin: origin.clone(),
                    section,
                    option,
                    value: None,
                    problem,
                };
                return Err(ConfigError::Value(Box::new(bad)));
            }
            Effect::Active if !known.repeats() => refuse_repetition(section, option, givens)?,
            Effect::Active => {}
        }
    }
    Ok(warnings.into_iter().collect())
}

/// Returns whether the value of some option refers to this one, which is then a name that its writer has made up for that.
fn is_referred_to(layers: &[Layer], section: &str, option: &str) -> bool {
    let mut texts = layers.iter().flat_map(Layer::values).flatten();
    texts.any(|given| {
        let references = given.text.match_indices('$');
        let mut names = references.filter_map(|(at, _)| reference(&given.text[at + 1..]).ok());
        names.any(|(name, _)| match ini::normalize(name).split_once('.') {
            Some(names) => names == (section, option),
            None => ini::normalize(name) == option,
        })
    })
}

fn unknown_section(
    section: &str,
    option: &str,
    origin: &Origin,
) -> Result<Option<String>, ConfigError> {
    if is_old_name(section, option) {
        return Ok(None);
    }
    match nearest_section(section) {
        Some(meant) => Err(ConfigError::Unknown {
            origin: origin.clone(),
            problem: format!("unknown section: got [{section}]"),
            nearest: Some(format!("[{meant}]")),
        }),
        None => Ok(Some(match placed(option) {
            Some(place) => format!(
                "{origin}: there is no section [{section}]; {option} is ignored; did you mean {place}?"
            ),
            None => format!("{origin}: there is no section [{section}]; {option} is ignored"),
        })),
    }
}

/// Returns the section that a name of none is a near miss of.
pub(super) fn nearest_section(section: &str) -> Option<&'static str> {
    let names = SECTIONS.iter().map(|spec| spec.name);
    nearest(section, names.clone()).or_else(|| one_slip_away(section, names))
}

/// Returns the section and the name of the option of this name that has an effect.
fn placed(option: &str) -> Option<String> {
    effective()
        .find(|(_, name)| *name == option)
        .map(|(section, name)| format!("[{section}] {name}"))
}

/// Returns the section and the name of the option that this name is a near miss of.
fn placed_nearly(option: &str) -> Option<String> {
    let meant = nearest(option, effective().map(|(_, name)| name))?;
    placed(meant)
}

/// Returns the section and the name of every option that has an effect.
fn effective() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().flat_map(|spec| {
        spec.all()
            .filter(|option| option.effect == Effect::Active)
            .map(|option| (spec.name, option.name))
    })
}

fn unknown_option(
    spec: &SectionSpec,
    option: &str,
    origin: &Origin,
) -> Result<Option<String>, ConfigError> {
    let section = spec.name;
    if is_old_name(section, option) {
        return Ok(None);
    }
    let is_own = OWN.contains(&section);
    let nearest = placed(option)
        .or_else(|| nearest_option(spec, option).map(|name| format!("[{section}] {name}")))
        .or_else(|| placed_nearly(option));
    if nearest.is_some() || is_own {
        return Err(ConfigError::Unknown {
            origin: origin.clone(),
            problem: format!("unknown option: got [{section}] {option}"),
            nearest,
        });
    }
    Ok(Some(if spec.open && spec.options.is_empty() {
        format!("section [{section}] is accepted and has no effect in this build")
    } else if spec.open {
        format!("{origin}: [{section}] {option} belongs to other software and is ignored")
    } else {
        format!("{origin}: section [{section}] has no option {option}; it is ignored")
    }))
}

/// Returns the option of a section that a name of none is a near miss of.
pub(super) fn nearest_option(spec: &SectionSpec, option: &str) -> Option<&'static str> {
    let active = spec.all().filter(|known| known.effect == Effect::Active);
    nearest(option, active.map(|known| known.name))
}

fn refuse_repetition(section: &str, option: &str, givens: &[Given]) -> Result<(), ConfigError> {
    let [first, .., last] = givens else {
        return Ok(());
    };
    Err(ConfigError::Repeated {
        origin: last.origin.clone(),
        first: first.origin.clone(),
        section: section.to_owned(),
        option: option.to_owned(),
    })
}

fn is_old_name(section: &str, option: &str) -> bool {
    SECTIONS
        .iter()
        .flat_map(|spec| spec.all())
        .any(|spec| spec.old_name() == Some((section, option)))
}

#[cfg(test)]
mod tests {
    use super::super::ini;
    use super::*;

    fn check(text: &str) -> Result<Vec<String>, String> {
        let mut layer = Layer::new();
        for entry in ini::parse(text).unwrap() {
            let origin = Origin::File {
                path: std::path::Path::new("f").into(),
                line: entry.line,
            };
            let givens = layer.entry((entry.section, entry.option)).or_default();
            givens.push(Given {
                text: entry.value,
                origin,
            });
        }
        super::check(&[layer]).map_err(|error| error.to_string())
    }

    #[test]
    fn names_that_are_misspelt_are_refused_with_the_nearest_one() {
        for (text, expected) in [
            (
                "[api]\nprot = 1\n",
                "f:2: unknown option: got [api] prot; did you mean [api] port?",
            ),
            (
                "[api]\ntrusted_proxys = ::1\n",
                "f:2: unknown option: got [api] trusted_proxys; did you mean [api] trusted_proxies?",
            ),
            (
                "[api]\ncolour = red\n",
                "f:2: unknown option: got [api] colour",
            ),
            (
                "[basic]\npasword_file = x\n",
                "f:2: unknown option: got [basic] pasword_file; did you mean [basic] password_file?",
            ),
            (
                "[keystone_authtoken]\npasword = x\n",
                "f:2: unknown option: got [keystone_authtoken] pasword; did you mean [keystone_authtoken] password?",
            ),
            (
                "[oslo_policy]\npolicy_fil = x\n",
                "f:2: unknown option: got [oslo_policy] policy_fil; did you mean [oslo_policy] policy_file?",
            ),
            (
                "[oslo_polcy]\npolicy_file = x\n",
                "f:2: unknown section: got [oslo_polcy]; did you mean [oslo_policy]?",
            ),
            (
                "[apy]\nport = 1\n",
                "f:2: unknown section: got [apy]; did you mean [api]?",
            ),
            (
                "[apii]\nport = 1\n",
                "f:2: unknown section: got [apii]; did you mean [api]?",
            ),
            (
                "[api]]\nport = 1\n",
                "f:2: unknown section: got [api]]; did you mean [api]?",
            ),
            (
                "[default]\ndebug = 1\n",
                "f:2: unknown section: got [default]; did you mean [DEFAULT]?",
            ),
            (
                "tls_cert = c\n[api]\nport = 1\n",
                "f:1: unknown option: got [DEFAULT] tls_cert; did you mean [api] tls_cert?",
            ),
            (
                "[DEFAULT]\npassword-file = c\n",
                "f:2: unknown option: got [DEFAULT] password_file; did you mean [basic] password_file?",
            ),
            (
                "tls_crt = c\n",
                "f:1: unknown option: got [DEFAULT] tls_crt; did you mean [api] tls_cert?",
            ),
            (
                "[keystone_authtoken]\ntls_cert = c\n",
                "f:2: unknown option: got [keystone_authtoken] tls_cert; did you mean [api] tls_cert?",
            ),
            (
                "[database]\ntls_crt = c\n",
                "f:2: unknown option: got [database] tls_crt; did you mean [api] tls_cert?",
            ),
            (
                "[database]\ntls_cert = c\n",
                "f:2: unknown option: got [database] tls_cert; did you mean [api] tls_cert?",
            ),
            (
                "[storage]\npolicy_file = c\n",
                "f:2: unknown option: got [storage] policy_file; did you mean [oslo_policy] policy_file?",
            ),
            (
                "[storage]\nmax_futures = 1\n",
                "f:2: unknown option: got [storage] max_futures; did you mean [incoming] max_future?",
            ),
            (
                "[API]\nport = 1\n",
                "f:2: unknown section: got [API]; did you mean [api]?",
            ),
        ] {
            assert_eq!(check(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn names_that_others_refer_to_may_be_made_up() {
        let text = "[storage]\nroot = /srv\nother = /srv\ndata_dir = $root/a/${storage.other}\n";
        assert_eq!(check(text), Ok(Vec::new()));
        for unused in ["$HOME/root", "$root_dir", "$roots/a", "${roots}"] {
            let unused = check(&format!("[storage]\nroot = /srv\ndata_dir = {unused}\n"));
            assert_eq!(
                unused.unwrap_err(),
                "f:2: unknown option: got [storage] root"
            );
        }
    }

    #[test]
    fn options_of_one_value_are_given_once_in_a_file() {
        let error = check("[api]\nport = 1\n[basic]\n[api]\nport = 2\n").unwrap_err();
        assert_eq!(error, "f:5: [api] port is given twice, first at f:2");
        let error = check("[api]\nauth-mode = basic\nauth_mode = basic\n").unwrap_err();
        assert_eq!(error, "f:3: [api] auth_mode is given twice, first at f:2");
        let lists = "[cors]\nallowed_origin = a\nallowed_origin = b\n";
        assert_eq!(check(lists), Ok(Vec::new()));
    }

    /// Options that the libraries of a deployment have beside those of its own configuration.
    const OF_LIBRARIES: [(&str, &str); 6] = [
        (
            "DEFAULT",
            "default_log_levels instance_format instance_uuid_format log_color log_config_append log_date_format \
             log_rotate_interval log_rotate_interval_type log_rotation_type logging_context_format_string \
             logging_debug_format_suffix logging_default_format_string logging_exception_prefix logging_user_identity_format \
             max_logfile_count max_logfile_size_mb publish_errors rate_limit_burst rate_limit_except_level rate_limit_interval \
             use_json use_stderr watch_log_file syslog_format transport_url control_exchange rpc_response_timeout \
             executor_thread_pool_size rpc_conn_pool_size backdoor_port api_paste_config state_path auth_strategy \
             fatal_deprecations client_socket_timeout wsgi_keep_alive tcp_keepidle max_header_line log_exchange",
        ),
        (
            "keystone_authtoken",
            "memcache_pool_maxsize memcache_tls_enabled memcache_tls_cafile memcache_tls_certfile memcache_tls_keyfile \
             memcache_username memcache_password include_service_catalog enforce_token_bind cache service_type trust_id \
             identity_uri admin_user admin_password admin_tenant_name admin_token auth_host auth_port auth_protocol \
             hash_algorithms signing_dir check_revocations_for_cached revocation_cache_time auth_plugin endpoint_override \
             valid_interfaces token timeout split_loggers collect_timing auth_admin_prefix identity_provider protocol \
             application_credential_id application_credential_name application_credential_secret passcode \
             oauth2_client_id client_id client_secret redirect_host redirect_port login_timeout",
        ),
        (
            "database",
            "backend connection connection_debug connection_parameters connection_recycle_time connection_trace \
             db_inc_retry_interval db_max_retries db_max_retry_interval db_retry_interval max_overflow max_pool_size max_retries \
             mysql_sql_mode mysql_enable_ndb mysql_wsrep_sync_wait pool_timeout retry_interval slave_connection \
             sqlite_synchronous use_db_reconnect use_tpool min_pool_size idle_timeout",
        ),
        (
            "oslo_middleware",
            "max_request_body_size http_basic_auth_user_file secure_proxy_ssl_header",
        ),
        (
            "oslo_messaging_rabbit",
            "rabbit_host rabbit_port ssl_cert_file",
        ),
        ("oslo_concurrency", "lock_path disable_process_locking"),
    ];

    #[test]
    fn options_of_libraries_are_ignored_and_named() {
        for (section, options) in OF_LIBRARIES {
            for option in options.split_whitespace() {
                let warnings = check(&format!("[{section}]\n{option} = x\n"));
                let warnings = warnings.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(warnings.len(), 1, "{section} {option}");
            }
        }
    }

    #[test]
    fn sections_of_others_are_ignored_and_named() {
        for section in [
            "profiler",
            "cache",
            "keystone",
            "service_user",
            "paths",
            "oslo_limit",
            "oslo_reports",
            "oslo_versionedobjects",
            "ceilometer",
            "glance",
        ] {
            let warnings = check(&format!("[{section}]\ncolour = x\n")).unwrap();
            let expected = format!("f:2: there is no section [{section}]; colour is ignored");
            assert_eq!(warnings, [expected]);
        }
        let warnings = check("[server]\ntls_cert = x\n").unwrap();
        let expected =
            "f:2: there is no section [server]; tls_cert is ignored; did you mean [api] tls_cert?";
        assert_eq!(warnings, [expected]);
    }
}
