//! The contract for everything that is not measures.

use std::fmt;

use async_trait::async_trait;
use carbonara::Timestamp;

use crate::error::IndexerError;
use crate::model::{
    ArchivePolicy, ArchivePolicyRule, CURRENT_REVISION, Glob, Metric, MetricId, MetricStatus,
    NewMetric, NewResource, Page, RESOURCE_SORT_KEYS, REVISION_SORT_KEYS, Resource, ResourceId,
    ResourceType, ResourceTypeChange, ResourceUpdate, SeenResource, SortKey,
};
use crate::policy::{Visibility, VisibleMetrics, VisibleResources};
use crate::search::Condition;

/// Which metrics a listing holds: those that fit every condition given. Only active ones unless `status` says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricFilter {
    /// Exactly these metrics.
    pub ids: Option<Vec<MetricId>>,
    /// This name.
    pub name: Option<String>,
    /// This unit.
    pub unit: Option<String>,
    /// These creators: all of them must fit.
    pub creators: Vec<String>,
    /// This archive policy.
    pub archive_policy_name: Option<String>,
    /// This resource.
    pub resource_id: Option<ResourceId>,
    /// This status; `None` means active.
    pub status: Option<MetricStatus>,
    /// What the caller may see.
    pub visibility: Visibility<VisibleMetrics>,
}

/// Which resources a listing holds: those that fit every condition given.
///
/// Make it with [`of_type`](Self::of_type) and change what should be different.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceQuery {
    /// The type; [`GENERIC`](crate::model::GENERIC) means every type.
    pub resource_type: String,
    /// Exactly these resources.
    pub ids: Option<Vec<ResourceId>>,
    /// The condition that they match. In history each revision is compared by itself.
    pub condition: Option<Condition>,
    /// What the caller may see. In history a past revision is seen by those who may see both it and what the resource is now.
    pub visibility: Visibility<VisibleResources>,
    /// Whether past revisions are listed too. They come with the metrics that the resource has now.
    pub history: bool,
    /// The metrics that resources come with: those whose name fits one of these patterns; `None` means all.
    pub metric_names: Option<Vec<Glob>>,
    /// Which part of the listing. Sort keys are the names of the properties of a resource, with `id` and (in history)
    /// `revision` appended; the default order is `revision_start`, `started_at`. A marker is an id, in history `id@revision`
    /// with -1 for the current one.
    pub page: Page,
}

impl ResourceQuery {
    /// Asks for every current resource of a type in the default order, however many there are.
    #[must_use]
    pub fn of_type(resource_type: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            ids: None,
            condition: None,
            visibility: Visibility::Everything,
            history: false,
            metric_names: None,
            page: Page::first(usize::MAX),
        }
    }

    /// Returns the ordering of the listing, which is total.
    #[must_use]
    pub fn order(&self) -> Vec<SortKey> {
        let unique: &[&str] = if self.history {
            &["id", "revision"]
        } else {
            &["id"]
        };
        self.page
            .total_order(&["revision_start", "started_at"], unique)
    }

    /// Returns the marker of an item of this listing: an id, in history `id@revision`.
    #[must_use]
    pub fn marker_of(&self, resource: &Resource) -> String {
        if self.history {
            resource.revision_id()
        } else {
            resource.id.to_string()
        }
    }

    /// Returns the id and the revision that a marker of this listing names, `None` for the current revision.
    ///
    /// # Errors
    /// [`IndexerError::InvalidMarker`].
    pub fn parse_marker(&self, marker: &str) -> Result<(ResourceId, Option<i64>), IndexerError> {
        let parse = || {
            if !self.history {
                return Some((marker.parse().ok()?, None));
            }
            let (id, revision) = marker.split_once('@')?;
            let revision: i64 = revision.parse().ok()?;
            let past = (revision != CURRENT_REVISION).then_some(revision);
            Some((id.parse().ok()?, past))
        };
        parse().ok_or_else(|| IndexerError::InvalidMarker {
            marker: marker.to_owned(),
        })
    }

    /// Checks that this listing can be sorted as it asks; `resource_type` is its type.
    ///
    /// # Errors
    /// [`IndexerError::InvalidSortKey`].
    pub fn check_sort_keys(&self, resource_type: &ResourceType) -> Result<(), IndexerError> {
        let of_revisions: &[&str] = if self.history {
            &REVISION_SORT_KEYS
        } else {
            &[]
        };
        let is_known = |key: &str| {
            RESOURCE_SORT_KEYS.contains(&key)
                || of_revisions.contains(&key)
                || resource_type.attributes().contains_key(key)
        };
        match self.page.sort.iter().find(|sort| !is_known(&sort.key)) {
            Some(sort) => Err(IndexerError::InvalidSortKey {
                key: sort.key.clone(),
                known: self.sort_keys(resource_type),
            }),
            None => Ok(()),
        }
    }

    /// Returns the properties that this listing can be sorted by; `resource_type` is its type.
    #[must_use]
    pub fn sort_keys(&self, resource_type: &ResourceType) -> Vec<String> {
        let of_revisions: &[&str] = if self.history {
            &REVISION_SORT_KEYS
        } else {
            &[]
        };
        let shared = RESOURCE_SORT_KEYS.iter().chain(of_revisions);
        let own = resource_type.attributes().keys().cloned();
        shared.map(|key| (*key).to_owned()).chain(own).collect()
    }
}

/// How much an indexer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexerCounts {
    /// Active metrics.
    pub metrics: u64,
    /// Resources of all types, without their past revisions.
    pub resources: u64,
}

/// A metric, and when the life of its resource ended.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricWithEnd {
    /// The metric.
    pub metric: Metric,
    /// When the life of its resource ended; `None` while it goes on, and for a metric without resource.
    pub resource_ended_at: Option<Timestamp>,
}

/// Keeps archive policies and the rules that choose them.
#[async_trait]
pub trait ArchivePolicyIndexer: fmt::Debug + Send + Sync + 'static {
    /// Stores a new policy.
    ///
    /// # Errors
    /// [`IndexerError::ArchivePolicyExists`] when the name is taken.
    async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError>;

    /// Returns a policy.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`] when there is none of that name.
    async fn archive_policy(&self, name: &str) -> Result<ArchivePolicy, IndexerError>;

    /// Returns every policy, by name.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn archive_policies(&self) -> Result<Vec<ArchivePolicy>, IndexerError>;

    /// Replaces the policy of the same name.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`] when there is none of that name.
    async fn update_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError>;

    /// Removes a policy.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`] when there is none, [`IndexerError::ArchivePolicyInUse`] when a metric (also a
    /// deleted one whose data is still there) or a rule refers to it.
    async fn delete_archive_policy(&self, name: &str) -> Result<(), IndexerError>;

    /// Stores a new rule.
    ///
    /// # Errors
    /// [`IndexerError::ArchivePolicyRuleExists`] when the name is taken, [`IndexerError::NoSuchArchivePolicy`] when its policy does
    /// not exist.
    async fn create_archive_policy_rule(
        &self,
        rule: &ArchivePolicyRule,
    ) -> Result<(), IndexerError>;

    /// Returns a rule.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`] when there is none of that name.
    async fn archive_policy_rule(&self, name: &str) -> Result<ArchivePolicyRule, IndexerError>;

    /// Returns every rule, by pattern descending, then by name: the order in which they are tried.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn archive_policy_rules(&self) -> Result<Vec<ArchivePolicyRule>, IndexerError>;

    /// Gives a rule another name.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`] when there is none, [`IndexerError::ArchivePolicyRuleExists`] when the new name is
    /// taken by another rule.
    async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<ArchivePolicyRule, IndexerError>;

    /// Removes a rule.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`] when there is none.
    async fn delete_archive_policy_rule(&self, name: &str) -> Result<(), IndexerError>;
}

/// Keeps metrics.
#[async_trait]
pub trait MetricIndexer: fmt::Debug + Send + Sync + 'static {
    /// Creates metrics, all or none, and returns them in order. Those of a resource get its creator. Resources of metrics that are
    /// among `seen` must still be as they were seen.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::NoSuchResource`] when something referred to does not exist,
    /// [`IndexerError::RevisionChanged`] when a resource is not what was seen,
    /// [`IndexerError::NamedMetricExists`] when its resource has an active metric of that name, [`IndexerError::MetricExists`] when
    /// its id is taken, also by a deleted metric that is not expunged yet.
    async fn create_metrics(
        &self,
        metrics: &[NewMetric],
        seen: &[SeenResource],
    ) -> Result<Vec<Metric>, IndexerError>;

    /// Returns the active metrics with these ids; `None` where there is none.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn metrics(&self, ids: &[MetricId]) -> Result<Vec<Option<Metric>>, IndexerError>;

    /// Returns the active metrics with these ids, each with the end of its resource; `None` where there is none.
    ///
    /// The write path calls this: it costs little more than [`metrics`](Self::metrics).
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn metrics_with_ends(
        &self,
        ids: &[MetricId],
    ) -> Result<Vec<Option<MetricWithEnd>>, IndexerError>;

    /// Returns the active metrics with these names on these resources; `None` where there is none.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn named_metrics(
        &self,
        names: &[(ResourceId, String)],
    ) -> Result<Vec<Option<Metric>>, IndexerError>;

    /// Lists metrics. Sort keys are `id`, `name`, `unit`, `creator`, `archive_policy_name`, `resource_id`, `status`; `id` is the
    /// default, and is appended where absent.
    ///
    /// # Errors
    /// [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    async fn list_metrics(
        &self,
        filter: &MetricFilter,
        page: &Page,
    ) -> Result<Vec<Metric>, IndexerError>;

    /// Marks metrics as deleted and detaches them from their resources, so that their names can be used again at once.
    /// Absent metrics are fine.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn delete_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError>;

    /// Returns up to `limit` metrics that are marked as deleted.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn deleted_metrics(&self, limit: usize) -> Result<Vec<MetricId>, IndexerError>;

    /// Forgets deleted metrics whose data is gone. Active and absent metrics are left alone.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn expunge_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError>;
}

/// Keeps resources and their history.
#[async_trait]
pub trait ResourceIndexer: fmt::Debug + Send + Sync + 'static {
    /// Creates a resource with its metrics, all or nothing; `now` begins its first revision. New metrics get the creator of the
    /// resource.
    ///
    /// # Errors
    /// [`IndexerError::ResourceExists`], [`IndexerError::NoSuchResourceType`], [`IndexerError::ResourceEndsBeforeStart`],
    /// [`IndexerError::NoSuchMetric`] for an attached metric that is not active or has another creator,
    /// [`IndexerError::RevisionChanged`] for one that belongs to another resource, or another revision of it, than was seen,
    /// [`IndexerError::NoSuchArchivePolicy`].
    async fn create_resource(
        &self,
        resource: &NewResource,
        now: Timestamp,
    ) -> Result<Resource, IndexerError>;

    /// Returns the current revision of resources of a type ([`GENERIC`](crate::model::GENERIC): of any type), with their
    /// attributes; `None` where there is none.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Result<Vec<Option<Resource>>, IndexerError>;

    /// Lists resources.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`], [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    async fn list_resources(&self, query: &ResourceQuery) -> Result<Vec<Resource>, IndexerError>;

    /// Changes a resource of a type ([`GENERIC`](crate::model::GENERIC): of any type), all or nothing. When a property
    /// really changes, the state before becomes a past revision that ended at `now`, or at the next microsecond of the resource if
    /// that is later. New metrics get the creator of the resource.
    ///
    /// # Errors
    /// As [`create_resource`](Self::create_resource), and [`IndexerError::NoSuchResource`], [`IndexerError::NamedMetricExists`] for
    /// an added metric whose name is taken, [`IndexerError::RevisionChanged`] when the resource is not what was seen.
    async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
        now: Timestamp,
    ) -> Result<Resource, IndexerError>;

    /// Lets the life of resources go on whose metrics were measured when it had ended: given are metrics, each with the timestamp of a
    /// measure. A resource that ended at one of the timestamps of its metrics or before has no end any more, in a new revision that begins
    /// as one of [`update_resource`](Self::update_resource) does.
    ///
    /// Returns the resources that were changed, each once. Everything else is left alone: resources that go on or ended later, absent
    /// and deleted metrics, metrics without resource. So the same call again changes nothing, and of several callers at the same time
    /// one makes the revision.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, IndexerError>;

    /// Removes resources with their history and marks their metrics as deleted; returns how many there were.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn delete_resources(&self, ids: &[ResourceId]) -> Result<usize, IndexerError>;

    /// Removes the resources of a type ([`GENERIC`](crate::model::GENERIC): of any type) that match a condition now and that the
    /// caller may see, as [`delete_resources`](Self::delete_resources) does, all or nothing; returns how many there were.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`].
    async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Result<usize, IndexerError>;

    /// Removes those of these resources that are still as they were seen, as [`delete_resources`](Self::delete_resources) does;
    /// returns which ones, in the order given.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn delete_seen_resources(
        &self,
        seen: &[SeenResource],
    ) -> Result<Vec<ResourceId>, IndexerError>;
}

/// Keeps types of resources. The type [`GENERIC`](crate::model::GENERIC) always exists.
#[async_trait]
pub trait ResourceTypeIndexer: fmt::Debug + Send + Sync + 'static {
    /// Stores a new type.
    ///
    /// # Errors
    /// [`IndexerError::ResourceTypeExists`] when the name is taken.
    async fn create_resource_type(&self, resource_type: &ResourceType) -> Result<(), IndexerError>;

    /// Returns a type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`] when there is none of that name.
    async fn resource_type(&self, name: &str) -> Result<ResourceType, IndexerError>;

    /// Returns every type, by name.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn resource_types(&self) -> Result<Vec<ResourceType>, IndexerError>;

    /// Changes a type together with all its resources and their past revisions: values of attributes that go are dropped, and
    /// attributes without value are filled. No resource gets another revision.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`] when there is none, [`IndexerError::ResourceTypeChanged`] when it is not what the change
    /// was planned for, [`IndexerError::AttributeTooLong`] when a text that exists is longer than it may become,
    /// [`IndexerError::ResourceTypeChangeTooLarge`] when the change would write more than it may.
    async fn update_resource_type(&self, change: &ResourceTypeChange) -> Result<(), IndexerError>;

    /// Removes a type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`] when there is none, [`IndexerError::ResourceTypeInUse`] when a resource or a past
    /// revision is of this type, and always for the generic one.
    async fn delete_resource_type(&self, name: &str) -> Result<(), IndexerError>;
}

/// Keeps everything that is not measures: archive policies, metrics, resources and their types.
///
/// # Contract
/// - Every call is one transaction: all or nothing.
/// - Text is compared exactly, case and accents included.
#[async_trait]
pub trait Indexer:
    ArchivePolicyIndexer + MetricIndexer + ResourceIndexer + ResourceTypeIndexer
{
    /// Creates or migrates the schema; may be repeated and run by several processes at once.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer or holds a newer schema.
    async fn upgrade(&self) -> Result<(), IndexerError>;

    /// Returns whether a write would be accepted now, as far as that is known without writing; an error says why not. Reads may
    /// work all the same. Cheap enough to be called for every probe of a load balancer.
    ///
    /// # Errors
    /// [`IndexerError::Backend`], mostly of the kinds [`Full`](crate::error::BackendErrorKind::Full),
    /// [`ReadOnly`](crate::error::BackendErrorKind::ReadOnly) and [`Unavailable`](crate::error::BackendErrorKind::Unavailable).
    async fn accepts_writes(&self) -> Result<(), IndexerError>;

    /// Returns how much there is, in one state. This may read an index from end to end: callers ask rarely.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the back-end cannot answer.
    async fn counts(&self) -> Result<IndexerCounts, IndexerError>;

    /// Returns whether this process is the only writer, so that what it read stays true until it writes.
    fn is_exclusive(&self) -> bool;
}
