//! A client that asks for little, all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::support::Server;
use crate::world::World;

/// The pause between two requests, in which the machine belongs to the heavy one.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks for the health and for a few measures until it is stopped.
pub(crate) struct Light {
    served: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Light {
    pub(crate) fn start(server: &Server, world: &World) -> Self {
        let (count, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let measures = format!("/v1/metric/{}/measures", world.small);
        let client = server.client();
        let asking = tokio::spawn({
            let (count, stop) = (Arc::clone(&count), Arc::clone(&stop));
            async move {
                let mut waits = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let (status, text) = client.status_and_text("/healthcheck").await;
                    assert_eq!(status, 200, "{text}");
                    waits.push(began.elapsed());
                    let began = Instant::now();
                    client.get(&measures).await;
                    waits.push(began.elapsed());
                    count.fetch_add(2, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                waits
            }
        });
        Self {
            served: count,
            stop,
            asking,
        }
    }

    /// Returns how many requests were answered.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Stops, and returns how long each request took, sorted.
    pub(crate) async fn stop(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let mut waits = self.asking.await.unwrap();
        waits.sort_unstable();
        waits
    }
}
