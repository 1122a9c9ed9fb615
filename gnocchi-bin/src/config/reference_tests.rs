use std::path::Path;
use std::{env, fs};

use super::super::ini;
use super::super::tests::Fixture;
use super::*;

/// Set to write the page anew instead of comparing it.
const WRITE: &str = "GNOCCHI_WRITE_REFERENCE";

#[test]
fn the_page_in_the_repository_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if env::var_os(WRITE).is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/configuration.md differs from the declarations of the options: run this test with {WRITE}=1"
    );
}

#[test]
fn the_sample_sets_nothing() {
    assert_eq!(ini::parse(&sample()), Ok(Vec::new()));
}

#[test]
fn the_sample_with_its_defaults_uncommented_means_the_same() {
    let uncommented: Vec<&str> = sample_lines()
        .into_iter()
        .filter(|(_, option)| option.is_some_and(|option| option.default.is_some()))
        .map(|(line, _)| line)
        .collect();
    assert!(uncommented.len() > 50, "{uncommented:?}");
    let mut text = String::new();
    let sample = sample();
    for line in sample.lines() {
        match line.strip_prefix('#') {
            Some(option) if uncommented.contains(&option) => writeln!(text, "{option}").unwrap(),
            _ => writeln!(text, "{line}").unwrap(),
        }
    }
    let mut given = Fixture::new().file("a.conf", &text).load();
    let mut without = Fixture::new().load();
    // Each fixture has a directory of its own.
    given.policy.search.clear();
    without.policy.search.clear();
    assert_eq!(given, without);
}

/// Returns the lines of the sample that are options, without the `#`, and their declarations.
fn sample_lines() -> Vec<(&'static str, Option<&'static OptionSpec>)> {
    let sample: &'static str = sample().leak();
    let mut section = None;
    let mut lines = Vec::new();
    for line in sample.lines() {
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_end_matches(']');
            section = SECTIONS.iter().find(|spec| spec.name == name);
        } else if let Some((name, _)) = line
            .strip_prefix('#')
            .and_then(|line| line.split_once(" ="))
        {
            let option = section.and_then(|spec| spec.option(name));
            lines.push((&line[1..], option));
        }
    }
    lines
}

#[test]
fn every_option_with_an_effect_is_in_both() {
    let (page, sample) = (page(), sample());
    for section in SECTIONS {
        for option in section.all() {
            let name = format!("`{}`", option.name);
            assert!(page.contains(&name), "[{}] {name}", section.name);
            if option.effect == Effect::Active {
                let variable = format!("# Environment: {}\n", variable(section, option.name));
                assert!(sample.contains(&variable), "{variable}");
            }
        }
    }
}

#[test]
fn declarations_read_as_sentences() {
    for section in SECTIONS {
        assert!(section.about.ends_with('.'), "[{}]", section.name);
        for option in section.all() {
            let place = format!("[{}] {}", section.name, option.name);
            assert!(
                !option.help.is_empty() && !option.help.ends_with('.'),
                "{place}"
            );
            assert!(!option.help.contains('|'), "{place}");
        }
    }
}

#[test]
fn every_option_of_a_checked_kind_refuses_values_of_another() {
    let mut checked = 0;
    for section in SECTIONS {
        for option in with_effect(section, Effect::Active) {
            if matches!(
                option.kind,
                ValueKind::Text | ValueKind::Path | ValueKind::List(_)
            ) {
                continue;
            }
            let mut text = format!("[{}]\n{} = bogus\n", section.name, option.name);
            match section.name {
                "remoteuser" => {
                    // A header may have any letters.
                    text = text.replace("bogus", "bog us") + "[api]\nauth_mode = remoteuser\n";
                }
                "keystone_authtoken" => {
                    text += "[api]\nauth_mode = keystone\n";
                    if option.name != "auth_url" {
                        text += "[keystone_authtoken]\nauth_url = http://h\n";
                    }
                    text += "[keystone_authtoken]\nusername = u\npassword = p\nproject_name = s\n";
                }
                _ => {}
            }
            let error = Fixture::new().file("a.conf", &text).error();
            let place = format!("a.conf:2: [{}] {} = bog", section.name, option.name);
            assert!(error.contains(&place), "{place}: {error}");
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}
