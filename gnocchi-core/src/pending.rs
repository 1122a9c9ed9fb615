//! The measures that wait to be folded, in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carbonara::{Series, Timestamp};
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::driver::{Backlog, BacklogDetails, MetricBacklog, Sack, SackCount};
use crate::error::IncomingError;
use crate::model::{Measures, MetricId};

/// What a batch costs beside its points: its place in the queue of its metric and of its sack.
const BATCH_OVERHEAD_BYTES: usize = 96;

/// How many batches an acknowledgement removes before it lets others look at the sack.
const ACKNOWLEDGED_AT_ONCE: usize = 4096;

/// Maps smaller than this keep their room when they become empty.
const RETAINED_METRICS: usize = 1024;

/// Measures of one append, divided among the sacks; each sack occurs once.
pub type MeasuresBySack = Vec<(Sack, Vec<(MetricId, Arc<Series>)>)>;

/// Pending measures by sack and metric, in order of receipt.
///
/// It is the whole of [`MemoryIncoming`](crate::memory::MemoryIncoming), and the index of a driver that keeps a log elsewhere: such a driver
/// writes an append to its log under a sequence number, [inserts](Self::insert) it here, and deletes from the log what is
/// [finished](Self::take_finished) since.
///
/// Every sack has its own lock. A claim holds it only while it takes a reference to each append, however large, and memory is freed
/// only after it was let go: so readers of pending measures wait for neither.
pub struct PendingIndex {
    sacks: SackCount,
    queues: Vec<Mutex<SackQueue>>,
    progress: Mutex<AppendProgress>,
    metrics: AtomicUsize,
    batches: AtomicUsize,
    points: AtomicUsize,
    bytes: AtomicUsize,
    arrived: Mutex<BTreeSet<Sack>>,
    arrival: Notify,
}

/// What was taken from one sack, up to and including one sequence number.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Per metric its batches in order of receipt; each metric stands once.
    pub measures: Vec<(MetricId, Vec<Arc<Series>>)>,
    /// The number of the last append that is part of it.
    pub sequence: u64,
}

/// What [`PendingIndex::discard`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Discarded {
    /// How many points were removed.
    pub points: usize,
    /// Whether that finished some append.
    pub finished: bool,
}

/// What [`PendingIndex::take_finished`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// The numbers of appends of which no sack holds anything since the last call, in no order.
    pub sequences: Vec<u64>,
    /// The number of the oldest append of which some sack holds something.
    pub oldest_pending: Option<u64>,
}

#[derive(Debug, Default)]
struct AppendProgress {
    /// For each sequence number the number of sacks that still hold something of it.
    outstanding: BTreeMap<u64, usize>,
    finished: Vec<u64>,
}

#[derive(Default)]
struct SackQueue {
    entries: VecDeque<Entry>,
    metrics: HashMap<MetricId, VecDeque<Batch>>,
}

/// What one append left in one sack.
struct Entry {
    sequence: u64,
    arrival: Timestamp,
    /// What is still there of it; less than at first when metrics were discarded. Shared with claims.
    batches: Arc<Vec<(MetricId, Arc<Series>)>>,
    points: usize,
}

struct Batch {
    sequence: u64,
    series: Arc<Series>,
}

/// What was taken out of a sack: counted, and freed, when the sack is unlocked.
#[derive(Default)]
struct Removed {
    metrics: usize,
    entries: Vec<Entry>,
    /// Discarded batches; those of `entries` are not among them.
    batches: Vec<Batch>,
}

impl Removed {
    fn series(&self) -> impl Iterator<Item = &Arc<Series>> {
        let acknowledged = self.entries.iter().flat_map(|entry| entry.batches.iter());
        acknowledged
            .map(|(_, series)| series)
            .chain(self.batches.iter().map(|batch| &batch.series))
    }
}

impl PendingIndex {
    /// Makes an empty index.
    #[must_use]
    pub fn new(sacks: SackCount) -> Self {
        Self {
            sacks,
            queues: sacks.sacks().map(|_| Mutex::default()).collect(),
            progress: Mutex::default(),
            metrics: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            points: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            arrived: Mutex::default(),
            arrival: Notify::new(),
        }
    }

    /// Returns the number of sacks.
    #[must_use]
    pub fn sacks(&self) -> SackCount {
        self.sacks
    }

    /// Divides measures among the sacks, in the order given; empty series are left out.
    #[must_use]
    pub fn divide(&self, measures: Vec<Measures>) -> MeasuresBySack {
        let mut place: HashMap<Sack, usize> = HashMap::new();
        let mut divided: MeasuresBySack = Vec::new();
        for Measures { metric, series } in measures {
            if series.is_empty() {
                continue;
            }
            let sack = self.sacks.sack_of(metric);
            let index = *place.entry(sack).or_insert_with(|| {
                divided.push((sack, Vec::new()));
                divided.len() - 1
            });
            divided[index].1.push((metric, Arc::new(series)));
        }
        divided
    }

    /// Returns the memory that measures take here.
    #[must_use]
    pub fn bytes_of(measures: &MeasuresBySack) -> usize {
        measures
            .iter()
            .flat_map(|(_, batches)| batches)
            .map(|(_, series)| batch_bytes(series))
            .sum()
    }

    /// Sets memory aside for measures that will be inserted.
    ///
    /// One append is taken as long as less than the limit waits, whatever its size: so the limit is passed by at most one
    /// append in total, and an append is never too large forever.
    ///
    /// # Errors
    /// [`IncomingError::BacklogFull`] when as much waits as may.
    pub fn reserve(&self, bytes: usize, limit_bytes: usize) -> Result<(), IncomingError> {
        let taken =
            self.bytes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pending_bytes| {
                    (pending_bytes < limit_bytes).then(|| pending_bytes.saturating_add(bytes))
                });
        match taken {
            Ok(_) => Ok(()),
            Err(pending_bytes) => Err(IncomingError::BacklogFull {
                pending_bytes,
                limit_bytes,
            }),
        }
    }

    /// Gives back memory that was set aside for measures that will not be inserted.
    pub fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Adds the measures of one append, whose memory was [reserved](Self::reserve), and announces the sacks.
    ///
    /// Calls are made one after the other, with ascending sequence numbers.
    pub fn insert(&self, sequence: u64, arrival: Timestamp, measures: MeasuresBySack) {
        if measures.is_empty() {
            return;
        }
        self.progress
            .lock()
            .outstanding
            .insert(sequence, measures.len());
        let announced: Vec<Sack> = measures.iter().map(|(sack, _)| *sack).collect();
        for (sack, batches) in measures {
            let mut queue = self.queue(sack).lock();
            debug_assert!(
                queue
                    .entries
                    .back()
                    .is_none_or(|last| last.sequence < sequence),
                "appends are inserted in the order of their numbers"
            );
            let points = count_points(&batches);
            self.batches.fetch_add(batches.len(), Ordering::Relaxed);
            self.points.fetch_add(points, Ordering::Relaxed);
            let metrics_before = queue.metrics.len();
            for (metric, series) in &batches {
                queue.metrics.entry(*metric).or_default().push_back(Batch {
                    sequence,
                    series: Arc::clone(series),
                });
            }
            queue.entries.push_back(Entry {
                sequence,
                arrival,
                batches: Arc::new(batches),
                points,
            });
            self.metrics
                .fetch_add(queue.metrics.len() - metrics_before, Ordering::Relaxed);
        }
        self.arrived.lock().extend(announced);
        self.arrival.notify_one();
    }

    /// Returns what waits in a sack, oldest first: whole appends, until there are `points_wanted` points, at least one append;
    /// `None` when nothing waits.
    #[must_use]
    pub fn claim(&self, sack: Sack, points_wanted: usize) -> Option<Taken> {
        let queue = self.queues.get(usize::from(sack.number()))?.lock();
        let mut sequence = None;
        let mut points = 0;
        let mut appends = Vec::new();
        for entry in &queue.entries {
            if sequence.is_some() && points >= points_wanted {
                break;
            }
            sequence = Some(entry.sequence);
            points += entry.points;
            appends.push(Arc::clone(&entry.batches));
        }
        drop(queue);
        let sequence = sequence?;
        let mut place: HashMap<MetricId, usize> = HashMap::new();
        let mut measures: Vec<(MetricId, Vec<Arc<Series>>)> = Vec::new();
        for (metric, series) in appends.iter().flat_map(|batches| batches.iter()) {
            let index = *place.entry(*metric).or_insert_with(|| {
                measures.push((*metric, Vec::new()));
                measures.len() - 1
            });
            measures[index].1.push(Arc::clone(series));
        }
        Some(Taken { measures, sequence })
    }

    /// Removes from a sack every append up to and including `sequence`. Tells whether that finished some append.
    ///
    /// Others may look at the sack between two appends.
    pub fn acknowledge(&self, sack: Sack, sequence: u64) -> bool {
        let Some(queue) = self.queues.get(usize::from(sack.number())) else {
            return false;
        };
        let mut gone = Vec::new();
        loop {
            let mut queue = queue.lock();
            let mut removed = Removed::default();
            let mut batches = 0;
            let mut more = true;
            while more && batches < ACKNOWLEDGED_AT_ONCE {
                let entry = queue
                    .entries
                    .pop_front_if(|entry| entry.sequence <= sequence);
                more = entry.is_some();
                if let Some(entry) = entry {
                    batches += entry.batches.len();
                    gone.push(entry.sequence);
                    queue.remove_batches(&entry, &mut removed);
                    removed.entries.push(entry);
                }
            }
            if !more {
                queue.pop_empty_entries(&mut gone);
                queue.shrink();
            }
            // Fair: a waiting caller comes before the next round.
            MutexGuard::unlock_fair(queue);
            self.count_removed(&removed);
            if !more {
                break;
            }
        }
        self.finish(&gone)
    }

    /// Returns the pending batches of each metric in order of receipt.
    #[must_use]
    pub fn pending(&self, metrics: &[MetricId]) -> Vec<Vec<Arc<Series>>> {
        let batches = metrics.iter().map(|metric| {
            let queue = self.queue(self.sacks.sack_of(*metric)).lock();
            let batches = queue.metrics.get(metric).into_iter().flatten();
            batches.map(|batch| Arc::clone(&batch.series)).collect()
        });
        batches.collect()
    }

    /// Removes everything of these metrics.
    pub fn discard(&self, metrics: &[MetricId]) -> Discarded {
        let mut by_sack: HashMap<Sack, HashSet<MetricId>> = HashMap::new();
        for metric in metrics {
            let sack = self.sacks.sack_of(*metric);
            by_sack.entry(sack).or_default().insert(*metric);
        }
        let mut gone = Vec::new();
        let mut points = 0;
        for (sack, metrics) in by_sack {
            let mut queue = self.queue(sack).lock();
            let removed = queue.discard(&metrics);
            queue.pop_empty_entries(&mut gone);
            queue.shrink();
            drop(queue);
            points += self.count_removed(&removed);
        }
        Discarded {
            points,
            finished: self.finish(&gone),
        }
    }

    /// Returns which appends were finished since the last call. To be called now and then: the list grows until it is.
    #[must_use]
    pub fn take_finished(&self) -> Finished {
        let mut progress = self.progress.lock();
        let sequences = std::mem::take(&mut progress.finished);
        Finished {
            sequences,
            oldest_pending: progress.outstanding.keys().next().copied(),
        }
    }

    /// Returns whether something of one of these metrics waits.
    #[must_use]
    pub fn holds_any(&self, metrics: &[MetricId]) -> bool {
        metrics.iter().any(|metric| {
            self.queue(self.sacks.sack_of(*metric))
                .lock()
                .metrics
                .contains_key(metric)
        })
    }

    /// Reports what waits. Looks at every sack, and with [`BacklogDetails::PerMetric`] at every pending metric.
    #[must_use]
    pub fn backlog(&self, details: BacklogDetails) -> Backlog {
        let mut backlog = Backlog {
            metrics: self.metrics.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            points: self.points.load(Ordering::Relaxed),
            oldest: None,
            per_metric: Vec::new(),
        };
        for queue in &self.queues {
            let queue = queue.lock();
            let oldest = queue.entries.front().map(|entry| entry.arrival);
            backlog.oldest = [backlog.oldest, oldest].into_iter().flatten().min();
            if details == BacklogDetails::PerMetric {
                backlog
                    .per_metric
                    .extend(queue.metrics.iter().map(|(metric, batches)| MetricBacklog {
                        metric: *metric,
                        batches: batches.len(),
                        points: batches.iter().map(|batch| batch.series.len()).sum(),
                    }));
            }
        }
        backlog.per_metric.sort_unstable_by_key(|line| line.metric);
        backlog
    }

    /// Waits until a sack was announced since the last call, and returns these sacks. One caller at a time gets them.
    ///
    /// # Cancel safety
    /// A dropped future loses no announcement.
    pub async fn arrived(&self) -> Vec<Sack> {
        loop {
            let announced = std::mem::take(&mut *self.arrived.lock());
            if !announced.is_empty() {
                return announced.into_iter().collect();
            }
            // An announcement between the look above and the wait below leaves a permit, which ends the wait at once.
            self.arrival.notified().await;
        }
    }

    fn queue(&self, sack: Sack) -> &Mutex<SackQueue> {
        &self.queues[usize::from(sack.number())]
    }

    /// Returns the number of points.
    fn count_removed(&self, removed: &Removed) -> usize {
        let (mut batches, mut points, mut bytes) = (0, 0, 0);
        for series in removed.series() {
            batches += 1;
            points += series.len();
            bytes += batch_bytes(series);
        }
        self.metrics.fetch_sub(removed.metrics, Ordering::Relaxed);
        self.batches.fetch_sub(batches, Ordering::Relaxed);
        self.points.fetch_sub(points, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        points
    }

    /// Notes that one sack holds nothing any more of each of these appends.
    fn finish(&self, gone: &[u64]) -> bool {
        let mut progress = self.progress.lock();
        let finished_before = progress.finished.len();
        for sequence in gone {
            let Some(sacks) = progress.outstanding.get_mut(sequence) else {
                continue;
            };
            *sacks -= 1;
            if *sacks == 0 {
                progress.outstanding.remove(sequence);
                progress.finished.push(*sequence);
            }
        }
        progress.finished.len() > finished_before
    }
}

impl fmt::Debug for PendingIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingIndex")
            .field("sacks", &self.sacks)
            .field("metrics", &self.metrics)
            .field("batches", &self.batches)
            .field("points", &self.points)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl SackQueue {
    /// Removes the batches of an append from their metrics; what stood before them is gone already.
    fn remove_batches(&mut self, entry: &Entry, removed: &mut Removed) {
        for (metric, _) in entry.batches.iter() {
            let Some(batches) = self.metrics.get_mut(metric) else {
                continue;
            };
            // The entry keeps the series, so nothing but its place is freed here.
            while batches
                .pop_front_if(|batch| batch.sequence <= entry.sequence)
                .is_some()
            {}
            if batches.is_empty() {
                self.metrics.remove(metric);
                removed.metrics += 1;
            }
        }
    }

    /// Removes these metrics from everywhere.
    fn discard(&mut self, metrics: &HashSet<MetricId>) -> Removed {
        let mut removed = Removed::default();
        for metric in metrics {
            if let Some(batches) = self.metrics.remove(metric) {
                removed.metrics += 1;
                removed.batches.extend(batches);
            }
        }
        let sequences: BTreeSet<u64> = removed.batches.iter().map(|batch| batch.sequence).collect();
        for sequence in sequences {
            let place = self
                .entries
                .binary_search_by_key(&sequence, |entry| entry.sequence);
            if let Some(entry) = place.ok().and_then(|place| self.entries.get_mut(place)) {
                // A claim may hold the list: it keeps what it saw.
                Arc::make_mut(&mut entry.batches).retain(|(metric, _)| !metrics.contains(metric));
                entry.points = count_points(&entry.batches);
            }
        }
        removed
    }

    /// Removes the oldest entries of which everything was discarded, so that an entry at the front always holds something.
    fn pop_empty_entries(&mut self, gone: &mut Vec<u64>) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.batches.is_empty()) {
            gone.push(entry.sequence);
        }
    }

    fn shrink(&mut self) {
        if self.metrics.is_empty() && self.metrics.capacity() > RETAINED_METRICS {
            self.metrics.shrink_to_fit();
            self.entries.shrink_to_fit();
        }
    }
}

fn count_points(batches: &[(MetricId, Arc<Series>)]) -> usize {
    batches.iter().map(|(_, series)| series.len()).sum()
}

fn batch_bytes(series: &Series) -> usize {
    series.memory_bytes() + BATCH_OVERHEAD_BYTES
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
