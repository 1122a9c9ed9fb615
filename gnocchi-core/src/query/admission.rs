//! What of a selection of resources may be read, beyond what the indexer leaves out.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hashbrown::HashMap;

use super::groups::{Patterns, ResourceSelection, changed_meanwhile};
use crate::driver::ResourceQuery;
use crate::error::Error;
use crate::model::{Glob, Metric, MetricId, Page, Resource, ResourceId, SortKey};
use crate::search::CURRENT_REVISION;
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
    page: Vec<Resource>,
    patterns: &Patterns,
    metrics: &HashMap<MetricId, Arc<Metric>>,
    presents: &HashMap<ResourceId, Arc<Resource>>,
) -> Vec<Resource> {
    let candidate = |resource: Resource| {
        let present = presents.get(&resource.id);
        if resource.revision.is_some() && present.is_none() {
            // Deleted since the page was read.
            return None;
        }
        let asked = patterns.select(&resource);
        let found = asked.filter_map(|(_, _, id)| metrics.get(&id));
        Some(Candidate {
            metrics: found.cloned().collect(),
            present: present.filter(|_| resource.revision.is_some()).cloned(),
            resource,
        })
    };
    let candidates = page.into_iter().filter_map(candidate).collect();
    let admitted = admission.admit(candidates).await.into_iter();
    admitted
        .map(
            |Candidate {
                 mut resource,
                 metrics,
                 ..
             }| {
                let readable: HashSet<MetricId> = metrics.iter().map(|metric| metric.id).collect();
                resource
                    .metrics
                    .retain(|name, id| readable.contains(id) || !patterns.any_matches(name));
                resource
            },
        )
        .collect()
}

impl Gnocchi {
    /// Returns whether any resource of a selection has a metric that fits one of these patterns, whoever may read it.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`](crate::error::IndexerError::NoSuchResourceType), and what the indexer says when it fails.
    pub async fn has_series(
        &self,
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
                Revisions::All => {
                    format!("{}@{}", row.id, row.revision.unwrap_or(CURRENT_REVISION))
                }
            });
        }
    }
}
