//! Descriptions of options: the one list that reading, warnings and defaults come from.

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
    /// The text of its default; `None` when it has none or a computed one.
    pub default: Option<&'static str>,
    /// What it is for, in a few words.
    pub help: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What giving it does.
    pub effect: Effect,
    /// Whether it may be given several times in one file, since its value is a list.
    pub repeats: bool,
    pub(super) old_name: Option<OldName>,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct SectionSpec {
    /// Its name.
    pub name: &'static str,
    /// Its own options, in the order of the documentation.
    pub options: &'static [OptionSpec],
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
            default: None,
            help,
            secret: false,
            effect: Effect::Active,
            repeats: false,
            old_name: None,
        }
    }

    /// Gives it a default.
    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Marks an option whose value is a list.
    pub(super) const fn list(mut self) -> Self {
        self.repeats = true;
        self
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
    pub(super) const fn new(name: &'static str, options: &'static [OptionSpec]) -> Self {
        Self {
            name,
            options,
            shared: &[],
            open: false,
        }
    }

    /// Describes the section of a library of other deployments: accepted as it is, without effect.
    pub(super) const fn foreign(name: &'static str) -> Self {
        Self {
            name,
            options: &[],
            shared: &[],
            open: true,
        }
    }

    /// Adds options that it has in common with another section, or that have a file of their own.
    pub(super) const fn with_shared(mut self, shared: &'static [OptionSpec]) -> Self {
        self.shared = shared;
        self
    }

    /// Returns all of its options.
    pub fn all(&self) -> impl Iterator<Item = &'static OptionSpec> + use<> {
        self.options.iter().chain(self.shared)
    }

    /// Returns one of its options.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&'static OptionSpec> {
        self.all().find(|option| option.name == name)
    }
}
