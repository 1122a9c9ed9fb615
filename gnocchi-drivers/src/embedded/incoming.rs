//! Measures on their way in: a log on disk, an index in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::codec::measures as codec;
use carbonara::{Series, Timestamp};
use gnocchi_core::clock::Clock;
use gnocchi_core::driver::{
    Backlog, BacklogDetails, Claim, IncomingCapabilities, IncomingDriver, Receipt, Sack, SackCount,
};
use gnocchi_core::error::IncomingError;
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_core::pending::{MeasuresBySack, PendingIndex};
use tokio::sync::{mpsc, oneshot};

use super::committer::{Committer, Done, Request};
use super::database::Database;
use super::error::EmbeddedError;
use super::keys::{self, EntryHeader, Identity};

/// How many calls wait for the writer at most before they wait to be let in.
const REQUESTS_MAX: usize = 1024;

/// Appends with more points than this are encoded away from the threads that serve requests.
const POINTS_INLINE_MAX: usize = 1 << 16;

/// The largest entry that the engine can hold.
const ENTRY_BYTES_MAX: usize = u32::MAX as usize;

/// Keeps measures in a log until they are folded.
///
/// An append is one entry of the log, whatever the number of metrics; appends that come at the same time share one write and one
/// `fdatasync`. What waits is also held in memory, so claims and reads of pending measures never touch the disk.
///
/// Acknowledged entries are deleted from the log soon after, not at once. A crash in between brings them back; the owner of a sack
/// therefore acknowledges the last receipt that storage knows before it claims.
///
/// Dropped without [`close`](Self::close), it leaves the deletions in hand to a thread, which has the directory until they are done.
#[derive(Debug)]
pub struct EmbeddedIncoming {
    database: Arc<Database>,
    index: Arc<PendingIndex>,
    clock: Arc<dyn Clock>,
    identity: Identity,
    /// To the thread that writes the log; it ends when this is gone.
    requests: mpsc::Sender<Request>,
}

impl EmbeddedIncoming {
    pub(super) fn start(
        database: Arc<Database>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EmbeddedError> {
        let facts = database.facts();
        let index = Arc::new(PendingIndex::new(facts.sacks));
        let committer = Committer::recover(Arc::clone(&database), Arc::clone(&index))?;
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        std::thread::Builder::new()
            .name("gnocchi-log".to_owned())
            .spawn(move || committer.run(receiver))
            .map_err(EmbeddedError::Thread)?;
        Ok(Self {
            database,
            index,
            clock,
            identity: facts.identity,
            requests,
        })
    }

    /// Fails when something waits to be folded.
    pub(super) fn require_empty(&self) -> Result<(), EmbeddedError> {
        let points = self.index.backlog(BacklogDetails::Summary).points;
        if points == 0 {
            Ok(())
        } else {
            Err(EmbeddedError::BacklogNotEmpty { points })
        }
    }

    /// Hands a request to the writer and waits for its answer.
    async fn submit<T>(
        &self,
        request: impl FnOnce(Done<T>) -> Request,
    ) -> Result<T, EmbeddedError> {
        // The request is made only once there is a place for it: a caller who gives up before leaves nothing behind.
        let place = self
            .requests
            .reserve()
            .await
            .map_err(|_| EmbeddedError::Closed)?;
        let (done, answer) = oneshot::channel();
        place.send(request(done));
        answer.await.map_err(|_| EmbeddedError::Closed)?
    }

    /// Asks the writer to delete what is finished, with the next append or before.
    fn tidy(&self) {
        // When the queue is full, the writer comes by anyway.
        drop(self.requests.try_send(Request::Tidy));
    }

    /// Deletes from the log what is finished; it is gone when this returns.
    pub(super) async fn tidy_now(&self) -> Result<(), EmbeddedError> {
        self.submit(|done| Request::TidyNow { done }).await
    }

    /// Takes measures out of the index as an acknowledgement does, and leaves the log as it is.
    #[cfg(test)]
    pub(super) fn forget_without_tidying(&self, sack: Sack, receipt: &Receipt) -> bool {
        keys::receipt_sequence(self.identity, receipt)
            .is_some_and(|sequence| self.index.acknowledge(sack, sequence))
    }

    /// Finishes the calls in hand and deletes from the log what was acknowledged. Later appends and discards fail as unavailable.
    ///
    /// May be repeated.
    pub async fn close(&self) {
        match self.submit(|done| Request::Close { done }).await {
            // Closed before, or by a concurrent call.
            Ok(()) | Err(_) => {}
        }
    }

    /// Encodes the entry of an append and divides it among the sacks.
    async fn prepare(
        &self,
        measures: Vec<Measures>,
    ) -> Result<(Bytes, Timestamp, MeasuresBySack), EmbeddedError> {
        let header = EntryHeader {
            kind: keys::ENTRY_MEASURES,
            arrival: self.clock.now(),
        };
        let index = Arc::clone(&self.index);
        let points: usize = measures.iter().map(|measures| measures.series.len()).sum();
        let work = move || {
            let entry = encode(header, &measures)?;
            Ok((entry, header.arrival, index.divide(measures)))
        };
        if points <= POINTS_INLINE_MAX {
            return work();
        }
        tokio::task::spawn_blocking(work)
            .await
            .map_err(EmbeddedError::Task)?
    }
}

fn encode(header: EntryHeader, measures: &[Measures]) -> Result<Bytes, EmbeddedError> {
    let batch: Vec<(u128, &Series)> = measures
        .iter()
        .filter(|measures| !measures.series.is_empty())
        .map(|measures| (measures.metric.as_u128(), &measures.series))
        .collect();
    let payload = codec::encode(&batch);
    let bytes = EntryHeader::BYTES + payload.len();
    if bytes > ENTRY_BYTES_MAX {
        return Err(EmbeddedError::AppendTooLarge { bytes });
    }
    let mut entry = Vec::with_capacity(bytes);
    header.put(&mut entry);
    entry.extend_from_slice(&payload);
    Ok(entry.into())
}

#[async_trait]
impl IncomingDriver for EmbeddedIncoming {
    fn capabilities(&self) -> IncomingCapabilities {
        IncomingCapabilities {
            durable: true,
            shared: false,
        }
    }

    fn sacks(&self) -> SackCount {
        self.index.sacks()
    }

    async fn upgrade(&self) -> Result<(), IncomingError> {
        // Opening created everything.
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), IncomingError> {
        let database = Arc::clone(&self.database);
        let accepts = tokio::task::spawn_blocking(move || database.accepts_writes()).await;
        let accepts = accepts.unwrap_or_else(|error| Err(EmbeddedError::Task(error)));
        accepts.map_err(|error| error.into_incoming("accept measures"))
    }

    async fn append(&self, measures: Vec<Measures>) -> Result<(), IncomingError> {
        const OPERATION: &str = "append measures";
        if measures.iter().all(|measures| measures.series.is_empty()) {
            return Ok(());
        }
        let limit_bytes = self.database.config().pending_bytes_max;
        // Looked at before the work as well, so that refusing costs nothing.
        self.index.reserve(0, limit_bytes)?;
        let admitted = self.database.disk().admit_growth();
        admitted.map_err(|refusal| EmbeddedError::from(refusal).into_incoming(OPERATION))?;
        let (entry, arrival, measures) = self
            .prepare(measures)
            .await
            .map_err(|error| error.into_incoming(OPERATION))?;
        let index_bytes = PendingIndex::bytes_of(&measures);
        let reserved = Reservation::take(&self.index, index_bytes, limit_bytes)?;
        let stored = self.submit(|done| {
            reserved.hand_over();
            Request::Append {
                entry,
                arrival,
                measures,
                index_bytes,
                done,
            }
        });
        stored.await.map_err(|error| error.into_incoming(OPERATION))
    }

    async fn claim(&self, sack: Sack, points_wanted: usize) -> Result<Claim, IncomingError> {
        Ok(self
            .index
            .claim(sack, points_wanted)
            .map_or_else(Claim::default, |taken| Claim {
                measures: taken.measures,
                receipt: keys::receipt(self.identity, taken.sequence),
            }))
    }

    async fn acknowledge(&self, sack: Sack, receipt: &Receipt) -> Result<(), IncomingError> {
        // A receipt of another log, as storage may know one after incoming was moved, names nothing that is kept here.
        if let Some(sequence) = keys::receipt_sequence(self.identity, receipt)
            && self.index.acknowledge(sack, sequence)
        {
            self.tidy();
        }
        Ok(())
    }

    async fn pending(&self, metrics: &[MetricId]) -> Result<Vec<Vec<Arc<Series>>>, IncomingError> {
        Ok(self.index.pending(metrics))
    }

    async fn discard(&self, metrics: &[MetricId]) -> Result<usize, IncomingError> {
        if !self.index.holds_any(metrics) {
            return Ok(0);
        }
        let mut entry = Vec::new();
        EntryHeader {
            kind: keys::ENTRY_DISCARD,
            arrival: self.clock.now(),
        }
        .put(&mut entry);
        keys::put_discarded(&mut entry, metrics);
        let entry = entry.into();
        let stored = self.submit(|done| Request::Discard {
            entry,
            metrics: metrics.to_vec(),
            done,
        });
        let points = stored
            .await
            .map_err(|error| error.into_incoming("discard measures"))?;
        self.tidy();
        Ok(points)
    }

    async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, IncomingError> {
        Ok(self.index.backlog(details))
    }

    async fn arrived(&self) -> Result<Vec<Sack>, IncomingError> {
        Ok(self.index.arrived().await)
    }
}

/// Memory set aside in the index; given back when the append is dropped before the writer has it.
struct Reservation<'a> {
    index: &'a PendingIndex,
    bytes: usize,
}

impl<'a> Reservation<'a> {
    fn take(
        index: &'a PendingIndex,
        bytes: usize,
        limit_bytes: usize,
    ) -> Result<Self, IncomingError> {
        index.reserve(bytes, limit_bytes)?;
        Ok(Self { index, bytes })
    }

    /// Leaves the memory to the writer.
    fn hand_over(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.index.release(self.bytes);
    }
}
