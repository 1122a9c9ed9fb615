//! What a call is about, as rules see it: texts by name.

use std::borrow::Cow;

use crate::model::parts_of_creator;
use crate::model::{AttributeValue, Metric, Resource, ResourceId};

/// What stands before the properties of the resource of a metric.
const OF_RESOURCE: &str = "resource.";

/// What a call is about.
pub trait Target {
    /// Returns a property, for example `creator` or `resource.project_id`; `None` when there is none, or it has no value.
    fn property(&self, name: &str) -> Option<Cow<'_, str>>;

    /// Returns whether there is such a property, but without a value.
    fn is_null(&self, name: &str) -> bool;

    /// Returns all properties that have a value.
    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)>;
}

/// A call that is about nothing in particular.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTarget;

impl Target for NoTarget {
    fn property(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn is_null(&self, _: &str) -> bool {
        false
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        Vec::new()
    }
}

/// Any names and texts.
impl Target for [(&str, &str)] {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| Cow::Borrowed(*value))
    }

    fn is_null(&self, _: &str) -> bool {
        false
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let borrowed = |(name, value): &(&'_ str, &'_ str)| {
            (
                Cow::from((*name).to_owned()),
                Cow::from((*value).to_owned()),
            )
        };
        self.iter().map(borrowed).collect()
    }
}

/// A metric that does not exist yet.
#[derive(Debug, Clone, Copy)]
pub struct NewMetricTarget<'a> {
    /// Who would make it.
    pub creator: Option<&'a str>,
    /// Its archive policy, if one is named.
    pub archive_policy_name: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its unit.
    pub unit: Option<&'a str>,
    /// Its resource.
    pub resource_id: Option<ResourceId>,
    /// The id of its resource as the caller wrote it.
    pub original_resource_id: Option<&'a str>,
}

/// The properties of metrics that do not exist yet.
const NEW_METRIC: [&str; 8] = [
    "archive_policy_name",
    "name",
    "unit",
    "resource_id",
    "original_resource_id",
    "creator",
    "created_by_user_id",
    "created_by_project_id",
];

impl Target for NewMetricTarget<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "archive_policy_name" => self.archive_policy_name.map(Cow::Borrowed),
            "name" => self.name.map(Cow::Borrowed),
            "unit" => self.unit.map(Cow::Borrowed),
            "resource_id" => self.resource_id.map(|id| id.to_string().into()),
            "original_resource_id" => self.original_resource_id.map(Cow::Borrowed),
            _ => created_by(self.creator, name),
        }
    }

    fn is_null(&self, name: &str) -> bool {
        NEW_METRIC.contains(&name) && self.property(name).is_none()
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        listed(self, NEW_METRIC)
    }
}

/// A metric, with its resource where the call needs it.
#[derive(Debug, Clone, Copy)]
pub struct MetricTarget<'a> {
    /// The metric.
    pub metric: &'a Metric,
    /// The resource of the metric.
    pub resource: Option<&'a Resource>,
}

/// The properties of metrics, without those of their resource.
const METRIC: [&str; 10] = [
    "id",
    "name",
    "unit",
    "resource_id",
    "archive_policy_name",
    "archive_policy.name",
    "archive_policy.back_window",
    "creator",
    "created_by_user_id",
    "created_by_project_id",
];

impl Target for MetricTarget<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        let metric = self.metric;
        match name {
            "id" => Some(metric.id.to_string().into()),
            "name" => metric.name.as_deref().map(Cow::Borrowed),
            "unit" => metric.unit.as_deref().map(Cow::Borrowed),
            "resource_id" => metric.resource_id.map(|id| id.to_string().into()),
            "archive_policy_name" | "archive_policy.name" => {
                Some(metric.archive_policy.name().into())
            }
            "archive_policy.back_window" => {
                Some(metric.archive_policy.back_window().to_string().into())
            }
            _ => match name.strip_prefix(OF_RESOURCE) {
                Some(property) => resource_property(self.resource?, property),
                None => created_by(metric.creator.as_deref(), name),
            },
        }
    }

    fn is_null(&self, name: &str) -> bool {
        match (name.strip_prefix(OF_RESOURCE), self.resource) {
            (Some(property), Some(resource)) => ResourceTarget(resource).is_null(property),
            (Some(_), None) => false,
            (None, _) => METRIC.contains(&name) && self.property(name).is_none(),
        }
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let mut properties = listed(self, METRIC);
        if let Some(resource) = self.resource {
            let own = resource_properties(resource).into_iter();
            properties
                .extend(own.map(|(name, value)| (format!("{OF_RESOURCE}{name}").into(), value)));
        }
        properties
    }
}

/// A resource.
#[derive(Debug, Clone, Copy)]
pub struct ResourceTarget<'a>(pub &'a Resource);

/// The properties that resources of all types have.
const RESOURCE: [&str; 9] = [
    "id",
    "type",
    "resource_type",
    "original_resource_id",
    "user_id",
    "project_id",
    "creator",
    "created_by_user_id",
    "created_by_project_id",
];

impl Target for ResourceTarget<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        resource_property(self.0, name)
    }

    fn is_null(&self, name: &str) -> bool {
        let known = RESOURCE.contains(&name) || self.0.attributes.contains_key(name);
        known && self.property(name).is_none()
    }

    fn properties(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        resource_properties(self.0)
    }
}

fn resource_properties(resource: &Resource) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let attributes = resource.attributes.keys().map(String::as_str);
    let names = RESOURCE.into_iter().chain(attributes);
    names
        .filter_map(|name| Some((name.into(), resource_property(resource, name)?)))
        .collect()
}

fn resource_property<'a>(resource: &'a Resource, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "id" => Some(resource.id.to_string().into()),
        "type" | "resource_type" => Some(resource.resource_type.as_str().into()),
        "original_resource_id" => Some(resource.original_resource_id.as_str().into()),
        "user_id" => resource.user_id.as_deref().map(Cow::Borrowed),
        "project_id" => resource.project_id.as_deref().map(Cow::Borrowed),
        "creator" | "created_by_user_id" | "created_by_project_id" => {
            created_by(resource.creator.as_deref(), name)
        }
        _ => resource.attributes.get(name)?.as_ref().map(attribute),
    }
}

/// Returns the properties of these names that have a value.
fn listed<'a, const N: usize>(
    target: &'a impl Target,
    names: [&'static str; N],
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    names
        .into_iter()
        .filter_map(|name| Some((name.into(), target.property(name)?)))
        .collect()
}

/// Returns the text that an attribute is compared by; truth is written as in rules, `True` or `False`.
pub(super) fn attribute(value: &AttributeValue) -> Cow<'_, str> {
    match value {
        AttributeValue::String(text) => text.into(),
        AttributeValue::Number(number) => format!("{number:?}").into(),
        AttributeValue::Uuid(uuid) => uuid.hyphenated().to_string().into(),
        AttributeValue::Bool(true) => "True".into(),
        AttributeValue::Bool(false) => "False".into(),
        AttributeValue::Datetime(timestamp) => format!("{}", timestamp.as_nanosecond()).into(),
    }
}

/// Returns the properties that follow from who made a thing.
fn created_by<'a>(creator: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let creator = creator?;
    let (user, project) = parts_of_creator(creator);
    match name {
        "creator" => Some(creator.into()),
        "created_by_user_id" => Some(user),
        "created_by_project_id" => Some(project.into()),
        _ => None,
    }
}
