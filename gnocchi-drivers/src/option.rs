//! Declarations of the options that a back-end has in a configuration file.
//!
//! A driver takes a plain struct and reads no file. Beside that struct it declares how its settings are called there, what they take
//! and what they mean, as constants; a program that has a configuration file makes the parser, the sample and the reference from them.

use std::fmt;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// The path of a file or directory.
    Path,
    /// True or false.
    Boolean,
    /// A whole number from the first to the second, both included.
    Integer(i128, i128),
    /// A number of whole seconds, at least this many.
    Seconds(u64),
    /// A number of bytes from the first to the second, both included, with a unit if it is large.
    Bytes(u64, u64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any number of these, separated by commas or lines.
    List(&'static str),
    /// A value of a form of its own.
    Form(&'static str),
}

/// The largest number of seconds that an option takes.
pub const SECONDS_MAX: u64 = u32::MAX as u64;

/// What values of this kind are, as in "must be ...".
impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text => f.write_str("text"),
            Self::Path => f.write_str("a path"),
            Self::Boolean => f.write_str("true or false"),
            Self::Integer(least, most) if most == i128::from(u64::MAX) => {
                write!(f, "a whole number, at least {least}")
            }
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Seconds(least) => write!(f, "a whole number from {least} to {SECONDS_MAX}"),
            Self::Bytes(least, u64::MAX) => {
                write!(
                    f,
                    "a number of bytes, at least {least}, like 1048576, 1024K or 1M"
                )
            }
            Self::Bytes(least, most) => {
                write!(
                    f,
                    "a number of bytes from {least} to {most}, like 1048576, 1024K or 1M"
                )
            }
            Self::OneOf(words) => match words {
                [others @ .., last] if !others.is_empty() => {
                    write!(f, "{} or {last}", others.join(", "))
                }
                _ => f.write_str(&words.concat()),
            },
            Self::List(item) => write!(f, "a list of {item}"),
            Self::Form(form) => f.write_str(form),
        }
    }
}

/// An option of a back-end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverOption {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: ValueKind,
    /// Its value when none is given, as it would be written; `None` when there is none.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_described() {
        let check = |kind: ValueKind, expected: &str| assert_eq!(kind.to_string(), expected);
        check(
            ValueKind::Integer(0, 65535),
            "a whole number from 0 to 65535",
        );
        check(
            ValueKind::Integer(1, i128::from(u64::MAX)),
            "a whole number, at least 1",
        );
        check(ValueKind::Seconds(1), "a whole number from 1 to 4294967295");
        check(ValueKind::OneOf(&["a", "b", "c"]), "a, b or c");
        check(ValueKind::OneOf(&["a"]), "a");
        check(
            ValueKind::Bytes(1, u64::MAX),
            "a number of bytes, at least 1, like 1048576, 1024K or 1M",
        );
        check(ValueKind::List("addresses"), "a list of addresses");
    }
}
