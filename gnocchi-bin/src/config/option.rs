//! Declarations of options: the one list that parsing, defaults, warnings, the environment variables, the sample of the configuration and
//! the reference page come from.

use gnocchi_drivers::option::DriverOption;
pub(super) use gnocchi_drivers::option::SECONDS_MAX;
pub use gnocchi_drivers::option::ValueKind;

/// The upper end of whole numbers that have none.
pub(super) const UNLIMITED: i128 = u64::MAX as i128;

/// What giving an option does in this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what it says.
    Active,
    /// It is accepted, since existing files have it, and changes nothing.
    Accepted,
    /// It asks for something that this build does not have; leaving it out silently would do harm.
    Unsupported,
}

/// Where else the value of an option may stand in older files.
pub(super) type OldName = (&'static str, &'static str);

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: ValueKind,
    /// The text of its default; `None` when it has none or a computed one.
    pub default: Option<&'static str>,
    /// What holds when it is not given, in words, where that is no constant.
    pub otherwise: Option<&'static str>,
    /// What it is for, in a few words.
    pub help: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What giving it does.
    pub effect: Effect,
    old_name: Option<OldName>,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct SectionSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// Its own options, in the order of the documentation.
    pub options: &'static [OptionSpec],
    /// Options that the driver of this build declares.
    pub driver: &'static [OptionSpec],
    /// Further options: those that it has in common with another section, or that have a file of their own.
    pub shared: &'static [OptionSpec],
    /// Whether it may have options that are not listed, since it belongs to a library of other deployments.
    pub open: bool,
}

impl OptionSpec {
    /// Describes an option without default.
    pub(super) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: ValueKind::Text,
            default: None,
            otherwise: None,
            help,
            secret: false,
            effect: Effect::Active,
            old_name: None,
        }
    }

    /// Gives it a default.
    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Makes specifications of the options that a driver declares.
    pub(super) const fn declared<const N: usize>(options: &[DriverOption; N]) -> [Self; N] {
        let mut specs = [Self::new("", ""); N];
        let mut index = 0;
        while index < N {
            let option = options[index];
            specs[index].name = option.name;
            specs[index].help = option.help;
            specs[index].kind = option.kind;
            specs[index].default = option.default;
            specs[index].secret = option.secret;
            index += 1;
        }
        specs
    }

    /// Describes in words what holds when it is not given.
    pub(super) const fn otherwise(mut self, words: &'static str) -> Self {
        self.otherwise = Some(words);
        self
    }

    const fn takes(mut self, kind: ValueKind) -> Self {
        self.kind = kind;
        self
    }

    /// Takes true or false.
    pub(super) const fn boolean(self) -> Self {
        self.takes(ValueKind::Boolean)
    }

    /// Takes a path.
    pub(super) const fn path(self) -> Self {
        self.takes(ValueKind::Path)
    }

    /// Takes a whole number in a range, both ends included.
    pub(super) const fn integer(self, least: i128, most: i128) -> Self {
        self.takes(ValueKind::Integer(least, most))
    }

    /// Takes a whole number of seconds, at least so many.
    pub(super) const fn seconds(self, least: u64) -> Self {
        self.takes(ValueKind::Seconds(least))
    }

    /// Takes a number of bytes in a range, both ends included.
    pub(super) const fn bytes(self, least: u64, most: u64) -> Self {
        self.takes(ValueKind::Bytes(least, most))
    }

    /// Takes one of these words.
    pub(super) const fn one_of(self, words: &'static [&'static str]) -> Self {
        self.takes(ValueKind::OneOf(words))
    }

    /// Takes a list; it may be given several times in one file.
    pub(super) const fn list(self, items: &'static str) -> Self {
        self.takes(ValueKind::List(items))
    }

    /// Takes values of a form of its own.
    pub(super) const fn form(self, form: &'static str) -> Self {
        self.takes(ValueKind::Form(form))
    }

    /// Returns whether it may be given several times in one file.
    pub(super) const fn repeats(&self) -> bool {
        matches!(self.kind, ValueKind::List(_))
    }

    /// Returns the section and the name that it has in older files.
    pub(super) const fn old_name(&self) -> Option<OldName> {
        self.old_name
    }

    /// Hides its value.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Says that it is accepted and changes nothing.
    pub(super) const fn accepted(mut self) -> Self {
        self.effect = Effect::Accepted;
        self
    }

    /// Says that this build cannot do what it asks for.
    pub(super) const fn unsupported(mut self) -> Self {
        self.effect = Effect::Unsupported;
        self
    }

    /// Says where its value stands in older files.
    pub(super) const fn formerly(mut self, section: &'static str, option: &'static str) -> Self {
        self.old_name = Some((section, option));
        self
    }
}

impl SectionSpec {
    /// Describes a section.
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        options: &'static [OptionSpec],
    ) -> Self {
        Self {
            name,
            about,
            options,
            driver: &[],
            shared: &[],
            open: false,
        }
    }

    /// Describes the section of a library of other deployments: accepted as it is, without effect.
    pub(super) const fn foreign(name: &'static str, about: &'static str) -> Self {
        Self {
            open: true,
            ..Self::new(name, about, &[])
        }
    }

    /// Adds options that it has in common with another section, or that have a file of their own.
    pub(super) const fn with_shared(mut self, shared: &'static [OptionSpec]) -> Self {
        self.shared = shared;
        self
    }

    /// Adds the options that a driver declares.
    pub(super) const fn with_driver(mut self, driver: &'static [OptionSpec]) -> Self {
        self.driver = driver;
        self
    }

    /// Returns all of its options.
    pub fn all(&self) -> impl Iterator<Item = &'static OptionSpec> + use<> {
        self.options.iter().chain(self.driver).chain(self.shared)
    }

    /// Returns one of its options.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&'static OptionSpec> {
        self.all().find(|option| option.name == name)
    }
}
