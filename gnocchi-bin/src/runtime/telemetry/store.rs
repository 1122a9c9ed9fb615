//! Figures of the store that are looked up when monitoring asks: how much it holds, and how much room is left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gnocchi_core::Gnocchi;
use gnocchi_core::budget::QueryLimits;
use gnocchi_drivers::disk::Space;
use metrics::gauge;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::api::Collector;
use crate::causes::with_causes;

/// How old counts of metrics and resources may become.
const COUNTS_AGE_MAX: Duration = Duration::from_mins(1);

/// How many times as old as it took to count they may become, so that counting takes one percent of the time at most.
const COUNTS_AGE_FACTOR: u32 = 100;

/// How long the first request waits for the first counts.
const FIRST_COUNTS_MAX: Duration = Duration::from_secs(2);

const METRICS: &str = "gnocchi_metrics";
const RESOURCES: &str = "gnocchi_resources";
const FREE: &str = "gnocchi_data_directory_free_bytes";
const SIZE: &str = "gnocchi_data_directory_size_bytes";

/// Looks up figures of a store.
#[derive(Debug)]
pub(in crate::runtime) struct StoreCollector {
    gnocchi: Gnocchi,
    data_dir: PathBuf,
    /// When there was counted last; `None` before the first time. Held while counting.
    counted: Arc<Mutex<Option<Counted>>>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    at: Instant,
    took: Duration,
}

impl Counted {
    fn is_old(self) -> bool {
        self.at.elapsed() > COUNTS_AGE_MAX.max(self.took * COUNTS_AGE_FACTOR)
    }
}

impl StoreCollector {
    pub(in crate::runtime) fn new(gnocchi: Gnocchi, data_dir: PathBuf) -> Self {
        Self {
            gnocchi,
            data_dir,
            counted: Arc::default(),
        }
    }

    /// Counts in the background when that was long ago; only the first call waits for it.
    async fn count(&self) {
        let Ok(counted) = Arc::clone(&self.counted).try_lock_owned() else {
            // Another call counts.
            return;
        };
        let is_first = counted.is_none();
        if counted.is_some_and(|counted| !counted.is_old()) {
            return;
        }
        let counting = tokio::spawn(count(self.gnocchi.clone(), counted));
        if is_first {
            // Beyond that, the next call has them.
            let _ = timeout(FIRST_COUNTS_MAX, counting).await;
        }
    }

    fn look_at_queries(&self) {
        let usage = self.gnocchi.query_usage();
        set("gnocchi_query_memory_bytes", usage.held_bytes as u64);
        set("gnocchi_queries_running", usage.running as u64);
        set("gnocchi_queries_waiting", usage.waiting as u64);
    }

    async fn look_at_disk(&self) {
        let path = self.data_dir.clone();
        let found = spawn_blocking(move || Space::of(&path)).await;
        let Ok(Ok(space)) = found else {
            tracing::warn!(path = %self.data_dir.display(), "cannot look up how much room is left");
            return;
        };
        set(FREE, space.available_bytes);
        set(SIZE, space.total_bytes);
    }
}

#[async_trait]
impl Collector for StoreCollector {
    async fn collect(&self, _text: &mut String) {
        self.look_at_queries();
        self.look_at_disk().await;
        self.count().await;
    }
}

/// Shows the limits of what is looked up, once.
pub(in crate::runtime) fn set_limits(queries: &QueryLimits, connections_max: usize) {
    set(
        "gnocchi_query_memory_limit_bytes",
        queries.memory_bytes as u64,
    );
    set("gnocchi_queries_running_limit", queries.concurrency as u64);
    set("gnocchi_queries_waiting_limit", queries.queue as u64);
    set("gnocchi_connections_limit", connections_max as u64);
}

async fn count(gnocchi: Gnocchi, mut counted: OwnedMutexGuard<Option<Counted>>) {
    let began = Instant::now();
    match gnocchi.counts().await {
        Ok(counts) => {
            set(METRICS, counts.metrics);
            set(RESOURCES, counts.resources);
        }
        Err(error) => {
            let error = with_causes(&error);
            tracing::warn!(error, "cannot count metrics and resources");
        }
    }
    *counted = Some(Counted {
        at: Instant::now(),
        took: began.elapsed(),
    });
}

fn set(name: &'static str, value: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the text format has doubles; 2^53 is out of reach"
    )]
    gauge!(name).set(value as f64);
}

#[cfg(test)]
mod tests {
    use gnocchi_core::{Settings, memory};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_are_looked_up_once_a_minute() {
        let gnocchi = Gnocchi::new(memory::drivers(), Settings::default());
        let directory = tempfile::tempdir().unwrap();
        let store = StoreCollector::new(gnocchi, directory.path().to_owned());
        let counted_at = || store.counted.try_lock().unwrap().unwrap().at;
        store.count().await;
        let first = counted_at();
        tokio::time::advance(COUNTS_AGE_MAX).await;
        store.count().await;
        assert_eq!(counted_at(), first);
        tokio::time::advance(Duration::from_secs(1)).await;
        store.count().await;
        // It counts beside the call.
        drop(store.counted.lock().await);
        while counted_at() == first {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn slow_counts_are_kept_longer() {
        let counted = |age, took| Counted {
            at: Instant::now()
                .checked_sub(Duration::from_secs(age))
                .unwrap(),
            took: Duration::from_secs(took),
        };
        assert!(!counted(10, 0).is_old());
        assert!(counted(61, 0).is_old());
        assert!(!counted(150, 2).is_old());
        assert!(counted(201, 2).is_old());
    }
}
