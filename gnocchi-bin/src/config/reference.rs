//! The reference page and the sample file, made from the declarations of the options.

use std::fmt::{self, Write};

use super::SECTIONS;
use super::option::{Effect, OptionSpec, SectionSpec, ValueKind};
use super::variables::variable;

/// Where lines of the sample break, in characters.
const SAMPLE_WIDTH: usize = 100;

/// Returns the page `docs/configuration.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(include_str!("reference_head.md"));
    for section in SECTIONS {
        write_section(&mut page, section).expect("writing to a string succeeds");
    }
    page
}

fn write_section(page: &mut String, section: &SectionSpec) -> fmt::Result {
    writeln!(page, "\n## `[{}]`\n\n{}", section.name, section.about)?;
    let mut active = with_effect(section, Effect::Active).peekable();
    if active.peek().is_some() {
        writeln!(
            page,
            "\n| option | value | default | meaning |\n|---|---|---|---|"
        )?;
    }
    for option in active {
        let default = match (option.default, option.otherwise) {
            (Some(default), _) => format!("`{default}`"),
            (None, Some(words)) => words.to_owned(),
            (None, None) => "none".to_owned(),
        };
        writeln!(
            page,
            "| `{}` | {} | {default} | {}{} |",
            option.name,
            values(option),
            sentence(option.help),
            notes(option),
        )?;
    }
    for (effect, words) in [
        (Effect::Accepted, "Accepted, without effect in this build"),
        (
            Effect::Unsupported,
            "Refused, because this build does not have it",
        ),
    ] {
        let names: Vec<String> = with_effect(section, effect)
            .map(|option| format!("`{}`", option.name))
            .collect();
        if !names.is_empty() {
            writeln!(page, "\n{words}: {}.", names.join(", "))?;
        }
    }
    if section.open {
        let rest = if section.options.is_empty() {
            "All of its options are accepted, without effect in this build."
        } else {
            "Options of the library that are not listed are accepted, without effect."
        };
        writeln!(page, "\n{rest}")?;
    }
    Ok(())
}

/// Returns a sample of `gnocchi.conf`: every option with its default, commented out.
#[must_use]
pub fn sample() -> String {
    let mut sample = String::from(
        "# Every option with its default. Remove the # in front of those that you set.\n\
         # An environment variable wins over this file, and a flag wins over both.\n",
    );
    for section in SECTIONS {
        write_sample(&mut sample, section).expect("writing to a string succeeds");
    }
    sample
}

fn write_sample(sample: &mut String, section: &SectionSpec) -> fmt::Result {
    let mut active = with_effect(section, Effect::Active).peekable();
    if active.peek().is_none() {
        return Ok(());
    }
    writeln!(sample, "\n[{}]", section.name)?;
    write_comment(sample, section.about)?;
    for option in active {
        writeln!(sample)?;
        write_comment(
            sample,
            &format!("{}{}", sentence(option.help), notes(option)),
        )?;
        write_comment(sample, &format!("Value: {}.", option.kind))?;
        if let Some(words) = option.otherwise {
            write_comment(sample, &format!("Default: {words}."))?;
        }
        writeln!(sample, "# Environment: {}", variable(section, option.name))?;
        let default = option.default.unwrap_or_default();
        writeln!(
            sample,
            "{}",
            format!("#{} = {default}", option.name).trim_end()
        )?;
    }
    Ok(())
}

/// Writes a text as comments, without the marks of the page.
fn write_comment(sample: &mut String, text: &str) -> fmt::Result {
    let mut line = String::from("#");
    for word in text.replace('`', "").split_whitespace() {
        if line.chars().count() + word.chars().count() >= SAMPLE_WIDTH {
            writeln!(sample, "{line}")?;
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(sample, "{line}")
}

fn with_effect(
    section: &SectionSpec,
    effect: Effect,
) -> impl Iterator<Item = &'static OptionSpec> + use<> {
    section.all().filter(move |option| option.effect == effect)
}

fn values(option: &OptionSpec) -> String {
    match option.kind {
        ValueKind::OneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        kind => kind.to_string(),
    }
}

/// Returns a help text as a sentence of the page.
fn sentence(help: &str) -> String {
    let mut characters = help.chars();
    let first = characters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", characters.as_str())
}

fn notes(option: &OptionSpec) -> String {
    let mut notes = String::new();
    if option.secret {
        notes.push_str(" Never shown in logs and errors.");
    }
    if let Some((section, name)) = option.old_name() {
        write!(notes, " Older name: `[{section}] {name}`.").expect("writing to a string succeeds");
    }
    notes
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
