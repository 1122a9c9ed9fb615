use std::collections::{BTreeMap, BTreeSet};

use super::support::{
    assert_matches, attached, create_policy, create_resource, history, resource, second, unattached,
};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{
    Change, GENERIC, MetricId, NewMetric, NewResource, ResourceId, ResourceMetric, ResourceUpdate,
};

type Metrics = BTreeMap<String, ResourceMetric>;

fn existing(metrics: &[(&str, MetricId)]) -> Metrics {
    metrics
        .iter()
        .map(|(name, id)| ((*name).to_owned(), ResourceMetric::Existing(*id)))
        .collect()
}

fn new(name: &str, metric: NewMetric) -> Metrics {
    BTreeMap::from([(name.to_owned(), ResourceMetric::New(metric))])
}

async fn metrics_of(indexer: &dyn Indexer, id: ResourceId) -> Vec<(String, MetricId)> {
    indexer
        .resources(GENERIC, &[id])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .metrics
        .into_iter()
        .collect()
}

async fn unattached_metrics<const N: usize>(indexer: &dyn Indexer) -> [MetricId; N] {
    let described: [NewMetric; N] = std::array::from_fn(|_| unattached("low"));
    indexer.create_metrics(&described, &[]).await.unwrap();
    described.map(|metric| metric.id)
}

/// Metrics are made and attached together with their resource, under the names given there.
pub async fn a_resource_is_created_with_its_metrics(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let other = create_resource(indexer, GENERIC).await.id;
    let moved = indexer
        .create_metrics(&[attached("low", other, "cpu")], &[])
        .await
        .unwrap()
        .remove(0);
    let described = unattached("low");
    let mut metrics = existing(&[("moved", moved.id)]);
    metrics.extend(new("made", described.clone()));
    let made = NewResource {
        metrics,
        ..resource(GENERIC)
    };
    let created = indexer.create_resource(&made, second(1000)).await.unwrap();
    let expected = [
        ("made".to_owned(), described.id),
        ("moved".to_owned(), moved.id),
    ];
    assert_eq!(created.metrics, BTreeMap::from(expected.clone()));
    assert_eq!(metrics_of(indexer, made.id).await, expected);
    assert_eq!(metrics_of(indexer, other).await, []);
    let found = indexer.metrics(&[described.id, moved.id]).await.unwrap();
    for metric in found.into_iter().flatten() {
        assert_eq!(metric.resource_id, Some(made.id));
    }
}

/// A metric that is absent, deleted or of another creator is not attached, and nothing else happens.
pub async fn foreign_metrics_cannot_be_attached(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let [deleted, good] = unattached_metrics(indexer).await;
    indexer.delete_metrics(&[deleted]).await.unwrap();
    let foreign = NewMetric {
        creator: Some("you".into()),
        ..unattached("low")
    };
    let unowned = NewMetric {
        creator: None,
        ..unattached("low")
    };
    indexer
        .create_metrics(&[foreign.clone(), unowned.clone()], &[])
        .await
        .unwrap();
    let kept = create_resource(indexer, GENERIC).await;
    for bad in [deleted, foreign.id, unowned.id, MetricId::random()] {
        let metrics = existing(&[("good", good), ("bad", bad)]);
        let refused = indexer
            .create_resource(
                &NewResource {
                    metrics: metrics.clone(),
                    ..resource(GENERIC)
                },
                second(1),
            )
            .await;
        assert_matches!(refused, Err(IndexerError::NoSuchMetric { id }) if id == bad);
        let update = ResourceUpdate {
            added_metrics: metrics,
            ..Default::default()
        };
        let refused = indexer
            .update_resource(GENERIC, kept.id, &update, second(2000))
            .await;
        assert_matches!(refused, Err(IndexerError::NoSuchMetric { id }) if id == bad);
    }
    assert_eq!(
        indexer
            .list_resources(&super::support::all(GENERIC))
            .await
            .unwrap(),
        [kept]
    );
    let metrics = existing(&[("unowned", unowned.id)]);
    let ownerless = NewResource {
        creator: None,
        metrics,
        ..resource(GENERIC)
    };
    indexer
        .create_resource(&ownerless, second(1000))
        .await
        .unwrap();
    assert_eq!(
        metrics_of(indexer, ownerless.id).await,
        [("unowned".to_owned(), unowned.id)]
    );
}

/// A new metric of a resource gets the creator of the resource, whichever caller adds it, and in whichever way.
pub async fn metrics_of_a_resource_have_its_creator(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let by_somebody_else = |name: &str| {
        let described = NewMetric {
            creator: Some("you".into()),
            name: Some(name.into()),
            ..unattached("low")
        };
        BTreeMap::from([(name.to_owned(), ResourceMetric::New(described))])
    };
    for creator in [Some("me".to_owned()), None] {
        let new = NewResource {
            creator: creator.clone(),
            metrics: by_somebody_else("a"),
            ..resource(GENERIC)
        };
        indexer.create_resource(&new, second(1)).await.unwrap();
        let added = ResourceUpdate {
            added_metrics: by_somebody_else("b"),
            ..ResourceUpdate::default()
        };
        let replaced = ResourceUpdate {
            metrics: Change::Set(by_somebody_else("c")),
            ..ResourceUpdate::default()
        };
        let mut made = Vec::new();
        for update in [added, replaced] {
            made.extend(metrics_of(indexer, new.id).await);
            let updated = indexer.update_resource(GENERIC, new.id, &update, second(2));
            updated.await.unwrap();
        }
        let alone = NewMetric {
            creator: Some("you".into()),
            ..attached("low", new.id, "d")
        };
        let free = NewMetric {
            creator: Some("you".into()),
            ..unattached("low")
        };
        let created = indexer.create_metrics(&[alone, free], &[]).await.unwrap();
        assert_eq!(created[0].creator, creator);
        assert_eq!(created[1].creator.as_deref(), Some("you"));
        made.extend(metrics_of(indexer, new.id).await);
        let ids: Vec<MetricId> = made.iter().map(|(_, id)| *id).collect();
        let found = indexer.metrics(&ids).await.unwrap();
        let names: BTreeSet<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, BTreeSet::from(["a", "b", "c", "d"]));
        for metric in found.into_iter().flatten() {
            assert_eq!(metric.creator, creator, "{:?}", metric.name);
        }
    }
}

/// A replacement keeps, renames, makes and detaches; detached metrics live on.
pub async fn an_update_replaces_metrics(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let id = create_resource(indexer, GENERIC).await.id;
    let described = ["a", "b", "c", "d"].map(|name| attached("low", id, name));
    indexer.create_metrics(&described, &[]).await.unwrap();
    let [a, b, c, d] = described.map(|metric| metric.id);
    let replace = async |metrics: Metrics| {
        let update = ResourceUpdate {
            metrics: Change::Set(metrics),
            ..Default::default()
        };
        let updated = indexer
            .update_resource(GENERIC, id, &update, second(2000))
            .await
            .unwrap();
        let metrics: Vec<(String, MetricId)> = updated.metrics.into_iter().collect();
        assert_eq!(metrics, metrics_of(indexer, id).await);
        metrics
    };
    // `a` and `b` swap their names, `c` stays, `d` makes room for a new metric of its name.
    let fresh = unattached("low");
    let mut metrics = existing(&[("a", b), ("b", a), ("c", c)]);
    metrics.extend(new("d", fresh.clone()));
    let expected =
        [("a", b), ("b", a), ("c", c), ("d", fresh.id)].map(|(name, id)| (name.to_owned(), id));
    assert_eq!(replace(metrics).await, expected);
    let detached = indexer.metrics(&[d]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (detached.resource_id, detached.name.as_deref()),
        (None, Some("d"))
    );
    assert_eq!(replace(Metrics::new()).await, []);
    assert!(
        indexer
            .metrics(&[a, b, c, fresh.id])
            .await
            .unwrap()
            .iter()
            .all(Option::is_some)
    );
    let keep = ResourceUpdate::default();
    indexer
        .create_metrics(&[attached("low", id, "e")], &[])
        .await
        .unwrap();
    let updated = indexer
        .update_resource(GENERIC, id, &keep, second(2000))
        .await
        .unwrap();
    assert_eq!(updated.metrics.len(), 1);
}

/// Added metrics come to those that are there, unless their name is taken.
pub async fn an_update_adds_metrics(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let id = create_resource(indexer, GENERIC).await.id;
    let cpu = attached("low", id, "cpu");
    indexer
        .create_metrics(std::slice::from_ref(&cpu), &[])
        .await
        .unwrap();
    let [disk] = unattached_metrics(indexer).await;
    let add = async |metrics: Metrics| {
        let update = ResourceUpdate {
            added_metrics: metrics,
            ..Default::default()
        };
        indexer
            .update_resource(GENERIC, id, &update, second(2000))
            .await
    };
    for metrics in [existing(&[("cpu", disk)]), new("cpu", unattached("low"))] {
        assert_matches!(add(metrics).await, Err(IndexerError::NamedMetricExists { name }) if name == "cpu");
    }
    let fresh = unattached("low");
    let mut metrics = existing(&[("disk", disk), ("cpu", cpu.id)]);
    metrics.extend(new("memory", fresh.clone()));
    add(metrics).await.unwrap();
    let expected = [("cpu", cpu.id), ("disk", disk), ("memory", fresh.id)]
        .map(|(name, id)| (name.to_owned(), id));
    assert_eq!(metrics_of(indexer, id).await, expected);
    add(Metrics::new()).await.unwrap();
    assert_eq!(metrics_of(indexer, id).await, expected);
}

/// Metrics are no property of a resource: changing them leaves its revision alone.
pub async fn metrics_alone_make_no_revision(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let created = create_resource(indexer, GENERIC).await;
    let [metric] = unattached_metrics(indexer).await;
    for metrics in [existing(&[("cpu", metric)]), Metrics::new()] {
        let update = ResourceUpdate {
            metrics: Change::Set(metrics),
            ..Default::default()
        };
        let updated = indexer
            .update_resource(GENERIC, created.id, &update, second(2000))
            .await
            .unwrap();
        assert_eq!(updated.revision_start, created.revision_start);
        assert_eq!(
            indexer.list_resources(&history(created.id)).await.unwrap(),
            [updated]
        );
    }
}

/// One metric has one name.
pub async fn a_metric_under_two_names_gets_the_last_one(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let [metric] = unattached_metrics(indexer).await;
    let metrics = existing(&[("a", metric), ("b", metric)]);
    let made = NewResource {
        metrics,
        ..resource(GENERIC)
    };
    let created = indexer.create_resource(&made, second(1000)).await.unwrap();
    assert_eq!(created.metrics, BTreeMap::from([("b".to_owned(), metric)]));
    assert_eq!(
        metrics_of(indexer, made.id).await,
        [("b".to_owned(), metric)]
    );
}
