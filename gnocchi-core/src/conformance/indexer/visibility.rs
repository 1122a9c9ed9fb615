//! Listings and deletions hold what the caller may see.

use std::collections::BTreeSet;

use super::searching::{condition, ids, listed, servers};
use super::support::{all, attached, create_policy, second, unattached};
use crate::driver::{Indexer, MetricFilter, ResourceQuery};
use crate::model::{Change, GENERIC, MetricId, Page, ResourceId, ResourceUpdate};
use crate::policy::{CreatorProject, Visibility, VisibleMetrics, VisibleResources};

fn of_project(project: &str) -> VisibleResources {
    VisibleResources {
        project_id: Some(project.into()),
        ..VisibleResources::default()
    }
}

fn made_from(project: CreatorProject) -> VisibleResources {
    VisibleResources {
        creator_project: Some(project),
        ..VisibleResources::default()
    }
}

/// Listings hold, and deletions take, what fits the filter and can be seen.
pub async fn only_what_can_be_seen_is_listed_and_deleted(indexer: &dyn Indexer) {
    let made = servers(indexer).await;
    let p = || CreatorProject::Project("p".into());
    let check = async |visible: VisibleResources, expected: &[usize]| {
        let query = ResourceQuery {
            visibility: Visibility::Only(visible.clone()),
            ..all(GENERIC)
        };
        let expected: BTreeSet<ResourceId> = expected.iter().map(|index| made[*index].id).collect();
        assert_eq!(ids(&listed(indexer, &query).await), expected, "{visible:?}");
    };
    check(VisibleResources::default(), &[]).await;
    check(of_project("project"), &[6, 7, 8]).await;
    check(of_project("p"), &[]).await;
    check(made_from(p()), &[1, 5]).await;
    check(made_from(CreatorProject::Project("p:q".into())), &[2, 6]).await;
    check(made_from(CreatorProject::Project(String::new())), &[]).await;
    check(made_from(CreatorProject::Unknown), &[3, 7]).await;
    let made_by = |creator: &str| VisibleResources {
        creator: Some(creator.to_owned()),
        ..VisibleResources::default()
    };
    check(made_by("a"), &[0, 4, 8]).await;
    check(made_by("a:p"), &[1, 5]).await;
    check(made_by("A"), &[]).await;
    let either = VisibleResources {
        creator_project: Some(p()),
        ..of_project("project")
    };
    check(either.clone(), &[1, 5, 6, 7, 8]).await;
    let deleted = indexer
        .delete_matching_resources(
            "server",
            &condition("started_at > 101"),
            &Visibility::Only(either),
        )
        .await;
    assert_eq!(deleted.unwrap(), 2);
    let left = ids(&listed(indexer, &all(GENERIC)).await);
    assert!(!left.contains(&made[5].id) && !left.contains(&made[8].id));
    assert_eq!(left.len(), 7);
}

/// A past revision is seen by those who may see both it and what the resource is now.
pub async fn a_past_is_seen_as_long_as_the_present_is(indexer: &dyn Indexer) {
    let made = servers(indexer).await;
    let id = made[6].id;
    let rows = async |project: &str| {
        let query = ResourceQuery {
            visibility: Visibility::Only(of_project(project)),
            ids: Some(vec![id]),
            history: true,
            ..all(GENERIC)
        };
        let rows = indexer.list_resources(&query).await.unwrap();
        rows.iter().map(|row| row.revision).collect::<Vec<_>>()
    };
    let mut at = 5000;
    let mut lend = async |project: &str| {
        at += 1;
        let update = ResourceUpdate {
            project_id: Change::Set(Some(project.to_owned())),
            ..Default::default()
        };
        let updated = indexer.update_resource(GENERIC, id, &update, second(at));
        updated.await.unwrap();
    };
    assert_eq!(rows("project").await, [None]);
    lend("borrower").await;
    assert_eq!(rows("project").await, []);
    assert_eq!(rows("borrower").await, [None]);
    lend("project").await;
    assert_eq!(rows("borrower").await, []);
    assert_eq!(rows("project").await, [Some(1), None]);
}

/// Metrics are seen for their creator or for their resource; one's own needs no resource.
pub async fn metrics_are_seen_for_their_creator_or_their_resource(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let made = servers(indexer).await;
    let by = |creator: Option<&str>, resource: Option<usize>| {
        let creator = creator.map(ToOwned::to_owned);
        let new = match resource {
            Some(index) => attached("low", made[index].id, "cpu"),
            None => unattached("low"),
        };
        crate::model::NewMetric { creator, ..new }
    };
    // Those of a resource have its creator: `b:p:q`, and none.
    let metrics = [
        by(Some("u:p"), None),
        by(Some("u:p"), Some(6)),
        by(Some("u:p"), Some(3)),
        by(Some("u"), None),
    ];
    indexer.create_metrics(&metrics, &[]).await.unwrap();
    let check = async |visible: VisibleMetrics, expected: &[usize]| {
        let filter = MetricFilter {
            visibility: Visibility::Only(visible.clone()),
            ..MetricFilter::default()
        };
        let found = indexer.list_metrics(&filter, &Page::first(100)).await;
        let found: BTreeSet<MetricId> = found.unwrap().iter().map(|metric| metric.id).collect();
        let expected: BTreeSet<MetricId> =
            expected.iter().map(|index| metrics[*index].id).collect();
        assert_eq!(found, expected, "{visible:?}");
    };
    let by_creator = |project: CreatorProject| VisibleMetrics {
        creator_project: Some(project),
        of_resources: None,
    };
    let by_resource = |visible: VisibleResources| VisibleMetrics {
        creator_project: None,
        of_resources: Some(visible),
    };
    check(VisibleMetrics::default(), &[]).await;
    check(by_creator(CreatorProject::Project("p".into())), &[0]).await;
    check(by_creator(CreatorProject::Project("p:q".into())), &[1]).await;
    check(by_creator(CreatorProject::Project(String::new())), &[]).await;
    check(by_creator(CreatorProject::Unknown), &[2]).await;
    check(by_resource(of_project("project")), &[1]).await;
    check(by_resource(VisibleResources::default()), &[]).await;
    let either = VisibleMetrics {
        creator_project: Some(CreatorProject::Project("p".into())),
        of_resources: Some(of_project("project")),
    };
    check(either, &[0, 1]).await;
}
