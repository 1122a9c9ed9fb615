//! Series that come with the names of their resource and metric.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::mem;
use std::sync::Arc;

use carbonara::Series;

use super::FullName;
use crate::model::{AttributeValue, ResourceAddress, ResourceId, ResourceIdError};

/// A resource that series belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// Its id as the sender writes it.
    pub address: ResourceAddress,
    /// The attributes that it gets if it must be created.
    pub attributes: BTreeMap<String, Option<AttributeValue>>,
}

/// A series with the names of its resource and metric.
#[derive(Debug, Clone)]
pub struct NamedSeries {
    /// The resource.
    pub destination: Arc<Destination>,
    /// The name of the metric.
    pub name: String,
    /// Its points.
    pub series: Series,
    /// The archive policy that the metric gets if it must be created; `None` when the archive policy rules choose it.
    pub archive_policy_name: Option<String>,
    /// The unit that the metric gets if it must be created.
    pub unit: Option<String>,
    /// The complete name when `name` ends with a digest.
    pub full_name: Option<FullName>,
    /// Where in the request the series stands first, as its receiver counts.
    pub place: usize,
}

/// Series by resource and name, each pair once.
#[derive(Debug, Default)]
pub struct NamedBatch {
    /// The resource and the name of each metric.
    pub(super) names: Vec<(ResourceId, String)>,
    /// The series of each of `names`.
    pub(super) series: Vec<NamedSeries>,
}

/// An id that no resource can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableId {
    /// The id as the sender writes it.
    pub original_id: String,
    /// What is wrong with it.
    pub error: ResourceIdError,
}

impl Destination {
    /// Finds the id of a resource in the words of its sender, who creates resources as `creator`.
    ///
    /// # Errors
    /// [`UnusableId`] when no resource can have the id.
    pub fn of(original_id: String, creator: Option<&str>) -> Result<Self, UnusableId> {
        match ResourceAddress::parse(original_id.as_str(), creator) {
            Ok(address) => Ok(Self {
                address,
                attributes: BTreeMap::new(),
            }),
            Err(error) => Err(UnusableId { original_id, error }),
        }
    }
}

impl NamedBatch {
    /// Combines series of the same metric: two ids may be spellings of one. The first series of a metric keeps its place; of several
    /// values at one timestamp, archive policies and units the last one counts.
    #[must_use]
    pub fn of(all: Vec<NamedSeries>) -> Self {
        let key = |named: &NamedSeries| (named.destination.address.id(), named.name.clone());
        let series = unite(all, key, |own, mut later| {
            for other in &mut later {
                // A name means less than its id.
                if other.destination.address.is_name() {
                    own.destination = Arc::clone(&other.destination);
                }
                own.archive_policy_name =
                    (other.archive_policy_name.take()).or_else(|| own.archive_policy_name.take());
                own.unit = other.unit.take().or_else(|| own.unit.take());
            }
            let later = later.into_iter().map(|named| named.series);
            own.series = put_together(mem::take(&mut own.series), later);
        });
        Self {
            names: series.iter().map(key).collect(),
            series,
        }
    }

    /// Returns whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Puts items with the same key together, in the order in which keys first appear. `absorb` is called once for each key that
/// occurs several times, with the first item and all later ones in order.
pub fn unite<T, K: Eq + Hash>(
    items: Vec<T>,
    key: impl Fn(&T) -> K,
    absorb: impl Fn(&mut T, Vec<T>),
) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let mut places: HashMap<K, usize> = HashMap::with_capacity(items.len());
    let mut groups: Vec<(T, Vec<T>)> = Vec::with_capacity(items.len());
    for item in items {
        match places.entry(key(&item)) {
            Entry::Occupied(place) => groups[*place.get()].1.push(item),
            Entry::Vacant(place) => {
                place.insert(groups.len());
                groups.push((item, Vec::new()));
            }
        }
    }
    let united = groups.into_iter().map(|(mut first, later)| {
        if !later.is_empty() {
            absorb(&mut first, later);
        }
        first
    });
    united.collect()
}

/// Makes one series of several; at an equal timestamp the last one wins. It takes as long as sorting all points once, however
/// many series there are.
pub fn put_together(first: Series, later: impl IntoIterator<Item = Series>) -> Series {
    let (mut timestamps_ns, mut values) = first.into_parts();
    for series in later {
        timestamps_ns.extend_from_slice(series.timestamps_ns());
        values.extend_from_slice(series.values());
    }
    Series::from_points(timestamps_ns, values)
        .expect("series have as many timestamps as values, and none before the epoch")
}
