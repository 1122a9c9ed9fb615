//! Typed access to the options of one section.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SECTIONS;
use super::error::{BadValue, ConfigError, Origin};
use super::ini;
use super::option::{OptionSpec, SECONDS_MAX, SectionSpec, ValueKind};
use super::source::{FlagPath, Given, Layer};

/// How deep one value may refer to another by `$name`.
const REFERENCE_DEPTH_MAX: usize = 8;

/// All that was given, and the descriptions of all options.
pub(super) struct Reader {
    layers: Vec<Layer>,
    /// Stronger than all layers.
    paths: Vec<FlagPath>,
}

impl Reader {
    /// Takes the layers, the weakest first, and the paths given by flags.
    pub(super) fn new(layers: Vec<Layer>, paths: Vec<FlagPath>) -> Self {
        Self { layers, paths }
    }

    /// Returns the layers, the weakest first.
    pub(super) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the path that a flag gives for an option.
    fn flag_path(&self, section: &str, option: &str) -> Option<&Path> {
        let flag = self
            .paths
            .iter()
            .rfind(|flag| flag.section == section && flag.option == option)?;
        Some(flag.path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Returns the options of a section.
    pub(super) fn section(&self, spec: &'static SectionSpec) -> Section<'_> {
        Section { reader: self, spec }
    }

    /// Returns what the strongest source gives for an option.
    fn strongest(&self, section: &str, option: &str) -> &[Given] {
        let key = (section.to_owned(), option.to_owned());
        self.layers
            .iter()
            .rev()
            .find_map(|layer| layer.get(&key))
            .map_or(&[], Vec::as_slice)
    }

    /// Puts the values of other options in place of `$name`, `${name}` and `${section.name}`; `$$` and `\$` are a dollar sign.
    fn expand(&self, section: &str, text: &str, depth: usize) -> Result<String, String> {
        if depth > REFERENCE_DEPTH_MAX {
            return Err("references form a circle or are nested too deep".into());
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            let after = &from[1..];
            if let Some(literal) = before.strip_suffix('\\') {
                expanded.push_str(literal);
                expanded.push('$');
                rest = after;
                continue;
            }
            expanded.push_str(before);
            if let Some(tail) = after.strip_prefix('$') {
                expanded.push('$');
                rest = tail;
                continue;
            }
            let (name, tail) = reference(after)?;
            if name.is_empty() {
                expanded.push('$');
            } else {
                expanded.push_str(&self.referred(section, name, depth)?);
            }
            rest = tail;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// Finds the value that a reference names: in the section that it says, else in its own one, else in `[DEFAULT]`.
    fn referred(&self, section: &str, name: &str, depth: usize) -> Result<String, String> {
        let name = ini::normalize(name);
        let places = match name.split_once('.') {
            Some((other, option)) => vec![(other.to_owned(), option.to_owned())],
            None => vec![
                (section.to_owned(), name.clone()),
                (ini::DEFAULT_SECTION.to_owned(), name.clone()),
            ],
        };
        for (section, option) in &places {
            if let Some(path) = self.flag_path(section, option) {
                let text = path.to_str().map(str::to_owned);
                return text.ok_or_else(|| "refers to a path that is not text".into());
            }
            if let Some(given) = self.strongest(section, option).last() {
                return self.expand(section, &given.text, depth + 1);
            }
            let spec = SECTIONS
                .iter()
                .find(|spec| spec.name == section)
                .and_then(|spec| spec.option(option));
            if let Some(default) = spec.and_then(|spec| spec.default) {
                return Ok(default.to_owned());
            }
        }
        Err("refers to an option that has no value; write $$ for a dollar sign".into())
    }
}

/// Splits the name of a reference from what follows it; the name is empty where a `$` stands alone.
pub(super) fn reference(after: &str) -> Result<(&str, &str), String> {
    let end = |text: &str, dots: bool| {
        let belongs =
            |c: char| c.is_ascii_alphanumeric() || c == '_' || (dots && (c == '.' || c == '-'));
        text.find(|c| !belongs(c)).unwrap_or(text.len())
    };
    if let Some(braced) = after.strip_prefix('{') {
        let (name, tail) = braced
            .split_once('}')
            .ok_or("a ${ has no }; write $$ for a dollar sign")?;
        if name.is_empty() || end(name, true) != name.len() {
            return Err("what stands between ${ and } is not the name of an option".into());
        }
        return Ok((name, tail));
    }
    if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return Ok(("", after));
    }
    Ok(after.split_at(end(after, false)))
}

/// The options of one section.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    reader: &'a Reader,
    spec: &'static SectionSpec,
}

/// The value of an option and where it was found.
struct Found {
    text: String,
    origin: Origin,
}

impl Section<'_> {
    /// Returns a text, if there is one.
    pub(super) fn text(&self, option: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.found(self.option(option))?.map(|found| found.text))
    }

    /// Returns a path, if there is one.
    pub(super) fn path(&self, option: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.reader.flag_path(self.spec.name, option) {
            Some(path) => Ok(Some(path.to_owned())),
            None => Ok(self.text(option)?.map(PathBuf::from)),
        }
    }

    /// Returns what `convert` makes of the value, if there is one; its error says what is wrong.
    pub(super) fn with<T>(
        &self,
        option: &str,
        convert: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let spec = self.option(option);
        let Some(found) = self.found(spec)? else {
            return Ok(None);
        };
        match convert(&found.text) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => Err(self.bad(spec, found.origin, Some(found.text), problem)),
        }
    }

    /// Returns true or false; the option has a default.
    pub(super) fn boolean(&self, option: &str) -> Result<bool, ConfigError> {
        self.with(option, |text| match text.to_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Ok(true),
            "false" | "0" | "off" | "no" => Ok(false),
            _ => Err(self.must_be(option)),
        })
        .map(defaulted)
    }

    /// Returns a whole number in the declared range, if there is one.
    pub(super) fn integer<T: TryFrom<i128>>(&self, option: &str) -> Result<Option<T>, ConfigError> {
        let ValueKind::Integer(least, most) = self.option(option).kind else {
            panic!("{option} is declared as a whole number");
        };
        self.with(option, |text| {
            let value = text.parse::<i128>().ok();
            value
                .filter(|value| (least..=most).contains(value))
                .and_then(|value| T::try_from(value).ok())
                .ok_or_else(|| self.must_be(option))
        })
    }

    /// Returns a whole number of seconds in the declared range; the option has a default.
    pub(super) fn seconds(&self, option: &str) -> Result<Duration, ConfigError> {
        let ValueKind::Seconds(least) = self.option(option).kind else {
            panic!("{option} is declared as a number of seconds");
        };
        self.with(option, |text| {
            let value = text.parse::<u64>().ok();
            value
                .filter(|value| (least..=SECONDS_MAX).contains(value))
                .map(Duration::from_secs)
                .ok_or_else(|| self.must_be(option))
        })
        .map(defaulted)
    }

    /// Returns a number of bytes in the declared range, `K`, `M` and `G` (or `KiB`, ...) multiplying by powers of 1024, if there is
    /// one.
    pub(super) fn bytes<T: TryFrom<u64>>(&self, option: &str) -> Result<Option<T>, ConfigError> {
        let ValueKind::Bytes(least, most) = self.option(option).kind else {
            panic!("{option} is declared as a number of bytes");
        };
        self.with(option, |text| {
            byte_count(text)
                .filter(|value| (least..=most).contains(value))
                .and_then(|value| T::try_from(value).ok())
                .ok_or_else(|| self.must_be(option))
        })
    }

    /// Returns what is wrong with a value that is not of the declared kind.
    fn must_be(&self, option: &str) -> String {
        format!("must be {}", self.option(option).kind)
    }

    /// Makes the error of a value that is not of the declared kind.
    pub(super) fn misfit(&self, option: &str) -> ConfigError {
        self.refuse(option, self.must_be(option))
    }

    /// Returns the items of a list: separated by commas or lines, also over repeated keys of the strongest source.
    pub(super) fn list(&self, option: &str) -> Result<Vec<String>, ConfigError> {
        let spec = self.option(option);
        let mut items = Vec::new();
        for found in self.all_found(spec)? {
            items.extend(
                found
                    .text
                    .split([',', '\n'])
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned),
            );
        }
        Ok(items)
    }

    /// As [`list`](Self::list), with each item converted.
    pub(super) fn list_of<T>(
        &self,
        option: &str,
        convert: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let converted: Result<Vec<T>, (String, String)> = self
            .list(option)?
            .into_iter()
            .map(|item| convert(&item).map_err(|problem| (item, problem)))
            .collect();
        converted.map_err(|(item, problem)| {
            let spec = self.option(option);
            self.bad(spec, self.origin(spec), Some(item), problem)
        })
    }

    /// Makes the error of a value that parsed but cannot be used.
    pub(super) fn refuse(&self, option: &str, problem: impl Into<String>) -> ConfigError {
        let spec = self.option(option);
        let value = self
            .reader
            .strongest(self.spec.name, option)
            .last()
            .map(|given| given.text.clone());
        self.bad(spec, self.origin(spec), value, problem.into())
    }

    /// Makes the error of an option whose value names a back-end that is not compiled in.
    pub(super) fn not_built(&self, option: &str, what: &str, supported: &str) -> ConfigError {
        self.refuse(
            option,
            format!("{what} is not part of this build; supported: {supported}"),
        )
    }

    fn option(&self, name: &str) -> &'static OptionSpec {
        self.spec
            .option(name)
            .unwrap_or_else(|| panic!("[{}] {name} is described in its section", self.spec.name))
    }

    fn bad(
        &self,
        spec: &OptionSpec,
        origin: Origin,
        value: Option<String>,
        problem: String,
    ) -> ConfigError {
        let value = value.filter(|_| !spec.secret);
        ConfigError::Value(Box::new(BadValue {
            origin,
            section: self.spec.name.into(),
            option: spec.name.into(),
            value,
            problem,
        }))
    }

    fn givens(&self, spec: &OptionSpec) -> &[Given] {
        let givens = self.reader.strongest(self.spec.name, spec.name);
        match spec.old_name() {
            Some((section, option)) if givens.is_empty() => self.reader.strongest(section, option),
            _ => givens,
        }
    }

    fn origin(&self, spec: &OptionSpec) -> Origin {
        self.givens(spec)
            .last()
            .map_or(Origin::Default, |given| given.origin.clone())
    }

    fn all_found(&self, spec: &OptionSpec) -> Result<Vec<Found>, ConfigError> {
        let givens = self.givens(spec);
        if givens.is_empty() {
            return Ok(default_of(spec).into_iter().collect());
        }
        givens
            .iter()
            .map(|given| {
                let expanded = self.reader.expand(self.spec.name, &given.text, 0);
                let text = expanded.map_err(|problem| {
                    self.bad(
                        spec,
                        given.origin.clone(),
                        Some(given.text.clone()),
                        problem,
                    )
                })?;
                Ok(Found {
                    text: text.trim().to_owned(),
                    origin: given.origin.clone(),
                })
            })
            .collect()
    }

    /// Returns the last value of the strongest source, else the default. An empty value counts as none.
    fn found(&self, spec: &OptionSpec) -> Result<Option<Found>, ConfigError> {
        Ok(self
            .all_found(spec)?
            .pop()
            .filter(|found| !found.text.is_empty())
            .or_else(|| default_of(spec)))
    }
}

fn default_of(spec: &OptionSpec) -> Option<Found> {
    spec.default.map(|text| Found {
        text: text.to_owned(),
        origin: Origin::Default,
    })
}

/// Unwraps the value of an option that has a default.
pub(super) fn defaulted<T>(value: Option<T>) -> T {
    value.expect("an option that has a default has a value")
}

fn byte_count(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit
        .trim()
        .to_lowercase()
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 1,
        "k" => 1024,
        "m" => 1024 * 1024,
        "g" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
