//! A disk that fails, and one that loses its power: nothing that was acknowledged is lost, and reads go on as long as they can.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use support::faulty_disk::{Fault, FaultyDisk, Survivors};
use support::load::{Load, chance, number, pause};
use support::writers::{Outcome, check_totals};
use support::{Server, Starting, program, run, texts, wait_for_health};

/// How often the disk of a test fails; `GNOCCHI_DISK_ROUNDS` changes it.
const FAILURES: u64 = 6;

/// How often the power fails; `GNOCCHI_POWER_CUTS` changes it.
const POWER_CUTS: u64 = 10;

/// The power fails at most this long after the start of a server.
const LIFE_MAX: Duration = Duration::from_millis(900);

/// How often the power fails while the store is created, and how long after the start at most.
const BIRTHS: u64 = 6;
const BIRTH_MAX: Duration = Duration::from_millis(400);

/// Starts a server on a faulty disk.
fn start(disk: &FaultyDisk) -> Server {
    spawn(disk).wait_until_it_listens()
}

fn spawn(disk: &FaultyDisk) -> Starting {
    let mut command = program(&["serve", "--host", "127.0.0.1", "--port", "0", "--noverbose"]);
    command.args(["--no-default-policies", "--data-dir"]);
    command.arg(disk.data());
    disk.attach(&mut command);
    Server::spawn_program(command)
}

/// Lets a disk fail in one way again and again while it is written to and read; then the power fails. Returns what health said.
async fn fail(disk: &FaultyDisk, fault: Fault) -> Vec<String> {
    let mut chance = chance();
    let rounds = number("GNOCCHI_DISK_ROUNDS").unwrap_or(FAILURES);
    let mut said = Vec::new();
    let mut load = Load::new();
    let mut server = start(disk);
    load.prepare(&server.client()).await;
    for round in 0..rounds {
        load.start(&server);
        load.start_reading(&server);
        pause(&mut chance, Duration::from_millis(400)).await;
        disk.set(fault);
        said.push(wait_for_health(&server.client(), 503).await);
        assert_eq!(
            server.client().status_and_text("/healthcheck/live").await.0,
            200
        );
        pause(&mut chance, Duration::from_millis(1500)).await;
        disk.set(Fault::None);
        wait_for_health(&server.client(), 200).await;
        pause(&mut chance, Duration::from_millis(400)).await;
        load.stop().await;
        if round % 3 == 2 {
            server.kill();
            disk.cut_power(Survivors::Flushed, &mut chance);
            server = start(disk);
        }
        load.check(&server.client()).await;
    }
    server.kill();
    disk.cut_power(Survivors::FlushedAndSome, &mut chance);
    let server = start(disk);
    load.check(&server.client()).await;
    server.stop();
    eprintln!("{fault:?}: {rounds} rounds, {}", load.summary());
    assert!(load.count(Outcome::Acknowledged) > 0 && load.count(Outcome::Refused) > 0);
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_that_failed_is_never_believed() {
    let test = "a_flush_that_failed_is_never_believed";
    let Some(disk) = FaultyDisk::new(test) else {
        return;
    };
    fail(&disk, Fault::Flush).await;
}

/// What is on the way to a slow disk is not acknowledged, and does not delay reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_delays_writes_only() {
    let Some(disk) = FaultyDisk::new("a_slow_disk_delays_writes_only") else {
        return;
    };
    let server = start(&disk);
    let client = server.client();
    let policy = json!({
        "name": "p", "aggregation_methods": ["count"], "back_window": 100,
        "definition": [{"granularity": 60, "timespan": 86400}],
    });
    client.create("/v1/archive_policy", &policy).await;
    let metric = client
        .create("/v1/metric", &json!({"archive_policy_name": "p"}))
        .await;
    let measures = format!("/v1/metric/{}/measures", metric["id"].as_str().unwrap());
    let read = format!("{measures}?aggregation=count");
    let points = |number: u64| json!([{"timestamp": 60 * number, "value": number}]);
    assert_eq!(client.send("POST", &measures, &points(0)).await.status, 202);

    disk.set(Fault::HeldFlush);
    let writes: Vec<_> = (1..20)
        .map(|number| {
            let (client, measures, body) = (server.client(), measures.clone(), points(number));
            tokio::spawn(async move { client.send("POST", &measures, &body).await.status })
        })
        .collect();
    // All of these end while the disk is held, and with them this test.
    for _ in 0..50 {
        for path in [read.as_str(), "/v1/metric", "/v1/status"] {
            client.get(path).await;
        }
        for path in ["/healthcheck/live", "/metrics"] {
            assert_eq!(client.status_and_text(path).await.0, 200, "{path}");
        }
    }
    assert!(
        writes.iter().all(|write| !write.is_finished()),
        "nothing is acknowledged that is not flushed"
    );
    disk.set(Fault::None);
    for write in writes {
        assert_eq!(write.await.unwrap(), 202);
    }
    let found = client.get(&read).await;
    assert_eq!(found.as_array().unwrap().len(), 20, "{found}");
    server.kill();
    let server = start(&disk);
    let found = server.client().get(&read).await;
    assert_eq!(found.as_array().unwrap().len(), 20, "{found}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_to_write_comes_back() {
    let test = "a_disk_that_fails_to_write_comes_back";
    let Some(disk) = FaultyDisk::new(test) else {
        return;
    };
    fail(&disk, Fault::Write).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_is_read_on() {
    let test = "a_read_only_disk_is_read_on";
    let Some(disk) = FaultyDisk::new(test) else {
        return;
    };
    let said = fail(&disk, Fault::ReadOnly).await;
    assert!(
        said.contains(&"read-only file system".to_owned()),
        "{said:?}"
    );
}

fn survivors(chance: &mut StdRng) -> Survivors {
    if chance.random() {
        Survivors::Flushed
    } else {
        Survivors::FlushedAndSome
    }
}

/// The power fails while a server starts.
async fn die_at_birth(disk: &FaultyDisk, chance: &mut StdRng) {
    let starting = spawn(disk);
    pause(chance, BIRTH_MAX).await;
    starting.kill();
    disk.cut_power(survivors(chance), chance);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_measures_survive_power_failures() {
    let test = "acknowledged_measures_survive_power_failures";
    let Some(disk) = FaultyDisk::new(test) else {
        return;
    };
    let mut chance = chance();
    let cuts = number("GNOCCHI_POWER_CUTS").unwrap_or(POWER_CUTS);
    // It fails while the store is created, too.
    for _ in 0..BIRTHS {
        die_at_birth(&disk, &mut chance).await;
    }
    let mut load = Load::new();
    let server = start(&disk);
    load.prepare(&server.client()).await;
    server.kill();
    disk.cut_power(Survivors::Flushed, &mut chance);
    for _ in 0..cuts {
        if chance.random_ratio(1, 4) {
            die_at_birth(&disk, &mut chance).await;
        }
        let server = start(&disk);
        for writer in &load.writers {
            check_totals(&server.client(), writer).await;
        }
        load.start(&server);
        pause(&mut chance, LIFE_MAX).await;
        server.kill();
        load.ended().await;
        disk.cut_power(survivors(&mut chance), &mut chance);
    }
    let server = start(&disk);
    load.check(&server.client()).await;
    server.stop();
    let data = disk.data();
    let verify = run(&["verify", "--data-dir", data.to_str().unwrap()]);
    assert!(verify.status.success(), "{:?}", texts(&verify));
    eprintln!("{cuts} power cuts, {}", load.summary());
    assert!(
        load.count(Outcome::Acknowledged) > 0,
        "nothing was acknowledged: the test tested nothing"
    );
}
