use carbonara::Timestamp;
use futures::future::join_all;

use super::support::{all, assert_matches, create_resource, history, second};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{Change, GENERIC, Resource, ResourceUpdate, SeenResource};

/// An update that makes `user` the owner, if the revision is the expected one.
fn owned_by(user: &str, expected: &Resource) -> ResourceUpdate {
    ResourceUpdate {
        user_id: Change::Set(Some(user.into())),
        seen: Some(SeenResource::of(expected)),
        ..ResourceUpdate::default()
    }
}

/// An update that expects another revision than the current one changes nothing, even if it would not change anything anyway.
pub async fn an_update_of_an_outdated_revision_is_refused(indexer: &dyn Indexer) {
    let first = create_resource(indexer, GENERIC).await;
    let id = first.id;
    let update = async |update: ResourceUpdate| {
        indexer
            .update_resource(GENERIC, id, &update, second(2000))
            .await
    };
    let changed = update(owned_by("one", &first)).await.unwrap();
    assert_eq!(changed.user_id.as_deref(), Some("one"));
    for user in ["two", "one"] {
        let refused = update(owned_by(user, &first)).await;
        assert_matches!(refused, Err(IndexerError::RevisionChanged { id: named }) if named == id);
    }
    let current = indexer.resources(GENERIC, &[id]).await.unwrap();
    assert_eq!(current, [Some(changed.clone())]);
    let same = update(owned_by("one", &changed)).await.unwrap();
    assert_eq!(same, changed);
}

/// A resource is deleted only in the revision that is named.
pub async fn only_the_revision_that_was_seen_is_deleted(indexer: &dyn Indexer) {
    let first = create_resource(indexer, GENERIC).await;
    let changed = indexer
        .update_resource(GENERIC, first.id, &owned_by("one", &first), second(2000))
        .await
        .unwrap();
    let outdated = [SeenResource::of(&first)];
    assert_eq!(indexer.delete_seen_resources(&outdated).await.unwrap(), []);
    assert_eq!(
        indexer
            .list_resources(&history(first.id))
            .await
            .unwrap()
            .len(),
        2
    );
    let current = [SeenResource::of(&changed)];
    let deleted = indexer.delete_seen_resources(&current).await.unwrap();
    assert_eq!(deleted, [first.id]);
    assert_eq!(
        indexer.list_resources(&history(first.id)).await.unwrap(),
        []
    );
    assert_eq!(indexer.list_resources(&all(GENERIC)).await.unwrap(), []);
}

/// Of callers that expect the same revision, exactly one gets through.
pub async fn one_of_many_callers_changes_a_revision(indexer: &dyn Indexer) {
    const CALLERS: usize = 16;
    let first = create_resource(indexer, GENERIC).await;
    let first = &first;
    let update = async |caller: usize| {
        let update = owned_by(&caller.to_string(), first);
        indexer
            .update_resource(GENERIC, first.id, &update, second(2000))
            .await
    };
    let outcomes = join_all((0..CALLERS).map(update)).await;
    let (changed, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((changed.len(), refused.len()), (1, CALLERS - 1));
    for refused in refused {
        assert_matches!(refused, Err(IndexerError::RevisionChanged { id }) if id == first.id);
    }
    assert_eq!(
        indexer
            .list_resources(&history(first.id))
            .await
            .unwrap()
            .len(),
        2
    );
}

/// Even when a clock stands still or is set back, no revision begins when another one of the resource did.
pub async fn revisions_begin_at_different_moments(indexer: &dyn Indexer) {
    let mut current = create_resource(indexer, GENERIC).await;
    for (user, now) in [
        ("a", second(2000)),
        ("b", second(2000)),
        ("c", second(1000)),
    ] {
        let next = indexer
            .update_resource(GENERIC, current.id, &owned_by(user, &current), now)
            .await
            .unwrap();
        assert!(next.revision_start > current.revision_start, "{user}");
        current = next;
    }
    let revisions = indexer.list_resources(&history(current.id)).await.unwrap();
    assert_eq!(revisions.len(), 4);
    for pair in revisions.windows(2) {
        assert_eq!(pair[0].revision_end, Some(pair[1].revision_start));
    }
}

/// Past revisions have the numbers 1, 2 and so on, whatever happens to other resources; a number finds its row in every way.
pub async fn the_revisions_of_a_resource_are_numbered_by_themselves(indexer: &dyn Indexer) {
    let first = create_resource(indexer, GENERIC).await;
    let second = create_resource(indexer, GENERIC).await;
    for (resource, user) in [
        (&first, "a"),
        (&second, "b"),
        (&second, "c"),
        (&first, "d"),
        (&second, "e"),
    ] {
        let change = ResourceUpdate {
            user_id: Change::Set(Some(user.into())),
            ..ResourceUpdate::default()
        };
        let changed = indexer.update_resource(GENERIC, resource.id, &change, second_of(user));
        changed.await.unwrap();
    }
    for (resource, expected) in [(&first, 2), (&second, 3)] {
        let mut numbers = Vec::new();
        let mut query = history(resource.id);
        query.page.limit = 1;
        loop {
            let row = indexer.list_resources(&query).await.unwrap().pop();
            let Some(row) = row else { break };
            let number = row.revision.unwrap_or(-1);
            query.page.marker = Some(format!("{}@{number}", row.id));
            numbers.push(number);
        }
        let past: Vec<i64> = (1..=expected).chain([-1]).collect();
        assert_eq!(numbers, past);
    }
}

/// A point in time for each letter, in their order.
fn second_of(letter: &str) -> Timestamp {
    second(5000 + i64::from(letter.as_bytes()[0]))
}
