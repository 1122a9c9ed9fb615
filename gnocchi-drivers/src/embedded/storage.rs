//! Frames in the database.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fjall::{OwnedWriteBatch, PersistMode, Readable, Snapshot};
use gnocchi_core::driver::{
    Commit, FrameKey, FrameRange, MetricChanges, Sack, SackCount, SackState, StorageCapabilities,
    StorageDriver, StoredFrame,
};
use gnocchi_core::error::StorageError;
use gnocchi_core::model::MetricId;
use hashbrown::HashSet;
use parking_lot::Mutex;

use super::config::Durability;
use super::database::Database;
use super::engine::{Engine, damaged};
use super::error::EmbeddedError;
use super::keys::{self, FRAME_KEY_BYTES, SackRecord};

/// How many locks the sacks share; two sacks under one lock only wait for each other.
const LOCKS: usize = 64;

/// How many frames one batch of a deletion removes at most.
const DELETED_FRAMES_MAX: usize = 10_000;

/// Keeps frames, ordered by metric, stream, block and age.
///
/// A commit is one atomic batch of the journal. With [`Durability::WithIncoming`] it does not wait for the disk: see there why
/// that is safe.
#[derive(Debug)]
pub struct EmbeddedStorage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Arc<Database>,
    /// Held while the fence of a sack is compared and what depends on it is written.
    locks: [Mutex<()>; LOCKS],
    mode: PersistMode,
}

impl EmbeddedStorage {
    pub(super) fn new(database: Arc<Database>) -> Self {
        let mode = match database.config().durability {
            Durability::WithIncoming => PersistMode::Buffer,
            Durability::EachCommit => PersistMode::SyncData,
        };
        Self {
            shared: Arc::new(Shared {
                database,
                locks: std::array::from_fn(|_| Mutex::new(())),
                mode,
            }),
        }
    }

    /// Records another number of sacks and gives all of them the same state.
    ///
    /// A metric may come from any old sack into a new one. Frames that follow must be newer than those that it has, and writers of
    /// before must stay locked out: so every new sack goes on from the largest sequence and fence of all old ones.
    ///
    /// Receipts are forgotten, which is right only while the log is empty: an acknowledged entry that is still there would be read,
    /// and folded, again when the directory is opened. So that is looked at here.
    pub(super) fn change_sacks(&self, sacks: SackCount) -> Result<(), EmbeddedError> {
        self.shared.database.write(|engine| {
            if let Some(entry) = engine.log.first_key_value() {
                entry.key()?;
                return Err(EmbeddedError::LogNotEmpty);
            }
            let mut record = SackRecord::default();
            let mut batch = engine.batch(0).durability(Some(PersistMode::SyncAll));
            for guard in engine.sacks.iter() {
                let (key, value) = guard.into_inner()?;
                let old = SackRecord::decode(&value).ok_or_else(|| damaged("sack"))?;
                record.fence = record.fence.max(old.fence);
                record.state.sequence = record.state.sequence.max(old.state.sequence);
                if key.as_ref() >= &sacks.count().to_be_bytes()[..] {
                    batch.remove(&engine.sacks, key);
                }
            }
            for sack in sacks.sacks() {
                batch.insert(&engine.sacks, keys::sack_key(sack), record.encode());
            }
            batch.insert(&engine.meta, keys::META_SACKS, sacks.count().to_be_bytes());
            Ok(batch.commit()?)
        })
    }

    /// Returns the identity of the database.
    #[cfg(feature = "sqlite")]
    pub(super) fn identity(&self) -> uuid::Uuid {
        uuid::Uuid::from_bytes(self.shared.database.facts().identity)
    }

    /// Notes what the database says about the store that it is part of.
    #[cfg(feature = "sqlite")]
    pub(super) async fn note_pairing(&self, pairing: keys::Pairing) -> Result<(), StorageError> {
        self.run(
            || "note the opening or closing of the store".to_owned(),
            move |shared| {
                shared.database.write(|engine| {
                    let mut batch = engine.batch(1).durability(Some(PersistMode::SyncAll));
                    batch.insert(&engine.meta, keys::META_PAIRING, pairing.encode());
                    Ok(batch.commit()?)
                })
            },
        )
        .await
    }

    /// Runs work that waits for the disk or computes for long.
    async fn run<T, W>(
        &self,
        operation: impl FnOnce() -> String,
        work: W,
    ) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: FnOnce(&Shared) -> Result<T, EmbeddedError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        let done = done.unwrap_or_else(|error| Err(EmbeddedError::Task(error)));
        done.map_err(|error| error.into_storage(operation()))
    }
}

impl Shared {
    fn lock(&self, sack: Sack) -> &Mutex<()> {
        &self.locks[usize::from(sack.number()) % LOCKS]
    }

    fn acquire(&self, sack: Sack, fence: u64) -> Result<SackState, EmbeddedError> {
        let _guard = self.lock(sack).lock();
        self.database.write(|engine| {
            let mut record = engine.sack(sack)?;
            check_fence(&record, fence)?;
            if record.fence < fence {
                record.fence = fence;
                let mut batch = engine.batch(1).durability(Some(self.mode));
                batch.insert(&engine.sacks, keys::sack_key(sack), record.encode());
                batch.commit()?;
            }
            Ok(record.state)
        })
    }

    fn commit(&self, sack: Sack, fence: u64, mut commit: Commit) -> Result<(), EmbeddedError> {
        // Why sort? Neighbours in the batch become neighbours in the table in memory, which finds their places faster.
        commit
            .metrics
            .sort_unstable_by_key(|changes| changes.metric);
        let frames: usize = commit.metrics.iter().map(|changes| changes.put.len()).sum();
        let _guard = self.lock(sack).lock();
        self.database.write(|engine| {
            let mut record = engine.sack(sack)?;
            check_fence(&record, fence)?;
            record.fence = fence;
            record.state.sequence = commit.sequence;
            if let Some(receipt) = &commit.receipt {
                record.state.receipt = receipt.clone();
            }
            let mut batch = engine.batch(frames + 1).durability(Some(self.mode));
            // One allocation for all keys; they end together, when the table in memory becomes a file.
            let mut slab = BytesMut::with_capacity(frames * FRAME_KEY_BYTES);
            let mut removals = Removals {
                engine,
                snapshot: None,
            };
            for changes in &commit.metrics {
                removals.put(&mut batch, changes)?;
                for frame in &changes.put {
                    keys::put_frame_key(&mut slab, changes.metric, frame.key);
                    batch.insert(&engine.frames, slab.split().freeze(), frame.bytes.clone());
                }
            }
            batch.insert(&engine.sacks, keys::sack_key(sack), record.encode());
            Ok(batch.commit()?)
        })
    }

    fn read(&self, requests: &[FrameRange]) -> Result<Vec<Vec<StoredFrame>>, EmbeddedError> {
        self.database.read(|engine| {
            let snapshot = engine.database.snapshot();
            let mut answers = vec![Vec::new(); requests.len()];
            // Why in the order of keys? A search reads the blocks around its range too, and neighbours share them.
            let mut order: Vec<(&FrameRange, &mut Vec<StoredFrame>)> =
                requests.iter().zip(&mut answers).collect();
            order.sort_unstable_by_key(|(request, _)| request.metric);
            for (request, answer) in order {
                if let Some(range) = keys::frame_range(request.metric, &request.range) {
                    let found = snapshot.range(&engine.frames, range);
                    *answer = found.map(stored_frame).collect::<Result<_, _>>()?;
                }
            }
            Ok(answers)
        })
    }

    fn frames(&self, metric: MetricId) -> Result<Vec<StoredFrame>, EmbeddedError> {
        self.database.read(|engine| {
            let snapshot = engine.database.snapshot();
            snapshot
                .prefix(&engine.frames, metric.as_bytes())
                .map(stored_frame)
                .collect()
        })
    }

    fn delete_metrics(&self, metrics: &[MetricId]) -> Result<(), EmbeddedError> {
        for metric in metrics {
            while self.delete_some(*metric)? == DELETED_FRAMES_MAX {}
        }
        Ok(())
    }

    /// Deletes frames of a metric and returns how many.
    fn delete_some(&self, metric: MetricId) -> Result<usize, EmbeddedError> {
        self.database.write(|engine| {
            let mut batch = engine.batch(0).durability(Some(self.mode));
            let snapshot = engine.database.snapshot();
            for guard in snapshot
                .prefix(&engine.frames, metric.as_bytes())
                .take(DELETED_FRAMES_MAX)
            {
                batch.remove(&engine.frames, guard.key()?);
            }
            let deleted = batch.len();
            batch.commit()?;
            Ok(deleted)
        })
    }

    /// Lists metrics by looking up the first frame behind the last metric found, so the number of frames doesn't matter.
    fn metrics(
        &self,
        after: Option<MetricId>,
        limit: usize,
    ) -> Result<Vec<MetricId>, EmbeddedError> {
        self.database.read(|engine| {
            let snapshot = engine.database.snapshot();
            let mut metrics = Vec::new();
            let mut from = after.map_or(Some([0; 16]), keys::next_metric);
            while metrics.len() < limit
                && let Some(start) = from
                && let Some(guard) = snapshot.range(&engine.frames, start..).next()
            {
                let metric =
                    keys::metric_of(&guard.key()?).ok_or_else(|| damaged("key of a frame"))?;
                metrics.push(metric);
                from = keys::next_metric(metric);
            }
            Ok(metrics)
        })
    }
}

fn check_fence(record: &SackRecord, fence: u64) -> Result<(), EmbeddedError> {
    if fence < record.fence {
        Err(EmbeddedError::StaleFence {
            fence,
            current: record.fence,
        })
    } else {
        Ok(())
    }
}

fn stored_frame(guard: fjall::Guard) -> Result<StoredFrame, EmbeddedError> {
    let (key, bytes) = guard.into_inner()?;
    let (_, key) = keys::frame_key(&key).ok_or_else(|| damaged("key of a frame"))?;
    Ok(StoredFrame {
        key,
        bytes: Bytes::from(bytes),
    })
}

/// Finds the frames that a commit removes.
struct Removals<'a> {
    engine: &'a Engine,
    /// Made by the first removal; most commits have none.
    snapshot: Option<Snapshot>,
}

impl Removals<'_> {
    fn put(
        &mut self,
        batch: &mut OwnedWriteBatch,
        changes: &MetricChanges,
    ) -> Result<(), EmbeddedError> {
        if changes.removed.is_empty() {
            return Ok(());
        }
        // All of a batch happens at one moment: what is removed and stored again must not be removed.
        let stored_again: HashSet<FrameKey> = changes.put.iter().map(|frame| frame.key).collect();
        let snapshot = self
            .snapshot
            .get_or_insert_with(|| self.engine.database.snapshot());
        for range in changes
            .removed
            .iter()
            .filter_map(|range| keys::frame_range(changes.metric, range))
        {
            for guard in snapshot.range(&self.engine.frames, range) {
                let key = guard.key()?;
                let (_, frame) = keys::frame_key(&key).ok_or_else(|| damaged("key of a frame"))?;
                if !stored_again.contains(&frame) {
                    batch.remove(&self.engine.frames, key);
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl StorageDriver for EmbeddedStorage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities {
            durable: true,
            shared: false,
        }
    }

    async fn upgrade(&self) -> Result<(), StorageError> {
        // Opening created everything.
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), StorageError> {
        self.run(
            || "accept commits".to_owned(),
            |shared| shared.database.accepts_writes(),
        )
        .await
    }

    async fn acquire(&self, sack: Sack, fence: u64) -> Result<SackState, StorageError> {
        self.run(
            || format!("acquire sack {sack}"),
            move |shared| shared.acquire(sack, fence),
        )
        .await
    }

    async fn commit(&self, sack: Sack, fence: u64, commit: Commit) -> Result<(), StorageError> {
        self.run(
            || format!("commit to sack {sack}"),
            move |shared| shared.commit(sack, fence, commit),
        )
        .await
    }

    async fn read(&self, requests: &[FrameRange]) -> Result<Vec<Vec<StoredFrame>>, StorageError> {
        let requests = requests.to_vec();
        self.run(
            || "read frames".to_owned(),
            move |shared| shared.read(&requests),
        )
        .await
    }

    async fn delete_metrics(&self, metrics: &[MetricId]) -> Result<(), StorageError> {
        let metrics = metrics.to_vec();
        self.run(
            || "delete metrics".to_owned(),
            move |shared| shared.delete_metrics(&metrics),
        )
        .await
    }

    async fn metrics(
        &self,
        after: Option<MetricId>,
        limit: usize,
    ) -> Result<Vec<MetricId>, StorageError> {
        self.run(
            || "list metrics".to_owned(),
            move |shared| shared.metrics(after, limit),
        )
        .await
    }

    async fn frames(&self, metric: MetricId) -> Result<Vec<StoredFrame>, StorageError> {
        self.run(
            || format!("read the frames of metric {metric}"),
            move |shared| shared.frames(metric),
        )
        .await
    }
}
