//! Resources that are measured after their end go on, once, whatever happens at the same time.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails where it must not has failed the test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use carbonara::{Series, Timespan, Timestamp};
use gnocchi_core::clock::SystemClock;
use gnocchi_core::conformance::fault::{Fault, FaultPlan, FaultyStorage};
use gnocchi_core::driver::{BacklogDetails, ResourceQuery};
use gnocchi_core::memory::{self, MemoryCoordinator, MemoryStorage};
use gnocchi_core::model::{
    ArchivePolicy, Change, Definition, GENERIC, Measures, MetricId, NewMetric, NewResource, Page,
    Resource, ResourceId, ResourceMetric, ResourceUpdate, SortKey,
};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Makes a resource whose metrics lie in many sacks.
async fn prepare(store: &Gnocchi, metrics: usize) -> Resource {
    store.upgrade(DefaultPolicies::Skip).await.unwrap();
    let minute = Definition::new(Some(Timespan::from_second(60).unwrap()), None, None).unwrap();
    let methods = vec!["mean".parse().unwrap()];
    let policy = ArchivePolicy::new("policy", 0, vec![minute], methods).unwrap();
    store.create_archive_policy(&policy).await.unwrap();
    let id = ResourceId::random();
    let metrics: BTreeMap<String, ResourceMetric> = (0..metrics)
        .map(|number| {
            let name = format!("metric {number}");
            let metric = NewMetric::new(None, "policy", Some(name.clone()), None, Some(id));
            (name, ResourceMetric::New(metric.unwrap()))
        })
        .collect();
    let resource = NewResource {
        id,
        resource_type: GENERIC.to_owned(),
        creator: None,
        original_resource_id: id.to_string(),
        started_at: at(0),
        ended_at: None,
        user_id: None,
        project_id: None,
        attributes: BTreeMap::new(),
        metrics,
    };
    store.create_resource(&resource).await.unwrap()
}

async fn end(store: &Gnocchi, id: ResourceId, second: i64) {
    let update = ResourceUpdate {
        ended_at: Change::Set(Some(at(second))),
        ..ResourceUpdate::default()
    };
    store.update_resource(GENERIC, id, &update).await.unwrap();
}

async fn measure(store: &Gnocchi, metrics: impl Iterator<Item = &MetricId>, second: i64) {
    let series = Series::from_points(vec![second * 1_000_000_000], vec![1.0]).unwrap();
    let measures = metrics.map(|metric| Measures {
        metric: *metric,
        series: series.clone(),
    });
    store.append(measures.collect()).await.unwrap();
}

async fn ended_at(store: &Gnocchi, id: ResourceId) -> Option<Timestamp> {
    store.resource(GENERIC, id).await.unwrap().ended_at
}

/// Returns all revisions, the oldest first.
async fn revisions(store: &Gnocchi, id: ResourceId) -> Vec<Resource> {
    let query = ResourceQuery {
        ids: Some(vec![id]),
        history: true,
        page: Page {
            sort: vec![SortKey::ascending("revision_start")],
            ..Page::first(usize::MAX)
        },
        ..ResourceQuery::of_type(GENERIC)
    };
    store.list_resources(&query).await.unwrap()
}

#[tokio::test]
async fn a_crash_before_the_commit_takes_no_end_back_twice() {
    let commits = FaultPlan::default();
    let mut drivers = Drivers {
        storage: Arc::new(FaultyStorage::new(
            Arc::new(MemoryStorage::new()),
            commits.clone(),
        )),
        ..memory::drivers()
    };
    let store = Gnocchi::new(drivers.clone(), Settings::default());
    let resource = prepare(&store, 1).await;
    end(&store, resource.id, 1000).await;
    measure(&store, resource.metrics.values(), 1000).await;
    for fault in [Fault::Before, Fault::After] {
        commits.plan([fault]);
        store.process().await.unwrap_err();
        assert_eq!(ended_at(&store, resource.id).await, None);
    }
    // Another process takes the sacks over, and finds nothing to do for the resource.
    drivers.coordinator = Arc::new(MemoryCoordinator::with_first_fence(1000));
    let store = Gnocchi::new(drivers, Settings::default());
    store.process().await.unwrap();
    let backlog = store.backlog(BacklogDetails::Summary).await.unwrap();
    assert_eq!(backlog.points, 0);
    assert_eq!(ended_at(&store, resource.id).await, None);
    assert_eq!(revisions(&store, resource.id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_and_updates_make_one_revision_of_each_change() {
    const ROUNDS: i64 = 20;
    let drivers = Drivers {
        clock: Arc::new(SystemClock),
        ..memory::drivers()
    };
    let store = Gnocchi::new(drivers, Settings::default());
    let resource = prepare(&store, 40).await;
    let id = resource.id;
    for round in 1..=ROUNDS {
        end(&store, id, round * 1000).await;
        measure(&store, resource.metrics.values(), round * 1000).await;
        let workers = (0..4).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.process().await.unwrap() })
        });
        let workers: Vec<_> = workers.collect();
        for user in 0..4 {
            let update = ResourceUpdate {
                user_id: Change::Set(Some(format!("user {round} {user}"))),
                ..ResourceUpdate::default()
            };
            store.update_resource(GENERIC, id, &update).await.unwrap();
        }
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(ended_at(&store, id).await, None, "round {round}");
    }
    let revisions = revisions(&store, id).await;
    let pairs = revisions.iter().zip(&revisions[1..]);
    for (earlier, later) in pairs.clone() {
        assert_eq!(earlier.revision_end, Some(later.revision_start));
        assert!(earlier.revision_start < later.revision_start);
    }
    let reopened =
        pairs.filter(|(earlier, later)| earlier.ended_at.is_some() && later.ended_at.is_none());
    assert_eq!(i64::try_from(reopened.count()), Ok(ROUNDS));
    // The first one, and each end, each user and each reopening.
    assert_eq!(i64::try_from(revisions.len()), Ok(1 + ROUNDS * 6));
}
