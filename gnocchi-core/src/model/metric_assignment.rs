//! Which metrics come to a resource and which leave it.

use std::collections::BTreeMap;

use super::{
    Change, MetricId, NewMetric, NewResource, Resource, ResourceId, ResourceMetric, ResourceUpdate,
    SeenResource,
};
use crate::error::IndexerError;

/// What creating or updating a resource does to metrics.
///
/// An indexer applies the parts in this order: detach, attach, create. A metric that stands under two names is attached
/// under the last one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricAssignment {
    /// Metrics of the resource that leave it.
    pub detached: Vec<MetricId>,
    /// Existing metrics and the names that they get; some may be metrics of this resource already.
    pub attached: BTreeMap<MetricId, String>,
    /// The only other resource that an attached metric may be taken from, where that matters; `None` where there is none.
    pub holders: BTreeMap<MetricId, Option<SeenResource>>,
    /// Metrics to create, with their final name, resource and creator: that of the resource, whichever caller adds them.
    pub created: Vec<NewMetric>,
}

impl MetricAssignment {
    /// Works out what creating a resource does.
    #[must_use]
    pub fn of_new(resource: &NewResource) -> Self {
        let mut assignment = Self::default();
        assignment.add(resource.id, resource.creator.as_deref(), &resource.metrics);
        assignment
    }

    /// Works out what an update of a resource does, given the metrics that it has now. Those that `resource` itself lists don't
    /// count.
    ///
    /// # Errors
    /// [`IndexerError::NamedMetricExists`] when an added metric has the name of another metric that stays.
    pub fn of_update(
        resource: &Resource,
        current: &BTreeMap<String, MetricId>,
        update: &ResourceUpdate,
    ) -> Result<Self, IndexerError> {
        let (id, creator) = (resource.id, resource.creator.as_deref());
        let mut assignment = Self::default();
        let mut staying = current.clone();
        if let Change::Set(metrics) = &update.metrics {
            assignment.add(id, creator, metrics);
            assignment.detached = staying
                .values()
                .filter(|metric| !assignment.attached.contains_key(metric))
                .copied()
                .collect();
            staying.clear();
            if let Some(name) = update
                .added_metrics
                .keys()
                .find(|name| metrics.contains_key(*name))
            {
                return Err(IndexerError::NamedMetricExists { name: name.clone() });
            }
        }
        assignment.add(id, creator, &update.added_metrics);
        staying.retain(|_, metric| !assignment.attached.contains_key(metric));
        if let Some(name) = update
            .added_metrics
            .keys()
            .find(|name| staying.contains_key(*name))
        {
            return Err(IndexerError::NamedMetricExists { name: name.clone() });
        }
        Ok(assignment)
    }

    /// Returns whether nothing happens to any metric.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.detached.is_empty() && self.attached.is_empty() && self.created.is_empty()
    }

    /// Returns whether an attached metric may be taken from another resource, as that is now.
    #[must_use]
    pub fn may_take(&self, metric: MetricId, holder: &SeenResource) -> bool {
        match self.holders.get(&metric) {
            None => true,
            Some(seen) => seen.as_ref() == Some(holder),
        }
    }

    fn add(
        &mut self,
        resource: ResourceId,
        creator: Option<&str>,
        metrics: &BTreeMap<String, ResourceMetric>,
    ) {
        for (name, metric) in metrics {
            match metric {
                ResourceMetric::Existing(id) => {
                    self.attached.insert(*id, name.clone());
                }
                ResourceMetric::ExistingOf(id, holder) => {
                    self.attached.insert(*id, name.clone());
                    self.holders.insert(*id, holder.clone());
                }
                ResourceMetric::New(metric) => self.created.push(NewMetric {
                    creator: creator.map(ToOwned::to_owned),
                    name: Some(name.clone()),
                    resource_id: Some(resource),
                    ..metric.clone()
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const RESOURCE: ResourceId = ResourceId::from_u128(1);

    fn resource() -> Resource {
        Resource {
            id: RESOURCE,
            ..Resource::example("web", Some("owner"))
        }
    }

    fn metric(number: u128) -> MetricId {
        MetricId::from_u128(number)
    }

    fn existing(metrics: &[(&str, u128)]) -> BTreeMap<String, ResourceMetric> {
        metrics
            .iter()
            .map(|(name, id)| ((*name).to_owned(), ResourceMetric::Existing(metric(*id))))
            .collect()
    }

    fn current() -> BTreeMap<String, MetricId> {
        BTreeMap::from([
            ("cpu".to_owned(), metric(1)),
            ("disk".to_owned(), metric(2)),
        ])
    }

    #[test]
    fn a_replacement_detaches_what_it_does_not_list() {
        let update = ResourceUpdate {
            metrics: Change::Set(existing(&[("cpu", 1)])),
            ..Default::default()
        };
        let assignment = MetricAssignment::of_update(&resource(), &current(), &update).unwrap();
        assert_eq!(assignment.detached, [metric(2)]);
        assert_eq!(
            assignment.attached,
            BTreeMap::from([(metric(1), "cpu".to_owned())])
        );
    }

    #[test]
    fn added_names_must_be_free() {
        let check = |added: &[(&str, u128)], expected: Option<&str>| {
            let update = ResourceUpdate {
                added_metrics: existing(added),
                ..Default::default()
            };
            let taken = match MetricAssignment::of_update(&resource(), &current(), &update) {
                Ok(_) => None,
                Err(IndexerError::NamedMetricExists { name }) => Some(name),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(taken.as_deref(), expected, "{added:?}");
        };
        check(&[("memory", 3)], None);
        check(&[("cpu", 3)], Some("cpu"));
        // The metric that has the name already, and a metric that gives its name away.
        check(&[("cpu", 1)], None);
        check(&[("cpu", 3), ("old", 1)], None);
    }

    #[test]
    fn new_metrics_get_name_resource_and_creator_from_where_they_stand() {
        let sender = Some("sender".into());
        let described = NewMetric::new(sender, "low", Some("ignored".into()), None, None).unwrap();
        let metrics = BTreeMap::from([("cpu".to_owned(), ResourceMetric::New(described))]);
        let update = ResourceUpdate {
            added_metrics: metrics,
            ..Default::default()
        };
        let assignment =
            MetricAssignment::of_update(&resource(), &BTreeMap::new(), &update).unwrap();
        assert_eq!(assignment.created[0].name.as_deref(), Some("cpu"));
        assert_eq!(assignment.created[0].resource_id, Some(RESOURCE));
        assert_eq!(assignment.created[0].creator.as_deref(), Some("owner"));
        assert!(!assignment.is_empty());
    }
}
