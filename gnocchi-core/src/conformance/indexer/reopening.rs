use std::collections::BTreeSet;

use carbonara::Timestamp;
use futures::future::join_all;

use super::support::{
    attached, create_policy, create_resource, every_kind, history, resource, second, unattached,
    values,
};
use crate::driver::{Indexer, MetricWithEnd};
use crate::model::{
    AttributeValue, Change, GENERIC, Metric, MetricId, NewResource, Resource, ResourceId,
    ResourceUpdate,
};

/// When resources end in these properties.
const END: i64 = 500;

/// Makes a resource that ended, with two metrics.
async fn ended(indexer: &dyn Indexer, resource_type: &str) -> (ResourceId, Vec<Metric>) {
    let attributes = match resource_type {
        GENERIC => values(&[]),
        _ => values(&[("string", AttributeValue::String("a".into()))]),
    };
    let new = NewResource {
        ended_at: Some(second(END)),
        user_id: Some("user".into()),
        attributes,
        ..resource(resource_type)
    };
    let id = indexer
        .create_resource(&new, second(1000))
        .await
        .unwrap()
        .id;
    let metrics = [attached("low", id, "cpu"), attached("low", id, "memory")];
    (id, indexer.create_metrics(&metrics, &[]).await.unwrap())
}

async fn current(indexer: &dyn Indexer, id: ResourceId) -> Resource {
    let mut found = indexer.resources(GENERIC, &[id]).await.unwrap();
    found.remove(0).unwrap()
}

async fn end(indexer: &dyn Indexer, id: ResourceId, ended_at: i64) {
    let update = ResourceUpdate {
        ended_at: Change::Set(Some(second(ended_at))),
        ..ResourceUpdate::default()
    };
    indexer
        .update_resource(GENERIC, id, &update, second(1500))
        .await
        .unwrap();
}

/// Ended resources of many metrics are found with one call.
pub async fn metrics_come_with_the_end_of_their_resource(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (id, of_ended) = ended(indexer, GENERIC).await;
    let going_on = create_resource(indexer, GENERIC).await.id;
    let others = [attached("low", going_on, "cpu"), unattached("low")];
    let others = indexer.create_metrics(&others, &[]).await.unwrap();
    let deleted = indexer
        .create_metrics(&[unattached("low")], &[])
        .await
        .unwrap();
    indexer.delete_metrics(&[deleted[0].id]).await.unwrap();

    let with = |metric: &Metric, end: Option<i64>| {
        Some(MetricWithEnd {
            metric: metric.clone(),
            resource_ended_at: end.map(second),
        })
    };
    let ids = [
        of_ended[0].id,
        MetricId::random(),
        others[0].id,
        others[1].id,
        deleted[0].id,
        of_ended[1].id,
    ];
    let found = indexer.metrics_with_ends(&ids).await.unwrap();
    let expected = [
        with(&of_ended[0], Some(END)),
        None,
        with(&others[0], None),
        with(&others[1], None),
        None,
        with(&of_ended[1], Some(END)),
    ];
    assert_eq!(found, expected);
    end(indexer, id, 600).await;
    let found = indexer.metrics_with_ends(&ids[..1]).await.unwrap();
    assert_eq!(found, [with(&of_ended[0], Some(600))]);
    assert_eq!(indexer.metrics_with_ends(&[]).await.unwrap(), []);
}

/// A measure at the end or after it takes the end back, in a new revision; the past one keeps it.
pub async fn a_resource_that_is_measured_after_its_end_goes_on(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let server = every_kind("server");
    indexer.create_resource_type(&server).await.unwrap();
    for (resource_type, newest) in [(GENERIC, END), ("server", END + 1)] {
        let (id, metrics) = ended(indexer, resource_type).await;
        let before = current(indexer, id).await;
        // One of the two is enough, and it counts once.
        let measured = [
            (metrics[0].id, second(END - 1)),
            (metrics[1].id, second(newest)),
            (metrics[1].id, second(newest)),
        ];
        let reopened = indexer.reopen_resources(&measured, second(2000)).await;
        assert_eq!(reopened.unwrap(), [id]);
        let after = Resource {
            ended_at: None,
            revision_start: second(2000),
            ..before.clone()
        };
        assert_eq!(current(indexer, id).await, after);
        let revisions = indexer.list_resources(&history(id)).await.unwrap();
        assert_eq!(revisions.len(), 2, "{resource_type}");
        let past = Resource {
            revision: revisions[0].revision,
            revision_end: Some(second(2000)),
            ..before
        };
        assert_eq!(revisions, [past, after.clone()]);
        // Again it changes nothing.
        let again = indexer.reopen_resources(&measured, second(3000)).await;
        assert_eq!(again.unwrap(), []);
        assert_eq!(current(indexer, id).await, after);
    }
}

/// Older measures change nothing, nor do those of metrics that are gone or never had a resource.
pub async fn resources_that_are_not_measured_after_their_end_stay_as_they_are(
    indexer: &dyn Indexer,
) {
    create_policy(indexer, "low").await;
    let (id, metrics) = ended(indexer, GENERIC).await;
    let before = current(indexer, id).await;
    let unattached = indexer
        .create_metrics(&[unattached("low")], &[])
        .await
        .unwrap();
    indexer.delete_metrics(&[metrics[1].id]).await.unwrap();
    let just_before = Timestamp::from_nanosecond(second(END).as_nanosecond() - 1).unwrap();
    let measured = [
        (metrics[0].id, just_before),
        (metrics[1].id, second(END + 1)),
        (unattached[0].id, second(END + 1)),
        (MetricId::random(), second(END + 1)),
    ];
    let reopened = indexer.reopen_resources(&measured, second(2000)).await;
    assert_eq!(reopened.unwrap(), []);
    let nothing = indexer.reopen_resources(&[], second(2000)).await;
    assert_eq!(nothing.unwrap(), []);
    let after = current(indexer, id).await;
    assert_eq!(
        (after.ended_at, after.revision_start),
        (before.ended_at, before.revision_start)
    );
}

/// Of callers that measured a resource at the same time, one makes the revision.
pub async fn one_of_many_callers_reopens_a_resource(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (first, metrics) = ended(indexer, GENERIC).await;
    let (second_id, more) = ended(indexer, GENERIC).await;
    let measured = [(metrics[0].id, second(END)), (more[0].id, second(END))];
    let callers = (0..16).map(|_| indexer.reopen_resources(&measured, second(2000)));
    let reopened = join_all(callers).await.into_iter().flat_map(Result::unwrap);
    let mut reopened: Vec<ResourceId> = reopened.collect();
    reopened.sort_unstable();
    let both: Vec<ResourceId> = BTreeSet::from([first, second_id]).into_iter().collect();
    assert_eq!(reopened, both);
    for id in both {
        let revisions = indexer.list_resources(&history(id)).await.unwrap();
        assert_eq!(revisions.len(), 2);
    }
}

/// A concurrent change wins: an end that is later than the measures stays.
pub async fn a_resource_that_was_ended_again_stays_so(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let (id, metrics) = ended(indexer, GENERIC).await;
    let measured = [(metrics[0].id, second(END + 50))];
    end(indexer, id, END + 100).await;
    let reopened = indexer.reopen_resources(&measured, second(2000)).await;
    assert_eq!(reopened.unwrap(), []);
    assert_eq!(current(indexer, id).await.ended_at, Some(second(END + 100)));
    let measured = [(metrics[0].id, second(END + 100))];
    let reopened = indexer.reopen_resources(&measured, second(2000)).await;
    assert_eq!(reopened.unwrap(), [id]);
}
