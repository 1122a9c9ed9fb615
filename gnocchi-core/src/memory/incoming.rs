//! Incoming measures in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::Series;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::driver::{
    Backlog, BacklogDetails, Claim, IncomingCapabilities, IncomingDriver, Receipt, Sack, SackCount,
};
use crate::error::IncomingError;
use crate::model::{Measures, MetricId};
use crate::pending::PendingIndex;

/// How much may wait in [`MemoryIncoming`] unless told otherwise, in bytes.
pub const PENDING_BYTES_MAX_DEFAULT: usize = 256 << 20;

/// Keeps measures in memory until they are folded; the end of the process loses them.
#[derive(Debug)]
pub struct MemoryIncoming {
    index: PendingIndex,
    /// Held while an append is inserted, so that numbers enter the index in order.
    last_sequence: Mutex<u64>,
    clock: Arc<dyn Clock>,
    pending_bytes_max: usize,
}

impl MemoryIncoming {
    /// Makes a driver without measures.
    #[must_use]
    pub fn new(sacks: SackCount, clock: Arc<dyn Clock>) -> Self {
        Self {
            index: PendingIndex::new(sacks),
            last_sequence: Mutex::new(0),
            clock,
            pending_bytes_max: PENDING_BYTES_MAX_DEFAULT,
        }
    }

    /// Changes how much may wait, in bytes of memory.
    #[must_use]
    pub fn with_pending_bytes_max(mut self, bytes: usize) -> Self {
        self.pending_bytes_max = bytes;
        self
    }

    /// Drops what a driver with a log would delete from it.
    fn forget_finished(&self) {
        drop(self.index.take_finished());
    }
}

#[async_trait]
impl IncomingDriver for MemoryIncoming {
    fn capabilities(&self) -> IncomingCapabilities {
        IncomingCapabilities {
            durable: false,
            shared: false,
        }
    }

    fn sacks(&self) -> SackCount {
        self.index.sacks()
    }

    async fn upgrade(&self) -> Result<(), IncomingError> {
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), IncomingError> {
        Ok(())
    }

    async fn append(&self, measures: Vec<Measures>) -> Result<(), IncomingError> {
        let divided = self.index.divide(measures);
        self.index
            .reserve(PendingIndex::bytes_of(&divided), self.pending_bytes_max)?;
        let arrival = self.clock.now();
        let mut last_sequence = self.last_sequence.lock();
        *last_sequence += 1;
        self.index.insert(*last_sequence, arrival, divided);
        Ok(())
    }

    async fn claim(&self, sack: Sack, points_wanted: usize) -> Result<Claim, IncomingError> {
        Ok(self
            .index
            .claim(sack, points_wanted)
            .map_or_else(Claim::default, |taken| Claim {
                measures: taken.measures,
                receipt: Receipt(Bytes::copy_from_slice(&taken.sequence.to_be_bytes())),
            }))
    }

    async fn acknowledge(&self, sack: Sack, receipt: &Receipt) -> Result<(), IncomingError> {
        // A receipt of another driver names nothing that is kept here.
        if let Ok(sequence) = receipt.0.as_ref().try_into() {
            self.index.acknowledge(sack, u64::from_be_bytes(sequence));
            self.forget_finished();
        }
        Ok(())
    }

    async fn pending(&self, metrics: &[MetricId]) -> Result<Vec<Vec<Arc<Series>>>, IncomingError> {
        Ok(self.index.pending(metrics))
    }

    async fn discard(&self, metrics: &[MetricId]) -> Result<usize, IncomingError> {
        let discarded = self.index.discard(metrics);
        self.forget_finished();
        Ok(discarded.points)
    }

    async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, IncomingError> {
        Ok(self.index.backlog(details))
    }

    async fn arrived(&self) -> Result<Vec<Sack>, IncomingError> {
        Ok(self.index.arrived().await)
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::conformance::incoming::IncomingFixture;
    use crate::driver::SACKS_DEFAULT;

    struct Memory(MemoryIncoming);

    #[async_trait]
    impl IncomingFixture for Memory {
        fn driver(&self) -> &dyn IncomingDriver {
            &self.0
        }

        async fn reopen(&mut self) {
            unreachable!("measures in memory don't survive");
        }
    }

    fn fixture() -> std::future::Ready<Memory> {
        std::future::ready(Memory(MemoryIncoming::new(
            SACKS_DEFAULT,
            Arc::new(SystemClock),
        )))
    }

    crate::incoming_conformance!(fixture);

    #[tokio::test]
    async fn a_full_backlog_is_refused_and_drains() {
        let incoming =
            MemoryIncoming::new(SACKS_DEFAULT, Arc::new(SystemClock)).with_pending_bytes_max(1);
        let metric = MetricId::from_u128(3);
        let measures = || {
            vec![Measures {
                metric,
                series: Series::from_points(vec![1], vec![1.0]).unwrap(),
            }]
        };
        incoming.append(measures()).await.unwrap();
        assert!(matches!(
            incoming.append(measures()).await,
            Err(IncomingError::BacklogFull { limit_bytes: 1, .. })
        ));
        let claim = incoming
            .claim(SACKS_DEFAULT.sack_of(metric), 1)
            .await
            .unwrap();
        incoming
            .acknowledge(SACKS_DEFAULT.sack_of(metric), &claim.receipt)
            .await
            .unwrap();
        incoming.append(measures()).await.unwrap();
    }
}
