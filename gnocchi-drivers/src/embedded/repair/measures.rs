//! Saving frames, pending measures and the records of sacks.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use carbonara::Series;
use carbonara::codec::measures as codec;
use fjall::PersistMode;
use gnocchi_core::driver::{Receipt, Sack, SackCount, StoredFrame, Stream};
use gnocchi_core::model::MetricId;
use uuid::Uuid;

use super::{CheckFrame, RepairReport};
use crate::embedded::FENCES_PER_GENERATION_BITS;
use crate::embedded::config::EmbeddedConfig;
use crate::embedded::database::Database;
use crate::embedded::error::EmbeddedError;
use crate::embedded::files::JOURNAL_SUFFIX;
use crate::embedded::keys::{self, EntryHeader, Identity, Pairing, SackRecord};
use crate::embedded::preparation::Prepared;
use crate::embedded::reader::{Loss, Stored};
use crate::embedded::store_error::StoreError;
use crate::embedded::store_files::{StoreFiles, frame};

/// The first opening of the new store.
pub(super) const PAIRING: u64 = 1;

/// How much is written at a time, in bytes.
const BATCH_BYTES: usize = 4 << 20;

/// What a sack had committed.
#[derive(Debug, Clone, Default)]
struct SavedSack {
    record: SackRecord,
    /// The last entry of the log that was folded; `None` when that is not known.
    folded: Option<u64>,
}

/// What a record is written under: the keyspace by its name, and the key.
type Write = (&'static str, Vec<u8>, Bytes);

/// Writes records of the new database in batches.
struct Writer<'a> {
    database: &'a Arc<Database>,
    waiting: Vec<Write>,
    bytes: usize,
}

impl<'a> Writer<'a> {
    fn new(database: &'a Arc<Database>) -> Self {
        Self {
            database,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    fn put(
        &mut self,
        keyspace: &'static str,
        key: &[u8],
        value: impl Into<Bytes>,
    ) -> Result<(), EmbeddedError> {
        let value = value.into();
        self.bytes += key.len() + value.len();
        self.waiting.push((keyspace, key.to_vec(), value));
        if self.bytes >= BATCH_BYTES {
            self.write(PersistMode::Buffer)?;
        }
        Ok(())
    }

    fn write(&mut self, mode: PersistMode) -> Result<(), EmbeddedError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        self.database.write(|engine| {
            let mut batch = engine.batch(waiting.len()).durability(Some(mode));
            for (keyspace, key, value) in &waiting {
                let keyspace = match *keyspace {
                    keys::LOG => &engine.log,
                    keys::FRAMES => &engine.frames,
                    keys::SACKS => &engine.sacks,
                    _ => &engine.meta,
                };
                batch.insert(keyspace, key.clone(), value.clone());
            }
            Ok(batch.commit()?)
        })
    }
}

fn to_io(error: EmbeddedError) -> io::Error {
    io::Error::other(error)
}

/// Saves everything but the indexer, and returns the identity of the new store.
pub(super) fn save(
    files: &StoreFiles,
    config: EmbeddedConfig,
    progress: &Path,
    metrics: &[MetricId],
    check: CheckFrame,
    report: &mut RepairReport,
) -> Result<Uuid, StoreError> {
    for metric in metrics {
        report.metric(*metric).is_known = true;
    }
    let facts = stored_facts(files)?;
    let path = config.path.clone();
    let open_error = |error: EmbeddedError| StoreError::Open {
        path: path.clone(),
        source: error.into_backend(format!("create {}", path.display())),
    };
    let config = EmbeddedConfig {
        sacks: facts
            .sacks
            .and_then(|sacks| sacks.count().try_into().ok())
            .unwrap_or(config.sacks),
        ..config
    };
    let prepared = Prepared::take(&config.path, progress).map_err(open_error)?;
    let database = Database::open_prepared(config, prepared).map_err(open_error)?;
    let database = Arc::new(database);
    let mut saving = Saving {
        files,
        metrics,
        report,
        source: facts.identity,
        target: database.facts().identity,
        sacks: database.facts().sacks,
        assignment: if facts.sacks == Some(database.facts().sacks) {
            Assignment::Same
        } else {
            Assignment::Other
        },
        last_commits: BTreeMap::new(),
        last_entry: facts.last_entry,
        writer: Writer::new(&database),
    };
    saving.whole_files();
    saving.frames(check)?;
    let sacks = saving.sacks()?;
    saving.log(&sacks)?;
    saving.facts(&sacks, facts.generation)?;
    let identity = Uuid::from_bytes(saving.target);
    drop(saving);
    Ok(identity)
}

/// What is known of the damaged database.
#[derive(Debug, Clone, Copy, Default)]
struct SourceFacts {
    identity: Option<Identity>,
    sacks: Option<SackCount>,
    generation: u64,
    /// No entry of the log had a larger number.
    last_entry: u64,
}

fn stored_facts(files: &StoreFiles) -> Result<SourceFacts, StoreError> {
    let mut facts = SourceFacts::default();
    files.merge(keys::META, |stored| {
        if stored.key == keys::META_SACKS.as_bytes() {
            let count = stored.value.try_into().map(u16::from_be_bytes).ok();
            facts.sacks = count.and_then(SackCount::new);
        }
        if stored.key == keys::META_SEQUENCE_LIMIT.as_bytes() {
            facts.last_entry = keys::number(stored.value).unwrap_or(0);
        }
        Ok(())
    })?;
    let progress = files.inspection.progress;
    let stored = files.inspection.facts;
    facts.identity = stored
        .map(|facts| facts.identity)
        .or(progress.map(|progress| progress.identity));
    facts.generation = stored
        .map_or(0, |facts| facts.generation)
        .max(progress.map_or(0, |progress| progress.generation));
    facts.last_entry = facts
        .last_entry
        .max(progress.map_or(0, |progress| progress.sequence));
    Ok(facts)
}

/// Which sack a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assignment {
    /// The same one as in the old database: both have as many sacks.
    Same,
    /// Another one, or it is not known how many sacks there were.
    Other,
}

struct Saving<'a> {
    files: &'a StoreFiles,
    /// Metrics that the indexer knows, in order.
    metrics: &'a [MetricId],
    report: &'a mut RepairReport,
    source: Option<Identity>,
    target: Identity,
    sacks: SackCount,
    assignment: Assignment,
    /// The newest commit that a frame of each sack is of.
    last_commits: BTreeMap<Sack, u64>,
    last_entry: u64,
    writer: Writer<'a>,
}

impl Saving<'_> {
    /// Reports what every metric may lack: measures of a journal that is not there, and all of a keyspace that cannot be found.
    fn whole_files(&mut self) {
        let journals = self.files.inspection.damage.iter().filter(|damage| {
            let name = damage.file.to_string_lossy();
            name.ends_with(JOURNAL_SUFFIX) && !damage.file.exists()
        });
        let mut missing: Vec<String> = journals
            .map(|damage| format!("may lack measures: {damage}"))
            .collect();
        for keyspace in [keys::LOG, keys::FRAMES] {
            if self.files.keyspace(keyspace).is_none() {
                missing.push(format!(
                    "nothing was saved of its {keyspace}: the keyspace was not found"
                ));
            }
        }
        for what in missing {
            for metric in self.metrics {
                self.report.lose(*metric, what.clone());
            }
        }
    }

    fn frames(&mut self, check: CheckFrame) -> Result<(), StoreError> {
        // What is lost must be known before it can be said what may be older than that.
        let mut losses = self.files.merge(keys::FRAMES, |_| Ok(()))?;
        losses.extend_from_slice(&self.files.journals.losses);
        let frames = self.files.keyspace(keys::FRAMES).map(|(number, _)| number);
        let mut losses: Vec<FrameLoss> = losses
            .into_iter()
            .map(|loss| FrameLoss::new(loss, frames, self.metrics))
            .collect();
        self.files.merge(keys::FRAMES, |stored| {
            let Some(found) = frame(&stored) else {
                let place = stored.place;
                self.report.note(format!(
                    "{} at byte {}: a frame with an impossible key is left out",
                    place.file.display(),
                    place.offset
                ));
                return Ok(());
            };
            for loss in &mut losses {
                loss.note(found.metric, &stored);
            }
            match check(&found.frame) {
                Ok(()) => {
                    self.report.metric(found.metric).frames += 1;
                    let sack = self.sacks.sack_of(found.metric);
                    let last = self.last_commits.entry(sack).or_default();
                    *last = (*last).max(found.frame.key.sequence);
                    self.writer
                        .put(keys::FRAMES, stored.key, found.frame.bytes)
                        .map_err(to_io)
                }
                Err(problem) => {
                    let what = format!("{} is damaged: {problem}", describe(&found.frame));
                    self.report.lose(found.metric, what);
                    Ok(())
                }
            }
        })?;
        for loss in losses {
            self.report.note(loss.loss.damage.to_string());
            for (metric, stale) in loss.affected {
                let what = match stale {
                    0 => "may lack frames".to_owned(),
                    count => format!(
                        "may lack frames, and {count} that were saved may be older than lost ones"
                    ),
                };
                self.report
                    .lose(metric, format!("{what}: {}", loss.loss.damage));
            }
        }
        Ok(())
    }

    /// Saves the records of sacks. The last entry that was folded is not known where a newer record may be lost.
    fn sacks(&mut self) -> Result<BTreeMap<Sack, SavedSack>, StoreError> {
        let mut found: BTreeMap<u16, (Vec<u8>, u64, SackRecord)> = BTreeMap::new();
        let losses = self.files.merge(keys::SACKS, |stored| {
            let number = stored.key.try_into().map(u16::from_be_bytes);
            match (number, SackRecord::decode(stored.value)) {
                (Ok(number), Some(record)) => {
                    found.insert(number, (stored.key.to_vec(), stored.sequence, record));
                }
                _ => self.report.note(format!(
                    "{} at byte {}: a damaged record of a sack is left out",
                    stored.place.file.display(),
                    stored.place.offset
                )),
            }
            Ok(())
        })?;
        let losses: Vec<Loss> = [losses, self.files.journals.losses.clone()].concat();
        let has_keyspace = self.files.keyspace(keys::SACKS).is_some();
        // Every sack goes on from the largest fence and sequence of all when their number is another one than before.
        let largest = found
            .values()
            .fold(SackRecord::default(), |mut largest, (_, _, record)| {
                largest.fence = largest.fence.max(record.fence);
                largest.state.sequence = largest.state.sequence.max(record.state.sequence);
                largest
            });
        let mut saved = BTreeMap::new();
        for sack in self.sacks.sacks() {
            let key = keys::sack_key(sack);
            let known = found.get(&sack.number());
            let sequence = known.map(|(_, sequence, _)| *sequence);
            let is_certain = self.assignment == Assignment::Same
                && has_keyspace
                && self.source.is_some()
                && !losses.iter().any(|loss| loss.may_hide(&key, sequence));
            let mut record = match known {
                Some((_, _, record)) if self.assignment == Assignment::Same => record.clone(),
                _ => largest.clone(),
            };
            let folded = known
                .zip(self.source)
                .and_then(|((_, _, record), identity)| {
                    keys::receipt_sequence(identity, &record.state.receipt)
                })
                .unwrap_or(0);
            let last_commit = self.last_commits.get(&sack).copied().unwrap_or(0);
            record.state.sequence = record.state.sequence.max(last_commit);
            if folded > 0 {
                record.state.receipt = keys::receipt(self.target, folded);
            } else {
                record.state.receipt = Receipt::default();
            }
            self.last_entry = self.last_entry.max(folded);
            saved.insert(
                sack,
                SavedSack {
                    record,
                    folded: is_certain.then_some(folded),
                },
            );
        }
        Ok(saved)
    }

    /// Saves the measures that wait to be folded.
    fn log(&mut self, sacks: &BTreeMap<Sack, SavedSack>) -> Result<(), StoreError> {
        let losses = self.files.merge(keys::LOG, |stored| {
            self.log_entry(&stored, sacks).map_err(to_io)
        })?;
        for loss in losses {
            self.report.note(format!(
                "measures that waited to be folded may be lost: {}",
                loss.damage
            ));
        }
        if !self.files.journals.losses.is_empty() {
            self.report.note(
                "measures that were acknowledged and waited to be folded may be lost with the damaged part of the journal".to_owned(),
            );
        }
        Ok(())
    }

    fn log_entry(
        &mut self,
        stored: &Stored<'_>,
        sacks: &BTreeMap<Sack, SavedSack>,
    ) -> Result<(), EmbeddedError> {
        let place = format!(
            "{} at byte {}",
            stored.place.file.display(),
            stored.place.offset
        );
        let Some(sequence) = keys::number(stored.key) else {
            self.report.note(format!(
                "{place}: an entry of the log without a number is left out"
            ));
            return Ok(());
        };
        self.last_entry = self.last_entry.max(sequence);
        let Some((header, payload)) = EntryHeader::take(stored.value) else {
            self.report.note(format!(
                "{place}: entry {sequence} of the log is damaged and left out"
            ));
            return Ok(());
        };
        if header.kind != keys::ENTRY_MEASURES {
            // What it discards was before it.
            return self
                .writer
                .put(keys::LOG, stored.key, Bytes::copy_from_slice(stored.value));
        }
        let batch = match codec::decode(payload) {
            Ok(batch) => batch,
            Err(error) => {
                self.report.note(format!(
                    "{place}: entry {sequence} of the log is damaged and left out: {error}"
                ));
                return Ok(());
            }
        };
        let mut kept: Vec<(u128, Series)> = Vec::new();
        for (metric, series) in batch {
            let id = MetricId::from_u128(metric);
            let points = series.len();
            match sacks.get(&self.sacks.sack_of(id)).and_then(|sack| sack.folded) {
                Some(folded) if sequence <= folded => {}
                Some(_) => {
                    self.report.metric(id).pending_points += points;
                    kept.push((metric, series));
                }
                None => self.report.lose(
                    id,
                    format!(
                        "{points} points of entry {sequence} of the log are left out: it is not known whether they were folded already"
                    ),
                ),
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let series: Vec<(u128, &Series)> = kept
            .iter()
            .map(|(metric, series)| (*metric, series))
            .collect();
        let mut entry = Vec::new();
        header.put(&mut entry);
        entry.extend_from_slice(&codec::encode(&series));
        self.writer.put(keys::LOG, stored.key, entry)
    }

    /// Writes the records of sacks and the facts, last.
    fn facts(
        &mut self,
        sacks: &BTreeMap<Sack, SavedSack>,
        generation: u64,
    ) -> Result<(), StoreError> {
        let path = self.files.path.clone();
        let failed = |error: EmbeddedError| StoreError::Open {
            path: path.clone(),
            source: error.into_backend("save what is readable"),
        };
        let mut largest_fence = 0;
        for (sack, saved) in sacks {
            largest_fence = largest_fence.max(saved.record.fence);
            self.writer
                .put(keys::SACKS, &keys::sack_key(*sack), saved.record.encode())
                .map_err(failed)?;
        }
        // Leases that the old store gave out stay older than all that the new one gives out.
        let generation = generation.max(largest_fence >> FENCES_PER_GENERATION_BITS) + 1;
        let limit = self.last_entry.saturating_add(1);
        let pairing = Pairing {
            number: PAIRING,
            settled: true,
        };
        for (name, value) in [
            (keys::META_GENERATION, generation.to_be_bytes().to_vec()),
            (keys::META_SEQUENCE_LIMIT, limit.to_be_bytes().to_vec()),
            (keys::META_PAIRING, pairing.encode().to_vec()),
        ] {
            self.writer
                .put(keys::META, name.as_bytes(), value)
                .map_err(failed)?;
        }
        self.writer.write(PersistMode::SyncAll).map_err(failed)
    }
}

/// A loss, and the metrics that it may concern.
struct FrameLoss {
    loss: Loss,
    /// The metrics of the first and of the last key that may be lost; `None` in a journal, where keys have no order.
    bounds: Option<(Option<MetricId>, Option<MetricId>)>,
    /// Metrics, and how many of their frames that were found may be older than lost ones.
    affected: BTreeMap<MetricId, usize>,
}

impl FrameLoss {
    /// `frames` is the number of the keyspace of frames, `metrics` are those that the indexer knows, in order.
    fn new(loss: Loss, frames: Option<u64>, metrics: &[MetricId]) -> Self {
        let bound = |key: &Option<Vec<u8>>| key.as_deref().and_then(keys::metric_of);
        let mut this = Self {
            bounds: (!loss.in_journal).then(|| (bound(&loss.after), bound(&loss.before))),
            affected: BTreeMap::new(),
            loss,
        };
        for (keyspace, key) in &this.loss.seeming_keys {
            if Some(*keyspace) == frames {
                this.affected
                    .extend(keys::metric_of(key).map(|metric| (metric, 0)));
            }
        }
        let within = metrics.iter().filter(|metric| this.concerns(**metric));
        let within: Vec<MetricId> = within.copied().collect();
        this.affected
            .extend(within.into_iter().map(|metric| (metric, 0)));
        this
    }

    fn concerns(&self, metric: MetricId) -> bool {
        self.bounds.is_some_and(|(first, last)| {
            first.is_none_or(|first| first <= metric) && last.is_none_or(|last| metric <= last)
        })
    }

    fn note(&mut self, metric: MetricId, stored: &Stored<'_>) {
        if self.concerns(metric) {
            let is_stale = self.loss.may_hide(stored.key, Some(stored.sequence));
            *self.affected.entry(metric).or_default() += usize::from(is_stale);
        }
    }
}

fn describe(frame: &StoredFrame) -> String {
    let key = frame.key;
    match key.stream {
        Stream::Window => format!("the window of raw points of commit {}", key.sequence),
        Stream::Level(granularity) => format!(
            "the frame of block {} at {} s of commit {}",
            key.block,
            granularity.as_second_f64(),
            key.sequence
        ),
    }
}
