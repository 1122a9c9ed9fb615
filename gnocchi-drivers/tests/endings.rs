//! Resources that are measured after their end go on: the same as over drivers in memory, in a directory.
#![cfg(feature = "embedded")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;

use carbonara::{Series, Timestamp};
use gnocchi_core::DefaultPolicies;
use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::model::{
    Change, GENERIC, Measures, NewMetric, NewResource, ResourceId, ResourceMetric, ResourceUpdate,
};
use gnocchi_drivers::embedded;
use tempfile::TempDir;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_reopen_a_resource_once() {
    let directory = TempDir::new().unwrap();
    let store = embedded::open(directory.path()).await.unwrap();
    store.upgrade(DefaultPolicies::Create).await.unwrap();
    let id = ResourceId::random();
    let metric = |number: usize| {
        let name = format!("metric {number}");
        let metric = NewMetric::new(None, "low", Some(name.clone()), None, Some(id));
        (name, ResourceMetric::New(metric.unwrap()))
    };
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
        metrics: (0..40).map(metric).collect(),
    };
    let resource = store.create_resource(&resource).await.unwrap();
    for round in 1..=5 {
        let second = round * 1000;
        let end = ResourceUpdate {
            ended_at: Change::Set(Some(at(second))),
            ..ResourceUpdate::default()
        };
        store.update_resource(GENERIC, id, &end).await.unwrap();
        let series = Series::from_points(vec![second * 1_000_000_000], vec![1.0]).unwrap();
        let measures = resource.metrics.values().map(|metric| Measures {
            metric: *metric,
            series: series.clone(),
        });
        store.append(measures.collect()).await.unwrap();
        let workers = (0..4).map(|_| {
            let store = store.gnocchi().clone();
            tokio::spawn(async move { store.process().await.unwrap() })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        let found = store.resource(GENERIC, id).await.unwrap();
        assert_eq!(found.ended_at, None, "round {round}");
    }
    let history = ResourceQuery {
        history: true,
        ..ResourceQuery::of_type(GENERIC)
    };
    let revisions = store.list_resources(&history).await.unwrap();
    assert_eq!(revisions.len(), 11);
    store.close().await;
}
