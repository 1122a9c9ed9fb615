//! Identifiers of metrics and resources.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use super::is_storable;

/// Identifies one metric.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(Uuid);

/// Identifies one resource, whatever its type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Uuid);

macro_rules! identifier {
    ($name:ident) => {
        impl $name {
            /// Makes a new random identifier.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Wraps a UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Wraps the 128-bit big-endian number of a UUID.
            #[must_use]
            pub const fn from_u128(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }

            /// Returns the UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Returns the 128-bit big-endian number of the UUID.
            #[must_use]
            pub const fn as_u128(&self) -> u128 {
                self.0.as_u128()
            }

            /// Returns the 16 bytes of the UUID, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Parses any textual form of a UUID: `urn:` and `uuid:` prefixes, braces and hyphens may stand or be missing.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_uuid(text).map(Self)
            }
        }
    };
}

identifier!(MetricId);
identifier!(ResourceId);

/// Parses a UUID the lenient way that clients rely on: `urn:` and `uuid:` prefixes, braces and any hyphens are dropped, then
/// 32 hexadecimal digits must be left.
fn parse_uuid(text: &str) -> Result<Uuid, uuid::Error> {
    if let Ok(uuid) = Uuid::try_parse(text) {
        return Ok(uuid);
    }
    let digits = text.replace("urn:", "").replace("uuid:", "");
    let digits: String = digits
        .trim_matches(['{', '}'])
        .chars()
        .filter(|c| *c != '-')
        .collect();
    Uuid::try_parse(&digits)
}

/// The namespace of identifiers derived from the names that clients give to their resources.
const RESOURCE_NAMESPACE: Uuid = Uuid::from_u128(0x0a7a_15ff_aa13_4ac2_897c_9bdf_30ce_175b);

/// The longest original resource id that is turned into a UUID, in characters.
pub const ORIGINAL_ID_CHARACTERS_MAX: usize = 289;

/// A resource id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourceIdError {
    /// The id holds a slash and could not be addressed by URL.
    #[error("'/' is not supported in resource id")]
    Slash,
    /// The id holds U+0000.
    #[error("U+0000 is not supported in resource id")]
    Nul,
    /// The id is longer than 289 characters.
    #[error("transformable resource id >{ORIGINAL_ID_CHARACTERS_MAX} max allowed characters")]
    TooLong,
}

impl ResourceId {
    /// Derives the identifier of the resource that `creator` calls `original`.
    ///
    /// A UUID in any textual form stands for itself. Anything else becomes the version 5 UUID of the text, a NUL and the
    /// creator (a second NUL when there is none), so two creators can use one name without meeting.
    ///
    /// # Errors
    /// [`ResourceIdError`] when the text holds a slash or U+0000, or is longer than 289 characters.
    pub fn from_original(original: &str, creator: Option<&str>) -> Result<Self, ResourceIdError> {
        if original.contains('/') {
            return Err(ResourceIdError::Slash);
        }
        if !is_storable(original) {
            return Err(ResourceIdError::Nul);
        }
        if let Ok(uuid) = parse_uuid(original) {
            return Ok(Self(uuid));
        }
        if original.chars().count() > ORIGINAL_ID_CHARACTERS_MAX {
            return Err(ResourceIdError::TooLong);
        }
        let name = format!("{original}\0{}", creator.unwrap_or("\0"));
        Ok(Self(Uuid::new_v5(&RESOURCE_NAMESPACE, name.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_the_same_identifiers_as_in_existing_deployments() {
        let check = |original: &str, creator: Option<&str>, expected: &str| {
            assert_eq!(
                ResourceId::from_original(original, creator)
                    .unwrap()
                    .to_string(),
                expected,
                "{original} of {creator:?}"
            );
        };
        check(
            "foo",
            Some("foobar"),
            "1513f2be-cb82-593c-96bf-c62d1e205742",
        );
        check("foo", Some("u:p"), "5a52b8e1-5c24-50a4-b612-652e47342496");
        check("foo", None, "4efb21f6-3d19-5fe3-910b-be8f0f727846");
        check("foo", Some(""), "853e5c64-f45e-58b2-999c-96df856fbe3d");
        check(
            "foobar",
            Some("foobar"),
            "2fbfbb20-8d56-5e1e-afb9-b3007da11fdf",
        );
        check(
            "1.2.3.4",
            Some("foobar"),
            "a9c729cc-d1b0-5e6b-b5ba-8b5a7f45f1fc",
        );
    }

    #[test]
    fn any_textual_form_of_a_uuid_stands_for_itself() {
        let expected = "f93450f2-d8a5-4d67-9985-02511241e7d1";
        for text in [
            "f93450f2-d8a5-4d67-9985-02511241e7d1",
            "F93450F2-D8A5-4D67-9985-02511241E7D1",
            "f93450f2d8a54d67998502511241e7d1",
            "urn:uuid:f93450f2-d8a5-4d67-9985-02511241e7d1",
            "{f93450f2-d8a5-4d67-9985-02511241e7d1}",
            "f93450f2d8a5-4d67998502511241e7d1",
        ] {
            assert_eq!(
                ResourceId::from_original(text, Some("x"))
                    .unwrap()
                    .to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn unusable_names_are_refused() {
        assert_eq!(
            ResourceId::from_original("a/b", None),
            Err(ResourceIdError::Slash)
        );
        // A NUL separates the id from its creator in what is hashed.
        assert_eq!(
            ResourceId::from_original("a\0b", None),
            Err(ResourceIdError::Nul)
        );
        assert_eq!(
            ResourceId::from_original(&"é".repeat(290), None),
            Err(ResourceIdError::TooLong)
        );
        assert!(ResourceId::from_original(&"é".repeat(289), None).is_ok());
        assert!(ResourceId::from_original("", None).is_ok());
    }
}
