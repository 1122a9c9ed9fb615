//! Measures by resource and name while a request is read: each metric once, its points in the order of receipt.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use carbonara::{Series, Timestamp};
use gnocchi_core::intake::{Destination, FullName, NamedBatch, NamedSeries};

use super::identity::Name;
use crate::api::measures::{Columns, Context};
use crate::api::request::body_memory::{BodyMemory, Held};
use crate::api::response::error::ApiResult;

/// How much memory a metric takes beside its name and points until its measures are stored, in bytes: in the maps and lists of each step.
const METRIC_BYTES: usize = 640;

/// How many copies of a name these have.
const NAME_COPIES: usize = 4;

/// How much memory the metrics of a request may take uncounted, in bytes.
const NAMES_BYTES_UNCOUNTED: usize = 1 << 20;

/// What a request brings, each metric once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrivals {
    /// The ids of the resources as the sender writes them, each once.
    pub resources: Vec<String>,
    /// The metrics of these resources.
    pub metrics: Vec<Arrival>,
    /// How many measures came for them. Of several at one timestamp the last one is in the series.
    pub measures: usize,
}

/// What a request brings for one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The place of its resource in [`Arrivals::resources`].
    pub resource: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Its whole name when `name` ends with a digest.
    pub full_name: Option<FullName>,
    /// Where in the request it stands first: a number of a line or series, counted from one.
    pub place: usize,
    /// Its measures.
    pub series: Series,
}

impl Arrivals {
    /// Takes memory for the names of the metrics, unless they take little: a short text may have many metrics.
    ///
    /// # Errors
    /// 503 when other requests hold it.
    pub(super) fn hold_names(&self, memory: &BodyMemory, held: &mut Option<Held>) -> ApiResult<()> {
        let own = |arrival: &Arrival| arrival.full_name.as_ref().map_or(0, |name| name.own.len());
        let metrics = self.metrics.iter();
        let bytes =
            metrics.map(|metric| METRIC_BYTES + NAME_COPIES * metric.name.len() + own(metric));
        match bytes.sum() {
            ..=NAMES_BYTES_UNCOUNTED => Ok(()),
            bytes => memory.hold_more(held, bytes),
        }
    }

    /// Gives the measures to destinations, one for each of the resources.
    pub(super) fn into_batch(self, destinations: Vec<Destination>) -> NamedBatch {
        let destinations: Vec<_> = destinations.into_iter().map(Arc::new).collect();
        let named = self.metrics.into_iter().map(|arrival| NamedSeries {
            destination: Arc::clone(&destinations[arrival.resource]),
            name: arrival.name.as_ref().to_owned(),
            series: arrival.series,
            archive_policy_name: None,
            unit: None,
            full_name: arrival.full_name,
            place: arrival.place,
        });
        NamedBatch::of(named.collect())
    }
}

/// A limit of a request that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// It holds more points than are allowed.
    Points,
    /// It names more metrics than are allowed.
    Metrics,
}

/// Puts points where they belong.
#[derive(Debug)]
pub(super) struct Collector {
    resources: Vec<String>,
    resource_places: HashMap<String, usize>,
    metrics: Vec<Pending>,
    metric_places: HashMap<(usize, Arc<str>), usize>,
    points: usize,
    drained: usize,
    points_max: usize,
    metrics_max: usize,
}

#[derive(Debug)]
struct Pending {
    resource: usize,
    name: Arc<str>,
    full_name: Option<FullName>,
    place: usize,
    columns: Columns,
}

impl Collector {
    /// Starts with nothing, and with the limits of a context.
    pub(super) fn new(context: Context) -> Self {
        Self {
            resources: Vec::new(),
            resource_places: HashMap::new(),
            metrics: Vec::new(),
            metric_places: HashMap::new(),
            points: 0,
            drained: 0,
            points_max: context.points_max,
            metrics_max: context.metrics_max,
        }
    }

    /// Returns the place of a resource that came before.
    pub(super) fn known_resource(&self, original_id: &str) -> Option<usize> {
        self.resource_places.get(original_id).copied()
    }

    /// Returns the place of a resource.
    pub(super) fn resource(&mut self, original_id: &str) -> usize {
        if let Some(place) = self.known_resource(original_id) {
            return place;
        }
        let place = self.resources.len();
        self.resources.push(original_id.to_owned());
        self.resource_places.insert(original_id.to_owned(), place);
        place
    }

    /// Returns the place of a metric, which is named at `place` of the request.
    ///
    /// # Errors
    /// [`Exceeded::Metrics`] when it is one too many.
    pub(super) fn metric(
        &mut self,
        resource: usize,
        name: Name,
        place: usize,
    ) -> Result<usize, Exceeded> {
        let full_name = name.full;
        let name: Arc<str> = name.text.into();
        match self.metric_places.entry((resource, Arc::clone(&name))) {
            Entry::Occupied(place) => Ok(*place.get()),
            Entry::Vacant(vacant) => {
                if self.metrics.len() >= self.metrics_max {
                    return Err(Exceeded::Metrics);
                }
                vacant.insert(self.metrics.len());
                self.metrics.push(Pending {
                    resource,
                    name,
                    full_name,
                    place,
                    columns: Columns::default(),
                });
                Ok(self.metrics.len() - 1)
            }
        }
    }

    /// Adds a point to a metric.
    ///
    /// # Errors
    /// [`Exceeded::Points`] when it is one too many.
    pub(super) fn push(
        &mut self,
        metric: usize,
        timestamp: Timestamp,
        value: f64,
    ) -> Result<(), Exceeded> {
        if self.points >= self.points_max {
            return Err(Exceeded::Points);
        }
        self.points += 1;
        self.metrics[metric].columns.push(timestamp, value);
        Ok(())
    }

    /// Takes the points of a metric away and returns how many there were. They still count towards the limit.
    pub(super) fn drain(&mut self, metric: usize) -> usize {
        let drained = std::mem::take(&mut self.metrics[metric].columns).len();
        self.drained += drained;
        drained
    }

    /// Sorts the points of each metric; a metric without points is left out.
    pub(super) fn finish(self) -> Arrivals {
        let metrics = self
            .metrics
            .into_iter()
            .map(|pending| Arrival {
                resource: pending.resource,
                name: pending.name,
                full_name: pending.full_name,
                place: pending.place,
                series: pending.columns.into_series(),
            })
            .filter(|arrival| !arrival.series.is_empty());
        Arrivals {
            metrics: metrics.collect(),
            resources: self.resources,
            measures: self.points - self.drained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(points_max: usize, metrics_max: usize) -> Context {
        Context {
            now: Timestamp::EPOCH,
            points_max,
            metrics_max,
        }
    }

    fn name(text: &str) -> Name {
        Name {
            text: text.to_owned(),
            full: None,
        }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn points_are_put_together_in_the_order_of_receipt() {
        let mut collector = Collector::new(context(10, 10));
        let (web, db) = (collector.resource("web"), collector.resource("db"));
        assert_eq!(collector.resource("web"), web);
        let cpu = collector.metric(web, name("cpu"), 1).unwrap();
        let other = collector.metric(db, name("cpu"), 2).unwrap();
        assert_ne!(cpu, other);
        assert_eq!(collector.metric(web, name("cpu"), 3), Ok(cpu));
        for (at, value) in [(2, 1.0), (1, 2.0), (2, 3.0)] {
            collector.push(cpu, second(at), value).unwrap();
        }
        let arrivals = collector.finish();
        assert_eq!(arrivals.resources, ["web", "db"]);
        // Nothing came for the other one.
        assert_eq!(arrivals.metrics.len(), 1);
        assert_eq!(arrivals.metrics[0].series.values(), [2.0, 3.0]);
        assert_eq!(arrivals.metrics[0].place, 1);
        assert_eq!(arrivals.measures, 3);
    }

    #[test]
    fn both_numbers_are_limited() {
        let mut collector = Collector::new(context(2, 1));
        let resource = collector.resource("r");
        let metric = collector.metric(resource, name("a"), 1).unwrap();
        assert_eq!(
            collector.metric(resource, name("b"), 2),
            Err(Exceeded::Metrics)
        );
        collector.push(metric, second(1), 1.0).unwrap();
        assert_eq!(collector.drain(metric), 1);
        collector.push(metric, second(1), 1.0).unwrap();
        assert_eq!(
            collector.push(metric, second(1), 1.0),
            Err(Exceeded::Points)
        );
        assert_eq!(collector.finish().measures, 1);
    }
}
