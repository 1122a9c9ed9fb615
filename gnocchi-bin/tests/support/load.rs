//! Writers, a creator of resources and a reader that keep a server busy while its disk gets into trouble.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinHandle;

use super::creator::Creator;
use super::writers::{Outcome, Writer, check, prepare};
use super::{Client, Server};

/// Returns a number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

/// Makes the randomness of a test, which `GNOCCHI_DISK_SEED` repeats as far as it is ours.
pub(crate) fn chance() -> StdRng {
    let seed = number("GNOCCHI_DISK_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("GNOCCHI_DISK_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Waits for a random time.
pub(crate) async fn pause(chance: &mut StdRng, longest: Duration) {
    tokio::time::sleep(chance.random_range(Duration::ZERO..longest)).await;
}

/// Writers, a creator and a reader that work until they are told to stop, or until the server is gone.
pub(crate) struct Load {
    pub(crate) writers: Vec<Arc<Writer>>,
    pub(crate) creator: Creator,
    reads: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self {
            writers: Writer::several(),
            creator: Creator::default(),
            reads: Arc::default(),
            stop: Arc::default(),
            tasks: Vec::new(),
        }
    }

    pub(crate) async fn prepare(&self, client: &Client) {
        prepare(client, &self.writers).await;
        Creator::prepare(client).await;
    }

    pub(crate) fn start(&mut self, server: &Server) {
        self.stop = Arc::default();
        for writer in &self.writers {
            let (writer, client) = (Arc::clone(writer), server.client());
            let stop = Arc::clone(&self.stop);
            self.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed)
                    && let Some((status, answer)) = writer.write(&client).await
                {
                    assert!(matches!(status, 202 | 503 | 507), "{status} {answer}");
                }
            }));
        }
        let (creator, client, stop) = (
            self.creator.clone(),
            server.client(),
            Arc::clone(&self.stop),
        );
        self.tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed)
                && let Some(status) = creator.create(&client).await
            {
                assert!(matches!(status, 201 | 503 | 507), "{status}");
            }
        }));
    }

    /// Reads until the load stops: every read must succeed.
    pub(crate) fn start_reading(&mut self, server: &Server) {
        let (client, stop) = (server.client(), Arc::clone(&self.stop));
        let reads = Arc::clone(&self.reads);
        let resource = self.writers[0].resource.clone();
        self.tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let path = format!("/v1/resource/generic/{resource}/metric/shuffled/measures?granularity=3600&aggregation=count");
                client.get(&path).await;
                client.get("/v1/resource/server").await;
                reads.fetch_add(2, Ordering::Relaxed);
            }
        }));
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await;
    }

    pub(crate) async fn ended(&mut self) {
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    pub(crate) async fn check(&self, client: &Client) {
        for writer in &self.writers {
            check(client, writer).await;
        }
        self.creator.check(client).await;
    }

    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let writers = self.writers.iter();
        writers.map(|writer| writer.count(outcome)).sum()
    }

    /// Says in one line what happened.
    pub(crate) fn summary(&self) -> String {
        let created = |outcome| self.creator.count(outcome);
        format!(
            "{} requests acknowledged, {} refused; {} resources created, {} refused; {} reads",
            self.count(Outcome::Acknowledged),
            self.count(Outcome::Refused),
            created(Outcome::Acknowledged),
            created(Outcome::Refused),
            self.reads.load(Ordering::Relaxed)
        )
    }
}
