//! Series of resources that fit a search, group by group.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use super::admission::{Admission, admitted};
use super::aggregates::{FoundMetric, Source};
use super::evaluation::SERIES_PER_BATCH;
use super::selection::{Found, Listed, Patterns};
use crate::budget::{Budget, Held};
use crate::driver::ResourceQuery;
use crate::error::{BackendError, BackendErrorKind, Error, IndexerError};
use crate::model::{AttributeValue, Metric, MetricId, Page, Resource, SortKey};
use crate::policy::{Visibility, VisibleResources};
use crate::search::Condition;
use crate::store::Gnocchi;

/// How many resources are listed at a time; with a metric each they take about ten megabytes.
const RESOURCES_PER_PAGE: usize = 10_000;

/// How many series are computed with at once; each takes some hundred bytes beside its points.
const SERIES_PER_GROUP_MAX: usize = 200_000;

/// The order of resources inside a group: by what never changes. A resource that changes between two pages of a listing keeps its
/// place, so none is passed over.
const ORDER_IN_GROUP: &str = "id";

/// Which resources are looked at.
#[derive(Debug, Clone, Default)]
pub struct ResourceSelection {
    /// The type; [`GENERIC`](crate::model::GENERIC) means every type.
    pub resource_type: String,
    /// Those that fit this.
    pub condition: Option<Condition>,
    /// Those that may be seen.
    pub visibility: Visibility<VisibleResources>,
    /// What decides about each of those that are left; `None` when all of them and all of their metrics may be read.
    pub admission: Option<Arc<dyn Admission>>,
    /// The properties by which they are grouped, each once; none makes one group of all.
    pub group_by: Vec<String>,
}

/// Whether the resources themselves are part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepResources {
    /// Those that have one of the metrics.
    Keep,
    /// None: only their series are of interest.
    Drop,
}

/// Resources that agree in some properties.
#[derive(Debug, Clone, Default)]
pub struct ResourceGroup {
    /// The properties and what they are, by name.
    pub properties: Vec<(String, Option<AttributeValue>)>,
    /// The series of the resources, in their order.
    pub sources: Vec<Source>,
    /// The resources that have one of the metrics, if they are wanted.
    pub resources: Vec<Resource>,
}

/// The groups of a selection, a few at a time.
///
/// What is held are a page of resources and the groups of one batch.
#[derive(Debug)]
pub struct ResourceGroups {
    gnocchi: Gnocchi,
    budget: Budget,
    query: ResourceQuery,
    admission: Option<Arc<dyn Admission>>,
    group_by: Vec<String>,
    patterns: Patterns,
    keep: KeepResources,
    /// Resources that are listed but not handed out.
    listed: VecDeque<Listed>,
    /// The memory of what is listed.
    held: Option<Held>,
    metrics: HashMap<MetricId, Arc<Metric>>,
    /// The group that may go on with the next resource.
    open: Option<ResourceGroup>,
    last_page: bool,
}

impl Gnocchi {
    /// Begins to list the series of one metric of resources, group by group.
    #[must_use]
    pub fn named_metric_groups(
        &self,
        selection: ResourceSelection,
        metric_name: &str,
    ) -> ResourceGroups {
        let patterns = Patterns::literal(metric_name);
        self.resource_groups(self.begin(), selection, patterns, KeepResources::Drop)
    }

    /// Begins to list the series of resources, group by group.
    pub(super) fn resource_groups(
        &self,
        budget: Budget,
        selection: ResourceSelection,
        patterns: Patterns,
        keep: KeepResources,
    ) -> ResourceGroups {
        let mut sort: Vec<SortKey> = selection.group_by.iter().map(SortKey::ascending).collect();
        if sort.iter().all(|key| key.key != ORDER_IN_GROUP) {
            sort.push(SortKey::ascending(ORDER_IN_GROUP));
        }
        let query = ResourceQuery {
            condition: selection.condition,
            visibility: selection.visibility,
            metric_names: match keep {
                KeepResources::Keep => None,
                KeepResources::Drop => Some(patterns.globs().to_vec()),
            },
            page: Page {
                limit: RESOURCES_PER_PAGE,
                marker: None,
                sort,
            },
            ..ResourceQuery::of_type(selection.resource_type)
        };
        ResourceGroups {
            gnocchi: self.clone(),
            budget,
            query,
            admission: selection.admission,
            group_by: selection.group_by,
            patterns,
            keep,
            listed: VecDeque::new(),
            held: None,
            metrics: HashMap::new(),
            open: None,
            last_page: false,
        }
    }

    /// Looks up the metrics that were found on some resources.
    pub(super) async fn metrics_found(
        &self,
        listed: &[Listed],
    ) -> Result<HashMap<MetricId, Arc<Metric>>, Error> {
        let found = listed.iter().flat_map(|one| &one.found);
        let mut ids: Vec<MetricId> = found.map(|found| found.metric).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = self.metrics(&ids).await?.into_iter().flatten();
        Ok(found.map(|metric| (metric.id, metric)).collect())
    }
}

/// The marker of a page is a resource of the page before: when that is deleted in between, the same query succeeds the next time.
pub(super) fn changed_meanwhile(error: Error) -> Error {
    match error {
        Error::Indexer(IndexerError::InvalidMarker { .. }) => {
            let operation = "list resources that are deleted meanwhile";
            let conflict = BackendError::new("indexer", operation, BackendErrorKind::Conflict);
            IndexerError::from(conflict).into()
        }
        other => other,
    }
}

impl ResourceGroups {
    /// Returns the next groups: as many as share their reads well, at least one; none at the end. Groups of resources that have none
    /// of the metrics are among them.
    ///
    /// # Errors
    /// [`IndexerError::InvalidSortKey`](crate::error::IndexerError::InvalidSortKey) for a property that cannot be grouped by,
    /// [`IndexerError::NoSuchResourceType`](crate::error::IndexerError::NoSuchResourceType).
    pub async fn next_batch(&mut self) -> Result<Vec<ResourceGroup>, Error> {
        let mut batch = Vec::new();
        let mut series = 0;
        loop {
            let Some(resource) = self.next_resource().await? else {
                batch.extend(self.open.take());
                return Ok(batch);
            };
            if let Some(closed) = self.add(resource)? {
                series += closed.sources.len().max(1);
                batch.push(closed);
            }
            let open = self.open.as_ref().map_or(0, |group| group.sources.len());
            if !batch.is_empty() && series + open >= SERIES_PER_BATCH {
                return Ok(batch);
            }
        }
    }

    async fn next_resource(&mut self) -> Result<Option<Listed>, Error> {
        // A page may be left without any resource that is admitted.
        while self.listed.is_empty() && !self.last_page {
            self.budget.check()?;
            let page = self.gnocchi.list_resources(&self.query).await;
            let page = page.map_err(changed_meanwhile)?;
            self.last_page = page.len() < RESOURCES_PER_PAGE;
            self.query.page.marker = page.last().map(|resource| resource.id.to_string());
            self.held = None;
            let (listed, held) = self.patterns.select(&self.budget, page).await?;
            self.held = Some(held);
            self.metrics = self.gnocchi.metrics_found(&listed).await?;
            self.listed = match &self.admission {
                Some(admission) => {
                    let presents = HashMap::new();
                    admitted(&**admission, listed, &self.metrics, &presents)
                        .await
                        .into()
                }
                None => listed.into(),
            };
        }
        Ok(self.listed.pop_front())
    }

    /// Adds a resource to the open group, or to a new one; returns the group that it closed.
    fn add(&mut self, listed: Listed) -> Result<Option<ResourceGroup>, Error> {
        let Listed { resource, found } = listed;
        let goes_on = self.open.as_ref().is_some_and(|group| {
            let mut own = group.properties.iter();
            own.all(|(name, value)| property(&resource, name) == *value)
        });
        let closed = if goes_on { None } else { self.open.take() };
        let group = self.open.get_or_insert_with(|| ResourceGroup {
            properties: properties(&resource, &self.group_by),
            ..ResourceGroup::default()
        });
        let before = group.sources.len();
        group.sources.extend(found.into_iter().filter_map(|found| {
            let Found {
                reference,
                name,
                metric,
            } = found;
            Some(Source {
                reference,
                metric: Arc::clone(self.metrics.get(&metric)?),
                found: Some(FoundMetric {
                    resource: resource.id,
                    name,
                }),
            })
        }));
        if group.sources.len() > SERIES_PER_GROUP_MAX {
            return Err(Error::TooManySeries {
                limit: SERIES_PER_GROUP_MAX,
            });
        }
        if self.keep == KeepResources::Keep && group.sources.len() > before {
            group.resources.push(resource);
        }
        Ok(closed)
    }
}

/// Returns what a resource is grouped by.
pub(super) fn properties(
    resource: &Resource,
    names: &[String],
) -> Vec<(String, Option<AttributeValue>)> {
    names
        .iter()
        .map(|name| (name.clone(), property(resource, name)))
        .collect()
}

/// Returns one property of a resource, be it one that all have or one of its type.
fn property(resource: &Resource, name: &str) -> Option<AttributeValue> {
    let text = |text: &str| Some(AttributeValue::String(text.to_owned()));
    let moment = |moment| Some(AttributeValue::Datetime(moment));
    match name {
        "id" => text(&resource.id.to_string()),
        "type" => text(&resource.resource_type),
        "original_resource_id" => text(&resource.original_resource_id),
        "creator" => resource.creator.as_deref().and_then(text),
        "user_id" => resource.user_id.as_deref().and_then(text),
        "project_id" => resource.project_id.as_deref().and_then(text),
        "started_at" => moment(resource.started_at),
        "ended_at" => resource.ended_at.and_then(moment),
        "revision_start" => moment(resource.revision_start),
        "revision_end" => resource.revision_end.and_then(moment),
        attribute => resource.attributes.get(attribute).cloned().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_gone_can_be_tried_again() {
        let marker = "1".to_owned();
        let gone = changed_meanwhile(IndexerError::InvalidMarker { marker }.into());
        let Error::Indexer(IndexerError::Backend(gone)) = gone else {
            panic!("{gone} is no failure of a back-end")
        };
        assert!(gone.kind().is_retryable());
        let key = "x".to_owned();
        let other = changed_meanwhile(
            IndexerError::InvalidSortKey {
                key,
                known: Vec::new(),
            }
            .into(),
        );
        assert!(matches!(
            other,
            Error::Indexer(IndexerError::InvalidSortKey { .. })
        ));
    }
}
