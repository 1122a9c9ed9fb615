//! Series of resources, group by group.

use carbonara::expression::Origin;
use gnocchi_core::query::{GroupAggregates, KeepResources};

use crate::world::{World, all_by, query, shown, text};

async fn compute(world: &World, expression: &str, by: &[&str]) -> Vec<GroupAggregates> {
    let keep = KeepResources::Keep;
    world
        .store
        .aggregates_of_resources(&query(expression), all_by(by), None, None, keep)
        .await
        .unwrap()
}

#[tokio::test]
async fn groups_have_their_own_results() {
    let world = World::new(&[60]).await;
    for (id, project, value) in [(1, "b", 1.0), (2, "a", 2.0), (3, "b", 5.0)] {
        let resource = world
            .resource(id, project, &["cpu.util", "cpu.idle", "disk"])
            .await;
        world
            .send(resource.metrics["cpu.util"], &[(0, value)])
            .await;
        world.send(resource.metrics["disk"], &[(60, value)]).await;
    }
    world.resource(4, "c", &["memory"]).await;
    let groups = compute(
        &world,
        "(aggregate sum (metric cpu.util mean))",
        &["project_id"],
    )
    .await;
    let summary: Vec<_> = groups
        .iter()
        .map(|group| {
            (
                group.properties[0].1.clone(),
                group.resources.len(),
                shown(&group.outcomes, 0),
            )
        })
        .collect();
    let expected = [
        (Some(text("a")), 1, vec![(60.0, vec![(0, 2.0)])]),
        (Some(text("b")), 2, vec![(60.0, vec![(0, 6.0)])]),
    ];
    assert_eq!(summary, expected);
    // What belongs to no single series needs no names.
    assert!(groups.iter().all(|group| group.sources.is_empty()));
    let all = compute(
        &world,
        "(aggregate sum (metric (cpu.* mean) (d?sk mean)))",
        &[],
    )
    .await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        shown(&all[0].outcomes, 0),
        [(60.0, vec![(0, 8.0), (60, 8.0)])]
    );
}

#[tokio::test]
async fn series_are_named_by_resource_and_metric() {
    let world = World::new(&[60]).await;
    let resource = world.resource(1, "a", &["cpu.util", "cpu.idle"]).await;
    world.send(resource.metrics["cpu.util"], &[(0, 1.0)]).await;
    let groups = compute(&world, "(metric (cpu.* mean) (*.util max))", &[]).await;
    let [group] = groups.as_slice() else {
        panic!("one group was asked for");
    };
    let found = group.outcomes[0].columns.iter().map(|column| {
        let Origin::Input(input) = column.origin else {
            panic!("nothing was aggregated");
        };
        let source = &group.sources[input];
        let found = source.found.as_ref().unwrap();
        assert_eq!(found.resource, resource.id);
        (source.reference, found.name.as_str())
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [(0, "cpu.idle"), (0, "cpu.util"), (1, "cpu.util")]
    );
}

#[tokio::test]
async fn many_groups_are_read_a_few_at_a_time() {
    const RESOURCES: u32 = 2500;
    let world = World::new(&[60]).await;
    for id in 0..RESOURCES {
        let project = format!("{}", id % 3);
        let resource = world.resource(u128::from(id), &project, &["cpu"]).await;
        world
            .send(resource.metrics["cpu"], &[(0, f64::from(id))])
            .await;
    }
    let expression = "(aggregate sum (metric cpu mean))";
    let sums = |groups: Vec<GroupAggregates>| -> Vec<f64> {
        groups
            .iter()
            .map(|group| group.outcomes[0].columns[0].values[0])
            .collect()
    };
    let by_project = sums(compute(&world, expression, &["project_id"]).await);
    let expected = (0..3).map(|rest| {
        (0..RESOURCES)
            .filter(|id| id % 3 == rest)
            .map(f64::from)
            .sum()
    });
    assert_eq!(by_project, expected.collect::<Vec<f64>>());
    let by_id = sums(compute(&world, expression, &["id"]).await);
    assert_eq!(by_id, (0..RESOURCES).map(f64::from).collect::<Vec<f64>>());
}
