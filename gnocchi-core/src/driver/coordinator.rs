//! The contract for leases and groups.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::CoordinationError;

/// The right to do something alone, for as long as it is renewed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Larger than the fence of every lease given out before under this name, also across restarts.
    pub fence: u64,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its unique name.
    pub name: String,
    /// What it tells the others about itself.
    pub capabilities: Bytes,
}

/// Gives out leases and knows who is there.
///
/// # Contract
/// - At most one holder has an unexpired lease of a name.
/// - A holder that can't renew in time loses the lease; the fence keeps what it still does from doing harm.
#[async_trait]
pub trait Coordinator: fmt::Debug + Send + Sync + 'static {
    /// Tries to take the lease of a name; `None` when it is held.
    ///
    /// # Errors
    /// [`CoordinationError::Backend`] when the back-end cannot answer.
    async fn acquire(&self, name: &str) -> Result<Option<Lease>, CoordinationError>;

    /// Prolongs leases and tells for each whether it is still held.
    ///
    /// # Errors
    /// [`CoordinationError::Backend`] when the back-end cannot answer.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<bool>, CoordinationError>;

    /// Gives leases back. Those that are not held any more are skipped.
    ///
    /// # Errors
    /// [`CoordinationError::Backend`] when the back-end cannot answer.
    async fn release(&self, leases: &[Lease]) -> Result<(), CoordinationError>;

    /// Joins a group, or changes what this member tells about itself. The group is created on demand.
    ///
    /// # Errors
    /// [`CoordinationError::NoGroups`] when groups are not supported, [`CoordinationError::Backend`] when the back-end cannot answer.
    async fn join(&self, group: &str, member: Member) -> Result<(), CoordinationError>;

    /// Leaves a group. An absent member is fine.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    async fn leave(&self, group: &str, member_name: &str) -> Result<(), CoordinationError>;

    /// Returns the members of a group by name; empty when it never had one.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    async fn members(&self, group: &str) -> Result<Vec<Member>, CoordinationError>;

    /// Waits until the set of members of a group changes.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    ///
    /// # Cancel safety
    /// A dropped future loses nothing: call [`members`](Self::members) before waiting again.
    async fn members_changed(&self, group: &str) -> Result<(), CoordinationError>;
}
