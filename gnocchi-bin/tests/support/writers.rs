//! Writers that remember what became of each request, and the check that everything acknowledged is there once.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Client, whole};

/// How many connections write at a time.
const WRITERS: usize = 4;

/// How many points each request has for each of its two metrics.
const POINTS_PER_REQUEST: u64 = 7;

/// The moment of the first point: the beginning of an hour.
const FIRST_SECOND: u64 = 1_700_002_800;

/// The points of a shuffled metric arrive backwards in runs of this length.
const SHUFFLE: u64 = 64;

const GRANULARITIES: [u64; 3] = [1, 60, 3600];

/// One writer: a resource with a metric whose points arrive in order and one whose points don't, and what became of each request.
pub(crate) struct Writer {
    pub(crate) resource: String,
    requests: Mutex<Vec<Outcome>>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was no response: it may be stored or not.
    Unknown,
    /// It must be stored.
    Acknowledged,
    /// It must not be stored.
    Refused,
}

impl Writer {
    /// Makes so many writers, each with a resource of its own.
    pub(crate) fn several() -> Vec<Arc<Self>> {
        let writer = |number| {
            Arc::new(Self {
                resource: format!("writer-{number}"),
                requests: Mutex::default(),
            })
        };
        (0..WRITERS).map(writer).collect()
    }

    /// Writes until the server is gone.
    pub(crate) async fn write_until_it_fails(&self, client: &Client) {
        while let Some((status, answer)) = self.write(client).await {
            assert_eq!(status, 202, "{answer}");
        }
    }

    /// Sends the next request; returns the status and the body of the response, `None` when there is none.
    pub(crate) async fn write(&self, client: &Client) -> Option<(u16, Value)> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(Outcome::Unknown);
            requests.len() - 1
        };
        let (ordered, shuffled) = (measures(number, |index| index), measures(number, shuffled));
        let body = json!({ &self.resource: { "ordered": ordered, "shuffled": shuffled } });
        let (status, answer) = client
            .post("/v1/batch/resources/metrics/measures", &body)
            .await
            .ok()?;
        self.requests.lock().unwrap()[number] = match status {
            202 => Outcome::Acknowledged,
            _ => Outcome::Refused,
        };
        Some((status, answer))
    }

    /// Returns how many requests were sent.
    pub(crate) fn sent(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Returns how many requests had this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|found| **found == outcome).count()
    }

    pub(crate) fn acknowledged_points(&self) -> u64 {
        self.count(Outcome::Acknowledged) as u64 * POINTS_PER_REQUEST
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
pub(crate) async fn check(client: &Client, writer: &Writer) {
    let requests = writer.requests.lock().unwrap().clone();
    let places: [(&str, Place); 2] = [("ordered", |index| index), ("shuffled", shuffled)];
    let mut present_requests = Vec::new();
    for (metric, place) in places {
        let counts = aggregates(client, &writer.resource, metric, "count").await;
        let sums = aggregates(client, &writer.resource, metric, "sum").await;
        let empty = BTreeMap::new();
        let seconds: BTreeSet<u64> = counts.get(&1).unwrap_or(&empty).keys().copied().collect();
        let mut present = BTreeSet::new();
        for (number, outcome) in requests.iter().enumerate() {
            let found = indexes(number)
                .filter(|index| seconds.contains(&(FIRST_SECOND + place(*index))))
                .count() as u64;
            let context = format!(
                "request {number} of {} {metric}: {found} of {POINTS_PER_REQUEST} points",
                writer.resource
            );
            let is_right = match outcome {
                Outcome::Acknowledged => found == POINTS_PER_REQUEST,
                Outcome::Refused => found == 0,
                Outcome::Unknown => found == POINTS_PER_REQUEST || found == 0,
            };
            assert!(is_right, "{context}: {outcome:?}");
            if found > 0 {
                present.insert(number);
            }
        }
        assert_eq!(
            seconds.len() as u64,
            present.len() as u64 * POINTS_PER_REQUEST,
            "nothing is stored that was not sent"
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
pub(crate) async fn check_totals(client: &Client, writer: &Writer) {
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

pub(crate) async fn prepare(client: &Client, writers: &[Arc<Writer>]) {
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
