//! What was acknowledged survives SIGKILL at any moment, and is counted once.
//!
//! `GNOCCHI_CRASH_KILLS` sets the number of kills, `GNOCCHI_CRASH_SEED` repeats a run as far as chance is ours.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::writers::{Writer, check, check_totals, prepare};
use support::{Server, run, texts};

/// The last kill comes at most this long after the start of its server.
const LIFE_MAX: Duration = Duration::from_millis(900);

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
    let writers = Writer::several();

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
    let sent: usize = writers.iter().map(|writer| writer.sent()).sum();
    eprintln!(
        "{kills} kills, {sent} requests, {acknowledged} points acknowledged for each kind of metric, all there once"
    );
    assert!(
        acknowledged > 0,
        "nothing was acknowledged: the test tested nothing"
    );
}
