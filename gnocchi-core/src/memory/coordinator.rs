//! Leases and groups within one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::driver::{Coordinator, Lease, Member};
use crate::error::CoordinationError;

/// How long a lease lasts unless told otherwise.
pub const LEASE_DURATION_DEFAULT: Duration = Duration::from_secs(30);

/// Gives out leases to the tasks of one process.
///
/// A lease that is not renewed in time is given to the next who asks: a task that hangs or panicked doesn't block its sack for
/// ever. Members of a group stay until they leave. Whatever outlives the process must see larger fences after a restart: give
/// the coordinator a first fence that grows from start to start.
#[derive(Debug)]
pub struct MemoryCoordinator {
    lease_duration: Duration,
    leases: Mutex<Leases>,
    groups: Mutex<HashMap<String, Group>>,
}

#[derive(Debug)]
struct Leases {
    next_fence: u64,
    held: HashMap<String, Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    fence: u64,
    expires: Instant,
}

#[derive(Debug)]
struct Group {
    members: BTreeMap<String, Bytes>,
    /// Counts the changes of the set of members.
    version: watch::Sender<u64>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            members: BTreeMap::new(),
            version: watch::Sender::new(0),
        }
    }
}

impl MemoryCoordinator {
    /// Makes a coordinator whose fences begin at one.
    #[must_use]
    pub fn new() -> Self {
        Self::with_first_fence(1)
    }

    /// Makes a coordinator whose fences begin at `first_fence`, which must be larger than any that was given out before over
    /// the same storage.
    #[must_use]
    pub fn with_first_fence(first_fence: u64) -> Self {
        Self {
            lease_duration: LEASE_DURATION_DEFAULT,
            leases: Mutex::new(Leases {
                next_fence: first_fence,
                held: HashMap::new(),
            }),
            groups: Mutex::default(),
        }
    }

    /// Changes how long a lease lasts without being renewed.
    #[must_use]
    pub fn with_lease_duration(mut self, duration: Duration) -> Self {
        self.lease_duration = duration;
        self
    }
}

impl Default for MemoryCoordinator {
    fn default() -> Self {
        Self::new()
    }
}

impl Leases {
    fn holds(&self, lease: &Lease, now: Instant) -> bool {
        self.held
            .get(&lease.name)
            .is_some_and(|held| held.fence == lease.fence && held.expires > now)
    }
}

#[async_trait]
impl Coordinator for MemoryCoordinator {
    async fn acquire(&self, name: &str) -> Result<Option<Lease>, CoordinationError> {
        let now = Instant::now();
        let mut leases = self.leases.lock();
        if leases.held.get(name).is_some_and(|held| held.expires > now) {
            return Ok(None);
        }
        let fence = leases.next_fence;
        leases.next_fence += 1;
        leases.held.insert(
            name.to_owned(),
            Held {
                fence,
                expires: now + self.lease_duration,
            },
        );
        Ok(Some(Lease {
            name: name.to_owned(),
            fence,
        }))
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<bool>, CoordinationError> {
        let now = Instant::now();
        let mut state = self.leases.lock();
        let renewed = leases.iter().map(|lease| {
            let held = state.holds(lease, now);
            if held && let Some(held) = state.held.get_mut(&lease.name) {
                held.expires = now + self.lease_duration;
            }
            held
        });
        Ok(renewed.collect())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), CoordinationError> {
        let mut state = self.leases.lock();
        for lease in leases {
            if state
                .held
                .get(&lease.name)
                .is_some_and(|held| held.fence == lease.fence)
            {
                state.held.remove(&lease.name);
            }
        }
        Ok(())
    }

    async fn join(&self, group: &str, member: Member) -> Result<(), CoordinationError> {
        let mut groups = self.groups.lock();
        let group = groups.entry_ref(group).or_default();
        if group
            .members
            .insert(member.name, member.capabilities)
            .is_none()
        {
            group.version.send_modify(|version| *version += 1);
        }
        Ok(())
    }

    async fn leave(&self, group: &str, member_name: &str) -> Result<(), CoordinationError> {
        let mut groups = self.groups.lock();
        if let Some(group) = groups.get_mut(group)
            && group.members.remove(member_name).is_some()
        {
            group.version.send_modify(|version| *version += 1);
        }
        Ok(())
    }

    async fn members(&self, group: &str) -> Result<Vec<Member>, CoordinationError> {
        let groups = self.groups.lock();
        let members = groups
            .get(group)
            .map(|group| &group.members)
            .into_iter()
            .flatten();
        Ok(members
            .map(|(name, capabilities)| Member {
                name: name.clone(),
                capabilities: capabilities.clone(),
            })
            .collect())
    }

    async fn members_changed(&self, group: &str) -> Result<(), CoordinationError> {
        let mut version = self
            .groups
            .lock()
            .entry_ref(group)
            .or_default()
            .version
            .subscribe();
        // The sender stands in the map, from which no group is removed, so this fails only when the coordinator is gone.
        drop(version.changed().await);
        Ok(())
    }
}

/// Returns a coordinator as the contract that drivers are passed around as.
impl From<MemoryCoordinator> for Arc<dyn Coordinator> {
    fn from(coordinator: MemoryCoordinator) -> Self {
        Arc::new(coordinator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_renewed_goes_to_the_next() {
        let coordinator = MemoryCoordinator::with_first_fence(1 << 32)
            .with_lease_duration(Duration::from_secs(10));
        let first = coordinator.acquire("sack-1").await.unwrap().unwrap();
        assert_eq!(first.fence, 1 << 32);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(
            coordinator
                .renew(std::slice::from_ref(&first))
                .await
                .unwrap(),
            [true]
        );
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(coordinator.acquire("sack-1").await.unwrap(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(
            coordinator
                .renew(std::slice::from_ref(&first))
                .await
                .unwrap(),
            [false]
        );
        let second = coordinator.acquire("sack-1").await.unwrap().unwrap();
        assert!(second.fence > first.fence);
        coordinator.release(&[first]).await.unwrap();
        assert_eq!(coordinator.renew(&[second]).await.unwrap(), [true]);
    }

    #[cfg(feature = "conformance")]
    mod conformance {
        use super::*;
        use crate::conformance::coordinator::CoordinatorFixture;

        struct Memory(MemoryCoordinator);

        impl CoordinatorFixture for Memory {
            fn driver(&self) -> &dyn Coordinator {
                &self.0
            }
        }

        fn fixture() -> std::future::Ready<Memory> {
            std::future::ready(Memory(MemoryCoordinator::new()))
        }

        crate::coordinator_conformance!(fixture);
    }
}
