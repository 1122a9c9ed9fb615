//! Groups that resources leave and join.

use gnocchi_core::query::{AggregatesError, AggregatesQuery, HistoryAggregates, KeepResources};
use jiff::tz::TimeZone;

use crate::world::{HOUR, Points, World, all_by, at, query, text};

const TEN: i64 = 10 * HOUR;

async fn compute(
    world: &World,
    expression: &str,
    start: Option<i64>,
    stop: Option<i64>,
) -> Result<Vec<HistoryAggregates>, AggregatesError> {
    let (start, stop) = (start.map(at), stop.map(at));
    let selection = all_by(&["project_id"]);
    world
        .store
        .aggregates_with_history(
            &query(expression),
            selection,
            start,
            stop,
            KeepResources::Keep,
        )
        .await
}

async fn check(
    world: &World,
    start: Option<i64>,
    stop: Option<i64>,
    expected: &[(&str, &[(i64, f64)])],
) {
    let groups = compute(world, "(aggregate mean (metric c* mean))", start, stop)
        .await
        .unwrap();
    let computed: Vec<_> = groups
        .iter()
        .map(|group| {
            let [level] = group.levels.as_slice() else {
                panic!("the policy has one granularity");
            };
            let seconds = level.timestamps_ns.iter().map(|ns| ns / 1_000_000_000);
            let points: Points = seconds.zip(level.values.iter().copied()).collect();
            (group.properties[0].1.clone(), points)
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(project, points)| (Some(text(project)), points.to_vec()))
        .collect();
    assert_eq!(computed, expected);
}

#[tokio::test]
async fn a_bucket_is_shared_by_the_groups_that_it_touches() {
    let world = World::new(&[HOUR]).await;
    world.clock.set(at(9 * HOUR));
    let resource = world.resource(1, "A", &["cpu"]).await;
    world
        .send(
            resource.metrics["cpu"],
            &[(TEN, 100.0), (TEN + HOUR, 100.0)],
        )
        .await;
    world.change(&resource, TEN + 1800, "B").await;
    world.change(&resource, TEN + 2700, "A").await;
    let whole: &[(&str, &[(i64, f64)])] = &[
        ("A", &[(TEN, 75.0), (TEN + HOUR, 100.0)]),
        ("B", &[(TEN, 25.0)]),
    ];
    check(&world, Some(TEN), Some(TEN + 2 * HOUR), whole).await;
    check(&world, Some(TEN), None, whole).await;
    check(&world, None, None, whole).await;
    // What is outside of the time that is asked for doesn't count.
    check(
        &world,
        Some(TEN + 900),
        Some(TEN + 1800),
        &[("A", &[(TEN, 25.0)])],
    )
    .await;
}

#[tokio::test]
async fn measures_from_before_the_first_revision_count_for_it() {
    let world = World::new(&[HOUR]).await;
    world.clock.set(at(20 * HOUR));
    let resource = world.resource(1, "old", &["cpu"]).await;
    world
        .send(
            resource.metrics["cpu"],
            &[(TEN, 1.0), (TEN + HOUR, 1.0), (90 * HOUR, 2.0)],
        )
        .await;
    world.change(&resource, 30 * HOUR, "new").await;
    check(
        &world,
        None,
        None,
        &[
            ("new", &[(90 * HOUR, 2.0)]),
            ("old", &[(TEN, 1.0), (TEN + HOUR, 1.0)]),
        ],
    )
    .await;
}

#[tokio::test]
async fn resources_of_a_group_stand_one_after_the_other() {
    let world = World::new(&[HOUR]).await;
    world.clock.set(at(HOUR));
    for (id, value) in [(1, 1.0), (2, 2.0)] {
        let resource = world.resource(id, "A", &["cpu"]).await;
        world
            .send(
                resource.metrics["cpu"],
                &[(TEN, value), (TEN + HOUR, value)],
            )
            .await;
    }
    let each: &[(i64, f64)] = &[(TEN, 1.0), (TEN + HOUR, 1.0), (TEN, 2.0), (TEN + HOUR, 2.0)];
    check(&world, Some(TEN), Some(TEN + 2 * HOUR), &[("A", each)]).await;
    check(&world, None, None, &[("A", each)]).await;
}

#[tokio::test]
async fn stretches_stand_in_the_order_of_their_beginnings() {
    let world = World::new(&[HOUR]).await;
    world.clock.set(at(HOUR));
    let [leaving, staying] = [(1, 1.0), (2, 10.0)].map(async |(id, value)| {
        let resource = world.resource(id, "A", &["cpu"]).await;
        let points = [(TEN, value), (TEN + HOUR, value), (TEN + 2 * HOUR, value)];
        world.send(resource.metrics["cpu"], &points).await;
        resource
    });
    let (leaving, _) = (leaving.await, staying.await);
    world.change(&leaving, TEN + HOUR, "B").await;
    world.change(&leaving, TEN + 2 * HOUR, "A").await;
    // The first stretch of one, that of the other, the last one of the first: neighbours are summed, whichever resource they belong to.
    let each: &[(i64, f64)] = &[(TEN, 11.0), (TEN + HOUR, 10.0), (TEN + 2 * HOUR, 11.0)];
    check(
        &world,
        Some(TEN),
        Some(TEN + 3 * HOUR),
        &[("A", each), ("B", &[(TEN + HOUR, 1.0)])],
    )
    .await;
}

#[tokio::test]
async fn days_of_a_time_zone_are_shared_as_long_as_they_are() {
    let world = World::new(&[HOUR]).await;
    // Midnight in Brussels, 30 March 2025; the day has 23 hours.
    let midnight = 1_743_289_200;
    world.clock.set(at(midnight - HOUR));
    let resource = world.resource(1, "A", &["cpu"]).await;
    let hours: Points = (0..23).map(|hour| (midnight + hour * HOUR, 46.0)).collect();
    world.send(resource.metrics["cpu"], &hours).await;
    world.change(&resource, midnight + 11 * HOUR, "B").await;
    for to in ["86400", "D"] {
        let expression = format!("(aggregate mean (resample mean {to} (metric cpu mean)))");
        let query = AggregatesQuery {
            time_zone: TimeZone::get("Europe/Brussels").unwrap(),
            ..query(&expression)
        };
        let selection = all_by(&["project_id"]);
        let groups = world
            .store
            .aggregates_with_history(&query, selection, None, None, KeepResources::Drop)
            .await
            .unwrap();
        let levels = groups.iter().map(|group| &group.levels[0]);
        let values: Vec<(i64, f64)> = levels
            .map(|level| (level.timestamps_ns[0] / 1_000_000_000, level.values[0]))
            .collect();
        assert_eq!(values, [(midnight, 22.0), (midnight, 24.0)], "{to}");
    }
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused() {
    let world = World::new(&[HOUR]).await;
    let resource = world.resource(1, "A", &["cpu"]).await;
    let refused = compute(&world, "(aggregate mean (metric gpu mean))", None, None).await;
    assert!(matches!(refused, Err(AggregatesError::NoSuchMetric { names }) if names == ["gpu"]));
    // No points at all are as good as no metric.
    let empty = compute(&world, "(aggregate mean (metric cpu mean))", None, None).await;
    assert!(matches!(empty, Err(AggregatesError::NoSuchMetric { .. })));
    world.send(resource.metrics["cpu"], &[(TEN, 1.0)]).await;
    let apart = compute(&world, "(metric cpu mean)", None, None).await;
    assert!(matches!(apart, Err(AggregatesError::NotAggregated)));
}
