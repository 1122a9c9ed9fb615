//! A store as its files show it: read without opening it, also while a server runs on it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use carbonara::codec::measures;
use gnocchi_core::driver::{Indexer, StoredFrame};
use gnocchi_core::error::{BackendError, BackendErrorKind, IndexerError};
use gnocchi_core::model::MetricId;

use super::Damage;
use super::files::table::check;
use super::indexer_log::IndexerLog;
use super::indexer_sums;
use super::inspection::{Inspection, Keyspace, Stage, Tail};
use super::keys::{self, EntryHeader, SackRecord};
use super::parts::{INDEXER, MEASURES, Parts};
use super::progress::PROGRESS_FILE;
use super::reader::{self, Journals, Loss, Stored, Use, lock_if_free, merge};
use super::store::claims_of;
use super::store_error::StoreError;
use crate::sql::{CopySource, IndexerCopy, Proof};

/// The files whose locks say that a process works on a store.
const LOCKS: [&str; 2] = ["lock", "measures/lock"];

/// The bytes of a store, which are not changed by looking at them.
///
/// No process can open the store while this exists, unless one has it open already.
#[derive(Debug)]
pub struct StoreFiles {
    pub(super) path: PathBuf,
    usage: Use,
    pub(super) parts: Result<Parts, Damage>,
    pub(super) inspection: Inspection,
    pub(super) journals: Journals,
    indexer: Option<IndexerCopy>,
    /// What an unfinished transaction left at the end of the log beside the indexer.
    indexer_tail: Option<(Tail, Proof)>,
    damage: Vec<Damage>,
    /// Damage of files without which the store can be opened, and nothing is lost.
    harmless_damage: Vec<Damage>,
    _locks: Vec<File>,
}

/// An unfinished write, which the next start keeps aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptedWrite {
    /// The journal at whose end it stands.
    pub journal: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Whether it is proven that nothing of it was acknowledged. Otherwise it may also be an acknowledged transaction of the indexer that
    /// is damaged: the index of the log, which tells one from the other, is missing.
    pub is_unacknowledged: bool,
}

/// A frame, and where its bytes are.
#[derive(Debug)]
pub struct FoundFrame {
    /// The metric that it belongs to.
    pub metric: MetricId,
    /// The frame.
    pub frame: StoredFrame,
    /// The file that it is in.
    pub file: PathBuf,
    /// Where the block or batch of the file begins that it is in.
    pub offset: u64,
}

/// What the records hold that are not frames.
#[derive(Debug, Default)]
pub struct Records {
    /// How many points wait to be folded.
    pub pending_points: usize,
    /// Records that are intact as bytes and make no sense.
    pub damage: Vec<Damage>,
}

fn unreadable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

impl StoreFiles {
    /// Looks at the store of a directory. This waits for files and computes; call it where that is allowed.
    ///
    /// # Errors
    /// [`StoreError`] when there is no store, or it cannot be read. Damage is no error.
    pub fn look(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| unreadable(path, source);
        let parts = Parts::find(path);
        let is_store = match &parts {
            Ok(parts) => parts.measures || parts.indexer || parts.were_complete(),
            Err(StoreError::DamagedMark { .. }) => true,
            Err(_) => false,
        };
        let parts = match parts {
            Err(StoreError::DamagedMark { path }) => {
                Err(Damage::of(path, "does not name a version of the layout"))
            }
            Err(error) => return Err(error),
            Ok(_) if !is_store => {
                return Err(StoreError::NoStore {
                    path: path.to_owned(),
                });
            }
            Ok(parts) => Ok(parts),
        };
        let mut locks = Vec::new();
        let mut usage = Use::Idle;
        for lock in LOCKS {
            match lock_if_free(path.join(lock)) {
                Ok(lock) => locks.extend(lock),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => usage = Use::Running,
                Err(source) => return Err(unreadable(&path.join(lock), source)),
            }
        }
        let inspection = reader::look(&path.join(MEASURES), &path.join(PROGRESS_FILE), usage);
        let inspection = inspection.map_err(failed)?;
        let journals = Journals::read(&inspection).map_err(failed)?;
        let indexer_path = path.join(INDEXER);
        let source = match usage {
            Use::Running => CopySource::Changing,
            Use::Idle => CopySource::Unchanging,
        };
        let indexer = match IndexerCopy::make(&indexer_path, source) {
            Ok(indexer) => Some(indexer),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(unreadable(&indexer_path, source)),
        };
        let mut files = Self {
            path: path.to_owned(),
            usage,
            parts,
            inspection,
            journals,
            indexer,
            indexer_tail: None,
            damage: Vec::new(),
            harmless_damage: Vec::new(),
            _locks: locks,
        };
        files.damage = files.damage_of_parts();
        if let (Ok(parts), Use::Idle) = (&files.parts, usage) {
            let log = IndexerLog::check(path, *parts);
            let log = log.map_err(|(path, source)| unreadable(&path, source))?;
            files.damage.extend(log.damage);
            files.indexer_tail = log.tail;
            let sums = indexer_sums::check(path);
            let sums = sums.map_err(|(path, source)| unreadable(&path, source))?;
            files.damage.extend(sums.database);
            files.harmless_damage.extend(sums.sums);
        }
        Ok(files)
    }

    /// Returns what is missing or damaged as a whole.
    fn damage_of_parts(&self) -> Vec<Damage> {
        let mut damage = self.inspection.damage.clone();
        match &self.parts {
            Ok(parts) => {
                let missing = parts.missing();
                damage.extend(missing.map(|part| Damage::of(self.path.join(part), "is missing")));
                if parts.were_complete()
                    && parts.measures
                    && damage.is_empty()
                    && self.inspection.stage != Stage::Whole
                {
                    damage.push(Damage::of(
                        self.path.join(MEASURES),
                        "holds no measures, although it did once",
                    ));
                }
            }
            Err(problem) => damage.push(problem.clone()),
        }
        damage
    }

    /// Compares what the parts say about the store that they belong to.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read for a reason that is not damage.
    pub async fn check_identity(&self) -> Result<Vec<Damage>, StoreError> {
        let (Ok(parts), Some(indexer)) = (&self.parts, &self.indexer) else {
            return Ok(Vec::new());
        };
        let claims = claims_of(&self.path, *parts, &self.inspection, indexer.path()).await;
        match claims {
            Ok(_) => Ok(Vec::new()),
            Err(StoreError::Damaged { mut damage, .. }) => {
                // What was looked at may be a copy.
                for one in &mut damage {
                    if one.file == indexer.path() {
                        one.file = self.path.join(INDEXER);
                    }
                }
                Ok(damage)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns whether a process works on the store now.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.usage == Use::Running
    }

    /// Returns damage for which the store cannot be opened.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Returns damage of files that hold nothing of the data, such as checksums: the store can be opened without them.
    #[must_use]
    pub fn harmless_damage(&self) -> &[Damage] {
        &self.harmless_damage
    }

    /// Returns the unfinished writes at the end of the last journal and of the log beside the indexer.
    pub fn interrupted_writes(&self) -> impl Iterator<Item = InterruptedWrite> {
        // How far the journal was synchronized is noted, so that its end is proven to be unacknowledged.
        let measures = self.inspection.tail.iter().map(|tail| (tail, true));
        let indexer = self.indexer_tail.iter();
        let indexer = indexer.map(|(tail, proof)| (tail, *proof == Proof::Index));
        let tails = measures.chain(indexer);
        tails.map(|(tail, is_unacknowledged)| InterruptedWrite {
            journal: tail.journal.clone(),
            offset: tail.offset,
            bytes: tail.bytes,
            is_unacknowledged,
        })
    }

    /// Returns how many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        let keyspaces = self.inspection.keyspaces.values();
        keyspaces.map(|keyspace| keyspace.tables.len()).sum()
    }

    /// Checks every byte of every table; `checked` is called after each.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when a file cannot be read for a reason that is not damage.
    pub fn check_tables(&self, mut checked: impl FnMut()) -> Result<Vec<Damage>, StoreError> {
        let mut damage = Vec::new();
        for keyspace in self.inspection.keyspaces.values() {
            for table in &keyspace.tables {
                let path = keyspace.table_path(table.entry.number);
                match check(&path, table.entry) {
                    Ok(found) => damage.extend(found),
                    // A server deletes tables when it has merged them.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_in_use() => {}
                    Err(source) => return Err(unreadable(&path, source)),
                }
                checked();
            }
        }
        Ok(damage)
    }

    /// Visits every frame that is in force, in the order of metrics, and returns what could not be read.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when a file cannot be read for a reason that is not damage.
    pub fn frames(&self, mut visit: impl FnMut(FoundFrame)) -> Result<Vec<Damage>, StoreError> {
        let mut damage = Vec::new();
        let losses = self.merge(keys::FRAMES, |stored| {
            match frame(&stored) {
                Some(frame) => visit(frame),
                None => damage.push(Damage::at(
                    &stored.place.file,
                    stored.place.offset,
                    "holds a frame with an impossible key",
                )),
            }
            Ok(())
        })?;
        damage.extend(losses.into_iter().map(|loss| loss.damage));
        Ok(damage)
    }

    /// Reads the records that are not frames.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when a file cannot be read for a reason that is not damage.
    pub fn records(&self) -> Result<Records, StoreError> {
        let mut records = Records::default();
        let mut pending: BTreeMap<u128, usize> = BTreeMap::new();
        let log = self.merge(keys::LOG, |stored| {
            if let Err(problem) = count(&stored, &mut pending) {
                let place = stored.place;
                let damage = Damage::at(&place.file, place.offset, problem);
                records.damage.push(damage);
            }
            Ok(())
        })?;
        records.pending_points = pending.values().sum();
        let sacks = self.merge(keys::SACKS, |stored| {
            if SackRecord::decode(stored.value).is_none() || stored.key.len() != 2 {
                records.damage.push(Damage::at(
                    &stored.place.file,
                    stored.place.offset,
                    "holds a damaged record of a sack",
                ));
            }
            Ok(())
        })?;
        let facts = self.merge(keys::META, |_| Ok(()))?;
        let losses = [log, sacks, facts].concat();
        records
            .damage
            .extend(losses.into_iter().map(|loss| loss.damage));
        Ok(records)
    }

    /// Looks for damage in the database of the indexer, if there is one; see
    /// [`check_integrity`](crate::sql::SqlIndexer::check_integrity). One of an earlier version is upgraded in a copy to be read.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the database cannot be read.
    pub async fn check_indexer(&self) -> Result<Vec<String>, IndexerError> {
        let Some(copy) = &self.indexer else {
            return Ok(Vec::new());
        };
        match copy.indexer().check_integrity().await {
            Err(IndexerError::Backend(error)) if error.kind() == BackendErrorKind::Config => {}
            checked => return checked,
        }
        let path = self.path.join(INDEXER);
        let copied =
            tokio::task::spawn_blocking(move || IndexerCopy::make(&path, CopySource::Changing));
        let copied = copied
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let copy = copied.map_err(|error| {
            BackendError::new("sqlite", "copy the database", BackendErrorKind::Unavailable)
                .with_source(error)
        })?;
        copy.indexer().upgrade().await?;
        let checked = copy.indexer().check_integrity().await;
        copy.indexer().close().await;
        checked
    }

    /// Returns where the database of the indexer can be read: its own path, or that of a copy.
    pub(super) fn indexer_path(&self) -> Option<&Path> {
        self.indexer.as_ref().map(IndexerCopy::path)
    }

    pub(super) fn keyspace(&self, name: &str) -> Option<(u64, &Keyspace)> {
        let mut keyspaces = self.inspection.keyspaces.iter();
        keyspaces
            .find(|(_, keyspace)| keyspace.name.as_deref() == Some(name))
            .map(|(number, keyspace)| (*number, keyspace))
    }

    /// Visits the records of a keyspace that are in force; a keyspace that is missing has none.
    pub(super) fn merge(
        &self,
        name: &str,
        visit: impl FnMut(Stored<'_>) -> io::Result<()>,
    ) -> Result<Vec<Loss>, StoreError> {
        let Some((number, keyspace)) = self.keyspace(name) else {
            return Ok(Vec::new());
        };
        let merged = merge(&self.inspection, &self.journals, number, keyspace, visit);
        let mut losses = merged.map_err(|source| unreadable(&self.path, source))?;
        if self.is_in_use() {
            // A server deletes tables when it has merged them; what they held is in others.
            losses.retain(|loss| loss.damage.file.exists());
        }
        Ok(losses)
    }
}

pub(super) fn frame(stored: &Stored<'_>) -> Option<FoundFrame> {
    let (metric, key) = keys::frame_key(stored.key)?;
    Some(FoundFrame {
        metric,
        frame: StoredFrame {
            key,
            bytes: Bytes::copy_from_slice(stored.value),
        },
        file: stored.place.file.clone(),
        offset: stored.place.offset,
    })
}

/// Adds the points of an entry of the log to those of its metrics, or takes those away that it discards.
fn count(stored: &Stored<'_>, pending: &mut BTreeMap<u128, usize>) -> Result<(), String> {
    let sequence = keys::number(stored.key).ok_or("holds an entry of the log without a number")?;
    let broken = |why: &str| format!("holds entry {sequence} of the log, which {why}");
    let (header, payload) =
        EntryHeader::take(stored.value).ok_or_else(|| broken("has no whole header"))?;
    match header.kind {
        keys::ENTRY_MEASURES => {
            let batch = measures::decode(payload)
                .map_err(|error| broken(&format!("cannot be decoded: {error}")))?;
            for (metric, series) in batch {
                *pending.entry(metric).or_default() += series.len();
            }
        }
        keys::ENTRY_DISCARD => {
            let metrics =
                keys::discarded(payload).ok_or_else(|| broken("lists no whole metrics"))?;
            for metric in metrics {
                pending.remove(&metric.as_u128());
            }
        }
        kind => return Err(broken(&format!("is of the unknown kind {kind}"))),
    }
    Ok(())
}
