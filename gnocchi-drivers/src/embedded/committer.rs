//! The thread that writes the log of measures: it gathers what callers hand in and makes it durable together.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use carbonara::Timestamp;
use carbonara::codec::measures;
use fjall::{OwnedWriteBatch, PersistMode};
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_core::pending::{MeasuresBySack, PendingIndex};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::database::Database;
use super::engine::{Engine, SEQUENCES_RESERVED, damaged};
use super::error::EmbeddedError;
use super::keys::{self, EntryHeader};

/// How much one group takes at most, in bytes of entries; what waits then goes into the next one.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// What a caller hands in.
pub(super) enum Request {
    /// Makes an entry durable, then puts it into the index.
    Append {
        entry: Bytes,
        arrival: Timestamp,
        measures: MeasuresBySack,
        index_bytes: usize,
        done: Done,
    },
    /// Makes an entry durable that discards what stands before it, then takes that out of the index.
    Discard {
        entry: Bytes,
        metrics: Vec<MetricId>,
        done: Done<usize>,
    },
    /// Deletes from the log what is finished; comes without hurry.
    Tidy,
    /// Deletes from the log what is finished, and answers when that is durable.
    TidyNow { done: Done },
    /// Finishes what was asked before, tidies up, lets go of the database, answers, and ends.
    Close { done: Done },
}

pub(super) type Done<T = ()> = oneshot::Sender<Result<T, EmbeddedError>>;

impl Request {
    fn entry(&self) -> Option<&Bytes> {
        match self {
            Self::Append { entry, .. } | Self::Discard { entry, .. } => Some(entry),
            Self::Tidy | Self::TidyNow { .. } | Self::Close { .. } => None,
        }
    }
}

/// The state of the thread, which is the only writer of the log.
pub(super) struct Committer {
    database: Arc<Database>,
    index: Arc<PendingIndex>,
    next_sequence: u64,
    sequence_limit: u64,
    /// The last entry that was made durable and acknowledged.
    last_stored: u64,
    /// The engine to which that was written.
    epoch: u64,
    /// Entries to delete from the log.
    finished: Vec<u64>,
    /// Discards in the log. One may go when everything before it is gone.
    discards: VecDeque<u64>,
}

impl Committer {
    /// Reads the log into the index and prepares to write on.
    pub(super) fn recover(
        database: Arc<Database>,
        index: Arc<PendingIndex>,
    ) -> Result<Self, EmbeddedError> {
        let facts = database.facts();
        let mut discards = VecDeque::new();
        database.read(|engine| {
            for guard in engine.log.iter() {
                let (key, entry) = guard.into_inner()?;
                let sequence = keys::number(&key).ok_or_else(|| damaged("log"))?;
                let (header, payload) = EntryHeader::take(&entry)
                    .ok_or_else(|| damaged(&format!("log entry {sequence}")))?;
                match header.kind {
                    keys::ENTRY_MEASURES => {
                        let batch = measures::decode(payload)
                            .map_err(|source| EmbeddedError::DamagedEntry { sequence, source })?;
                        let batch = batch.into_iter().map(|(metric, series)| Measures {
                            metric: MetricId::from_u128(metric),
                            series,
                        });
                        let divided = index.divide(batch.collect());
                        // What was acknowledged is taken, whatever the limit says now.
                        drop(index.reserve(PendingIndex::bytes_of(&divided), usize::MAX));
                        index.insert(sequence, header.arrival, divided);
                    }
                    keys::ENTRY_DISCARD => {
                        let metrics = keys::discarded(payload)
                            .ok_or_else(|| damaged(&format!("log entry {sequence}")))?;
                        index.discard(&metrics);
                        discards.push_back(sequence);
                    }
                    kind => return Err(EmbeddedError::UnknownEntry { sequence, kind }),
                }
            }
            Ok(())
        })?;
        Ok(Self {
            database,
            index,
            next_sequence: facts.next_sequence,
            sequence_limit: facts.sequence_limit,
            last_stored: facts.next_sequence - 1,
            epoch: 0,
            finished: Vec::new(),
            discards,
        })
    }

    /// Serves requests until all senders are dropped or the log is closed, then tidies up.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut closing = Vec::new();
        while let Some(first) = requests.blocking_recv() {
            let mut bytes = first.entry().map_or(0, Bytes::len);
            let mut group = vec![first];
            while bytes < GROUP_BYTES_MAX
                && let Ok(next) = requests.try_recv()
            {
                bytes += next.entry().map_or(0, Bytes::len);
                group.push(next);
            }
            closing.extend(self.serve(group));
            if !closing.is_empty() {
                // What is in the queue already is still served.
                requests.close();
            }
        }
        if let Err(error) = self.store(&[], PersistMode::SyncAll) {
            // Its owner acknowledges again what he finds, so nothing is folded twice.
            warn!(%error, "cannot delete acknowledged measures from the log: they will be seen once more");
        }
        drop(self);
        for done in closing {
            drop(done.send(Ok(())));
        }
    }

    /// Answers all requests but those to close, which it returns.
    fn serve(&mut self, group: Vec<Request>) -> Vec<Done> {
        let entries: Vec<(u64, Bytes)> = group
            .iter()
            .filter_map(Request::entry)
            .map(|entry| (self.take_sequence(), entry.clone()))
            .collect();
        let now = |request: &Request| matches!(request, Request::TidyNow { .. });
        let mode = match (group.iter().any(now), entries.is_empty()) {
            (true, _) => PersistMode::SyncAll,
            (false, false) => PersistMode::SyncData,
            (false, true) => PersistMode::Buffer,
        };
        let mut failure = None;
        if let Err(error) = self.store(&entries, mode) {
            if entries.is_empty() {
                warn!(%error, "cannot delete acknowledged measures from the log now");
            }
            failure = Some(Arc::new(error));
        }
        let answer = || match &failure {
            None => Ok(()),
            Some(cause) => Err(EmbeddedError::Group(Arc::clone(cause))),
        };
        let mut sequences = entries.iter().map(|(sequence, _)| *sequence);
        let mut closing = Vec::new();
        for request in group {
            // A caller who is gone does not need the answer.
            match request {
                Request::Tidy => {}
                Request::TidyNow { done } => drop(done.send(answer())),
                Request::Close { done } => closing.push(done),
                Request::Append {
                    arrival,
                    measures,
                    index_bytes,
                    done,
                    ..
                } => {
                    match sequences.next() {
                        Some(sequence) if failure.is_none() => {
                            self.index.insert(sequence, arrival, measures);
                        }
                        _ => self.index.release(index_bytes),
                    }
                    drop(done.send(answer()));
                }
                Request::Discard { metrics, done, .. } => {
                    let mut points = 0;
                    if let Some(sequence) = sequences.next()
                        && failure.is_none()
                    {
                        points = self.index.discard(&metrics).points;
                        self.discards.push_back(sequence);
                    }
                    drop(done.send(answer().map(|()| points)));
                }
            }
        }
        closing
    }

    /// Writes entries and deletes what is finished, in one batch.
    fn store(&mut self, entries: &[(u64, Bytes)], mode: PersistMode) -> Result<(), EmbeddedError> {
        let finished = self.index.take_finished();
        self.finished.extend(finished.sequences);
        let oldest = finished
            .oldest_pending
            .or(entries.first().map(|(sequence, _)| *sequence))
            .unwrap_or(u64::MAX);
        let past_discards = self
            .discards
            .iter()
            .take_while(|sequence| **sequence < oldest)
            .count();
        let nothing = entries.is_empty() && self.finished.is_empty() && past_discards == 0;
        // A synchronous call also removes from the log what a failed write left behind.
        if nothing && mode != PersistMode::SyncAll {
            return Ok(());
        }
        let limit = (self.next_sequence > self.sequence_limit)
            .then(|| self.next_sequence.saturating_add(SEQUENCES_RESERVED));
        let (this, epoch) = (&*self, Cell::new(self.epoch));
        let journal = (!entries.is_empty()).then(|| this.database.keeper().journal());
        this.database.write(|engine| {
            epoch.set(engine.epoch);
            let mut batch = engine
                .batch(entries.len() + this.finished.len() + past_discards + 1)
                .durability(Some(mode));
            if engine.epoch != this.epoch {
                this.remove_ghosts(engine, &mut batch)?;
            }
            for sequence in this
                .finished
                .iter()
                .chain(this.discards.iter().take(past_discards))
            {
                batch.remove(&engine.log, keys::log_key(*sequence));
            }
            if let Some(limit) = limit {
                batch.insert(&engine.meta, keys::META_SEQUENCE_LIMIT, limit.to_be_bytes());
            }
            for (sequence, entry) in entries {
                batch.insert(&engine.log, keys::log_key(*sequence), entry.clone());
            }
            Ok(batch.commit()?)
        })?;
        self.epoch = epoch.get();
        self.finished.clear();
        self.discards.drain(..past_discards);
        self.sequence_limit = limit.unwrap_or(self.sequence_limit);
        if let Some((sequence, entry)) = entries.last() {
            self.last_stored = *sequence;
            if let Some(journal) = journal {
                self.database
                    .keeper()
                    .synchronized(journal, *sequence, entry);
            }
        }
        Ok(())
    }

    /// Deletes entries that were found complete after a failed write although their callers were told of the failure.
    fn remove_ghosts(
        &self,
        engine: &Engine,
        batch: &mut OwnedWriteBatch,
    ) -> Result<(), EmbeddedError> {
        for guard in engine.log.range(keys::log_key(self.last_stored + 1)..) {
            batch.remove(&engine.log, guard.key()?);
        }
        Ok(())
    }

    fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }
}
