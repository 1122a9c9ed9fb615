//! What was acknowledged survives SIGKILL at any moment, and is counted once.
//!
//! `GNOCCHI_CRASH_KILLS` sets the number of kills, `GNOCCHI_CRASH_SEED` repeats a run as far as chance is ours.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::{Client, Server, run, texts, whole};

/// How many connections write at a time.
const WRITERS: usize = 4;

/// How many points each request has for each of its two metrics.
const POINTS_PER_REQUEST: u64 = 7;

/// The last kill comes at most this long after the start of its server.
const LIFE_MAX: Duration = Duration::from_millis(900);

/// The moment of the first point: the beginning of an hour.
const FIRST_SECOND: u64 = 1_700_002_800;

/// The points of a shuffled metric arrive backwards in runs of this length.
const SHUFFLE: u64 = 64;

const GRANULARITIES: [u64; 3] = [1, 60, 3600];

/// One writer: a resource with a metric whose points arrive in order and one whose points don't.
struct Writer {
    resource: String,
    /// Whether each request was acknowledged, by its number.
    requests: Mutex<Vec<bool>>,
}

impl Writer {
    async fn write_until_it_fails(&self, client: &Client) {
        loop {
            let number = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(false);
                requests.len() - 1
            };
            let (ordered, shuffled) = (measures(number, |index| index), measures(number, shuffled));
            let body = json!({ &self.resource: { "ordered": ordered, "shuffled": shuffled } });
            match client
                .post("/v1/batch/resources/metrics/measures", &body)
                .await
            {
                Ok((202, _)) => self.requests.lock().unwrap()[number] = true,
                Ok((status, answer)) => panic!("{status} {answer}"),
                Err(_) => return,
            }
        }
    }

    fn acknowledged_points(&self) -> u64 {
        let acknowledged = self
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|acknowledged| **acknowledged)
            .count();
        acknowledged as u64 * POINTS_PER_REQUEST
    }
}

/// Where a point of this index stands, in seconds after the first one.
type Place = fn(u64) -> u64;

fn indexes(request: usize) -> std::ops::Range<u64> {
    let first = request as u64 * POINTS_PER_REQUEST;
    first..first + POINTS_PER_REQUEST
}

/// Puts the points of each run in the opposite order.
fn shuffled(index: u64) -> u64 {
    index / SHUFFLE * SHUFFLE + (SHUFFLE - 1 - index % SHUFFLE)
}

fn value(second: u64) -> u64 {
    second % 1013
}

fn measures(request: usize, place: Place) -> Vec<Value> {
    indexes(request)
        .map(place)
        .map(|place| FIRST_SECOND + place)
        .map(|second| json!({"timestamp": second, "value": value(second)}))
        .collect()
}

/// Returns granularity -> timestamp -> value.
async fn aggregates(
    client: &Client,
    resource: &str,
    metric: &str,
    method: &str,
) -> BTreeMap<u64, BTreeMap<u64, u64>> {
    let path =
        format!("/v1/resource/generic/{resource}/metric/{metric}/measures?aggregation={method}");
    let answer = client.get(&path).await;
    let mut aggregates = BTreeMap::new();
    for row in answer.as_array().unwrap() {
        let timestamp: jiff::Timestamp = row[0].as_str().unwrap().parse().unwrap();
        let second = u64::try_from(timestamp.as_second()).unwrap();
        let rows: &mut BTreeMap<u64, u64> = aggregates.entry(whole(&row[1])).or_default();
        let twice = rows.insert(second, whole(&row[2]));
        assert_eq!(twice, None, "{resource} {metric} {method}: {row}");
    }
    aggregates
}

/// Checks one writer's metrics against what was acknowledged.
async fn check(client: &Client, writer: &Writer) {
    let requests = writer.requests.lock().unwrap().clone();
    let places: [(&str, Place); 2] = [("ordered", |index| index), ("shuffled", shuffled)];
    let mut present_requests = Vec::new();
    for (metric, place) in places {
        let counts = aggregates(client, &writer.resource, metric, "count").await;
        let sums = aggregates(client, &writer.resource, metric, "sum").await;
        let empty = BTreeMap::new();
        let seconds: BTreeSet<u64> = counts.get(&1).unwrap_or(&empty).keys().copied().collect();
        let mut present = BTreeSet::new();
        for (number, acknowledged) in requests.iter().enumerate() {
            let found = indexes(number)
                .filter(|index| seconds.contains(&(FIRST_SECOND + place(*index))))
                .count() as u64;
            let context = format!(
                "request {number} of {} {metric}: {found} of {POINTS_PER_REQUEST} points",
                writer.resource
            );
            assert!(
                found == POINTS_PER_REQUEST || (found == 0 && !acknowledged),
                "{context}, acknowledged: {acknowledged}"
            );
            if found > 0 {
                present.insert(number);
            }
        }
        assert_eq!(
            seconds.len() as u64,
            present.len() as u64 * POINTS_PER_REQUEST,
            "nothing is there that nobody sent"
        );
        // What every granularity must say, from the points that are there.
        for granularity in GRANULARITIES {
            let (mut expected_counts, mut expected_sums) = (BTreeMap::new(), BTreeMap::new());
            for second in &seconds {
                let bucket = second - second % granularity;
                *expected_counts.entry(bucket).or_insert(0) += 1;
                *expected_sums.entry(bucket).or_insert(0) += value(*second);
            }
            let context = format!("{} {metric} at {granularity} s", writer.resource);
            assert_eq!(
                counts.get(&granularity).unwrap_or(&empty),
                &expected_counts,
                "count of {context}"
            );
            assert_eq!(
                sums.get(&granularity).unwrap_or(&empty),
                &expected_sums,
                "sum of {context}"
            );
        }
        present_requests.push(present);
    }
    assert_eq!(
        present_requests[0], present_requests[1],
        "a request is all or nothing over its metrics"
    );
}

/// Checks cheaply that no acknowledged point is missing.
async fn check_totals(client: &Client, writer: &Writer) {
    let acknowledged = writer.acknowledged_points();
    for metric in ["ordered", "shuffled"] {
        let path = format!(
            "/v1/resource/generic/{}/metric/{metric}/measures?aggregation=count&granularity=3600",
            writer.resource
        );
        let answer = client.get(&path).await;
        let found: u64 = answer
            .as_array()
            .unwrap()
            .iter()
            .map(|row| whole(&row[2]))
            .sum();
        assert!(
            found >= acknowledged,
            "{} {metric}: {found} of {acknowledged} points",
            writer.resource
        );
    }
}

async fn prepare(client: &Client, writers: &[Arc<Writer>]) {
    let definition: Vec<Value> = GRANULARITIES
        .iter()
        .map(|granularity| json!({"granularity": granularity}))
        .collect();
    let policy = |name: &str, back_window: u32, methods: &[&str]| json!({"name": name, "back_window": back_window, "aggregation_methods": methods, "definition": definition});
    client
        .create(
            "/v1/archive_policy",
            &policy("ordered", 0, &["count", "sum"]),
        )
        .await;
    // The median makes every fold read the raw window back.
    client
        .create(
            "/v1/archive_policy",
            &policy("shuffled", 1, &["count", "sum", "median"]),
        )
        .await;
    for writer in writers {
        let metrics = json!({"ordered": {"archive_policy_name": "ordered"}, "shuffled": {"archive_policy_name": "shuffled"}});
        client
            .create(
                "/v1/resource/generic",
                &json!({"id": writer.resource, "metrics": metrics}),
            )
            .await;
    }
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_measures_survive_kill_9_and_count_once() {
    let kills = number_from_environment("GNOCCHI_CRASH_KILLS").unwrap_or(20);
    let seed =
        number_from_environment("GNOCCHI_CRASH_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("GNOCCHI_CRASH_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let writer = |number| {
        Arc::new(Writer {
            resource: format!("writer-{number}"),
            requests: Mutex::default(),
        })
    };
    let writers: Vec<Arc<Writer>> = (0..WRITERS).map(writer).collect();

    let first = Server::start(directory.path(), &["--no-default-policies"]);
    prepare(&first.client(), &writers).await;
    first.kill();
    for _ in 0..kills {
        // The clock of a life starts with the process: some are ended while they still repair what the one before left.
        let life = chance.random_range(Duration::ZERO..LIFE_MAX);
        let starting = Server::spawn(directory.path(), &["--no-default-policies"]);
        if life < LIFE_MAX / 10 {
            tokio::time::sleep(life).await;
            starting.kill();
            continue;
        }
        let server = starting.wait_until_it_listens();
        for writer in &writers {
            check_totals(&server.client(), writer).await;
        }
        let writing: Vec<_> = writers
            .iter()
            .map(|writer| {
                let (writer, client) = (Arc::clone(writer), server.client());
                tokio::spawn(async move { writer.write_until_it_fails(&client).await })
            })
            .collect();
        tokio::time::sleep(life).await;
        server.kill();
        for task in writing {
            task.await.unwrap();
        }
    }

    let server = Server::start(directory.path(), &["--no-default-policies"]);
    for writer in &writers {
        check(&server.client(), writer).await;
    }
    server.stop();
    // The same once more from what is stored alone: nothing is pending after a clean end.
    let server = Server::start(directory.path(), &["--no-default-policies"]);
    for writer in &writers {
        check(&server.client(), writer).await;
    }
    server.stop();
    let verify = run(&["verify", "--data-dir", directory.path().to_str().unwrap()]);
    assert!(verify.status.success(), "{:?}", texts(&verify));

    let acknowledged: u64 = writers
        .iter()
        .map(|writer| writer.acknowledged_points())
        .sum();
    let sent: usize = writers
        .iter()
        .map(|writer| writer.requests.lock().unwrap().len())
        .sum();
    eprintln!(
        "{kills} kills, {sent} requests, {acknowledged} points acknowledged for each kind of metric, all there once"
    );
    assert!(
        acknowledged > 0,
        "nothing was acknowledged: the test tested nothing"
    );
}
