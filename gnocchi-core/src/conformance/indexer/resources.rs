use std::collections::BTreeMap;

use carbonara::Timestamp;
use uuid::Uuid;

use super::support::{
    all, assert_matches, attached, create_policy, create_resource, every_kind, history, resource,
    second, unattached, values,
};
use crate::driver::{Indexer, MetricFilter, ResourceQuery};
use crate::error::IndexerError;
use crate::model::{
    Attribute, AttributeKind, AttributeValue, Change, GENERIC, MetricStatus, NewResource, Page,
    Resource, ResourceId, ResourceMetric, ResourceType, ResourceUpdate,
};

fn nanosecond(nanosecond: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanosecond).unwrap()
}

async fn read(indexer: &dyn Indexer, id: ResourceId) -> Resource {
    indexer
        .resources(GENERIC, &[id])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
}

/// Every part of a resource survives, values of every kind included.
pub async fn a_resource_comes_back_as_it_was_stored(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let numbers = [
        0.1 + 0.2,
        -0.0,
        1e-7,
        1e22,
        2.225_073_858_507_201e-308,
        f64::MAX,
        123_456_789.123_456_79,
    ];
    for (index, number) in numbers.into_iter().enumerate() {
        let new = NewResource {
            creator: (index > 0).then(|| "user:project".into()),
            original_resource_id: "✔ 'é' \"𝄞\"".into(),
            started_at: nanosecond(1_400_000_000_123_456_000),
            ended_at: (index > 1).then(|| nanosecond(1_500_000_000_000_001_000)),
            user_id: Some("user".into()),
            project_id: (index > 2).then(String::new),
            attributes: values(&[
                (
                    "string",
                    AttributeValue::String("NaN \\ \"é\" \u{1}".into()),
                ),
                ("number", AttributeValue::Number(number)),
                ("uuid", AttributeValue::Uuid(Uuid::from_u128(7))),
                ("bool", AttributeValue::Bool(index % 2 == 0)),
                (
                    "datetime",
                    AttributeValue::Datetime(nanosecond(9_000_000_000_000_001_000)),
                ),
            ]),
            ..resource("server")
        };
        let created = indexer.create_resource(&new, second(1000)).await.unwrap();
        let expected = Resource {
            id: new.id,
            resource_type: "server".into(),
            creator: new.creator,
            original_resource_id: new.original_resource_id,
            started_at: new.started_at,
            ended_at: new.ended_at,
            revision_start: second(1000),
            revision_end: None,
            revision: None,
            user_id: new.user_id,
            project_id: new.project_id,
            attributes: new.attributes,
            metrics: BTreeMap::new(),
        };
        assert_eq!(created, expected);
        assert_eq!(read(indexer, new.id).await, expected);
        assert_eq!(
            indexer.list_resources(&history(new.id)).await.unwrap(),
            [expected]
        );
    }
}

/// A resource has each attribute of its type, null when it was not given.
pub async fn attributes_without_value_are_null(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let mut new = resource("server");
    new.attributes = values(&[("bool", AttributeValue::Bool(false))]);
    new.attributes.insert("uuid".into(), None);
    let created = indexer.create_resource(&new, second(1000)).await.unwrap();
    let expected: BTreeMap<String, Option<AttributeValue>> =
        ["string", "number", "uuid", "bool", "datetime"]
            .into_iter()
            .map(|name| {
                (
                    name.to_owned(),
                    (name == "bool").then_some(AttributeValue::Bool(false)),
                )
            })
            .collect();
    assert_eq!(created.attributes, expected);
    assert_eq!(read(indexer, new.id).await, created);
}

/// Attributes may have any name that starts with a letter or a digit; sorting by them works.
pub async fn attribute_names_may_be_strange(indexer: &dyn Indexer) {
    let names = [
        "a-b", "2nd", "a.b", "a\"b", "a'b", "a\\b", "a$[0]", "a b", "aé𝄞", "a?", "select",
        "a\u{1}b",
    ];
    let attribute = Attribute {
        kind: AttributeKind::Number {
            min: None,
            max: None,
        },
        required: false,
    };
    let attributes: BTreeMap<String, Attribute> = names
        .iter()
        .map(|name| ((*name).into(), attribute))
        .collect();
    indexer
        .create_resource_type(&ResourceType::new("strange", attributes).unwrap())
        .await
        .unwrap();
    for name in names {
        let mut ids = Vec::new();
        for number in [2.0, 1.0] {
            let attributes = values(&[(name, AttributeValue::Number(number))]);
            let new = NewResource {
                attributes: attributes.clone(),
                ..resource("strange")
            };
            let created = indexer.create_resource(&new, second(1000)).await.unwrap();
            assert_eq!(created.attributes[name], attributes[name]);
            assert_eq!(read(indexer, new.id).await, created);
            ids.insert(0, new.id);
        }
        let page = Page {
            sort: vec![crate::model::SortKey::ascending(name)],
            ..Page::first(10)
        };
        let query = ResourceQuery {
            ids: Some(ids.clone()),
            page,
            ..all("strange")
        };
        let listed: Vec<ResourceId> = indexer
            .list_resources(&query)
            .await
            .unwrap()
            .iter()
            .map(|resource| resource.id)
            .collect();
        assert_eq!(listed, ids, "{name}");
    }
}

/// A resource is seen through its type and through the generic one, with its attributes, and through no other.
pub async fn resources_are_seen_through_their_type_and_the_generic_one(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    indexer
        .create_resource_type(&every_kind("network"))
        .await
        .unwrap();
    let plain = create_resource(indexer, GENERIC).await;
    let server = create_resource(indexer, "server").await;
    let ids = [server.id, ResourceId::random(), plain.id, server.id];
    let (server, plain) = (Some(server), Some(plain));
    let seen = async |resource_type: &str| indexer.resources(resource_type, &ids).await.unwrap();
    assert_eq!(
        seen(GENERIC).await,
        [server.clone(), None, plain.clone(), server.clone()]
    );
    assert_eq!(
        seen("server").await,
        [server.clone(), None, None, server.clone()]
    );
    assert_eq!(seen("network").await, [None, None, None, None]);
    assert_eq!(indexer.resources(GENERIC, &[]).await.unwrap(), []);
    let listed =
        async |resource_type: &str| indexer.list_resources(&all(resource_type)).await.unwrap();
    assert_eq!(listed("server").await, [server.unwrap()]);
    assert_eq!(listed("network").await, []);
    assert_eq!(listed(GENERIC).await.len(), 2);
}

/// The second resource of an id is refused, whatever its type.
pub async fn resource_ids_are_unique_across_types(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let first = create_resource(indexer, GENERIC).await;
    let second_one = NewResource {
        id: first.id,
        ..resource("server")
    };
    let refused = indexer.create_resource(&second_one, second(2000)).await;
    assert_matches!(refused, Err(IndexerError::ResourceExists { id }) if id == first.id);
    assert_eq!(read(indexer, first.id).await, first);
}

/// A resource is refused when its type is missing or it would end before it starts.
pub async fn a_resource_needs_its_type_and_a_possible_life(indexer: &dyn Indexer) {
    let refused = indexer
        .create_resource(&resource("server"), second(1000))
        .await;
    assert_matches!(refused, Err(IndexerError::NoSuchResourceType { name }) if name == "server");
    let new = NewResource {
        ended_at: Some(second(99)),
        ..resource(GENERIC)
    };
    let refused = indexer.create_resource(&new, second(1000)).await;
    assert_matches!(refused, Err(IndexerError::ResourceEndsBeforeStart { id }) if id == new.id);
    let new = NewResource {
        ended_at: Some(second(100)),
        ..new
    };
    indexer.create_resource(&new, second(1000)).await.unwrap();
    let update = ResourceUpdate {
        started_at: Change::Set(second(101)),
        ..Default::default()
    };
    let refused = indexer
        .update_resource(GENERIC, new.id, &update, second(2000))
        .await;
    assert_matches!(refused, Err(IndexerError::ResourceEndsBeforeStart { id }) if id == new.id);
    assert_eq!(
        indexer
            .list_resources(&history(new.id))
            .await
            .unwrap()
            .len(),
        1
    );
}

/// A changed property, of whatever kind, leaves the state before as a past revision.
pub async fn a_change_makes_a_revision(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let mut current = create_resource(indexer, "server").await;
    let any = ResourceUpdate::default;
    let number = values(&[("number", AttributeValue::Number(1.5))]);
    let updates = [
        ResourceUpdate {
            started_at: Change::Set(second(50)),
            ..any()
        },
        ResourceUpdate {
            ended_at: Change::Set(Some(second(500))),
            ..any()
        },
        ResourceUpdate {
            user_id: Change::Set(Some("user".into())),
            ..any()
        },
        ResourceUpdate {
            project_id: Change::Set(Some("project".into())),
            attributes: number,
            ..any()
        },
        ResourceUpdate {
            ended_at: Change::Set(None),
            user_id: Change::Set(None),
            ..any()
        },
        ResourceUpdate {
            attributes: BTreeMap::from([("number".into(), None)]),
            ..any()
        },
    ];
    for (index, update) in updates.iter().enumerate() {
        let now = second(2000 + i64::try_from(index).unwrap());
        let resource_type = if index % 2 == 0 { GENERIC } else { "server" };
        let after = indexer
            .update_resource(resource_type, current.id, update, now)
            .await
            .unwrap();
        let mut expected = Resource {
            revision_start: now,
            ..current.clone()
        };
        expected.apply(update);
        assert_eq!(after, expected);
        assert_eq!(read(indexer, current.id).await, expected);
        let past = indexer.list_resources(&history(current.id)).await.unwrap();
        assert_eq!(past.len(), index + 2, "{update:?}");
        let before = &past[index];
        assert_eq!(
            *before,
            Resource {
                revision: before.revision,
                revision_end: Some(now),
                ..current
            }
        );
        assert_matches!(before.revision, Some(1..));
        assert_eq!(past[index + 1], after);
        current = after;
    }
}

/// Setting what is there already changes nothing at all.
pub async fn an_update_without_effect_makes_no_revision(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let new = NewResource {
        attributes: values(&[("string", AttributeValue::String("x".into()))]),
        started_at: nanosecond(5_000_000_999),
        ..resource("server")
    };
    let created = indexer.create_resource(&new, second(1000)).await.unwrap();
    let mut attributes = values(&[("string", AttributeValue::String("x".into()))]);
    attributes.insert("number".into(), None);
    let same = ResourceUpdate {
        started_at: Change::Set(new.started_at),
        ended_at: Change::Set(None),
        user_id: Change::Set(None),
        attributes,
        ..Default::default()
    };
    for update in [same, ResourceUpdate::default()] {
        let updated = indexer
            .update_resource("server", new.id, &update, second(2000))
            .await
            .unwrap();
        assert_eq!(updated, created);
        assert_eq!(
            indexer.list_resources(&history(new.id)).await.unwrap(),
            std::slice::from_ref(&created)
        );
    }
}

/// A refused update leaves properties, metrics and history alone.
pub async fn an_update_is_all_or_nothing(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let created = create_resource(indexer, GENERIC).await;
    let metrics = [attached("low", created.id, "cpu")];
    indexer.create_metrics(&metrics, &[]).await.unwrap();
    let before = read(indexer, created.id).await;
    let described = unattached("none");
    let update = ResourceUpdate {
        user_id: Change::Set(Some("user".into())),
        metrics: Change::Set(BTreeMap::from([(
            "disk".to_owned(),
            ResourceMetric::New(described),
        )])),
        ..Default::default()
    };
    let refused = indexer
        .update_resource(GENERIC, created.id, &update, second(2000))
        .await;
    assert_matches!(refused, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "none");
    assert_eq!(
        indexer.list_resources(&history(created.id)).await.unwrap(),
        [before]
    );
}

/// What does not exist, or not in the type that is named, can't be changed.
pub async fn an_absent_resource_cannot_be_updated(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let created = create_resource(indexer, GENERIC).await;
    let update = ResourceUpdate {
        user_id: Change::Set(Some("user".into())),
        ..Default::default()
    };
    for (resource_type, wanted) in [("server", created.id), (GENERIC, ResourceId::random())] {
        let refused = indexer
            .update_resource(resource_type, wanted, &update, second(2000))
            .await;
        assert_matches!(refused, Err(IndexerError::NoSuchResource { id }) if id == wanted);
    }
    assert_eq!(read(indexer, created.id).await, created);
}

/// Without history only current revisions are listed; metrics of past ones are those of now.
pub async fn past_revisions_are_listed_on_request(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (first, other) = (
        create_resource(indexer, GENERIC).await,
        create_resource(indexer, GENERIC).await,
    );
    indexer
        .create_metrics(&[attached("low", first.id, "cpu")], &[])
        .await
        .unwrap();
    let update = ResourceUpdate {
        user_id: Change::Set(Some("user".into())),
        ..Default::default()
    };
    let updated = indexer
        .update_resource(GENERIC, first.id, &update, second(2000))
        .await
        .unwrap();
    assert_eq!(updated.metrics.len(), 1);
    let listed = async |history, ids: Option<Vec<ResourceId>>| {
        indexer
            .list_resources(&ResourceQuery {
                ids,
                history,
                ..all(GENERIC)
            })
            .await
            .unwrap()
    };
    let current = listed(false, None).await;
    assert_eq!(current, [other, updated.clone()]);
    assert_eq!(listed(true, None).await.len(), 3);
    let revisions = listed(true, Some(vec![first.id])).await;
    assert_eq!(revisions.len(), 2);
    assert_eq!(revisions[0].user_id, None);
    assert_eq!(revisions[0].metrics, updated.metrics);
    assert_eq!(revisions[1], updated);
    assert_eq!(listed(true, Some(Vec::new())).await, []);
}

/// Deleting removes history and marks metrics; each resource counts once.
pub async fn deleted_resources_leave_nothing(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (first, other) = (
        create_resource(indexer, GENERIC).await,
        create_resource(indexer, GENERIC).await,
    );
    let metrics = [
        attached("low", first.id, "cpu"),
        attached("low", other.id, "cpu"),
    ];
    indexer.create_metrics(&metrics, &[]).await.unwrap();
    let update = ResourceUpdate {
        user_id: Change::Set(Some("user".into())),
        ..Default::default()
    };
    indexer
        .update_resource(GENERIC, first.id, &update, second(2000))
        .await
        .unwrap();
    assert_eq!(
        indexer
            .delete_resources(&[first.id, ResourceId::random(), first.id])
            .await
            .unwrap(),
        1
    );
    assert_eq!(indexer.delete_resources(&[first.id]).await.unwrap(), 0);
    assert_eq!(indexer.delete_resources(&[]).await.unwrap(), 0);
    assert_eq!(
        indexer.resources(GENERIC, &[first.id]).await.unwrap(),
        [None]
    );
    assert_eq!(
        indexer.list_resources(&history(first.id)).await.unwrap(),
        []
    );
    assert_eq!(indexer.deleted_metrics(10).await.unwrap(), [metrics[0].id]);
    let deleted = MetricFilter {
        status: Some(MetricStatus::Deleted),
        ..Default::default()
    };
    assert_eq!(
        indexer
            .list_metrics(&deleted, &Page::first(10))
            .await
            .unwrap()[0]
            .resource_id,
        None
    );
    assert_eq!(read(indexer, other.id).await.metrics["cpu"], metrics[1].id);
    indexer
        .create_resource(
            &NewResource {
                id: first.id,
                ..resource(GENERIC)
            },
            second(3000),
        )
        .await
        .unwrap();
    assert_eq!(
        indexer
            .list_resources(&history(first.id))
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Nanoseconds are cut off.
pub async fn resources_have_microseconds(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let new = NewResource {
        started_at: nanosecond(1_999),
        ended_at: Some(nanosecond(1_001)),
        attributes: values(&[("datetime", AttributeValue::Datetime(nanosecond(5_999)))]),
        ..resource("server")
    };
    let created = indexer
        .create_resource(&new, nanosecond(7_999))
        .await
        .unwrap();
    assert_eq!(
        (created.started_at, created.ended_at),
        (nanosecond(1_000), Some(nanosecond(1_000)))
    );
    assert_eq!(created.revision_start, nanosecond(7_000));
    assert_eq!(
        created.attributes["datetime"],
        Some(AttributeValue::Datetime(nanosecond(5_000)))
    );
    assert_eq!(read(indexer, new.id).await, created);
    let update = ResourceUpdate {
        ended_at: Change::Set(Some(nanosecond(8_001))),
        ..Default::default()
    };
    let updated = indexer
        .update_resource(GENERIC, new.id, &update, nanosecond(9_001))
        .await
        .unwrap();
    assert_eq!(
        (updated.ended_at, updated.revision_start),
        (Some(nanosecond(8_000)), nanosecond(9_000))
    );
    assert_eq!(
        indexer.list_resources(&history(new.id)).await.unwrap()[0].revision_end,
        Some(nanosecond(9_000))
    );
}
