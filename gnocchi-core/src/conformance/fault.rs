//! Drivers that fail on purpose.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::driver::{
    Backlog, BacklogDetails, Claim, Commit, FrameRange, IncomingCapabilities, IncomingDriver,
    Receipt, Sack, SackCount, SackState, StorageCapabilities, StorageDriver, StoredFrame,
};
use crate::error::{BackendError, BackendErrorKind, IncomingError, StorageError};
use crate::model::{Measures, MetricId};

/// How one call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// It fails and does nothing.
    Before,
    /// It does its work and then reports a failure, as after a lost answer or a crash.
    After,
}

/// The faults of the calls to come, in order; when none is left, calls work.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl FaultPlan {
    /// Adds faults behind those that are planned already.
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().extend(faults);
    }

    /// Forgets the faults that did not happen.
    pub fn clear(&self) {
        self.faults.lock().clear();
    }

    fn next(&self) -> Fault {
        self.faults.lock().pop_front().unwrap_or(Fault::None)
    }
}

fn failure(operation: &str) -> BackendError {
    BackendError::new("faulty", operation, BackendErrorKind::Unavailable)
}

/// A storage driver whose commits and reads fail as planned.
#[derive(Debug)]
pub struct FaultyStorage<D> {
    inner: Arc<D>,
    faults: FaultPlan,
}

impl<D> FaultyStorage<D> {
    /// Wraps a driver.
    #[must_use]
    pub fn new(inner: Arc<D>, faults: FaultPlan) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<D: StorageDriver> StorageDriver for FaultyStorage<D> {
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
        match self.faults.next() {
            Fault::None => self.inner.commit(sack, fence, commit).await,
            Fault::Before => Err(failure("commit").into()),
            Fault::After => {
                self.inner.commit(sack, fence, commit).await?;
                Err(failure("confirm a commit").into())
            }
        }
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

/// An incoming driver whose acknowledgements fail as planned.
#[derive(Debug)]
pub struct FaultyIncoming<D> {
    inner: Arc<D>,
    faults: FaultPlan,
}

impl<D> FaultyIncoming<D> {
    /// Wraps a driver.
    #[must_use]
    pub fn new(inner: Arc<D>, faults: FaultPlan) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<D: IncomingDriver> IncomingDriver for FaultyIncoming<D> {
    fn capabilities(&self) -> IncomingCapabilities {
        self.inner.capabilities()
    }

    fn sacks(&self) -> SackCount {
        self.inner.sacks()
    }

    async fn upgrade(&self) -> Result<(), IncomingError> {
        self.inner.upgrade().await
    }

    async fn accepts_writes(&self) -> Result<(), IncomingError> {
        self.inner.accepts_writes().await
    }

    async fn append(&self, measures: Vec<Measures>) -> Result<(), IncomingError> {
        self.inner.append(measures).await
    }

    async fn claim(&self, sack: Sack, points_wanted: usize) -> Result<Claim, IncomingError> {
        self.inner.claim(sack, points_wanted).await
    }

    async fn acknowledge(&self, sack: Sack, receipt: &Receipt) -> Result<(), IncomingError> {
        match self.faults.next() {
            Fault::None => self.inner.acknowledge(sack, receipt).await,
            Fault::Before => Err(failure("acknowledge").into()),
            Fault::After => {
                self.inner.acknowledge(sack, receipt).await?;
                Err(failure("confirm an acknowledgement").into())
            }
        }
    }

    async fn pending(
        &self,
        metrics: &[MetricId],
    ) -> Result<Vec<Vec<Arc<carbonara::Series>>>, IncomingError> {
        self.inner.pending(metrics).await
    }

    async fn discard(&self, metrics: &[MetricId]) -> Result<usize, IncomingError> {
        self.inner.discard(metrics).await
    }

    async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, IncomingError> {
        self.inner.backlog(details).await
    }

    async fn arrived(&self) -> Result<Vec<Sack>, IncomingError> {
        self.inner.arrived().await
    }
}
