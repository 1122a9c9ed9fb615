use std::collections::BTreeSet;

use futures::future::join_all;

use super::support::{
    all, assert_matches, attached, create_metric, create_policy, create_resource, unattached,
};
use crate::driver::{Indexer, MetricFilter};
use crate::error::IndexerError;
use crate::model::{GENERIC, Metric, MetricId, MetricStatus, NewMetric, Page, ResourceId};

async fn listed(indexer: &dyn Indexer, filter: &MetricFilter) -> BTreeSet<MetricId> {
    let page = Page::first(100_000);
    indexer
        .list_metrics(filter, &page)
        .await
        .unwrap()
        .iter()
        .map(|metric| metric.id)
        .collect()
}

/// What is created is returned in order, complete, and can be read.
pub async fn metrics_are_created_in_order(indexer: &dyn Indexer) {
    let policy = create_policy(indexer, "low").await;
    let resource = create_resource(indexer, GENERIC).await;
    let described = [
        NewMetric::new(None, "low", Some("✔ é 𝄞".into()), Some("%".into()), None).unwrap(),
        attached("low", resource.id, "cpu"),
        NewMetric {
            creator: Some("user:project".into()),
            // None is created any more, but earlier versions did.
            name: Some(String::new()),
            unit: Some(String::new()),
            ..unattached("low")
        },
    ];
    let created = indexer.create_metrics(&described, &[]).await.unwrap();
    assert_eq!(created.len(), described.len());
    for (metric, described) in created.iter().zip(&described) {
        let expected = Metric {
            id: described.id,
            creator: described.creator.clone(),
            name: described.name.clone(),
            unit: described.unit.clone(),
            resource_id: described.resource_id,
            archive_policy: policy.clone().into(),
            status: MetricStatus::Active,
        };
        assert_eq!(*metric, expected);
        assert_eq!(
            indexer.metrics(&[metric.id]).await.unwrap(),
            [Some(expected)]
        );
    }
    assert_eq!(indexer.create_metrics(&[], &[]).await.unwrap(), []);
}

/// The answer has one place for each id asked, also for absent and for repeated ones.
pub async fn metrics_come_back_in_the_order_asked(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let first = create_metric(indexer, "low").await;
    let second = create_metric(indexer, "low").await;
    let asked = [second.id, MetricId::random(), first.id, second.id];
    let found = indexer.metrics(&asked).await.unwrap();
    assert_eq!(
        found,
        [Some(second.clone()), None, Some(first), Some(second)]
    );
    assert_eq!(indexer.metrics(&[]).await.unwrap(), []);
}

/// One bad metric keeps the others of its call away, and no others.
pub async fn creating_metrics_is_all_or_nothing(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let good = unattached("low");
    let batch = [good.clone(), unattached("none")];
    let neighbour = unattached("low");
    let neighbours = [neighbour.clone()];
    let (refused, created) = futures::join!(
        indexer.create_metrics(&batch, &[]),
        indexer.create_metrics(&neighbours, &[])
    );
    assert_matches!(refused, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "none");
    created.unwrap();
    assert_eq!(
        listed(indexer, &MetricFilter::default()).await,
        BTreeSet::from([neighbour.id])
    );
    indexer.create_metrics(&[good], &[]).await.unwrap();
}

/// What a metric refers to must exist.
pub async fn a_metric_needs_its_policy_and_its_resource(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let refused = indexer.create_metrics(&[unattached("Low")], &[]).await;
    assert_matches!(refused, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "Low");
    let absent = ResourceId::random();
    let refused = indexer
        .create_metrics(&[attached("low", absent, "cpu")], &[])
        .await;
    assert_matches!(refused, Err(IndexerError::NoSuchResource { id }) if id == absent);
    let resource = create_resource(indexer, GENERIC).await;
    let refused = indexer
        .create_metrics(
            &[
                attached("low", resource.id, "a"),
                attached("low", absent, "b"),
            ],
            &[],
        )
        .await;
    assert_matches!(refused, Err(IndexerError::NoSuchResource { id }) if id == absent);
    assert_eq!(
        listed(indexer, &MetricFilter::default()).await,
        BTreeSet::new()
    );
}

/// A name stands once on each resource; metrics without resource may share names.
pub async fn metric_names_are_unique_on_their_resource(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (resource, other) = (
        create_resource(indexer, GENERIC).await,
        create_resource(indexer, GENERIC).await,
    );
    indexer
        .create_metrics(
            &[
                attached("low", resource.id, "cpu"),
                attached("low", other.id, "cpu"),
            ],
            &[],
        )
        .await
        .unwrap();
    let refused = indexer
        .create_metrics(&[attached("low", resource.id, "cpu")], &[])
        .await;
    assert_matches!(refused, Err(IndexerError::NamedMetricExists { name }) if name == "cpu");
    let twins = [
        attached("low", resource.id, "disk"),
        attached("low", resource.id, "disk"),
    ];
    let refused = indexer.create_metrics(&twins, &[]).await;
    assert_matches!(refused, Err(IndexerError::NamedMetricExists { name }) if name == "disk");
    let free = || NewMetric::new(None, "low", Some("cpu".into()), None, None).unwrap();
    indexer
        .create_metrics(&[free(), free()], &[])
        .await
        .unwrap();
}

/// Case, accents and blanks count.
pub async fn metric_names_are_compared_exactly(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let resource = create_resource(indexer, GENERIC).await;
    let names = ["cpu", "Cpu", "cpú", "cpu ", "cpu\u{301}"];
    let described = names.map(|name| attached("low", resource.id, name));
    indexer.create_metrics(&described, &[]).await.unwrap();
    for (name, metric) in names.iter().zip(&described) {
        let filter = MetricFilter {
            name: Some((*name).into()),
            ..Default::default()
        };
        assert_eq!(
            listed(indexer, &filter).await,
            BTreeSet::from([metric.id]),
            "{name}"
        );
    }
}

/// The second metric of an id is refused and the first one stays; the id is free once a deleted metric is expunged.
pub async fn a_metric_id_is_taken_once(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let metric = create_metric(indexer, "low").await;
    let again = NewMetric {
        id: metric.id,
        ..unattached("low")
    };
    assert_matches!(
        indexer.create_metrics(std::slice::from_ref(&again), &[]).await,
        Err(IndexerError::MetricExists { id }) if id == metric.id
    );
    let twin = unattached("low");
    assert_matches!(
        indexer.create_metrics(&[twin.clone(), twin.clone()], &[]).await,
        Err(IndexerError::MetricExists { id }) if id == twin.id
    );
    assert_eq!(
        indexer.metrics(&[metric.id, twin.id]).await.unwrap(),
        [Some(metric.clone()), None]
    );
    indexer.delete_metrics(&[metric.id]).await.unwrap();
    let refused = indexer
        .create_metrics(std::slice::from_ref(&again), &[])
        .await;
    assert_matches!(refused, Err(IndexerError::MetricExists { id }) if id == metric.id);
    indexer.expunge_metrics(&[metric.id]).await.unwrap();
    indexer.create_metrics(&[again], &[]).await.unwrap();
}

/// Metrics are found by resource and name, in the order asked.
pub async fn named_metrics_are_found(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (one, two) = (
        create_resource(indexer, GENERIC).await.id,
        create_resource(indexer, GENERIC).await.id,
    );
    let names = ["a", "b", "'; --", "é \"quoted\" \\ 𝄞"];
    let described: Vec<NewMetric> = names
        .iter()
        .map(|name| attached("low", one, name))
        .collect();
    let mut created = indexer.create_metrics(&described, &[]).await.unwrap();
    created.extend(
        indexer
            .create_metrics(&[attached("low", two, "a")], &[])
            .await
            .unwrap(),
    );
    let asked: Vec<(ResourceId, String)> = created
        .iter()
        .rev()
        .map(|metric| (metric.resource_id.unwrap(), metric.name.clone().unwrap()))
        .collect();
    let found: Vec<Metric> = indexer
        .named_metrics(&asked)
        .await
        .unwrap()
        .into_iter()
        .map(Option::unwrap)
        .collect();
    assert!(found.iter().eq(created.iter().rev()), "{found:?}");

    indexer.delete_metrics(&[created[0].id]).await.unwrap();
    let asked = [
        (two, "b"),
        (one, "a"),
        (ResourceId::random(), "b"),
        (one, "b"),
        (one, "B"),
        (one, "b"),
    ];
    let found = indexer
        .named_metrics(&asked.map(|(id, name)| (id, name.to_owned())))
        .await
        .unwrap();
    let b = Some(created[1].clone());
    assert_eq!(found, [None, None, None, b.clone(), None, b]);
    assert_eq!(indexer.named_metrics(&[]).await.unwrap(), []);
}

/// A deleted metric is seen nowhere, its name can be used at once, and deleting it again changes nothing.
pub async fn a_deleted_metric_frees_its_name(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let resource = create_resource(indexer, GENERIC).await.id;
    let old = indexer
        .create_metrics(&[attached("low", resource, "cpu")], &[])
        .await
        .unwrap()
        .remove(0);
    indexer
        .delete_metrics(&[old.id, MetricId::random()])
        .await
        .unwrap();
    indexer.delete_metrics(&[old.id]).await.unwrap();
    assert_eq!(indexer.metrics(&[old.id]).await.unwrap(), [None]);
    assert_eq!(
        indexer.list_resources(&all(GENERIC)).await.unwrap()[0]
            .metrics
            .len(),
        0
    );
    let new = indexer
        .create_metrics(&[attached("low", resource, "cpu")], &[])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        indexer
            .named_metrics(&[(resource, "cpu".into())])
            .await
            .unwrap(),
        [Some(new.clone())]
    );
    assert_eq!(
        listed(indexer, &MetricFilter::default()).await,
        BTreeSet::from([new.id])
    );
    assert_eq!(indexer.deleted_metrics(10).await.unwrap(), [old.id]);
    let deleted = MetricFilter {
        status: Some(MetricStatus::Deleted),
        ..Default::default()
    };
    let found = indexer
        .list_metrics(&deleted, &Page::first(10))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        found,
        Metric {
            resource_id: None,
            status: MetricStatus::Deleted,
            ..old
        }
    );
}

/// Expunging forgets deleted metrics and leaves the others alone.
pub async fn only_deleted_metrics_are_expunged(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let mut deleted = BTreeSet::new();
    for _ in 0..5 {
        deleted.insert(create_metric(indexer, "low").await.id);
    }
    let active = create_metric(indexer, "low").await;
    let ids: Vec<MetricId> = deleted.iter().copied().collect();
    indexer.delete_metrics(&ids).await.unwrap();
    assert_eq!(indexer.deleted_metrics(0).await.unwrap(), []);
    assert_eq!(indexer.deleted_metrics(3).await.unwrap().len(), 3);
    assert_eq!(
        indexer
            .deleted_metrics(10)
            .await
            .unwrap()
            .into_iter()
            .collect::<BTreeSet<_>>(),
        deleted
    );
    indexer
        .expunge_metrics(&[ids[0], ids[1], active.id, MetricId::random()])
        .await
        .unwrap();
    indexer.expunge_metrics(&[ids[0]]).await.unwrap();
    let left: BTreeSet<MetricId> = indexer
        .deleted_metrics(10)
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(left, ids[2..].iter().copied().collect());
    assert_eq!(indexer.metrics(&[active.id]).await.unwrap(), [Some(active)]);
}

/// Every condition of a filter must fit.
pub async fn metrics_are_listed_by_filter(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    create_policy(indexer, "high").await;
    let resource = create_resource(indexer, GENERIC).await.id;
    let described =
        |creator: Option<&str>, policy: &str, name: &str, unit: Option<&str>, resource| {
            let (creator, unit) = (creator.map(Into::into), unit.map(Into::into));
            NewMetric::new(creator, policy, Some(name.into()), unit, resource).unwrap()
        };
    let metrics = [
        described(Some("me"), "low", "cpu", Some("%"), None),
        described(Some("me"), "high", "disk", Some("B"), Some(resource)),
        described(Some("you"), "low", "cpu", None, None),
        described(Some("me"), "low", "cpu", Some("%"), Some(resource)),
        described(None, "low", "net", None, None),
    ];
    indexer.create_metrics(&metrics, &[]).await.unwrap();
    let ids = vec![metrics[2].id, metrics[1].id, MetricId::random()];
    let creators = |creators: &[&str]| creators.iter().map(ToString::to_string).collect();
    let cases = [
        (with(|_| {}), &[0, 1, 2, 3, 4][..]),
        (with(|filter| filter.name = Some("cpu".into())), &[0, 2, 3]),
        (with(|filter| filter.unit = Some("%".into())), &[0, 3]),
        (
            with(|filter| filter.creators = creators(&["me"])),
            &[0, 1, 3],
        ),
        (
            with(|filter| filter.creators = creators(&["me", "me"])),
            &[0, 1, 3],
        ),
        (
            with(|filter| filter.creators = creators(&["me", "you"])),
            &[],
        ),
        (
            with(|filter| filter.archive_policy_name = Some("high".into())),
            &[1],
        ),
        (with(|filter| filter.resource_id = Some(resource)), &[1, 3]),
        (
            with(|filter| filter.resource_id = Some(ResourceId::random())),
            &[],
        ),
        (with(|filter| filter.ids = Some(ids)), &[1, 2]),
        (with(|filter| filter.ids = Some(Vec::new())), &[]),
        (
            with(|filter| filter.status = Some(MetricStatus::Active)),
            &[0, 1, 2, 3, 4],
        ),
        (
            with(|filter| filter.status = Some(MetricStatus::Deleted)),
            &[],
        ),
        (
            with(|filter| (filter.name, filter.resource_id) = (Some("cpu".into()), Some(resource))),
            &[3],
        ),
    ];
    for (filter, expected) in cases {
        let expected: BTreeSet<MetricId> =
            expected.iter().map(|index| metrics[*index].id).collect();
        assert_eq!(listed(indexer, &filter).await, expected, "{filter:?}");
    }
}

fn with(change: impl FnOnce(&mut MetricFilter)) -> MetricFilter {
    let mut filter = MetricFilter::default();
    change(&mut filter);
    filter
}

/// Large batches work in one call.
pub async fn ten_thousand_metrics_are_no_problem(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let resource = create_resource(indexer, GENERIC).await.id;
    let described: Vec<NewMetric> = (0..10_000)
        .map(|number| attached("low", resource, &format!("metric {number}")))
        .collect();
    assert_eq!(
        indexer.create_metrics(&described, &[]).await.unwrap().len(),
        described.len()
    );
    let ids: Vec<MetricId> = described.iter().map(|metric| metric.id).collect();
    let found = indexer.metrics(&ids).await.unwrap();
    assert!(
        found
            .iter()
            .zip(&ids)
            .all(|(metric, id)| metric.as_ref().is_some_and(|metric| metric.id == *id))
    );
    let filter = MetricFilter {
        ids: Some(ids.clone()),
        ..Default::default()
    };
    assert_eq!(listed(indexer, &filter).await.len(), ids.len());
    indexer.delete_metrics(&ids).await.unwrap();
    assert_eq!(
        indexer.deleted_metrics(20_000).await.unwrap().len(),
        ids.len()
    );
    indexer.expunge_metrics(&ids).await.unwrap();
    assert_eq!(indexer.deleted_metrics(20_000).await.unwrap(), []);
}

/// Calls at the same time don't disturb each other, whether they succeed or fail.
pub async fn many_callers_create_metrics_at_once(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let callers = (0..200).map(|number| async move {
        let policy = if number % 3 == 0 { "none" } else { "low" };
        let created = indexer.create_metrics(&[unattached(policy)], &[]).await;
        assert_eq!(created.is_ok(), policy == "low", "{created:?}");
        created.ok().map(|metrics| metrics[0].id)
    });
    let created: BTreeSet<MetricId> = join_all(callers).await.into_iter().flatten().collect();
    assert_eq!(created.len(), 133);
    assert_eq!(listed(indexer, &MetricFilter::default()).await, created);
}

/// Of many who want one name, one gets it and the others hear that it is taken.
pub async fn one_of_many_callers_gets_a_name(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let resource = create_resource(indexer, GENERIC).await.id;
    let callers = (0..20).map(|_| async {
        indexer
            .create_metrics(&[attached("low", resource, "cpu")], &[])
            .await
    });
    let (created, refused): (Vec<_>, Vec<_>) =
        join_all(callers).await.into_iter().partition(Result::is_ok);
    assert_eq!((created.len(), refused.len()), (1, 19));
    for refusal in refused {
        assert_matches!(refusal, Err(IndexerError::NamedMetricExists { name }) if name == "cpu");
    }
}
