//! A store in memory, and short ways to fill it.

use std::collections::BTreeMap;
use std::sync::Arc;

use carbonara::align::Fill;
use carbonara::expression::Outcome;
use carbonara::resample::Granularity;
use carbonara::{Series, Timespan, Timestamp};
use gnocchi_core::clock::ManualClock;
use gnocchi_core::model::{
    ArchivePolicy, AttributeValue, Change, Definition, GENERIC, Measures, Metric, NewMetric,
    NewResource, Resource, ResourceId, ResourceMetric, ResourceUpdate,
};
use gnocchi_core::query::{AggregatesQuery, Evaluation, Gaps, ResourceSelection, Source};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings, memory};
use jiff::tz::TimeZone;

/// An hour in seconds.
pub(crate) const HOUR: i64 = 3600;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn span(second: i64) -> Timespan {
    Timespan::from_second(second).unwrap()
}

pub(crate) fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps, values) = points
        .iter()
        .map(|(second, value)| (second * 1_000_000_000, *value))
        .unzip();
    Series::from_points(timestamps, values).unwrap()
}

/// Points as seconds and values.
pub(crate) type Points = Vec<(i64, f64)>;

pub(crate) struct World {
    pub(crate) store: Gnocchi,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    /// Makes a store whose policy `policy` has these granularities, in seconds.
    pub(crate) async fn new(granularities: &[i64]) -> Self {
        let clock = Arc::new(ManualClock::new(at(1_000_000)));
        let drivers = Drivers {
            clock: Arc::<ManualClock>::clone(&clock),
            ..memory::drivers()
        };
        let store = Gnocchi::new(drivers, Settings::default());
        store.upgrade(DefaultPolicies::Skip).await.unwrap();
        let world = Self { store, clock };
        world.create_policy("policy", granularities).await;
        world
    }

    pub(crate) async fn create_policy(&self, name: &str, granularities: &[i64]) {
        let definition = granularities
            .iter()
            .map(|second| Definition::new(Some(span(*second)), None, None).unwrap());
        let methods = ["mean", "max", "count"].map(|text| text.parse().unwrap());
        let policy = ArchivePolicy::new(name, 1000, definition.collect(), methods.to_vec());
        self.store
            .create_archive_policy(&policy.unwrap())
            .await
            .unwrap();
    }

    pub(crate) async fn metric(&self, policy: &str) -> Arc<Metric> {
        let metric = NewMetric::new(None, policy, None, None, None).unwrap();
        self.store
            .create_metrics(vec![metric])
            .await
            .unwrap()
            .remove(0)
    }

    /// Creates a generic resource of a project with metrics of these names.
    pub(crate) async fn resource(&self, id: u128, project: &str, metrics: &[&str]) -> Resource {
        let id: ResourceId = uuid(id).parse().unwrap();
        let metrics: BTreeMap<String, ResourceMetric> = metrics
            .iter()
            .map(|name| {
                let metric =
                    NewMetric::new(None, "policy", Some((*name).to_owned()), None, Some(id));
                ((*name).to_owned(), ResourceMetric::New(metric.unwrap()))
            })
            .collect();
        let now = self.store.clock().now();
        let resource = NewResource {
            id,
            resource_type: GENERIC.to_owned(),
            creator: None,
            original_resource_id: id.to_string(),
            started_at: now,
            ended_at: None,
            user_id: None,
            project_id: Some(project.to_owned()),
            attributes: BTreeMap::new(),
            metrics,
        };
        self.store.create_resource(&resource).await.unwrap()
    }

    /// Moves a resource to another project at a moment.
    pub(crate) async fn change(&self, resource: &Resource, second: i64, project: &str) {
        self.clock.set(at(second));
        let update = ResourceUpdate {
            project_id: Change::Set(Some(project.to_owned())),
            ..ResourceUpdate::default()
        };
        self.store
            .update_resource(GENERIC, resource.id, &update)
            .await
            .unwrap();
    }

    pub(crate) async fn send(&self, metric: gnocchi_core::model::MetricId, points: &[(i64, f64)]) {
        let series = series(points);
        self.store
            .append(vec![Measures { metric, series }])
            .await
            .unwrap();
    }
}

pub(crate) fn uuid(number: u128) -> String {
    format!("{number:08x}-0000-0000-0000-000000000000")
}

pub(crate) fn query(expression: &str) -> AggregatesQuery {
    AggregatesQuery {
        expression: Arc::new(expression.parse().unwrap()),
        granularity: None,
        gaps: Gaps::Fill(Fill::DropMissing),
        time_zone: TimeZone::UTC,
    }
}

pub(crate) fn evaluation(metrics: &[&Arc<Metric>]) -> Evaluation {
    let sources = metrics
        .iter()
        .enumerate()
        .map(|(reference, metric)| Source {
            reference,
            metric: Arc::clone(metric),
            found: None,
        });
    Evaluation {
        sources: sources.collect(),
        start: None,
        stop: None,
    }
}

pub(crate) fn all_by(properties: &[&str]) -> ResourceSelection {
    ResourceSelection {
        resource_type: GENERIC.to_owned(),
        group_by: properties.iter().map(|name| (*name).to_owned()).collect(),
        ..ResourceSelection::default()
    }
}

/// Returns the points that are shown, with the granularity of each level in seconds.
pub(crate) fn shown(outcomes: &[Outcome], column: usize) -> Vec<(f64, Points)> {
    outcomes
        .iter()
        .map(|outcome| {
            let Granularity::Span(span) = outcome.granularity else {
                panic!("no calendar was asked for");
            };
            let points = outcome
                .points(column)
                .map(|point| (point.timestamp.as_second(), point.value));
            (span.as_second_f64(), points.collect())
        })
        .collect()
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::String(value.to_owned())
}
