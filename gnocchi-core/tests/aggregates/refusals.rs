//! Why nothing is computed.

use carbonara::Timespan;
use gnocchi_core::model::MetricId;
use gnocchi_core::query::{AggregatesError, Gaps, KeepResources, ReaggregationQuery, SeriesName};

use crate::world::{World, all_by, evaluation, query, span};

fn names(series: &[SeriesName]) -> Vec<(&str, &str)> {
    series
        .iter()
        .map(|one| (one.name.as_str(), one.method.as_str()))
        .collect()
}

async fn refused(
    world: &World,
    methods: [&str; 2],
    metrics: &[&std::sync::Arc<gnocchi_core::model::Metric>; 2],
    granularity: Option<Timespan>,
) -> AggregatesError {
    let references: Vec<String> = metrics
        .iter()
        .zip(methods)
        .map(|(metric, method)| format!("({} {method})", metric.id))
        .collect();
    let mut query = query(&format!("(metric {})", references.join(" ")));
    query.granularity = granularity;
    let evaluation = evaluation(metrics);
    world
        .store
        .aggregates(&query, &[evaluation])
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_metrics_lack_is_named() {
    let world = World::new(&[1, 60]).await;
    world.create_policy("other", &[5]).await;
    let (one, other) = (world.metric("policy").await, world.metric("other").await);
    let text = |id: MetricId| id.to_string();
    let (first, second) = (text(one.id), text(other.id));
    // Granularities come first when none is given, and last when one is.
    let error = refused(&world, ["what?", "mean"], &[&one, &other], None).await;
    let AggregatesError::NoGranularityMatch { series } = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        names(&series),
        [(first.as_str(), "what?"), (second.as_str(), "mean")]
    );
    let error = refused(&world, ["what?", "mean"], &[&one, &other], Some(span(7))).await;
    let AggregatesError::UnknownAggregation { series, others } = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (series.metric.id, series.method.as_str(), others),
        (one.id, "what?", 1)
    );
    let error = refused(&world, ["mean", "max"], &[&one, &other], Some(span(60))).await;
    let AggregatesError::GranularitiesMissing {
        series,
        granularity,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (names(&series), granularity),
        (vec![(second.as_str(), "max")], span(60))
    );
}

#[tokio::test]
async fn there_is_a_limit_to_patterns() {
    let world = World::new(&[60]).await;
    world.resource(1, "a", &["cpu"]).await;
    let check = async |patterns: u32, expected: &str| {
        let listed: Vec<String> = (0..patterns)
            .map(|number| format!("(cpu{number} mean)"))
            .collect();
        let query = query(&format!("(aggregate mean (metric {}))", listed.join(" ")));
        let (now, then) = (all_by(&[]), all_by(&["project_id"]));
        let keep = KeepResources::Drop;
        let store = &world.store;
        let of_resources = store.aggregates_of_resources(&query, now, None, None, keep);
        let with_history = store.aggregates_with_history(&query, then, None, None, keep);
        for refused in [
            of_resources.await.unwrap_err(),
            with_history.await.unwrap_err(),
        ] {
            assert_eq!(refused.to_string(), expected);
        }
    };
    check(256, "no resource has a metric of these names").await;
    let too_many = "the expression has more than 256 references to names of metrics";
    check(257, too_many).await;
}

#[tokio::test]
async fn one_metric_needs_no_reaggregation() {
    let world = World::new(&[60]).await;
    let (one, other) = (world.metric("policy").await, world.metric("policy").await);
    world.send(one.id, &[(0, 1.0)]).await;
    world.send(other.id, &[(0, 3.0)]).await;
    let asked = |reaggregation: &str| ReaggregationQuery {
        aggregation: "mean".to_owned(),
        reaggregation: reaggregation.to_owned(),
        granularity: None,
        start: None,
        stop: None,
        resample: None,
        gaps: Gaps::Overlap {
            needed_percent: 100.0,
        },
    };
    let groups = [
        evaluation(&[&one]).sources,
        Vec::new(),
        evaluation(&[&one, &other])
            .sources
            .into_iter()
            .map(|source| gnocchi_core::query::Source {
                reference: 0,
                ..source
            })
            .collect(),
    ];
    let computed = world
        .store
        .reaggregated(&asked("max"), &groups)
        .await
        .unwrap();
    let values: Vec<Vec<f64>> = computed
        .iter()
        .map(|levels| {
            levels
                .iter()
                .flat_map(|level| level.series.values())
                .copied()
                .collect()
        })
        .collect();
    assert_eq!(values, [vec![1.0], vec![], vec![3.0]]);
    assert!(
        world
            .store
            .reaggregated(&asked("wtf"), &groups[..2])
            .await
            .is_ok()
    );
    let refused = world.store.reaggregated(&asked("wtf"), &groups).await;
    assert!(
        matches!(refused, Err(AggregatesError::UnknownReaggregation { name }) if name == "wtf")
    );
}
