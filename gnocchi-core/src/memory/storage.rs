//! Frames in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::RwLock;

use crate::driver::{
    BlockRange, Commit, FrameKey, FrameRange, Sack, SackState, StorageCapabilities, StorageDriver,
    StoredFrame,
};
use crate::error::StorageError;
use crate::model::MetricId;

/// Keeps frames in memory; the end of the process loses them.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: BTreeMap<MetricId, BTreeMap<FrameKey, Bytes>>,
    sacks: HashMap<Sack, Owned>,
}

#[derive(Debug, Default)]
struct Owned {
    fence: u64,
    state: SackState,
}

impl MemoryStorage {
    /// Makes a driver without frames.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Owned {
    fn check(&self, fence: u64) -> Result<(), StorageError> {
        if fence < self.fence {
            Err(StorageError::StaleFence {
                fence,
                current: self.fence,
            })
        } else {
            Ok(())
        }
    }
}

fn keys_of(range: &BlockRange) -> std::ops::Range<FrameKey> {
    let stream = range.stream;
    // An inverted range holds nothing; a map would refuse it with a panic.
    let end = range.blocks.end.max(range.blocks.start);
    FrameKey {
        stream,
        block: range.blocks.start,
        sequence: 0,
    }..FrameKey {
        stream,
        block: end,
        sequence: 0,
    }
}

fn frame((key, bytes): (&FrameKey, &Bytes)) -> StoredFrame {
    StoredFrame {
        key: *key,
        bytes: bytes.clone(),
    }
}

#[async_trait]
impl StorageDriver for MemoryStorage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities {
            durable: false,
            shared: false,
        }
    }

    async fn upgrade(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn acquire(&self, sack: Sack, fence: u64) -> Result<SackState, StorageError> {
        let mut state = self.state.write();
        let owned = state.sacks.entry(sack).or_default();
        owned.check(fence)?;
        owned.fence = fence;
        Ok(owned.state.clone())
    }

    async fn commit(&self, sack: Sack, fence: u64, commit: Commit) -> Result<(), StorageError> {
        let mut state = self.state.write();
        let State { frames, sacks } = &mut *state;
        let owned = sacks.entry(sack).or_default();
        owned.check(fence)?;
        owned.fence = fence;
        owned.state.sequence = commit.sequence;
        if let Some(receipt) = commit.receipt {
            owned.state.receipt = receipt;
        }
        for changes in commit.metrics {
            let stored = frames.entry(changes.metric).or_default();
            for range in &changes.removed {
                let gone: Vec<FrameKey> =
                    stored.range(keys_of(range)).map(|(key, _)| *key).collect();
                for key in gone {
                    stored.remove(&key);
                }
            }
            stored.extend(
                changes
                    .put
                    .into_iter()
                    .map(|frame| (frame.key, frame.bytes)),
            );
            if stored.is_empty() {
                frames.remove(&changes.metric);
            }
        }
        Ok(())
    }

    async fn read(&self, requests: &[FrameRange]) -> Result<Vec<Vec<StoredFrame>>, StorageError> {
        let state = self.state.read();
        let answers = requests.iter().map(|request| {
            let stored = state.frames.get(&request.metric);
            stored.map_or_else(Vec::new, |stored| {
                stored.range(keys_of(&request.range)).map(frame).collect()
            })
        });
        Ok(answers.collect())
    }

    async fn delete_metrics(&self, metrics: &[MetricId]) -> Result<(), StorageError> {
        let mut state = self.state.write();
        for metric in metrics {
            state.frames.remove(metric);
        }
        Ok(())
    }

    async fn metrics(
        &self,
        after: Option<MetricId>,
        limit: usize,
    ) -> Result<Vec<MetricId>, StorageError> {
        use std::ops::Bound;
        let state = self.state.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(state
            .frames
            .range((from, Bound::Unbounded))
            .map(|(metric, _)| *metric)
            .take(limit)
            .collect())
    }

    async fn frames(&self, metric: MetricId) -> Result<Vec<StoredFrame>, StorageError> {
        let state = self.state.read();
        Ok(state
            .frames
            .get(&metric)
            .map_or_else(Vec::new, |stored| stored.iter().map(frame).collect()))
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::storage::StorageFixture;

    struct Memory(MemoryStorage);

    #[async_trait]
    impl StorageFixture for Memory {
        fn driver(&self) -> &dyn StorageDriver {
            &self.0
        }

        async fn reopen(&mut self) {
            unreachable!("frames in memory don't survive");
        }
    }

    fn fixture() -> std::future::Ready<Memory> {
        std::future::ready(Memory(MemoryStorage::new()))
    }

    crate::storage_conformance!(fixture);
}
