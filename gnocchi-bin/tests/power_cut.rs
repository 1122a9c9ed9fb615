//! What was acknowledged is there after the power failed, at whatever point in time.
//!
//! A server works while everything that it does to its files is recorded. Then directories are made as a power failure at many points in
//! time would have left them, with unsynchronized data lost or torn, and each is opened.
//!
//! `GNOCCHI_POWER_CUTS` sets how many, `GNOCCHI_POWER_CUT_SEED` repeats a run as far as chance is ours.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "support/power_cut.rs"]
mod power_cut;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use gnocchi_core::model::MetricId;
use gnocchi_core::query::MeasuresQuery;
use gnocchi_drivers::embedded::{EmbeddedConfig, Store, StoreConfig};
use power_cut::{Base, Record, recorder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::{Client, Server};

/// How many connections write at a time.
const WRITERS: usize = 3;

/// How long each life of the server lasts.
const LIFE: Duration = Duration::from_millis(2500);

const POINTS_PER_REQUEST: u64 = 5;
const FIRST_SECOND: u64 = 1_700_000_000;

/// Requests that were acknowledged: the place in the log when that was known, the metric, the number of the request.
type Acknowledged = Mutex<Vec<(usize, MetricId, u64)>>;

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number"))
    })
}

fn length(log: &Path) -> usize {
    usize::try_from(fs::metadata(log).unwrap().len()).unwrap()
}

fn seconds(request: u64) -> std::ops::Range<u64> {
    let first = FIRST_SECOND + request * POINTS_PER_REQUEST;
    first..first + POINTS_PER_REQUEST
}

async fn write(client: &Client, metric: MetricId, log: &Path, acknowledged: &Acknowledged) {
    let path = format!("/v1/metric/{metric}/measures");
    let first = acknowledged
        .lock()
        .unwrap()
        .iter()
        .filter(|(_, of, _)| *of == metric)
        .map(|(_, _, number)| number + 1)
        .max();
    // The request in hand when a server was killed may have been stored: it is not sent again under its number.
    for request in first.map_or(0, |first| first + 1).. {
        let measures: Vec<Value> = seconds(request)
            .map(|second| json!({"timestamp": second, "value": 1}))
            .collect();
        match client.post(&path, &json!(measures)).await {
            Ok((202, _)) => acknowledged
                .lock()
                .unwrap()
                .push((length(log), metric, request)),
            Ok((status, answer)) => panic!("{status} {answer}"),
            Err(_) => return,
        }
    }
}

/// Runs a server under the recorder until it is killed.
async fn live(
    recorder: &Path,
    log: &Path,
    data: &Path,
    metrics: &mut Vec<MetricId>,
    acknowledged: &Acknowledged,
) {
    let server = Server::start_under(&[recorder, log, data], data, &["--no-default-policies"]);
    let client = server.client();
    if metrics.is_empty() {
        let definition = json!([{"granularity": 1}, {"granularity": 60}]);
        let policy = json!({"name": "p", "aggregation_methods": ["count"], "definition": definition, "back_window": 1});
        client.create("/v1/archive_policy", &policy).await;
        for _ in 0..WRITERS {
            let metric = client
                .create("/v1/metric", &json!({"archive_policy_name": "p"}))
                .await;
            metrics.push(metric["id"].as_str().unwrap().parse().unwrap());
        }
    }
    tokio::time::timeout(LIFE, async {
        let writers = metrics
            .iter()
            .map(|metric| write(&client, *metric, log, acknowledged));
        futures::future::join_all(writers).await;
    })
    .await
    .ok();
    server.kill();
}

/// Returns the seconds that have a point, which must have exactly one.
async fn stored(store: &Store, metric: MetricId) -> BTreeSet<u64> {
    let Ok(metric) = store.metric(metric).await else {
        return BTreeSet::new();
    };
    let query = MeasuresQuery {
        method: "count".parse().unwrap(),
        granularity: Some(carbonara::Timespan::from_second(1).unwrap()),
        start: None,
        stop: None,
        resample: None,
    };
    let rows = store.measures(&metric, &query).await.unwrap().remove(0);
    assert!(
        rows.series
            .values()
            .iter()
            .all(|count| (*count - 1.0).abs() < 0.1)
    );
    let stamps = rows.series.timestamps_ns().iter();
    stamps
        .map(|stamp| u64::try_from(stamp / 1_000_000_000).unwrap())
        .collect()
}

async fn check(
    target: &Path,
    place: usize,
    metrics: &[MetricId],
    acknowledged: &[(usize, MetricId, u64)],
) -> usize {
    let config = StoreConfig::new(target);
    let config = StoreConfig {
        embedded: EmbeddedConfig {
            background_threads: std::num::NonZeroU16::MIN,
            ..config.embedded
        },
        ..config
    };
    let store = match Store::open(config).await {
        Ok(store) => store,
        Err(error) => panic!("the store is not opened: {error}: {error:?}"),
    };
    let mut found = 0;
    for metric in metrics {
        let seconds_stored = stored(&store, *metric).await;
        let due = acknowledged
            .iter()
            .filter(|(known, of, _)| *known <= place && of == metric);
        for (_, _, request) in due {
            assert!(
                seconds(*request).all(|second| seconds_stored.contains(&second)),
                "request {request} of metric {metric} was acknowledged and is lost"
            );
            found += 1;
        }
    }
    store.close().await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_power_failures() {
    let cuts = number_from_environment("GNOCCHI_POWER_CUTS").unwrap_or(40);
    let seed =
        number_from_environment("GNOCCHI_POWER_CUT_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("GNOCCHI_POWER_CUT_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    // In memory where that is possible: what counts is what the server asks for, not what a disk makes of it.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let root = folder.path().canonicalize().unwrap();
    let recorder = recorder(&root);
    let acknowledged = Acknowledged::default();
    let mut metrics = Vec::new();
    let mut found = 0;

    // The first life creates everything; the second one begins on what a power failure left of the first one.
    for life in 0..2 {
        let data = root.join(format!("data-{life}"));
        let log = root.join(format!("log-{life}"));
        let base = Base::of(&data);
        // What the first life was told is due at any point of the second one.
        for (place, _, _) in acknowledged.lock().unwrap().iter_mut() {
            *place = 0;
        }
        live(&recorder, &log, &data, &mut metrics, &acknowledged).await;
        let record = Record::read(&log, base);
        let known = acknowledged.lock().unwrap().clone();
        for cut in 0..cuts / 2 {
            // Some at the very end, where there is most to lose.
            let place = if cut % 4 == 0 {
                record.len()
            } else {
                chance.random_range(0..=record.len())
            };
            let target = root.join("cut");
            record.cut(place, &data, &target, &mut chance);
            found += check(&target, place, &metrics, &known).await;
            fs::remove_dir_all(&target).unwrap();
        }
        let next = root.join(format!("data-{}", life + 1));
        record.cut(record.len(), &data, &next, &mut chance);
    }
    eprintln!("{cuts} power failures, {found} acknowledged requests found again");
    assert!(
        found > 0,
        "nothing was acknowledged: the test tested nothing"
    );
}
