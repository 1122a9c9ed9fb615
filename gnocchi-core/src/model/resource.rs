//! Resources: what metrics hang on.

use std::collections::BTreeMap;

use carbonara::Timestamp;

use super::microseconds::MICROSECOND;
use super::{
    AttributeValue, GENERIC, MetricId, NewMetric, ResourceId, ResourceType, SeenResource,
    whole_microseconds,
};
use crate::error::IndexerError;

/// The number of the current revision where one must be written.
pub const CURRENT_REVISION: i64 = -1;

/// One resource, as it is now or as it was in one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its identifier.
    pub id: ResourceId,
    /// The name of its type.
    pub resource_type: String,
    /// Who made it; `None` when that is not known.
    pub creator: Option<String>,
    /// The id as its creator wrote it.
    pub original_resource_id: String,
    /// When its life began. Resource times have microseconds.
    pub started_at: Timestamp,
    /// When its life ended.
    pub ended_at: Option<Timestamp>,
    /// When this revision began.
    pub revision_start: Timestamp,
    /// When this revision ended; `None` for the current one.
    pub revision_end: Option<Timestamp>,
    /// The number of a past revision, 1 for the first one of the resource; `None` for the current one.
    pub revision: Option<i64>,
    /// The user that it belongs to.
    pub user_id: Option<String>,
    /// The project that it belongs to.
    pub project_id: Option<String>,
    /// The attributes of its type, by name.
    pub attributes: BTreeMap<String, Option<AttributeValue>>,
    /// Its active metrics, by name.
    pub metrics: BTreeMap<String, MetricId>,
}

/// A metric under one name of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceMetric {
    /// An existing, active metric of the same creator is attached.
    Existing(MetricId),
    /// The same, if no other resource has it than this one, as it was seen; `None` if no other one may have it.
    ExistingOf(MetricId, Option<SeenResource>),
    /// A metric is created; its name and resource are set by where it stands.
    New(NewMetric),
}

/// A resource to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewResource {
    /// Its identifier.
    pub id: ResourceId,
    /// The name of an existing type.
    pub resource_type: String,
    /// Who makes it.
    pub creator: Option<String>,
    /// The id as its creator wrote it.
    pub original_resource_id: String,
    /// When its life begins.
    pub started_at: Timestamp,
    /// When its life ended.
    pub ended_at: Option<Timestamp>,
    /// The user that it belongs to.
    pub user_id: Option<String>,
    /// The project that it belongs to.
    pub project_id: Option<String>,
    /// Values for the attributes of its type.
    pub attributes: BTreeMap<String, Option<AttributeValue>>,
    /// Its metrics, by name.
    pub metrics: BTreeMap<String, ResourceMetric>,
}

/// A property that an update sets or leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Left as it is.
    #[default]
    Keep,
    /// Set to this value.
    Set(T),
}

impl<T> Change<T> {
    /// Sets `target` when there is something to set.
    pub fn apply(self, target: &mut T) {
        if let Self::Set(value) = self {
            *target = value;
        }
    }
}

/// What an update does to a resource.
///
/// A changed property makes a new revision; metrics alone never do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceUpdate {
    /// When its life began.
    pub started_at: Change<Timestamp>,
    /// When its life ended.
    pub ended_at: Change<Option<Timestamp>>,
    /// The user that it belongs to.
    pub user_id: Change<Option<String>>,
    /// The project that it belongs to.
    pub project_id: Change<Option<String>>,
    /// Attributes of its type that are set.
    pub attributes: BTreeMap<String, Option<AttributeValue>>,
    /// `Set` replaces its metrics: those not listed are detached. `Keep` leaves them.
    pub metrics: Change<BTreeMap<String, ResourceMetric>>,
    /// Metrics that are added to those it has.
    pub added_metrics: BTreeMap<String, ResourceMetric>,
    /// The resource as it was seen, if no other one and no other revision of it may be changed.
    pub seen: Option<SeenResource>,
}

impl NewResource {
    /// Returns the first revision of the resource, without its metrics: timestamps in whole microseconds, and a value or null for
    /// each attribute of `resource_type`, its type.
    ///
    /// # Errors
    /// [`IndexerError::ResourceEndsBeforeStart`].
    pub fn first_revision(
        &self,
        resource_type: &ResourceType,
        now: Timestamp,
    ) -> Result<Resource, IndexerError> {
        let given = |name: &String| self.attributes.get(name).cloned().flatten();
        let names = resource_type.attributes().keys();
        let resource = Resource {
            id: self.id,
            resource_type: self.resource_type.clone(),
            creator: self.creator.clone(),
            original_resource_id: self.original_resource_id.clone(),
            started_at: whole_microseconds(self.started_at),
            ended_at: self.ended_at.map(whole_microseconds),
            revision_start: whole_microseconds(now),
            revision_end: None,
            revision: None,
            user_id: self.user_id.clone(),
            project_id: self.project_id.clone(),
            attributes: names
                .map(|name| (name.clone(), given(name).map(AttributeValue::stored)))
                .collect(),
            metrics: BTreeMap::new(),
        };
        resource.check_life()?;
        Ok(resource)
    }
}

impl ResourceUpdate {
    /// Returns the update as it is stored: timestamps in whole microseconds, without attributes that `resource_type`, the type of
    /// the resource, does not have.
    #[must_use]
    pub fn normalised(&self, resource_type: &ResourceType) -> Self {
        let mut update = self.clone();
        if let Change::Set(started_at) = &mut update.started_at {
            *started_at = whole_microseconds(*started_at);
        }
        if let Change::Set(Some(ended_at)) = &mut update.ended_at {
            *ended_at = whole_microseconds(*ended_at);
        }
        let known = resource_type.attributes();
        update.attributes.retain(|name, _| known.contains_key(name));
        for value in update.attributes.values_mut() {
            *value = value.take().map(AttributeValue::stored);
        }
        update
    }
}

impl Resource {
    /// Checks that the resource does not end before it starts.
    ///
    /// # Errors
    /// [`IndexerError::ResourceEndsBeforeStart`].
    pub fn check_life(&self) -> Result<(), IndexerError> {
        if self
            .ended_at
            .is_some_and(|ended_at| ended_at < self.started_at)
        {
            return Err(IndexerError::ResourceEndsBeforeStart { id: self.id });
        }
        Ok(())
    }

    /// Returns whether the resource is listed under a type: its own, or the generic one.
    #[must_use]
    pub fn is_of(&self, resource_type: &str) -> bool {
        resource_type == GENERIC || self.resource_type == resource_type
    }

    /// Returns the identifier of this revision: `id@revision`, with [`CURRENT_REVISION`] for the current one.
    #[must_use]
    pub fn revision_id(&self) -> String {
        format!("{}@{}", self.id, self.revision.unwrap_or(CURRENT_REVISION))
    }

    /// Applies the properties of an update (not its metrics) and returns whether anything is different.
    pub fn apply(&mut self, update: &ResourceUpdate) -> bool {
        let before = self.clone();
        update.started_at.clone().apply(&mut self.started_at);
        update.ended_at.clone().apply(&mut self.ended_at);
        update.user_id.clone().apply(&mut self.user_id);
        update.project_id.clone().apply(&mut self.project_id);
        self.attributes.extend(update.attributes.clone());
        *self != before
    }

    /// Returns when the revision after this one begins: now, but always later than this one, even when a clock stands still or is
    /// set back. So no two revisions of a resource have the same start.
    #[must_use]
    pub fn next_revision_start(&self, now: Timestamp) -> Timestamp {
        next_revision_start(self.revision_start, now)
    }
}

/// Returns when the revision after one begins that began at `revision_start`; see [`Resource::next_revision_start`].
#[must_use]
pub fn next_revision_start(revision_start: Timestamp, now: Timestamp) -> Timestamp {
    let earliest = whole_microseconds(revision_start)
        .checked_add(MICROSECOND)
        .unwrap_or(Timestamp::MAX);
    whole_microseconds(now).max(earliest)
}

#[cfg(test)]
impl Resource {
    /// Returns a generic resource without metrics, for tests.
    pub(crate) fn example(original_id: &str, creator: Option<&str>) -> Self {
        Self {
            id: ResourceId::from_original(original_id, creator).unwrap(),
            resource_type: GENERIC.into(),
            creator: creator.map(ToOwned::to_owned),
            original_resource_id: original_id.into(),
            started_at: Timestamp::EPOCH,
            ended_at: None,
            revision_start: Timestamp::EPOCH,
            revision_end: None,
            revision: None,
            user_id: None,
            project_id: None,
            attributes: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_begin_one_after_the_other() {
        let at = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
        let resource = Resource {
            revision_start: at(5000),
            ..Resource::example("web", None)
        };
        assert_eq!(resource.next_revision_start(at(9999)), at(9000));
        assert_eq!(resource.next_revision_start(at(5999)), at(6000));
        assert_eq!(resource.next_revision_start(at(0)), at(6000));
    }
}
