//! Types of resources: which attributes a resource has.

use std::collections::BTreeMap;

use carbonara::Timestamp;
use thiserror::Error;
use uuid::Uuid;

use super::number_limit::NumberLimit;
use super::{is_storable, whole_microseconds};

/// The type that every store has; it has no attributes of its own.
pub const GENERIC: &str = "generic";

/// The longest name of an attribute, in characters.
const ATTRIBUTE_NAME_CHARACTERS_MAX: usize = 63;

/// The longest text that a string attribute may allow. The HTTP API lets clients ask for half of it.
const STRING_CHARACTERS_MAX: u32 = 512;

/// Names that would hide a property that every resource has.
const RESERVED_NAMES: [&str; 15] = [
    "id",
    "type",
    "metrics",
    "revision",
    "revision_start",
    "revision_end",
    "started_at",
    "ended_at",
    "user_id",
    "project_id",
    "created_by_user_id",
    "created_by_project_id",
    "get_metric",
    "creator",
    "original_resource_id",
];

/// What values an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttributeKind {
    /// Text whose length in characters lies in a range.
    String {
        /// The shortest allowed text, 0 to 512.
        min_length: u32,
        /// The longest allowed text, 1 to 512.
        max_length: u32,
    },
    /// A real number in a range.
    Number {
        /// The smallest allowed number.
        min: Option<NumberLimit>,
        /// The largest allowed number.
        max: Option<NumberLimit>,
    },
    /// A UUID.
    Uuid,
    /// True or false.
    Bool,
    /// A timestamp.
    Datetime,
}

impl AttributeKind {
    /// Returns its name, without limits.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String { .. } => "string",
            Self::Number { .. } => "number",
            Self::Uuid => "uuid",
            Self::Bool => "bool",
            Self::Datetime => "datetime",
        }
    }
}

/// One attribute of a resource type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribute {
    /// What values it takes.
    pub kind: AttributeKind,
    /// Whether every resource must have a value.
    pub required: bool,
}

impl Attribute {
    /// Returns whether a resource can have this value; `None` is the absence of a value.
    #[must_use]
    pub fn takes(&self, value: Option<&AttributeValue>) -> bool {
        let Some(value) = value else {
            return !self.required;
        };
        match (self.kind, value) {
            (
                AttributeKind::String {
                    min_length,
                    max_length,
                },
                AttributeValue::String(text),
            ) => {
                let length = text.chars().count();
                (min_length as usize..=max_length as usize).contains(&length)
            }
            (AttributeKind::Number { min, max }, AttributeValue::Number(number)) => {
                !min.is_some_and(|min| *number < min.value())
                    && !max.is_some_and(|max| *number > max.value())
            }
            (AttributeKind::Uuid, AttributeValue::Uuid(_))
            | (AttributeKind::Bool, AttributeValue::Bool(_))
            | (AttributeKind::Datetime, AttributeValue::Datetime(_)) => true,
            _ => false,
        }
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// Text.
    String(String),
    /// A real number.
    Number(f64),
    /// A UUID.
    Uuid(Uuid),
    /// True or false.
    Bool(bool),
    /// A timestamp.
    Datetime(Timestamp),
}

impl AttributeValue {
    /// Returns the value as it is stored: a timestamp in whole microseconds.
    #[must_use]
    pub fn stored(self) -> Self {
        match self {
            Self::Datetime(timestamp) => Self::Datetime(whole_microseconds(timestamp)),
            other => other,
        }
    }
}

/// An attribute that cannot exist, or a value that it does not take.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The name of the type holds U+0000.
    #[error("U+0000 is not supported in resource type name")]
    Nul,
    /// The name is too long, reserved, holds U+0000, or starts with something else than a letter or digit.
    #[error("Resource attribute name {name} is invalid")]
    Name {
        /// The name.
        name: String,
    },
    /// The range is empty.
    #[error(
        "Resource attribute value min (or min_length) {min} must be less  than or equal to max (or max_length) {max}!"
    )]
    Range {
        /// The lower end.
        min: String,
        /// The upper end.
        max: String,
    },
    /// A limit is outside what can be stored.
    #[error("length of a string attribute must be between 0 and {STRING_CHARACTERS_MAX}")]
    Length,
}

/// A type of resources.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceType {
    name: String,
    attributes: BTreeMap<String, Attribute>,
}

impl ResourceType {
    /// Makes a type.
    ///
    /// # Errors
    /// [`AttributeError`] when the type or an attribute has an unusable name, or an attribute an empty range.
    pub fn new(
        name: impl Into<String>,
        attributes: BTreeMap<String, Attribute>,
    ) -> Result<Self, AttributeError> {
        let name = name.into();
        if !is_storable(&name) {
            return Err(AttributeError::Nul);
        }
        for (attribute, definition) in &attributes {
            check_name(attribute)?;
            check_range(definition.kind)?;
        }
        Ok(Self { name, attributes })
    }

    /// Returns the type that every store has.
    #[must_use]
    pub fn generic() -> Self {
        Self {
            name: GENERIC.into(),
            attributes: BTreeMap::new(),
        }
    }

    /// Returns the unique name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the attributes by name.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }
}

fn check_name(name: &str) -> Result<(), AttributeError> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !starts_well
        || !is_storable(name)
        || name.chars().count() > ATTRIBUTE_NAME_CHARACTERS_MAX
        || RESERVED_NAMES.contains(&name)
    {
        return Err(AttributeError::Name { name: name.into() });
    }
    Ok(())
}

fn check_range(kind: AttributeKind) -> Result<(), AttributeError> {
    match kind {
        AttributeKind::String {
            min_length,
            max_length,
        } => {
            if min_length > STRING_CHARACTERS_MAX
                || !(1..=STRING_CHARACTERS_MAX).contains(&max_length)
            {
                return Err(AttributeError::Length);
            }
            if min_length > max_length {
                return Err(AttributeError::Range {
                    min: min_length.to_string(),
                    max: max_length.to_string(),
                });
            }
        }
        AttributeKind::Number {
            min: Some(min),
            max: Some(max),
        } if min.value() > max.value() => {
            return Err(AttributeError::Range {
                min: min.to_string(),
                max: max.to_string(),
            });
        }
        AttributeKind::Number { .. }
        | AttributeKind::Uuid
        | AttributeKind::Bool
        | AttributeKind::Datetime => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_names_are_checked() {
        let check = |name: &str, good: bool| {
            let attributes = BTreeMap::from([(
                name.to_owned(),
                Attribute {
                    kind: AttributeKind::Bool,
                    required: true,
                },
            )]);
            assert_eq!(ResourceType::new("t", attributes).is_ok(), good, "{name}");
        };
        check("flavor", true);
        check("a-b", true);
        check("2nd", true);
        check("", false);
        check("_x", false);
        check("original_resource_id", false);
        check("creator", false);
        check("a\0", false);
        check(&"a".repeat(63), true);
        check(&"a".repeat(64), false);
    }

    #[test]
    fn names_of_types_are_checked() {
        let made = |name: &str| ResourceType::new(name, BTreeMap::new()).map(|_| ());
        assert_eq!(made("a b"), Ok(()));
        assert_eq!(made("a\0b"), Err(AttributeError::Nul));
    }

    #[test]
    fn ranges_are_checked() {
        let check = |kind: AttributeKind, expected: Result<(), AttributeError>| {
            let attributes = BTreeMap::from([(
                "a".to_owned(),
                Attribute {
                    kind,
                    required: true,
                },
            )]);
            assert_eq!(ResourceType::new("t", attributes).map(|_| ()), expected);
        };
        let range = |min: &str, max: &str| {
            Err(AttributeError::Range {
                min: min.into(),
                max: max.into(),
            })
        };
        check(
            AttributeKind::String {
                min_length: 0,
                max_length: 512,
            },
            Ok(()),
        );
        check(
            AttributeKind::String {
                min_length: 6,
                max_length: 5,
            },
            range("6", "5"),
        );
        check(
            AttributeKind::String {
                min_length: 0,
                max_length: 513,
            },
            Err(AttributeError::Length),
        );
        check(
            AttributeKind::String {
                min_length: 0,
                max_length: 0,
            },
            Err(AttributeError::Length),
        );
        check(
            AttributeKind::Number {
                min: Some(6.5.into()),
                max: Some(NumberLimit::Whole(5)),
            },
            range("6.5", "5"),
        );
        check(
            AttributeKind::Number {
                min: Some(6.5.into()),
                max: None,
            },
            Ok(()),
        );
    }
}
