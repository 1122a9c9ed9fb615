//! Measures that say where they belong by resource and name.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use gnocchi_core::model::{AttributeValue, ResourceAddress, ResourceId, ResourceIdError};

use super::Arrivals;
use crate::api::measures::{self, NamedMeasures, ResourceMeasures};

/// A resource that measures are for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Destination {
    /// It in the words of its sender.
    pub(crate) address: ResourceAddress,
    /// The attributes that it gets if it must be created.
    pub(crate) attributes: BTreeMap<String, Option<AttributeValue>>,
}

/// Measures of one metric of one resource.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) destination: Arc<Destination>,
    pub(crate) measures: NamedMeasures,
    /// The whole name when that of the measures ends with a digest.
    pub(super) full_name: Option<String>,
    /// Where in the request they stand first.
    pub(super) place: usize,
}

/// Measures by resource and name, each pair once.
#[derive(Debug, Default)]
pub(crate) struct NamedBatch {
    /// The resource and the name of each metric.
    pub(super) names: Vec<(ResourceId, String)>,
    /// What came for each of `names`.
    pub(super) measures: Vec<Named>,
}

/// An id of a resource that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnusableId {
    /// The id as the sender writes it.
    pub(crate) original_id: String,
    /// What is wrong with it.
    pub(crate) error: ResourceIdError,
}

impl Destination {
    /// Finds the id of a resource in the words of its sender.
    pub(crate) fn of(original_id: String, creator: Option<&str>) -> Result<Self, UnusableId> {
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
    /// Turns the ids of a JSON body into those of its sender.
    ///
    /// # Errors
    /// [`UnusableId`] for the first id that can be none.
    pub(crate) fn of_json(
        parsed: Vec<ResourceMeasures>,
        creator: Option<&str>,
    ) -> Result<Self, UnusableId> {
        let mut all = Vec::new();
        for ResourceMeasures {
            original_id,
            metrics,
        } in parsed
        {
            let destination = Arc::new(Destination::of(original_id, creator)?);
            all.extend(metrics.into_iter().map(|measures| Named {
                destination: Arc::clone(&destination),
                measures,
                full_name: None,
                place: 0,
            }));
        }
        Ok(Self::of(all))
    }

    /// Gives what a request brings to destinations, one for each of its resources.
    pub(crate) fn of_arrivals(arrivals: Arrivals, destinations: Vec<Destination>) -> Self {
        let destinations: Vec<_> = destinations.into_iter().map(Arc::new).collect();
        let named = arrivals.metrics.into_iter().map(|arrival| Named {
            destination: Arc::clone(&destinations[arrival.resource]),
            measures: NamedMeasures {
                name: arrival.name.as_ref().to_owned(),
                series: arrival.series,
                ..NamedMeasures::default()
            },
            full_name: arrival.full_name,
            place: arrival.place,
        });
        Self::of(named.collect())
    }

    /// Puts together what is meant for one metric: two ids may be spellings of one.
    fn of(all: Vec<Named>) -> Self {
        let key = |named: &Named| (named.destination.address.id(), named.measures.name.clone());
        let measures = measures::unite(all, key, |named, mut later| {
            let own = &mut named.measures;
            for Named {
                measures,
                destination,
                ..
            } in &mut later
            {
                // A name means less than its id.
                if destination.address.is_name() {
                    named.destination = Arc::clone(destination);
                }
                own.archive_policy_name = (measures.archive_policy_name.take())
                    .or_else(|| own.archive_policy_name.take());
                own.unit = measures.unit.take().or_else(|| own.unit.take());
            }
            let later = later.into_iter().map(|named| named.measures.series);
            own.series = measures::put_together(mem::take(&mut own.series), later);
        });
        Self {
            names: measures.iter().map(key).collect(),
            measures,
        }
    }

    /// Returns whether nothing came.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
