//! The most expensive request of every operation stays within its budget, and leaves the server to the others.
//!
//! `table.rs` has the requests. A new route fails the first test until it has an entry. With `GNOCCHI_STRICT_LATENCY` in the environment,
//! as `make latency` sets it, the light client must also be served within a quarter of a second, which a loaded machine cannot promise.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod light;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use light::Light;
use support::{Server, write};
use table::{Heavy, heavy_requests};
use world::World;

/// How long a query may take here.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);

/// How much memory queries may hold here, in MiB.
const QUERY_MEMORY_MIB: u64 = 256;

/// How much memory the server may take beyond that, in MiB: caches, bodies, what is pending.
const OTHER_MEMORY_MIB: u64 = 700;

/// After how long a client that asks for little must have been served at least once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same on a machine that is busy.
const GENEROUS_PATIENCE: Duration = Duration::from_secs(30);

/// How long such a client may wait on an idle machine, for all but one percent of its requests.
const STRICT_PATIENCE: Duration = Duration::from_millis(250);

/// Says that the machine has nothing else to do.
const STRICT: &str = "GNOCCHI_STRICT_LATENCY";

/// Returns whether the machine has nothing else to do, so that times may be asserted.
fn is_strict() -> bool {
    std::env::var_os(STRICT).is_some()
}

/// Returns every operation of the description, as `GET /v1/metric/{id}`.
fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(gnocchi_server::api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut operations = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            if method != "parameters" {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    operations
}

#[test]
fn every_operation_has_an_expensive_request() {
    let described = operations();
    let asked: BTreeSet<String> = heavy_requests(&World::default())
        .into_iter()
        .map(|heavy| heavy.operation.to_owned())
        .collect();
    let missing: Vec<&String> = described.difference(&asked).collect();
    assert!(missing.is_empty(), "no entry in table.rs: {missing:?}");
    let unknown: Vec<&String> = asked.difference(&described).collect();
    assert!(unknown.is_empty(), "not described: {unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_takes_the_server_away_from_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let options = format!(
        "[api]\noperation_timeout = 60\nquery_timeout = {}\nquery_memory_bytes = {QUERY_MEMORY_MIB}M\n",
        QUERY_TIMEOUT.as_secs()
    );
    let file = write(directory.path(), "gnocchi.conf", &options);
    let server = Server::start(&directory.path().join("data"), &["--config-file", &file]);
    let world = World::create(&server).await;
    let before_mib = server.memory_kib("VmHWM") >> 10;

    let light = Light::start(&server, &world);
    for heavy in heavy_requests(&world) {
        check(&server, &light, &heavy).await;
    }
    let waits = light.stop().await;

    let peak_mib = server.memory_kib("VmHWM") >> 10;
    eprintln!(
        "{} light requests: median {:?}, p99 {:?}, longest {:?}; memory {before_mib} -> {peak_mib} MiB",
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        waits[waits.len() - 1],
    );
    assert!(
        peak_mib < before_mib + QUERY_MEMORY_MIB + OTHER_MEMORY_MIB,
        "{peak_mib} MiB"
    );
    if is_strict() {
        assert!(waits[waits.len() * 99 / 100] < STRICT_PATIENCE);
    }
    // What was sent is still being folded, which a graceful shutdown waits for.
    server.kill();
}

/// Sends a request, which must succeed or be refused by a limit, in time, while the light client goes on.
async fn check(server: &Server, light: &Light, heavy: &Heavy) {
    let before = light.served();
    let began = Instant::now();
    let (status, text) = heavy.send(&server.url).await;
    let took = began.elapsed();
    let meanwhile = light.served() - before;
    eprintln!(
        "{status} {:>6} ms, {meanwhile:>5} light requests meanwhile: {} {}",
        took.as_millis(),
        heavy.operation,
        heavy.what
    );
    let shown: String = text.chars().take(300).collect();
    match status {
        200..300 | 302 => {}
        400 | 404 | 409 | 413 | 414 | 422 => assert!(!text.is_empty(), "{}", heavy.operation),
        503 | 504 => assert!(text.contains("[api] "), "{}: {shown}", heavy.operation),
        _ => panic!("{} {}: {status} {shown}", heavy.operation, heavy.what),
    }
    if let Some(expected) = heavy.status {
        assert_eq!(status, expected, "{} {shown}", heavy.operation);
    }
    assert!(
        took < GENEROUS_PATIENCE || meanwhile > 0,
        "the light client was not served in {took:?}: {}",
        heavy.operation
    );
    // How long anything takes says as much about a busy machine as about the server.
    if is_strict() {
        assert!(
            took < QUERY_TIMEOUT * 3,
            "{} took {took:?}",
            heavy.operation
        );
        assert!(
            took < PATIENCE || meanwhile > 0,
            "the light client was not served in {took:?}: {}",
            heavy.operation
        );
    }
}
