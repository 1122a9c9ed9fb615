//! The contract for measures on their way in.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carbonara::{Series, Timestamp};

use super::{Sack, SackCount};
use crate::error::IncomingError;
use crate::model::{Measures, MetricId};

/// What a driver can do beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncomingCapabilities {
    /// Measures survive the end of the process.
    pub durable: bool,
    /// Several processes may append and claim at once.
    pub shared: bool,
}

/// Identifies what one claim took, in the driver's own bytes.
///
/// Storage keeps the receipt of the last commit of every sack, so that a new owner can finish the acknowledgement of its
/// predecessor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt(pub Bytes);

/// Measures taken from one sack, and the receipt that removes them.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// Per metric its batches in order of receipt; each metric occurs once.
    pub measures: Vec<(MetricId, Vec<Arc<Series>>)>,
    /// Removes exactly these measures.
    pub receipt: Receipt,
}

impl Claim {
    /// Returns whether nothing was pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.measures.is_empty()
    }

    /// Returns the number of points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.measures
            .iter()
            .flat_map(|(_, batches)| batches)
            .map(|series| series.len())
            .sum()
    }
}

/// Whether a report lists every metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BacklogDetails {
    /// Only totals.
    #[default]
    Summary,
    /// Totals and a line per metric.
    PerMetric,
}

/// What waits of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricBacklog {
    /// The metric.
    pub metric: MetricId,
    /// The number of batches.
    pub batches: usize,
    /// The number of points in them.
    pub points: usize,
}

/// What waits to be folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of metrics with pending measures.
    pub metrics: usize,
    /// The number of pending batches; one request gives one batch a metric.
    pub batches: usize,
    /// The number of pending points.
    pub points: usize,
    /// When the oldest pending batch arrived.
    pub oldest: Option<Timestamp>,
    /// A line per metric, if asked for.
    pub per_metric: Vec<MetricBacklog>,
}

/// Keeps measures from their acknowledgement to a client until they are folded.
///
/// # Contract
/// - What [`append`](Self::append) acknowledged is claimed until it is acknowledged, also after a crash.
/// - Batches of one metric are claimed in the order in which their appends returned.
/// - A claim without acknowledgement changes nothing: the next claim returns the same measures, and maybe more.
/// - At most one owner claims a sack at a time; the lease of the sack guards that.
#[async_trait]
pub trait IncomingDriver: fmt::Debug + Send + Sync + 'static {
    /// Returns what this driver can do.
    fn capabilities(&self) -> IncomingCapabilities;

    /// Returns the number of sacks of this deployment.
    fn sacks(&self) -> SackCount;

    /// Creates what must exist; may be repeated.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer.
    async fn upgrade(&self) -> Result<(), IncomingError>;

    /// Returns whether a write would be accepted now, as far as that is known without writing; an error says why not. Reads may
    /// work all the same. Cheap enough to be called for every probe of a load balancer.
    ///
    /// # Errors
    /// [`IncomingError::Backend`], mostly of the kinds [`Full`](crate::error::BackendErrorKind::Full),
    /// [`ReadOnly`](crate::error::BackendErrorKind::ReadOnly) and [`Unavailable`](crate::error::BackendErrorKind::Unavailable).
    async fn accepts_writes(&self) -> Result<(), IncomingError>;

    /// Stores measures and returns when they are durable: all of them or none. Empty series are skipped.
    ///
    /// # Errors
    /// [`IncomingError::BacklogFull`] when too much waits already, [`IncomingError::Backend`] when the back-end fails; nothing is
    /// acknowledged then, though after a time-out it may have been stored.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have stored the measures, but never a part of them.
    async fn append(&self, measures: Vec<Measures>) -> Result<(), IncomingError>;

    /// Returns pending measures of a sack, oldest first; empty when nothing waits.
    ///
    /// `points_wanted` is a wish: whole appends are returned, of each the part that belongs to this sack, at least one, and more
    /// until there are so many points. So there may be more of them than wanted, by less than the last append.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer or holds damaged data.
    async fn claim(&self, sack: Sack, points_wanted: usize) -> Result<Claim, IncomingError>;

    /// Removes what the claim of this receipt returned, and everything claimed before it. May be repeated; an empty receipt
    /// removes nothing.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer.
    async fn acknowledge(&self, sack: Sack, receipt: &Receipt) -> Result<(), IncomingError>;

    /// Returns the pending batches of each metric in order of receipt, without claiming them.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer or holds damaged data.
    async fn pending(&self, metrics: &[MetricId]) -> Result<Vec<Vec<Arc<Series>>>, IncomingError>;

    /// Drops the pending measures of metrics, for example of deleted ones, and returns how many points that were. Absent metrics
    /// are fine.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer.
    async fn discard(&self, metrics: &[MetricId]) -> Result<usize, IncomingError>;

    /// Reports what waits.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer.
    async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, IncomingError>;

    /// Waits until a sack has measures that arrived since the last call and returns these sacks. A driver that can't notify
    /// never returns; callers poll beside it.
    ///
    /// # Errors
    /// [`IncomingError::Backend`] when the back-end cannot answer.
    ///
    /// # Cancel safety
    /// A dropped future loses no notification.
    async fn arrived(&self) -> Result<Vec<Sack>, IncomingError>;
}
