//! What a call is about, as rules see it: texts by name.

use std::borrow::Cow;

use crate::model::{Metric, Resource};

/// What a call is about.
pub trait Target {
    /// Returns a property, for example `creator` or `resource.project_id`; `None` when there is none.
    fn property(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// A call that is about nothing in particular.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTarget;

impl Target for NoTarget {
    fn property(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Any names and texts.
impl Target for [(&str, &str)] {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| Cow::Borrowed(*value))
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
}

impl Target for NewMetricTarget<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "archive_policy_name" => self.archive_policy_name.map(Cow::Borrowed),
            "name" => self.name.map(Cow::Borrowed),
            "unit" => self.unit.map(Cow::Borrowed),
            _ => created_by(self.creator, name),
        }
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
            _ => match name.strip_prefix("resource.") {
                Some(property) => resource_property(self.resource?, property),
                None => created_by(metric.creator.as_deref(), name),
            },
        }
    }
}

/// A resource.
#[derive(Debug, Clone, Copy)]
pub struct ResourceTarget<'a>(pub &'a Resource);

impl Target for ResourceTarget<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        resource_property(self.0, name)
    }
}

fn resource_property<'a>(resource: &'a Resource, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "id" => Some(resource.id.to_string().into()),
        "type" | "resource_type" => Some(resource.resource_type.as_str().into()),
        "original_resource_id" => Some(resource.original_resource_id.as_str().into()),
        "user_id" => resource.user_id.as_deref().map(Cow::Borrowed),
        "project_id" => resource.project_id.as_deref().map(Cow::Borrowed),
        _ => created_by(resource.creator.as_deref(), name),
    }
}

/// Returns the properties that follow from who made a thing.
fn created_by<'a>(creator: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let creator = creator?;
    let (user, project) = creator.split_once(':').unwrap_or((creator, ""));
    match name {
        "creator" => Some(creator.into()),
        "created_by_user_id" => Some(user.into()),
        "created_by_project_id" => Some(project.into()),
        _ => None,
    }
}
