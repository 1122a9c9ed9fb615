//! Names that are given but do not exist, and options that change nothing.
//!
//! In the sections of this project a name that does not exist is an error. The others belong to libraries of existing deployments,
//! whose options come and go: there it is an error only when another option was probably meant, and ignored with a warning
//! otherwise.

use std::collections::BTreeSet;

use gnocchi_core::text::nearest::nearest;

use super::SECTIONS;
use super::error::{BadValue, ConfigError, Origin};
use super::option::{Effect, SectionSpec};
use super::source::{Given, Layer};

/// Sections of which this project has defined every option.
const OWN: [&str; 8] = [
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
            Effect::Active if !known.repeats => refuse_repetition(section, option, givens)?,
            Effect::Active => {}
        }
    }
    Ok(warnings.into_iter().collect())
}

/// Returns whether the value of some option refers to this one, which is then a name that its writer has made up for that.
fn is_referred_to(layers: &[Layer], section: &str, option: &str) -> bool {
    let references = [
        format!("${option}"),
        format!("${{{option}}}"),
        format!("${{{section}.{option}}}"),
    ];
    let texts = layers.iter().flat_map(Layer::values).flatten();
    texts
        .flat_map(|given| references.iter().map(|name| given.text.contains(name)))
        .any(|found| found)
}

fn unknown_section(
    section: &str,
    option: &str,
    origin: &Origin,
) -> Result<Option<String>, ConfigError> {
    if is_old_name(section, option) {
        return Ok(None);
    }
    let mut names = SECTIONS.iter().map(|spec| spec.name);
    let meant =
        nearest(section, names.clone()).or_else(|| names.find(|name| is_slip(section, name)));
    match meant {
        Some(meant) => Err(ConfigError::Unknown {
            origin: origin.clone(),
            problem: format!("there is no section [{section}]"),
            nearest: Some(format!("[{meant}]")),
        }),
        None => Ok(Some(format!(
            "{origin}: there is no section [{section}]; {option} is ignored"
        ))),
    }
}

/// Returns whether a name differs from a short one, which forgives no slips otherwise, in one character.
fn is_slip(name: &str, known: &str) -> bool {
    let same = name
        .chars()
        .zip(known.chars())
        .filter(|(one, other)| one == other);
    known.len() == 3 && name.len() == 3 && same.count() == 2
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
    let active = spec.all().filter(|known| known.effect == Effect::Active);
    let nearest = nearest(option, active.map(|known| known.name)).map(str::to_owned);
    if nearest.is_some() || OWN.contains(&section) {
        return Err(ConfigError::Unknown {
            origin: origin.clone(),
            problem: format!("section [{section}] has no option {option}"),
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
        .any(|spec| spec.old_name == Some((section, option)))
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
                "f:2: section [api] has no option prot; did you mean port?",
            ),
            (
                "[api]\ntrusted_proxys = ::1\n",
                "f:2: section [api] has no option trusted_proxys; did you mean trusted_proxies?",
            ),
            (
                "[api]\ncolour = red\n",
                "f:2: section [api] has no option colour",
            ),
            (
                "[basic]\npasword_file = x\n",
                "f:2: section [basic] has no option pasword_file; did you mean password_file?",
            ),
            (
                "[keystone_authtoken]\npasword = x\n",
                "f:2: section [keystone_authtoken] has no option pasword; did you mean password?",
            ),
            (
                "[oslo_policy]\npolicy_fil = x\n",
                "f:2: section [oslo_policy] has no option policy_fil; did you mean policy_file?",
            ),
            (
                "[oslo_polcy]\npolicy_file = x\n",
                "f:2: there is no section [oslo_polcy]; did you mean [oslo_policy]?",
            ),
            (
                "[apy]\nport = 1\n",
                "f:2: there is no section [apy]; did you mean [api]?",
            ),
            (
                "[API]\nport = 1\n",
                "f:2: there is no section [API]; did you mean [api]?",
            ),
        ] {
            assert_eq!(check(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn names_that_others_refer_to_may_be_made_up() {
        let text = "[storage]\nroot = /srv\nother = /srv\ndata_dir = $root/a/${storage.other}\n";
        assert_eq!(check(text), Ok(Vec::new()));
        let unused = check("[storage]\nroot = /srv\ndata_dir = $HOME/root\n");
        assert_eq!(
            unused.unwrap_err(),
            "f:2: section [storage] has no option root"
        );
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

    #[test]
    fn what_other_software_has_is_ignored_and_named() {
        let text = "[DEFAULT]\ndefault_log_levels = a=b\nlogging_context_format_string = x\nuse_stderr = true\nwatch_log_file = true\n\
            [keystone_authtoken]\nauth_uri = http://h\nmemcache_pool_maxsize = 1\nidentity_uri = x\nadmin_user = x\nauth_host = x\nservice_type = metric\ntrust_id = x\nhash_algorithms = md5\n\
            [oslo_middleware]\nmax_request_body_size = 1\n[oslo_messaging_notifications]\ndriver = noop\n[database]\nmax_pool_size = 5\n[cors]\nmax_ages = 3\n[statsd]\nhost = h\nhost = h\n";
        let error = check(text).unwrap_err();
        assert!(error.ends_with("did you mean max_age?"), "{error}");
        let warnings = check(&text.replace("max_ages = 3\n", "")).unwrap();
        assert_eq!(warnings.len(), 15, "{warnings:?}");
        for part in [
            "f:2: section [DEFAULT] has no option default_log_levels; it is ignored",
            "f:8: [keystone_authtoken] memcache_pool_maxsize belongs to other software and is ignored",
            "there is no section [oslo_messaging_notifications]; driver is ignored",
        ] {
            assert!(
                warnings.iter().any(|warning| warning.ends_with(part)),
                "{warnings:?}"
            );
        }
    }
}
