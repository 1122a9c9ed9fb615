//! What the properties are about.

use std::collections::BTreeMap;

use carbonara::{Timespan, Timestamp};

use crate::driver::{Indexer, ResourceQuery};
use crate::model::{
    ArchivePolicy, Attribute, AttributeKind, AttributeValue, Definition, GENERIC, Metric,
    NewMetric, NewResource, Page, Resource, ResourceId, ResourceType, default_aggregation_methods,
};

/// A policy of one minute for an hour.
pub(super) fn policy(name: &str) -> ArchivePolicy {
    let minute = Timespan::from_second(60).unwrap();
    let definition = Definition::new(Some(minute), Some(60), None).unwrap();
    ArchivePolicy::new(name, 0, vec![definition], default_aggregation_methods()).unwrap()
}

pub(super) async fn create_policy(indexer: &dyn Indexer, name: &str) -> ArchivePolicy {
    let policy = policy(name);
    indexer.create_archive_policy(&policy).await.unwrap();
    policy
}

/// A metric without name and resource.
pub(super) fn unattached(policy_name: &str) -> NewMetric {
    NewMetric::new(Some("me".into()), policy_name, None, None, None).unwrap()
}

/// A metric of a resource.
pub(super) fn attached(policy_name: &str, resource: ResourceId, name: &str) -> NewMetric {
    NewMetric::new(
        Some("me".into()),
        policy_name,
        Some(name.into()),
        None,
        Some(resource),
    )
    .unwrap()
}

pub(super) async fn create_metric(indexer: &dyn Indexer, policy_name: &str) -> Metric {
    indexer
        .create_metrics(&[unattached(policy_name)], &[])
        .await
        .unwrap()
        .remove(0)
}

pub(super) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A resource without anything optional.
pub(super) fn resource(resource_type: &str) -> NewResource {
    NewResource {
        id: ResourceId::random(),
        resource_type: resource_type.into(),
        creator: Some("me".into()),
        original_resource_id: "original".into(),
        started_at: second(100),
        ended_at: None,
        user_id: None,
        project_id: None,
        attributes: BTreeMap::new(),
        metrics: BTreeMap::new(),
    }
}

pub(super) async fn create_resource(indexer: &dyn Indexer, resource_type: &str) -> Resource {
    indexer
        .create_resource(&resource(resource_type), second(1000))
        .await
        .unwrap()
}

/// A type with one optional attribute of each kind, called `string`, `number`, `uuid`, `bool` and `datetime`.
pub(super) fn every_kind(name: &str) -> ResourceType {
    let kinds = [
        (
            "string",
            AttributeKind::String {
                min_length: 0,
                max_length: 255,
            },
        ),
        (
            "number",
            AttributeKind::Number {
                min: None,
                max: None,
            },
        ),
        ("uuid", AttributeKind::Uuid),
        ("bool", AttributeKind::Bool),
        ("datetime", AttributeKind::Datetime),
    ];
    let attributes = kinds.map(|(name, kind)| {
        (
            name.to_owned(),
            Attribute {
                kind,
                required: false,
            },
        )
    });
    ResourceType::new(name, attributes.into()).unwrap()
}

pub(super) fn values(
    values: &[(&str, AttributeValue)],
) -> BTreeMap<String, Option<AttributeValue>> {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
        .collect()
}

/// Everything of a type in the default order.
pub(super) fn all(resource_type: &str) -> ResourceQuery {
    ResourceQuery {
        page: Page::first(1000),
        ..ResourceQuery::of_type(resource_type)
    }
}

pub(super) fn history(id: ResourceId) -> ResourceQuery {
    ResourceQuery {
        ids: Some(vec![id]),
        history: true,
        ..all(GENERIC)
    }
}

/// Fails with the value when it does not fit the pattern.
macro_rules! assert_matches {
    ($value:expr, $pattern:pat $(if $guard:expr)?) => {
        match $value {
            $pattern $(if $guard)? => {}
            other => panic!("{other:?} does not fit {}", stringify!($pattern $(if $guard)?)),
        }
    };
}
pub(super) use assert_matches;
