//! What of a selection of resources may be read, beyond what the indexer leaves out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hashbrown::HashMap;

use super::groups::{ResourceSelection, changed_meanwhile};
use super::selection::Listed;
use crate::budget::Budget;
use crate::driver::ResourceQuery;
use crate::error::Error;
use crate::model::{Glob, Metric, MetricId, Page, Resource, ResourceId, SortKey};
use crate::store::Gnocchi;

/// How many resources are looked at together.
const RESOURCES_PER_PAGE: usize = 1000;

/// A resource whose series may become part of a result. Of history, it is one revision.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The resource.
    pub resource: Resource,
    /// What the resource is now, where `resource` is a past revision. It decides about the metrics, which are those of now.
    pub present: Option<Arc<Resource>>,
    /// Those of its metrics that are asked for.
    pub metrics: Vec<Arc<Metric>>,
}

/// Decides which resources and metrics may be read, page by page.
#[async_trait]
pub trait Admission: fmt::Debug + Send + Sync + 'static {
    /// Returns the resources that may be looked at, in their order, each with the metrics that may be read.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    async fn admit(&self, candidates: Vec<Candidate>) -> Vec<Candidate>;
}

/// Which rows of resources are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revisions {
    /// Each resource as it is now.
    Current,
    /// Past revisions as well.
    All,
}

/// Leaves out of a page what may not be read: resources, and of the others metrics that are asked for.
pub(super) async fn admitted(
    admission: &dyn Admission,
    page: Vec<Listed>,
    metrics: &HashMap<MetricId, Arc<Metric>>,
    presents: &HashMap<ResourceId, Arc<Resource>>,
) -> Vec<Listed> {
    let mut candidates = Vec::with_capacity(page.len());
    let mut found = VecDeque::with_capacity(page.len());
    for one in page {
        let resource = one.resource;
        let present = presents.get(&resource.id);
        if resource.revision.is_some() && present.is_none() {
            // Deleted since the page was read.
            continue;
        }
        let asked = one.found.iter().map(|found| found.metric);
        let asked = asked.filter_map(|metric| metrics.get(&metric).cloned());
        let metrics = asked.collect();
        found.push_back((resource.id, resource.revision, one.found));
        candidates.push(Candidate {
            metrics,
            present: present.filter(|_| resource.revision.is_some()).cloned(),
            resource,
        });
    }
    let mut admitted = Vec::new();
    for Candidate {
        resource, metrics, ..
    } in admission.admit(candidates).await
    {
        // Those that are left are in their order.
        while let Some((id, revision, found)) = found.pop_front() {
            if (id, revision) == (resource.id, resource.revision) {
                let readable = metrics.iter().map(|metric| metric.id).collect();
                let mut listed = Listed { resource, found };
                listed.restrict(&readable);
                admitted.push(listed);
                break;
            }
        }
    }
    admitted
}

impl Gnocchi {
    /// Returns whether any resource of a selection has a metric that fits one of these patterns, readable or not.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`](crate::error::IndexerError::NoSuchResourceType), and what the indexer says when it fails.
    pub async fn has_series(
        &self,
        selection: ResourceSelection,
        patterns: Vec<Glob>,
        revisions: Revisions,
    ) -> Result<bool, Error> {
        let budget = self.begin();
        let searching = self.has_series_within(&budget, selection, patterns, revisions);
        budget.run(searching).await
    }

    async fn has_series_within(
        &self,
        budget: &Budget,
        selection: ResourceSelection,
        patterns: Vec<Glob>,
        revisions: Revisions,
    ) -> Result<bool, Error> {
        let mut query = ResourceQuery {
            condition: selection.condition,
            visibility: selection.visibility,
            history: revisions == Revisions::All,
            metric_names: Some(patterns),
            page: Page {
                limit: RESOURCES_PER_PAGE,
                marker: None,
                sort: vec![SortKey::ascending("id")],
            },
            ..ResourceQuery::of_type(selection.resource_type)
        };
        loop {
            budget.check()?;
            let page = self.list_resources(&query).await;
            let page = page.map_err(changed_meanwhile)?;
            if page.iter().any(|resource| !resource.metrics.is_empty()) {
                return Ok(true);
            }
            if page.len() < RESOURCES_PER_PAGE {
                return Ok(false);
            }
            query.page.marker = page.last().map(|row| match revisions {
                Revisions::Current => row.id.to_string(),
                Revisions::All => row.revision_id(),
            });
        }
    }
}
