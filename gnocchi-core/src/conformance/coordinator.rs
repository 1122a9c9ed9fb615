//! Properties of [`Coordinator`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its property does not hold"
)]

use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, join_all};

use crate::driver::{Coordinator, Lease, Member};

/// A private instance of a driver.
pub trait CoordinatorFixture: Send + Sync {
    /// Returns the driver.
    fn driver(&self) -> &dyn Coordinator;
}

/// Returns the driver of a fixture.
pub fn driver(fixture: &dyn CoordinatorFixture) -> &dyn Coordinator {
    fixture.driver()
}

/// Makes one test for every property of a [`Coordinator`](crate::driver::Coordinator).
///
/// Takes the name of an asynchronous function without arguments that returns a
/// [`CoordinatorFixture`](crate::conformance::coordinator::CoordinatorFixture), and `without_groups` where there are only leases.
#[macro_export]
macro_rules! coordinator_conformance {
    ($fixture:path) => {
        $crate::__conformance_tests!(
            coordinator,
            $fixture,
            [
                an_unknown_group_is_empty,
                members_are_listed_by_name,
                a_member_may_join_again,
                leaving_may_be_repeated,
                groups_are_apart,
                a_change_of_members_is_noticed,
            ]
        );
        $crate::__conformance_tests!(
            coordinator,
            $fixture,
            [
                a_lease_has_one_holder,
                one_of_many_contenders_wins,
                fences_grow,
                a_lease_is_held_until_it_is_released,
                a_lost_lease_cannot_be_given_back,
                names_of_leases_are_apart,
                many_leases_are_renewed_at_once,
            ]
        );
    };
    ($fixture:path, without_groups) => {
        $crate::__conformance_tests!(
            coordinator,
            $fixture,
            [
                a_lease_has_one_holder,
                one_of_many_contenders_wins,
                fences_grow,
                a_lease_is_held_until_it_is_released,
                a_lost_lease_cannot_be_given_back,
                names_of_leases_are_apart,
                many_leases_are_renewed_at_once,
                absent_groups_are_reported,
            ]
        );
    };
}

async fn acquire(driver: &dyn Coordinator, name: &str) -> Lease {
    let lease = driver
        .acquire(name)
        .await
        .expect("answers")
        .expect("the lease is free");
    assert_eq!(lease.name, name);
    lease
}

fn member(name: &str, capabilities: &'static str) -> Member {
    Member {
        name: name.to_owned(),
        capabilities: Bytes::from_static(capabilities.as_bytes()),
    }
}

async fn names(driver: &dyn Coordinator, group: &str) -> Vec<String> {
    driver
        .members(group)
        .await
        .expect("answers")
        .into_iter()
        .map(|member| member.name)
        .collect()
}

/// While a lease is held it is not given out, not even to its holder.
pub async fn a_lease_has_one_holder(driver: &dyn Coordinator) {
    let lease = acquire(driver, "sack-1").await;
    assert_eq!(driver.acquire("sack-1").await.expect("answers"), None);
    assert_eq!(driver.renew(&[lease]).await.expect("answers"), [true]);
    assert_eq!(driver.acquire("sack-1").await.expect("answers"), None);
}

/// Of those who ask at the same time one gets the lease.
pub async fn one_of_many_contenders_wins(driver: &dyn Coordinator) {
    for round in 0..10 {
        let name = format!("round-{round}");
        let answers = join_all((0..8).map(|_| driver.acquire(&name))).await;
        let winners = answers
            .into_iter()
            .filter_map(|answer| answer.expect("answers"))
            .count();
        assert_eq!(winners, 1);
    }
}

/// Every lease of a name has a larger fence than the one before.
pub async fn fences_grow(driver: &dyn Coordinator) {
    let mut last = 0;
    for _ in 0..10 {
        let lease = acquire(driver, "sack-1").await;
        assert!(
            lease.fence > last,
            "{} is not larger than {last}",
            lease.fence
        );
        last = lease.fence;
        driver.release(&[lease]).await.expect("releases");
    }
}

/// A renewed lease stays held; a released one is free and cannot be renewed.
pub async fn a_lease_is_held_until_it_is_released(driver: &dyn Coordinator) {
    let lease = acquire(driver, "sack-1").await;
    let leases = [lease];
    assert_eq!(driver.renew(&leases).await.expect("answers"), [true]);
    driver.release(&leases).await.expect("releases");
    driver.release(&leases).await.expect("releases again");
    assert_eq!(driver.renew(&leases).await.expect("answers"), [false]);
    assert_eq!(driver.renew(&[]).await.expect("answers"), [false; 0]);
    acquire(driver, "sack-1").await;
}

/// Who lost a lease can neither renew it nor take it from the next holder.
pub async fn a_lost_lease_cannot_be_given_back(driver: &dyn Coordinator) {
    let first = acquire(driver, "sack-1").await;
    driver
        .release(std::slice::from_ref(&first))
        .await
        .expect("releases");
    let second = acquire(driver, "sack-1").await;
    driver
        .release(std::slice::from_ref(&first))
        .await
        .expect("skips what is not held");
    assert_eq!(
        driver.renew(&[first, second]).await.expect("answers"),
        [false, true]
    );
    assert_eq!(driver.acquire("sack-1").await.expect("answers"), None);
}

/// Names that look alike, or are not ASCII, stand for different leases.
pub async fn names_of_leases_are_apart(driver: &dyn Coordinator) {
    for name in [
        "sack-1", "sack-10", "Sack-1", "säck-1", "sack 1", "sack/1", "袋",
    ] {
        acquire(driver, name).await;
    }
}

/// A worker renews all its leases in one call, and learns of each whether it is held.
pub async fn many_leases_are_renewed_at_once(driver: &dyn Coordinator) {
    let mut leases = Vec::new();
    for sack in 0..256 {
        leases.push(acquire(driver, &format!("sack-{sack}")).await);
    }
    driver.release(&leases[100..110]).await.expect("releases");
    let held = driver.renew(&leases).await.expect("answers");
    assert!(
        held.iter()
            .enumerate()
            .all(|(sack, held)| *held != (100..110).contains(&sack))
    );
    driver.release(&leases).await.expect("releases");
    assert_eq!(driver.renew(&leases).await.expect("answers"), [false; 256]);
}

/// A coordinator without groups says so.
pub async fn absent_groups_are_reported(driver: &dyn Coordinator) {
    use crate::error::CoordinationError::NoGroups;
    assert!(matches!(
        driver.join("workers", member("a", "")).await,
        Err(NoGroups)
    ));
    assert!(matches!(driver.leave("workers", "a").await, Err(NoGroups)));
    assert!(matches!(driver.members("workers").await, Err(NoGroups)));
    assert!(matches!(
        driver.members_changed("workers").await,
        Err(NoGroups)
    ));
}

/// A group that was never joined has no members.
pub async fn an_unknown_group_is_empty(driver: &dyn Coordinator) {
    assert_eq!(driver.members("workers").await.expect("answers"), []);
}

/// Members come by name, with what they told about themselves.
pub async fn members_are_listed_by_name(driver: &dyn Coordinator) {
    let members = [
        member("a.0", "1"),
        member("a.1", ""),
        member("b.0", "{}"),
        member("ü", "\u{0}"),
    ];
    for member in members.iter().rev() {
        driver.join("workers", member.clone()).await.expect("joins");
    }
    assert_eq!(driver.members("workers").await.expect("answers"), members);
}

/// Joining again changes what a member tells.
pub async fn a_member_may_join_again(driver: &dyn Coordinator) {
    driver
        .join("workers", member("a", "old"))
        .await
        .expect("joins");
    driver
        .join("workers", member("a", "new"))
        .await
        .expect("joins again");
    assert_eq!(
        driver.members("workers").await.expect("answers"),
        [member("a", "new")]
    );
}

/// Who left is gone; leaving again, or a group that does not exist, is fine.
pub async fn leaving_may_be_repeated(driver: &dyn Coordinator) {
    driver
        .join("workers", member("a", ""))
        .await
        .expect("joins");
    driver
        .join("workers", member("b", ""))
        .await
        .expect("joins");
    for _ in 0..2 {
        driver.leave("workers", "a").await.expect("leaves");
        assert_eq!(names(driver, "workers").await, ["b"]);
    }
    driver.leave("never-joined", "a").await.expect("leaves");
}

/// A member of one group is not a member of another.
pub async fn groups_are_apart(driver: &dyn Coordinator) {
    driver
        .join("workers", member("a", ""))
        .await
        .expect("joins");
    driver
        .join("workers2", member("b", ""))
        .await
        .expect("joins");
    driver.leave("workers2", "a").await.expect("leaves");
    assert_eq!(names(driver, "workers").await, ["a"]);
    assert_eq!(names(driver, "workers2").await, ["b"]);
}

/// A waiting caller is woken when a member joins or leaves.
pub async fn a_change_of_members_is_noticed(driver: &dyn Coordinator) {
    let patience = Duration::from_secs(30);
    driver
        .join("workers", member("a", ""))
        .await
        .expect("joins");
    let watch = async || {
        tokio::time::timeout(patience, driver.members_changed("workers"))
            .await
            .expect("in time")
            .expect("answers");
    };
    // The change follows once the watcher had time to begin.
    let soon = || tokio::time::sleep(Duration::from_millis(200));
    join(watch(), async {
        soon().await;
        driver
            .join("workers", member("b", ""))
            .await
            .expect("joins");
    })
    .await;
    assert_eq!(names(driver, "workers").await, ["a", "b"]);
    join(watch(), async {
        soon().await;
        driver.leave("workers", "a").await.expect("leaves");
    })
    .await;
    assert_eq!(names(driver, "workers").await, ["b"]);
}
