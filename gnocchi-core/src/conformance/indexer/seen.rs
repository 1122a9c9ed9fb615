use std::collections::BTreeMap;

use futures::future::join_all;

use super::support::{
    all, assert_matches, attached, create_policy, create_resource, resource, second, unattached,
};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{
    Change, GENERIC, Metric, MetricId, NewResource, Resource, ResourceId, ResourceMetric,
    ResourceUpdate, SeenResource,
};

async fn current(indexer: &dyn Indexer, id: ResourceId) -> Resource {
    let mut found = indexer.resources(GENERIC, &[id]).await.unwrap();
    found.remove(0).unwrap()
}

async fn patch(indexer: &dyn Indexer, id: ResourceId, user: &str) -> Resource {
    let update = ResourceUpdate {
        user_id: Change::Set(Some(user.into())),
        ..ResourceUpdate::default()
    };
    let patched = indexer.update_resource(GENERIC, id, &update, second(2000));
    patched.await.unwrap()
}

/// Makes a resource, and puts another one in its place that began at the same time: the state of the first one, and the second one.
async fn replaced(indexer: &dyn Indexer, other: NewResource) -> (SeenResource, Resource) {
    let first = NewResource {
        id: other.id,
        ..resource(GENERIC)
    };
    let first = indexer.create_resource(&first, second(1000)).await.unwrap();
    indexer.delete_resources(&[first.id]).await.unwrap();
    let other = indexer.create_resource(&other, second(1000)).await.unwrap();
    assert_eq!(other.revision_start, first.revision_start);
    (SeenResource::of(&first), other)
}

/// What was decided about a resource never reaches another one that has its id by then: neither changes, nor metrics, nor a deletion.
pub async fn a_resource_in_the_place_of_what_was_seen_is_left_alone(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let others = [
        NewResource {
            creator: Some("you".into()),
            ..resource(GENERIC)
        },
        NewResource {
            creator: None,
            ..resource(GENERIC)
        },
        NewResource {
            original_resource_id: "other".into(),
            ..resource(GENERIC)
        },
    ];
    for other in others {
        let (seen, other) = replaced(indexer, other).await;
        let id = other.id;
        let changes = [
            ResourceUpdate {
                project_id: Change::Set(Some("mine".into())),
                ..ResourceUpdate::default()
            },
            ResourceUpdate {
                metrics: Change::Set(BTreeMap::new()),
                ..ResourceUpdate::default()
            },
            ResourceUpdate {
                added_metrics: BTreeMap::from([(
                    "cpu".to_owned(),
                    ResourceMetric::New(unattached("low")),
                )]),
                ..ResourceUpdate::default()
            },
            ResourceUpdate::default(),
        ];
        for change in changes {
            let change = ResourceUpdate {
                seen: Some(seen.clone()),
                ..change
            };
            let refused = indexer
                .update_resource(GENERIC, id, &change, second(2000))
                .await;
            assert_matches!(refused, Err(IndexerError::RevisionChanged { id: named }) if named == id);
        }
        let refused = indexer
            .create_metrics(&[attached("low", id, "cpu")], std::slice::from_ref(&seen))
            .await;
        assert_matches!(refused, Err(IndexerError::RevisionChanged { id: named }) if named == id);
        assert_eq!(indexer.delete_seen_resources(&[seen]).await.unwrap(), []);
        assert_eq!(current(indexer, id).await, other);

        let seen = SeenResource::of(&other);
        let made = indexer
            .create_metrics(&[attached("low", id, "cpu")], std::slice::from_ref(&seen))
            .await
            .unwrap();
        assert_eq!(made[0].creator, other.creator);
        let deleted = indexer.delete_seen_resources(&[seen]).await.unwrap();
        assert_eq!(deleted, [id]);
    }
}

/// Metrics are created on a resource in the revision that was seen. What was seen of others does not matter.
pub async fn metrics_are_created_on_the_revision_that_was_seen(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let first = create_resource(indexer, GENERIC).await;
    let second = create_resource(indexer, GENERIC).await;
    let outdated = [&first, &second].map(SeenResource::of);
    patch(indexer, second.id, "other").await;
    let both = [
        attached("low", first.id, "cpu"),
        attached("low", second.id, "cpu"),
    ];
    let refused = indexer.create_metrics(&both, &outdated).await;
    assert_matches!(refused, Err(IndexerError::RevisionChanged { id }) if id == second.id);
    assert_eq!(current(indexer, first.id).await.metrics.len(), 0);
    indexer.create_metrics(&both[..1], &outdated).await.unwrap();
    indexer
        .create_metrics(&[unattached("low")], &outdated)
        .await
        .unwrap();
    indexer.create_metrics(&both[1..], &[]).await.unwrap();

    indexer.delete_resources(&[first.id]).await.unwrap();
    let gone = indexer
        .create_metrics(&[attached("low", first.id, "disk")], &outdated)
        .await;
    assert_matches!(gone, Err(IndexerError::NoSuchResource { id }) if id == first.id);
}

/// Of many resources those are deleted that are as they were seen; the others keep their metrics.
pub async fn only_resources_that_were_seen_are_deleted(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let created = create_resource(indexer, GENERIC).await;
        let metric = attached("low", created.id, "cpu");
        indexer.create_metrics(&[metric], &[]).await.unwrap();
        seen.push(SeenResource::of(&created));
    }
    let changed = patch(indexer, seen[1].id, "other").await;
    indexer.delete_resources(&[seen[2].id]).await.unwrap();
    let deleted = indexer.delete_seen_resources(&seen).await.unwrap();
    assert_eq!(deleted, [seen[0].id, seen[3].id]);
    assert_eq!(
        indexer.list_resources(&all(GENERIC)).await.unwrap(),
        [current(indexer, changed.id).await]
    );
    assert_eq!(current(indexer, changed.id).await.metrics.len(), 1);
    assert_eq!(indexer.counts().await.unwrap().metrics, 1);
    assert_eq!(indexer.delete_seen_resources(&seen).await.unwrap(), []);
    assert_eq!(indexer.delete_seen_resources(&[]).await.unwrap(), []);
}

/// Who attaches a metric may say from where: from a resource as it was seen, or from none.
pub async fn a_metric_is_taken_only_from_where_it_was_seen(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let holder = create_resource(indexer, GENERIC).await;
    let other = create_resource(indexer, GENERIC).await;
    let metric = attached("low", holder.id, "cpu");
    let metric = indexer.create_metrics(&[metric], &[]).await.unwrap()[0].id;
    let named = |from: Option<&Resource>| {
        let from = from.map(SeenResource::of);
        BTreeMap::from([("taken".to_owned(), ResourceMetric::ExistingOf(metric, from))])
    };
    let refused = async |from: Option<&Resource>, holder: &Resource| {
        let taker = NewResource {
            metrics: named(from),
            ..resource(GENERIC)
        };
        let created = indexer.create_resource(&taker, second(1000)).await;
        assert_matches!(created, Err(IndexerError::RevisionChanged { id }) if id == holder.id);
        for update in [
            ResourceUpdate {
                metrics: Change::Set(named(from)),
                ..ResourceUpdate::default()
            },
            ResourceUpdate {
                added_metrics: named(from),
                ..ResourceUpdate::default()
            },
        ] {
            let updated = indexer
                .update_resource(GENERIC, other.id, &update, second(1000))
                .await;
            assert_matches!(updated, Err(IndexerError::RevisionChanged { id }) if id == holder.id);
        }
        assert_eq!(holder_of(indexer, metric).await, Some(holder.id));
    };
    refused(None, &holder).await;
    refused(Some(&other), &holder).await;
    let changed = patch(indexer, holder.id, "other").await;
    refused(Some(&holder), &changed).await;

    let take = async |from: Option<&Resource>, taker: ResourceId| {
        let update = ResourceUpdate {
            added_metrics: named(from),
            ..ResourceUpdate::default()
        };
        let updated = indexer.update_resource(GENERIC, taker, &update, second(1000));
        updated.await.unwrap();
        assert_eq!(holder_of(indexer, metric).await, Some(taker));
    };
    take(Some(&changed), other.id).await;
    // It is attached already, so no resource loses it.
    take(None, other.id).await;
    // Neither when it was detached in the meantime.
    let detached = ResourceUpdate {
        metrics: Change::Set(BTreeMap::new()),
        ..ResourceUpdate::default()
    };
    indexer
        .update_resource(GENERIC, other.id, &detached, second(1000))
        .await
        .unwrap();
    take(Some(&other), holder.id).await;
}

async fn holder_of(indexer: &dyn Indexer, metric: MetricId) -> Option<ResourceId> {
    let found: Option<Metric> = indexer.metrics(&[metric]).await.unwrap().remove(0);
    found.unwrap().resource_id
}

/// While a resource is deleted and created again by another caller, a metric meant for the first one never lands on the second one.
pub async fn no_metric_reaches_a_resource_that_takes_the_place_of_another(indexer: &dyn Indexer) {
    const ROUNDS: usize = 8;
    create_policy(indexer, "low").await;
    for _ in 0..ROUNDS {
        let first = create_resource(indexer, GENERIC).await;
        let id = first.id;
        let seen = [SeenResource::of(&first)];
        let seen = seen.as_slice();
        let add = async |number: usize| {
            let metric = attached("low", id, &number.to_string());
            indexer.create_metrics(&[metric], seen).await.map(drop)
        };
        let replace = async {
            indexer.delete_resources(&[id]).await?;
            let second_one = NewResource {
                id,
                creator: Some("you".into()),
                ..resource(GENERIC)
            };
            indexer
                .create_resource(&second_one, second(1000))
                .await
                .map(drop)
        };
        let (replaced, added) = futures::join!(replace, join_all((0..16).map(add)));
        replaced.unwrap();
        for refused in added.into_iter().filter_map(Result::err) {
            assert_matches!(
                refused,
                IndexerError::RevisionChanged { .. } | IndexerError::NoSuchResource { .. }
            );
        }
        assert_eq!(current(indexer, id).await.metrics, BTreeMap::new());
    }
}
