//! A disk without room: writes are refused and nothing else, and everything goes on by itself when there is room again.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::load::{Load, chance, number, pause};
use support::small_disk::SmallDisk;
use support::writers::Outcome;
use support::{Client, Server, program, run, texts, wait_for_health, whole};

/// How many points one request has that is to fill a disk.
const BULK_POINTS: u64 = 20_000;

/// How often the disk of the long test is filled; `GNOCCHI_DISK_ROUNDS` changes it.
const ROUNDS: u64 = 6;

async fn new_metric(client: &Client) -> String {
    let metric = client
        .create("/v1/metric", &json!({"archive_policy_name": "seconds"}))
        .await;
    metric["id"].as_str().unwrap().to_owned()
}

async fn create_policy(client: &Client) {
    let policy = json!({
        "name": "seconds", "aggregation_methods": ["count", "mean"], "back_window": 0,
        "definition": [{"granularity": 1}, {"granularity": 3600}]
    });
    client.create("/v1/archive_policy", &policy).await;
}

/// Makes points whose values cannot be compressed.
fn bulk(request: u64) -> Value {
    let mut chance = StdRng::seed_from_u64(request);
    (0..BULK_POINTS)
        .map(|index| json!({"timestamp": 1_700_000_000 + request * BULK_POINTS + index, "value": chance.random::<f64>()}))
        .collect()
}

async fn points_of(client: &Client, metric: &str) -> u64 {
    let path = format!("/v1/metric/{metric}/measures?aggregation=count&granularity=3600");
    let rows = client.get(&path).await;
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| whole(&row[2]))
        .sum()
}

/// Returns the sum of all series of a counter.
async fn counter(client: &Client, name: &str) -> u64 {
    let text = client.text("/metrics").await;
    text.lines()
        .filter(|line| line.starts_with(name))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(disk) = SmallDisk::mount("a_full_disk_refuses_writes_and_nothing_else", 12) else {
        return;
    };
    let log = disk.path().join("log");
    let server = Server::start(
        &disk.path().join("data"),
        &["--log-file", log.to_str().unwrap()],
    );
    let client = server.client();
    create_policy(&client).await;
    let (quiet, metric) = (new_metric(&client).await, new_metric(&client).await);
    let measures = |metric: &str| format!("/v1/metric/{metric}/measures");
    let one = json!([{"timestamp": 1_700_000_000, "value": 1}]);
    client.create(&measures(&quiet), &one).await;
    assert_eq!(client.status_and_text("/healthcheck").await.0, 200);

    let mut accepted = 0;
    let refused = loop {
        let response = client
            .send("POST", &measures(&metric), &bulk(accepted))
            .await;
        if response.status != 202 {
            break response;
        }
        accepted += 1;
        assert!(accepted < 1000, "the disk never becomes full");
    };
    assert_eq!(refused.status, 507, "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "10");
    assert!(
        refused.text.contains("disk of the server is full"),
        "{}",
        refused.text
    );

    // Not even folding has room now, so a part of what was accepted stays pending.
    disk.fill(0);
    for _ in 0..10 {
        let response = client
            .send("POST", &measures(&metric), &bulk(accepted))
            .await;
        assert_eq!(response.status, 507, "{}", response.text);
        assert_eq!(points_of(&client, &metric).await, accepted * BULK_POINTS);
        assert_eq!(points_of(&client, &quiet).await, 1);
    }
    client.get("/v1/metric").await;
    client.get("/v1/resource/generic").await;
    client.get("/v1/status").await;
    let created = client
        .send(
            "POST",
            "/v1/metric",
            &json!({"archive_policy_name": "seconds"}),
        )
        .await;
    assert_eq!(created.status, 507, "{}", created.text);
    assert_eq!(
        client.status_and_text("/healthcheck").await,
        (503, "disk full".to_owned())
    );
    assert_eq!(client.status_and_text("/healthcheck/live").await.0, 200);
    assert!(
        counter(
            &client,
            "gnocchi_writes_refused_total{reason=\"disk_full\"}"
        )
        .await
            >= 12
    );

    // Recovery must not depend on another write.
    disk.resize(64);
    wait_for_health(&client, 200).await;
    client
        .create(
            &measures(&metric),
            &json!([{"timestamp": 1_900_000_000, "value": 1}]),
        )
        .await;
    assert_eq!(
        points_of(&client, &metric).await,
        accepted * BULK_POINTS + 1
    );
    new_metric(&client).await;
    server.stop();
    let data = disk.path().join("data");
    let verify = run(&["verify", "--data-dir", data.to_str().unwrap()]);
    assert!(verify.status.success(), "{:?}", texts(&verify));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_make_room_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount("deletions_make_room_on_a_full_disk", 24) else {
        return;
    };
    let server = Server::start(&disk.path().join("data"), &[]);
    let client = server.client();
    create_policy(&client).await;
    let metric = new_metric(&client).await;
    let path = format!("/v1/metric/{metric}");
    let one = json!([{"timestamp": 1_700_000_000, "value": 1}]);
    // Three quarters of the reserve are left: too little for new data, enough to delete.
    disk.fill((24 << 20) / 10 * 3 / 4);
    wait_for_health(&client, 503).await;
    let refused = client.send("POST", &format!("{path}/measures"), &one).await;
    assert_eq!(refused.status, 507, "{}", refused.text);
    let deleted = client.send("DELETE", &path, &Value::Null).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let gone = client.send("GET", &path, &Value::Null).await;
    assert_eq!(gone.status, 404, "{}", gone.text);
    server.stop();
}

/// Writers and readers while the disk is filled and emptied at random moments, with nothing in reserve: every part of the store
/// meets the end of the disk in the middle of its work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_at_random_loses_and_repeats_nothing() {
    let test = "a_disk_that_fills_up_at_random_loses_and_repeats_nothing";
    let Some(disk) = SmallDisk::mount(test, 160) else {
        return;
    };
    let rounds = number("GNOCCHI_DISK_ROUNDS").unwrap_or(ROUNDS);
    let mut chance = chance();
    let data = disk.path().join("data");
    let start = || {
        let mut command = program(&["serve", "--host", "127.0.0.1", "--port", "0", "--noverbose"]);
        command.args(["--no-default-policies", "--data-dir"]);
        command
            .arg(&data)
            .env("GNOCCHI_STORAGE__DISK_RESERVE_BYTES", "0");
        Server::spawn_program(command).wait_until_it_listens()
    };
    let mut load = Load::new();
    let server = start();
    load.prepare(&server.client()).await;
    load.start(&server);
    load.start_reading(&server);
    for _ in 0..rounds {
        pause(&mut chance, Duration::from_millis(700)).await;
        let left_bytes = match chance.random_range(0..3) {
            0 => 0,
            1 => chance.random_range(0..64 << 10),
            _ => chance.random_range(0..1 << 20),
        };
        disk.fill(left_bytes);
        pause(&mut chance, Duration::from_millis(1500)).await;
        disk.empty();
        wait_for_health(&server.client(), 200).await;
    }
    load.stop().await;
    load.check(&server.client()).await;
    let failures = counter(&server.client(), "gnocchi_storage_failures_total").await;
    server.kill();
    // The same from what is on the disk.
    let server = start();
    load.check(&server.client()).await;
    server.stop();
    let verify = run(&["verify", "--data-dir", data.to_str().unwrap()]);
    assert!(verify.status.success(), "{:?}", texts(&verify));
    eprintln!(
        "{rounds} rounds, {}, {failures} failures of the engine",
        load.summary()
    );
    let count = |outcome| load.count(outcome);
    assert!(count(Outcome::Acknowledged) > 0 && count(Outcome::Refused) > 0 && failures > 0);
}
