use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use carbonara::Timestamp;

use super::order::{Key, page};
use super::state::{MemoryIndexer, State};
use crate::driver::{ResourceIndexer, ResourceQuery};
use crate::error::IndexerError;
use crate::model::{
    MetricAssignment, MetricId, MetricStatus, NewResource, Resource, ResourceId, ResourceUpdate,
    SeenResource,
};
use crate::policy::{Visibility, VisibleResources};
use crate::search::Condition;

impl State {
    fn metrics_of(&self, id: ResourceId) -> BTreeMap<String, MetricId> {
        self.metrics_of_all(&BTreeSet::from([id]))
            .remove(&id)
            .unwrap_or_default()
    }

    /// Returns the active metrics of resources by name; resources without metrics are left out.
    fn metrics_of_all(
        &self,
        ids: &BTreeSet<ResourceId>,
    ) -> BTreeMap<ResourceId, BTreeMap<String, MetricId>> {
        let mut found: BTreeMap<ResourceId, BTreeMap<String, MetricId>> = BTreeMap::new();
        let active = self
            .metrics
            .values()
            .filter(|metric| metric.status == MetricStatus::Active);
        for metric in active.map(|metric| &metric.described) {
            if let (Some(resource), Some(name)) = (metric.resource_id, &metric.name)
                && ids.contains(&resource)
            {
                let metrics = found.entry(resource).or_default();
                metrics.insert(name.clone(), metric.id);
            }
        }
        found
    }

    fn complete_resource(&self, stored: &Resource) -> Resource {
        Resource {
            metrics: self.metrics_of(stored.id),
            ..stored.clone()
        }
    }

    /// Removes resources and returns how many of them were there.
    fn delete_resources(&mut self, ids: impl IntoIterator<Item = ResourceId>) -> usize {
        let ids: BTreeSet<ResourceId> = ids
            .into_iter()
            .filter(|id| self.resources.contains_key(id))
            .collect();
        for id in &ids {
            for metric in self.metrics_of(*id).into_values() {
                self.delete_metric(metric);
            }
            self.resources.remove(id);
        }
        self.revisions
            .retain(|_, revision| !ids.contains(&revision.id));
        ids.len()
    }

    fn find_resource(&self, resource_type: &str, id: ResourceId) -> Option<&Resource> {
        self.resources
            .get(&id)
            .filter(|resource| resource.is_of(resource_type))
    }

    fn check_assignment(
        &self,
        resource: &Resource,
        assignment: &MetricAssignment,
    ) -> Result<(), IndexerError> {
        for id in assignment.attached.keys() {
            let metric = self.active_metric(*id);
            let own = metric.filter(|metric| metric.described.creator == resource.creator);
            let Some(metric) = own else {
                return Err(IndexerError::NoSuchMetric { id: *id });
            };
            let holder = metric.described.resource_id;
            let holder = holder.filter(|holder| *holder != resource.id);
            let holder = holder.and_then(|holder| self.resources.get(&holder));
            if let Some(holder) = holder
                && !assignment.may_take(*id, &SeenResource::of(holder))
            {
                return Err(IndexerError::RevisionChanged { id: holder.id });
            }
        }
        let leaving: BTreeSet<MetricId> = assignment
            .detached
            .iter()
            .chain(assignment.attached.keys())
            .copied()
            .collect();
        self.check_new_metrics(&assignment.created, Some(resource.id), &leaving)
    }

    /// Makes a past revision of what a resource was, and stores and returns what it is from now on.
    fn store_revision(&mut self, before: Resource, after: Resource, now: Timestamp) -> Resource {
        let own = self.revisions.values().filter(|past| past.id == before.id);
        let number = own.filter_map(|past| past.revision).max().unwrap_or(0) + 1;
        self.last_revision += 1;
        let after = Resource {
            revision_start: before.next_revision_start(now),
            ..after
        };
        let past = Resource {
            revision: Some(number),
            revision_end: Some(after.revision_start),
            ..before
        };
        self.revisions.insert(self.last_revision, past);
        self.resources.insert(after.id, after.clone());
        after
    }

    fn apply_assignment(&mut self, resource: ResourceId, assignment: MetricAssignment) {
        for id in &assignment.detached {
            if let Some(metric) = self.metrics.get_mut(id) {
                metric.described.resource_id = None;
            }
        }
        for (id, name) in assignment.attached {
            if let Some(metric) = self.metrics.get_mut(&id) {
                metric.described.resource_id = Some(resource);
                metric.described.name = Some(name);
            }
        }
        self.insert_metrics(assignment.created);
    }
}

fn key(resource: &Resource, name: &str) -> Key {
    match name {
        "id" => Key::Id(resource.id.as_u128()),
        "type" => Key::Text(resource.resource_type.clone()),
        "creator" => resource.creator.as_deref().into(),
        "original_resource_id" => Key::Text(resource.original_resource_id.clone()),
        "started_at" => Some(resource.started_at).into(),
        "ended_at" => resource.ended_at.into(),
        "revision_start" => Some(resource.revision_start).into(),
        "revision_end" => resource.revision_end.into(),
        "revision" => Key::Integer(resource.revision.unwrap_or(-1)),
        "user_id" => resource.user_id.as_deref().into(),
        "project_id" => resource.project_id.as_deref().into(),
        attribute => resource
            .attributes
            .get(attribute)
            .and_then(Option::as_ref)
            .into(),
    }
}

#[async_trait]
impl ResourceIndexer for MemoryIndexer {
    async fn create_resource(
        &self,
        new: &NewResource,
        now: Timestamp,
    ) -> Result<Resource, IndexerError> {
        let mut state = self.state.lock();
        let resource = new.first_revision(state.resource_type(&new.resource_type)?, now)?;
        if state.resources.contains_key(&new.id) {
            return Err(IndexerError::ResourceExists { id: new.id });
        }
        let assignment = MetricAssignment::of_new(new);
        state.check_assignment(&resource, &assignment)?;
        state.resources.insert(new.id, resource.clone());
        state.apply_assignment(new.id, assignment);
        Ok(state.complete_resource(&resource))
    }

    async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Result<Vec<Option<Resource>>, IndexerError> {
        let state = self.state.lock();
        let find = |id: &ResourceId| {
            state
                .find_resource(resource_type, *id)
                .map(|found| state.complete_resource(found))
        };
        Ok(ids.iter().map(find).collect())
    }

    async fn list_resources(&self, query: &ResourceQuery) -> Result<Vec<Resource>, IndexerError> {
        let state = self.state.lock();
        query.check_sort_keys(state.resource_type(&query.resource_type)?)?;
        let past = state.revisions.values().filter(|_| query.history);
        let visible = query.visibility.condition();
        // The past of a resource is as visible as its present.
        let is_visible = |resource: &Resource| {
            visible.as_ref().is_none_or(|visible| {
                let present = state.resources.get(&resource.id);
                visible.matches(resource) && present.is_some_and(|present| visible.matches(present))
            })
        };
        let fits = |resource: &&Resource| {
            resource.is_of(&query.resource_type)
                && query
                    .ids
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&resource.id))
                && (query.condition.iter()).all(|condition| condition.matches(resource))
                && is_visible(resource)
        };
        let listed: Vec<&Resource> = state.resources.values().chain(past).filter(fits).collect();
        let order = query.order();
        let given = query.page.marker.as_deref();
        let marked = given.map(|text| query.parse_marker(text)).transpose()?;
        let marked = marked.map(|(id, revision)| {
            move |resource: &&Resource| resource.id == id && resource.revision == revision
        });
        let found = page(
            listed,
            &order,
            query.page.limit,
            |resource, name| key(resource, name),
            marked,
        );
        let found = found.ok_or_else(|| query.page.invalid_marker())?;
        let metrics = state.metrics_of_all(&found.iter().map(|resource| resource.id).collect());
        let complete = |resource: &Resource| {
            let mut metrics = metrics.get(&resource.id).cloned().unwrap_or_default();
            if let Some(wanted) = &query.metric_names {
                metrics.retain(|name, _| wanted.iter().any(|glob| glob.matches(name)));
            }
            Resource {
                metrics,
                ..resource.clone()
            }
        };
        Ok(found.into_iter().map(complete).collect())
    }

    async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
        now: Timestamp,
    ) -> Result<Resource, IndexerError> {
        let mut state = self.state.lock();
        let before = state
            .find_resource(resource_type, id)
            .ok_or(IndexerError::NoSuchResource { id })?
            .clone();
        if update.seen.as_ref().is_some_and(|seen| !seen.is(&before)) {
            return Err(IndexerError::RevisionChanged { id });
        }
        let mut after = before.clone();
        let changed = after.apply(&update.normalised(state.resource_type(&before.resource_type)?));
        after.check_life()?;
        let assignment = MetricAssignment::of_update(&before, &state.metrics_of(id), update)?;
        state.check_assignment(&before, &assignment)?;
        if changed {
            after = state.store_revision(before, after, now);
        }
        state.apply_assignment(id, assignment);
        Ok(state.complete_resource(&after))
    }

    async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, IndexerError> {
        let mut state = self.state.lock();
        let mut reopened = Vec::new();
        for (metric, newest) in measured {
            let resource = state.active_metric(*metric);
            let resource = resource.and_then(|metric| metric.described.resource_id);
            let resource = resource.and_then(|id| state.resources.get(&id));
            if let Some(before) = resource
                && before.ended_at.is_some_and(|ended_at| ended_at <= *newest)
            {
                let before = before.clone();
                let after = Resource {
                    ended_at: None,
                    ..before.clone()
                };
                reopened.push(before.id);
                state.store_revision(before, after, now);
            }
        }
        Ok(reopened)
    }

    async fn delete_resources(&self, ids: &[ResourceId]) -> Result<usize, IndexerError> {
        Ok(self.state.lock().delete_resources(ids.iter().copied()))
    }

    async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Result<usize, IndexerError> {
        let mut state = self.state.lock();
        state.resource_type(resource_type)?;
        let visible = visibility.condition();
        let fits = |resource: &&Resource| {
            resource.is_of(resource_type)
                && condition.matches(resource)
                && visible
                    .as_ref()
                    .is_none_or(|visible| visible.matches(resource))
        };
        let matching: Vec<ResourceId> = state
            .resources
            .values()
            .filter(fits)
            .map(|resource| resource.id)
            .collect();
        Ok(state.delete_resources(matching))
    }

    async fn delete_seen_resources(
        &self,
        seen: &[SeenResource],
    ) -> Result<Vec<ResourceId>, IndexerError> {
        let mut state = self.state.lock();
        let unchanged = seen.iter().filter(|seen| {
            let resource = state.resources.get(&seen.id);
            resource.is_some_and(|resource| seen.is(resource))
        });
        let unchanged: Vec<ResourceId> = unchanged.map(|seen| seen.id).collect();
        state.delete_resources(unchanged.iter().copied());
        Ok(unchanged)
    }
}
