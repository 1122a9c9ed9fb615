//! Targets that are put together for one call.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Target;
use super::target::attribute;
use crate::model::{
    ArchivePolicy, ArchivePolicyRule, Attribute, AttributeKind, AttributeValue, ResourceType,
};

/// Properties by name, each with or without a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties(BTreeMap<String, Option<String>>);

impl Properties {
    /// Starts without a property.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the properties of an archive policy.
    #[must_use]
    pub fn of_archive_policy(policy: &ArchivePolicy) -> Self {
        Self::new()
            .with("name", policy.name())
            .with("back_window", policy.back_window().to_string())
    }

    /// Returns the properties of an archive policy rule.
    #[must_use]
    pub fn of_archive_policy_rule(rule: &ArchivePolicyRule) -> Self {
        Self::new()
            .with("name", &rule.name)
            .with("archive_policy_name", &rule.archive_policy_name)
            .with("metric_pattern", &rule.metric_pattern)
    }

    /// Returns the properties of a resource type in a state, those of its attributes as `attributes.<name>.<property>`.
    #[must_use]
    pub fn of_resource_type(resource_type: &ResourceType, state: &str) -> Self {
        let named = Self::of_attributes(resource_type.attributes());
        named
            .with("name", resource_type.name())
            .with("state", state)
    }

    /// Returns the properties of the attributes of a resource type, as `attributes.<name>.<property>`.
    #[must_use]
    pub fn of_attributes(attributes: &BTreeMap<String, Attribute>) -> Self {
        let described = |mut all: Self, (name, attribute): (&String, &Attribute)| {
            let mut add = |property: &str, value: Option<String>| {
                let name = format!("attributes.{name}.{property}");
                all.0.insert(name, value);
            };
            add("required", Some(truth(attribute.required).to_owned()));
            let kind = match attribute.kind {
                AttributeKind::String {
                    min_length,
                    max_length,
                } => {
                    add("min_length", Some(min_length.to_string()));
                    add("max_length", Some(max_length.to_string()));
                    "string"
                }
                AttributeKind::Number { min, max } => {
                    add("min", min.map(|min| min.to_string()));
                    add("max", max.map(|max| max.to_string()));
                    "number"
                }
                AttributeKind::Uuid => "uuid",
                AttributeKind::Bool => "bool",
                AttributeKind::Datetime => "datetime",
            };
            add("type", Some(kind.to_owned()));
            all
        };
        attributes.iter().fold(Self::new(), described)
    }

    /// Adds a property.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.with_maybe(name, Some(value.into()))
    }

    /// Adds a property that may have no value.
    #[must_use]
    pub fn with_maybe(mut self, name: &str, value: Option<String>) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// Adds an attribute of a resource.
    #[must_use]
    pub fn with_attribute(self, name: &str, value: Option<&AttributeValue>) -> Self {
        self.with_maybe(name, value.map(|value| attribute(value).into_owned()))
    }
}

/// Truth as rules write it.
fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

impl Target for Properties {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name)?.as_deref().map(Cow::Borrowed)
    }

    fn is_null(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(None))
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let valued = self
            .0
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        valued
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_types_are_flattened() {
        let host = Attribute {
            kind: AttributeKind::Number {
                min: Some(1.into()),
                max: None,
            },
            required: true,
        };
        let attributes = BTreeMap::from([("host".to_owned(), host)]);
        let resource_type = ResourceType::new("t", attributes).unwrap();
        let target = Properties::of_resource_type(&resource_type, "active");
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(target.property(name).as_deref(), expected, "{name}");
        };
        check("name", Some("t"));
        check("state", Some("active"));
        check("attributes.host.type", Some("number"));
        check("attributes.host.required", Some("True"));
        check("attributes.host.min", Some("1"));
        check("attributes.host.max", None);
        assert!(target.is_null("attributes.host.max"));
        assert!(!target.is_null("attributes.host.length"));
        assert_eq!(target.properties().len(), 5);
    }
}
