//! Changes of resource types: what becomes of the attributes of the resources that exist.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::resource_type::{
    Attribute, AttributeError, AttributeKind, AttributeValue, GENERIC, ResourceType,
};
use crate::error::IndexerError;

/// A change of a resource type that is possible as far as the type itself can tell.
///
/// Values of attributes that stay are kept. Attributes that go take their values with them, in past revisions too.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceTypeChange {
    before: ResourceType,
    after: ResourceType,
    fills: BTreeMap<String, AttributeValue>,
    bytes_max: Option<u64>,
}

/// What a change costs for each resource beside its values, in bytes: the row is written anew.
const ROW_BYTES: u64 = 256;

/// What it costs for each attribute that is filled, removed or compared, in bytes: there is an entry in an index, or a document is read.
const ATTRIBUTE_BYTES: u64 = 64;

/// Why a resource type cannot change that way.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ResourceTypeChangeError {
    /// An attribute cannot exist.
    #[error("Invalid input: {0}")]
    Attribute(#[from] AttributeError),
    /// Values of one kind do not become values of another.
    #[error(
        "Type update is not available yet. Changing {from} to {to} for attribute {attribute} of resource {resource_type}"
    )]
    Kind {
        /// The attribute.
        attribute: String,
        /// The name of its kind.
        from: &'static str,
        /// The name of the wanted kind.
        to: &'static str,
        /// The type.
        resource_type: String,
    },
    /// Resources that exist need a value for an attribute that they must have.
    #[error(
        "Invalid input: Option 'fill' of resource attribute {attribute} is invalid: must not be empty if required=True"
    )]
    NoFill {
        /// The attribute.
        attribute: String,
    },
    /// The generic type has no attributes of its own.
    #[error("Resource type {GENERIC} cannot have attributes")]
    Generic,
}

impl ResourceTypeChange {
    /// Plans to give a type other attributes. `fills` has values for resources that exist: for those of new attributes, and where
    /// an attribute without value becomes a required one. Whether a value fits its attribute is up to the caller, as it is for
    /// resources.
    ///
    /// # Errors
    /// [`ResourceTypeChangeError`] when an attribute cannot exist, would change its kind, or is required and has nothing to fill.
    pub fn new(
        before: ResourceType,
        attributes: BTreeMap<String, Attribute>,
        fills: &BTreeMap<String, AttributeValue>,
    ) -> Result<Self, ResourceTypeChangeError> {
        if before.name() == GENERIC && !attributes.is_empty() {
            return Err(ResourceTypeChangeError::Generic);
        }
        let after = ResourceType::new(before.name(), attributes)?;
        let mut needed = BTreeMap::new();
        for (name, attribute) in after.attributes() {
            let old = before.attributes().get(name);
            if old == Some(attribute) {
                continue;
            }
            if let Some(old) = old
                && old.kind.name() != attribute.kind.name()
            {
                return Err(ResourceTypeChangeError::Kind {
                    attribute: name.clone(),
                    from: old.kind.name(),
                    to: attribute.kind.name(),
                    resource_type: before.name().to_owned(),
                });
            }
            match fills.get(name) {
                None if attribute.required => {
                    return Err(ResourceTypeChangeError::NoFill {
                        attribute: name.clone(),
                    });
                }
                Some(fill) if old.is_none_or(|old| attribute.required && !old.required) => {
                    needed.insert(name.clone(), fill.clone());
                }
                _ => {}
            }
        }
        Ok(Self {
            before,
            after,
            fills: needed,
            bytes_max: None,
        })
    }

    /// Limits what the change may write, in bytes: while it is made, no other change of the indexer is.
    #[must_use]
    pub fn at_most(mut self, bytes_max: u64) -> Self {
        self.bytes_max = Some(bytes_max);
        self
    }

    /// Checks that a change of so many resources and past revisions stays within its limit.
    ///
    /// # Errors
    /// [`IndexerError::ResourceTypeChangeTooLarge`].
    pub fn check_size(&self, resources: u64) -> Result<(), IndexerError> {
        let bytes = resources.saturating_mul(self.bytes_per_resource());
        match self.bytes_max {
            Some(limit_bytes) if bytes > limit_bytes => {
                Err(IndexerError::ResourceTypeChangeTooLarge {
                    name: self.before.name().to_owned(),
                    resources,
                    bytes,
                    limit_bytes,
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns about how much is written or looked at for each resource; zero when nothing is.
    #[must_use]
    pub fn bytes_per_resource(&self) -> u64 {
        let value_bytes = |value: &AttributeValue| match value {
            AttributeValue::String(text) => text.len() as u64,
            _ => 0,
        };
        let fills = self.fills.iter();
        let filled: u64 = fills
            .map(|(name, value)| ATTRIBUTE_BYTES + name.len() as u64 + value_bytes(value))
            .sum();
        let others = (self.removed().len() + self.shortened().len()) as u64 * ATTRIBUTE_BYTES;
        match filled + others {
            0 => 0,
            attributes => attributes + ROW_BYTES,
        }
    }

    /// Returns the type that is to be changed.
    #[must_use]
    pub fn before(&self) -> &ResourceType {
        &self.before
    }

    /// Returns the type that it becomes.
    #[must_use]
    pub fn after(&self) -> &ResourceType {
        &self.after
    }

    /// Returns the values that resources and past revisions get where they have none, by attribute.
    #[must_use]
    pub fn fills(&self) -> &BTreeMap<String, AttributeValue> {
        &self.fills
    }

    /// Returns the attributes that go.
    #[must_use]
    pub fn removed(&self) -> BTreeSet<&str> {
        let names = self.before.attributes().keys();
        names
            .filter(|name| !self.after.attributes().contains_key(*name))
            .map(String::as_str)
            .collect()
    }

    /// Returns the attributes whose text must be shorter than before, with the new greatest length in characters.
    #[must_use]
    pub fn shortened(&self) -> BTreeMap<&str, u32> {
        let mut shortened = BTreeMap::new();
        for (name, attribute) in self.after.attributes() {
            let old = self.before.attributes().get(name).map(|old| old.kind);
            if let (
                AttributeKind::String { max_length, .. },
                Some(AttributeKind::String {
                    max_length: old_max,
                    ..
                }),
            ) = (attribute.kind, old)
                && max_length < old_max
            {
                shortened.insert(name.as_str(), max_length);
            }
        }
        shortened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: AttributeKind = text_up_to(255);

    const fn text_up_to(max_length: u32) -> AttributeKind {
        AttributeKind::String {
            min_length: 0,
            max_length,
        }
    }

    fn attributes(attributes: &[(&str, AttributeKind, bool)]) -> BTreeMap<String, Attribute> {
        let attributes = attributes.iter().map(|(name, kind, required)| {
            let attribute = Attribute {
                kind: *kind,
                required: *required,
            };
            ((*name).to_owned(), attribute)
        });
        attributes.collect()
    }

    fn change(
        to: &[(&str, AttributeKind, bool)],
        fills: &[(&str, &str)],
    ) -> Result<ResourceTypeChange, ResourceTypeChangeError> {
        let before = attributes(&[("optional", TEXT, false), ("required", TEXT, true)]);
        let fills = fills.iter().map(|(name, fill)| {
            (
                (*name).to_owned(),
                AttributeValue::String((*fill).to_owned()),
            )
        });
        ResourceTypeChange::new(
            ResourceType::new("server", before).unwrap(),
            attributes(to),
            &fills.collect(),
        )
    }

    #[test]
    fn only_what_has_no_value_is_filled() {
        let check = |to: &[(&str, AttributeKind, bool)], filled: &[&str]| {
            let fills = [("new", "x"), ("optional", "y"), ("required", "z")];
            let change = change(to, &fills).unwrap();
            assert_eq!(change.fills().keys().collect::<Vec<_>>(), filled, "{to:?}");
        };
        check(&[("optional", TEXT, true)], &["optional"]);
        check(&[("optional", text_up_to(1), false)], &[]);
        check(&[("required", text_up_to(1), true)], &[]);
        check(&[("required", TEXT, false)], &[]);
        check(&[("new", TEXT, true)], &["new"]);
        check(&[("new", AttributeKind::Bool, false)], &["new"]);
    }

    #[test]
    fn what_must_be_there_needs_a_fill() {
        let check = |to: &[(&str, AttributeKind, bool)], missing: Option<&str>| {
            let expected = missing.map(|attribute| ResourceTypeChangeError::NoFill {
                attribute: attribute.to_owned(),
            });
            assert_eq!(change(to, &[]).err(), expected, "{to:?}");
        };
        check(&[("new", TEXT, true)], Some("new"));
        check(&[("new", TEXT, false)], None);
        check(&[("optional", TEXT, true)], Some("optional"));
        check(&[("required", text_up_to(1), true)], Some("required"));
        check(&[("required", TEXT, true)], None);
        check(&[("required", TEXT, false)], None);
    }

    #[test]
    fn what_goes_and_what_gets_shorter() {
        let change = change(&[("optional", text_up_to(5), false)], &[]).unwrap();
        assert_eq!(change.removed(), BTreeSet::from(["required"]));
        assert_eq!(change.shortened(), BTreeMap::from([("optional", 5)]));
        let longer = [("optional", text_up_to(256), false)];
        assert!(self::change(&longer, &[]).unwrap().shortened().is_empty());
    }

    #[test]
    fn what_is_refused() {
        let number = AttributeKind::Number {
            min: None,
            max: None,
        };
        let refused = change(&[("optional", number, false)], &[]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Type update is not available yet. Changing string to number for attribute optional of resource server"
        );
        let refused = change(&[("creator", number, false)], &[]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Invalid input: Resource attribute name creator is invalid"
        );
        let generic = |to: &[(&str, AttributeKind, bool)]| {
            ResourceTypeChange::new(ResourceType::generic(), attributes(to), &BTreeMap::new())
        };
        assert!(generic(&[]).is_ok());
        assert_eq!(
            generic(&[("new", number, false)]),
            Err(ResourceTypeChangeError::Generic)
        );
    }
}
