//! Environment variables that were probably meant to set an option and don't.
//!
//! Many variables begin with `GNOCCHI_` and are none of ours: the clients have some, and Kubernetes announces a service named
//! `gnocchi-api` as `GNOCCHI_API_PORT=tcp://10.0.0.1:8041`. So only a name that is made of a section and an option is refused.

use gnocchi_core::text::nearest::one_slip_away;

use super::error::{ConfigError, Origin};
use super::option::{Effect, SectionSpec};
use super::source::{ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, INDEXER_URL_VARIABLE};
use super::{SECTIONS, names};

/// How the addresses of services begin that container engines put into the environment.
const SERVICE_ADDRESSES: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// Refuses variables whose name is nearly that of an option; returns those that name an option without its section, in
/// sentences for the log.
pub(super) fn check(environment: &[(String, String)]) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for (name, value) in environment {
        let is_service = SERVICE_ADDRESSES
            .iter()
            .any(|scheme| value.starts_with(scheme));
        if is_service || name == INDEXER_URL_VARIABLE || is_well_formed(name) {
            continue;
        }
        let Some(rest) = after_prefix(name) else {
            continue;
        };
        if let Some(meant) = meant(rest) {
            return Err(ConfigError::Unknown {
                origin: Origin::Environment(name.clone()),
                problem: "unknown name".to_owned(),
                nearest: Some(meant),
            });
        }
        if let Some(meant) = without_section(rest) {
            warnings.push(format!(
                "environment variable {name} is ignored; did you mean {meant}?"
            ));
        }
    }
    Ok(warnings)
}

/// Returns whether a variable has the form of one that sets an option. Whether that option exists is checked with those of files.
fn is_well_formed(name: &str) -> bool {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX);
    rest.is_some_and(|rest| rest.contains(ENVIRONMENT_SEPARATOR))
}

/// Returns what follows the prefix, or a near miss of the prefix.
fn after_prefix(name: &str) -> Option<&str> {
    let (word, rest) = name.split_once('_')?;
    let known = ENVIRONMENT_PREFIX.trim_end_matches('_');
    let is_prefix = word == known || one_slip_away(word, [known]).is_some();
    is_prefix.then_some(rest)
}

/// Returns the variable of the option that `rest` is made of: a section and an option, joined by any number of underscores, of which
/// one may be misspelt.
fn meant(rest: &str) -> Option<String> {
    let rest = rest.to_lowercase();
    let joints = rest.char_indices().filter(|(_, letter)| *letter == '_');
    let mut nearly = None;
    for (at, _) in joints {
        let section = rest[..at].trim_matches('_');
        let option = rest[at..].trim_matches('_');
        let own = SECTIONS
            .iter()
            .find(|spec| spec.name.eq_ignore_ascii_case(section));
        if let Some(spec) = own {
            if let Some(known) = spec.option(option) {
                return Some(variable(spec, known.name));
            }
            let near = names::nearest_option(spec, option);
            nearly = nearly.or_else(|| near.map(|known| variable(spec, known)));
        } else if let Some(name) = names::nearest_section(section)
            && let Some(spec) = SECTIONS.iter().find(|spec| spec.name == name)
            && let Some(known) = spec.option(option)
        {
            nearly = nearly.or_else(|| Some(variable(spec, known.name)));
        }
    }
    nearly
}

/// Returns the variable of the option that `rest` names without a section.
fn without_section(rest: &str) -> Option<String> {
    let option = rest.to_lowercase();
    let mut own = SECTIONS
        .iter()
        .filter(|spec| spec.name == "DEFAULT" || names::OWN.contains(&spec.name));
    own.find_map(|spec| {
        let known = spec.option(&option)?;
        (known.effect == Effect::Active).then(|| variable(spec, known.name))
    })
}

/// Returns the variable that sets an option.
pub(super) fn variable(spec: &SectionSpec, option: &str) -> String {
    let section = spec.name.to_uppercase();
    let option = option.to_uppercase();
    format!("{ENVIRONMENT_PREFIX}{section}{ENVIRONMENT_SEPARATOR}{option}")
}

#[cfg(test)]
mod tests {
    fn check(name: &str, value: &str) -> Result<Vec<String>, String> {
        super::check(&[(name.to_owned(), value.to_owned())]).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_that_are_nearly_those_of_options_are_refused() {
        for (name, meant) in [
            ("GNOCCHI_API_PORT", "GNOCCHI_API__PORT"),
            ("GNOCCHI_API_TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("GNOCCHI_API_TLS_CRET", "GNOCCHI_API__TLS_CERT"),
            ("GNOCCHI_APII_TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("GNOCCHI__API_TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("GNOCHI_API__TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("GNOCHI_API_TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("gnocchi_api__tls_cert", "GNOCCHI_API__TLS_CERT"),
            ("GNOCCHI_DEFAULT_DEBUG", "GNOCCHI_DEFAULT__DEBUG"),
            (
                "GNOCCHI_BASIC_PASSWORD_FILE",
                "GNOCCHI_BASIC__PASSWORD_FILE",
            ),
            (
                "GNOCCHI_ARCHIVE_POLICY_DEFAULT_AGGREGATION_METHODS",
                "GNOCCHI_ARCHIVE_POLICY__DEFAULT_AGGREGATION_METHODS",
            ),
            (
                "GNOCCHI_OSLO_POLICY_POLICY_FILE",
                "GNOCCHI_OSLO_POLICY__POLICY_FILE",
            ),
            (
                "GNOCCHI_STORAGE_S3_SECRET_ACCESS_KEY",
                "GNOCCHI_STORAGE__S3_SECRET_ACCESS_KEY",
            ),
        ] {
            let expected =
                format!("environment variable {name}: unknown name; did you mean {meant}?");
            assert_eq!(check(name, "x"), Err(expected));
        }
    }

    #[test]
    fn other_variables_are_other_variables() {
        for (name, value) in [
            ("GNOCCHI_INDEXER_URL", "sqlite://"),
            ("GNOCCHI_API__TLS_CERT", "x"),
            ("GNOCCHI_API_PORT", "tcp://10.0.0.1:8041"),
            ("GNOCCHI_API_SERVICE_HOST", "10.0.0.1"),
            ("GNOCCHI_API_SERVICE_PORT", "8041"),
            ("GNOCCHI_API_PORT_8041_TCP_PORT", "8041"),
            ("GNOCCHI_API_VERSION", "1"),
            ("GNOCCHI_ENDPOINT", "http://h"),
            ("GNOCCHI_USER", "u"),
            ("GNOCCHI_PASSWORD", "p"),
            ("GNOCCHI_TOKEN", "t"),
            ("GNOCCHI_HOME", "h"),
            ("GNOCCHI_TEST_REQUIRE", "1"),
            ("API_TLS_CERT", "x"),
            ("PATH", "x"),
            ("_", "x"),
            ("GNOCCHI_", "x"),
            ("GNOCCHI_é_port", "x"),
        ] {
            assert_eq!(check(name, value), Ok(Vec::new()), "{name}");
        }
    }

    #[test]
    fn options_without_section_are_warned_about() {
        for (name, meant) in [
            ("GNOCCHI_DATA_DIR", "GNOCCHI_STORAGE__DATA_DIR"),
            ("GNOCCHI_TLS_CERT", "GNOCCHI_API__TLS_CERT"),
            ("GNOCCHI_DEBUG", "GNOCCHI_DEFAULT__DEBUG"),
        ] {
            let expected = format!("environment variable {name} is ignored; did you mean {meant}?");
            assert_eq!(check(name, "x"), Ok(vec![expected]));
        }
    }
}
