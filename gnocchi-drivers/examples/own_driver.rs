//! A driver of your own: a storage that measures what is written, over one that keeps it in memory.
//!
//! ```text
//! cargo run -p gnocchi-drivers --example own_driver
//! ```
//!
//! A driver implements one contract of `gnocchi_core::driver`: incoming measures, storage of aggregates, indexer, or coordinator. The suites
//! in `gnocchi_core::conformance` (feature `conformance`) show whether it keeps the contract.

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gnocchi_drivers::gnocchi_core::driver::{
    Commit, FrameRange, Sack, SackState, StorageCapabilities, StorageDriver, StoredFrame,
};
use gnocchi_drivers::gnocchi_core::error::StorageError;
use gnocchi_drivers::gnocchi_core::memory::{self, MemoryStorage};
use gnocchi_drivers::gnocchi_core::model::MetricId;
use gnocchi_drivers::gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use gnocchi_drivers::prelude::*;

#[derive(Debug, Default)]
struct MeasuredStorage {
    inner: MemoryStorage,
    commits: AtomicUsize,
    bytes: AtomicUsize,
}

#[async_trait]
impl StorageDriver for MeasuredStorage {
    fn capabilities(&self) -> StorageCapabilities {
        self.inner.capabilities()
    }

    async fn upgrade(&self) -> Result<(), StorageError> {
        self.inner.upgrade().await
    }

    async fn accepts_writes(&self) -> Result<(), StorageError> {
        self.inner.accepts_writes().await
    }

    async fn acquire(&self, sack: Sack, fence: u64) -> Result<SackState, StorageError> {
        self.inner.acquire(sack, fence).await
    }

    async fn commit(&self, sack: Sack, fence: u64, commit: Commit) -> Result<(), StorageError> {
        let frames = commit.metrics.iter().flat_map(|changes| &changes.put);
        let bytes = frames.map(|frame| frame.bytes.len()).sum();
        self.inner.commit(sack, fence, commit).await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    async fn read(&self, requests: &[FrameRange]) -> Result<Vec<Vec<StoredFrame>>, StorageError> {
        self.inner.read(requests).await
    }

    async fn delete_metrics(&self, metrics: &[MetricId]) -> Result<(), StorageError> {
        self.inner.delete_metrics(metrics).await
    }

    async fn metrics(
        &self,
        after: Option<MetricId>,
        limit: usize,
    ) -> Result<Vec<MetricId>, StorageError> {
        self.inner.metrics(after, limit).await
    }

    async fn frames(&self, metric: MetricId) -> Result<Vec<StoredFrame>, StorageError> {
        self.inner.frames(metric).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let storage = Arc::new(MeasuredStorage::default());
    let drivers = Drivers {
        storage: Arc::<MeasuredStorage>::clone(&storage),
        ..memory::drivers()
    };
    let gnocchi = Gnocchi::new(drivers, Settings::default());
    gnocchi.upgrade(DefaultPolicies::Create).await?;
    let store = Store::over(gnocchi);

    let metric = store.metric("host", "cpu").policy("low").ensure().await?;
    let day = (0..86_400_i64).map(|second| (Timestamp::from_second(second), 0.5));
    let day: Series = day
        .map(|(time, value)| Ok((time?, value)))
        .collect::<Result<_, gnocchi_drivers::TimeError>>()?;
    println!("{}", store.append([(&metric, day)]).await?);
    store.process().await?;

    let (commits, bytes) = (
        storage.commits.load(Ordering::Relaxed),
        storage.bytes.load(Ordering::Relaxed),
    );
    println!("{commits} commits wrote {bytes} bytes");
    println!(
        "{} rows can be read",
        store.read([&metric]).methods(["mean"]).await?.len()
    );
    Ok(())
}
