//! Listings whose rule relies on more than indexers filter by: it is asked about each thing that is listed.
//!
//! A page is filled from as many rows as it takes. What is passed over leaves no trace, neither in the length of a page nor in its
//! marker.

use std::collections::{BTreeSet, HashMap};

use gnocchi_core::Error;
use gnocchi_core::driver::{MetricFilter, ResourceQuery};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, Metric, Page, Resource, ResourceId};
use gnocchi_core::policy::{Action, Caller, MetricTarget, ResourceTarget};

use super::resource::marker;
use crate::api::auth::{may, resources_of};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// How many rows are read together at least.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// Lists the resources, or revisions of them, that a caller may see.
///
/// # Errors
/// As [`list_resources`](gnocchi_core::Gnocchi::list_resources); a marker that the caller may not see counts as unknown.
pub(super) async fn resources(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    mut query: ResourceQuery,
) -> ApiResult<Vec<Resource>> {
    let limit = query.page.limit;
    if let Some(marker) = &query.page.marker {
        require_visible_marker(state, action, caller, &query, marker).await?;
    }
    query.page.limit = limit.max(ROWS_AT_ONCE);
    let mut pages = Pages::new(state, query);
    let mut seen = Vec::new();
    while let Some(rows) = pages.next().await? {
        let sight = RowSight::of(state, action, caller, &rows).await?;
        for row in rows {
            if sight.may_see(&row).await? {
                seen.push(row);
                if seen.len() == limit {
                    return Ok(seen);
                }
            }
        }
    }
    Ok(seen)
}

/// Which rows of a page a caller may see. A past revision is seen by those who may see both it and what the resource is now.
struct RowSight<'a> {
    state: &'a ApiState,
    action: Action,
    caller: &'a Caller,
    /// The resources that have past revisions in the page.
    presents: HashMap<ResourceId, Resource>,
}

impl<'a> RowSight<'a> {
    async fn of(
        state: &'a ApiState,
        action: Action,
        caller: &'a Caller,
        rows: &[Resource],
    ) -> ApiResult<Self> {
        let past = rows.iter().filter(|row| row.revision.is_some());
        let ids: BTreeSet<ResourceId> = past.map(|row| row.id).collect();
        let mut presents = HashMap::new();
        if !ids.is_empty() {
            let ids: Vec<ResourceId> = ids.into_iter().collect();
            let found = state.gnocchi().resources(GENERIC, &ids).await?;
            let found = found.into_iter().flatten();
            presents.extend(found.map(|resource| (resource.id, resource)));
        }
        Ok(Self {
            state,
            action,
            caller,
            presents,
        })
    }

    async fn may_see(&self, row: &Resource) -> ApiResult<bool> {
        let present = match row.revision {
            None => row,
            Some(_) => match self.presents.get(&row.id) {
                Some(present) => present,
                // Deleted since the page was read.
                None => return Ok(false),
            },
        };
        let (state, action, caller) = (self.state, self.action, self.caller);
        Ok(may(state, action, caller, &ResourceTarget(present)).await?
            && (row.revision.is_none() || may(state, action, caller, &ResourceTarget(row)).await?))
    }
}

/// The pages of a listing of resources, one behind the other.
pub(super) struct Pages<'a> {
    state: &'a ApiState,
    query: ResourceQuery,
    place: Place,
}

/// Where the next page begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the caller says.
    First,
    /// Behind the page before.
    Later,
    /// Nowhere.
    End,
}

impl<'a> Pages<'a> {
    /// Begins with the page of the query; its limit is that of each page.
    pub(super) fn new(state: &'a ApiState, query: ResourceQuery) -> Self {
        Self {
            state,
            query,
            place: Place::First,
        }
    }

    /// Returns the next page; `None` at the end.
    ///
    /// # Errors
    /// As [`list_resources`](gnocchi_core::Gnocchi::list_resources) for the first page.
    pub(super) async fn next(&mut self) -> ApiResult<Option<Vec<Resource>>> {
        if self.place == Place::End {
            return Ok(None);
        }
        let rows = self.state.gnocchi().list_resources(&self.query).await;
        let rows = rows.map_err(|error| self.place.error(error))?;
        self.query.page.marker = rows.last().map(|row| marker(row, self.query.history));
        self.place = Place::after(rows.len(), self.query.page.limit);
        Ok(Some(rows))
    }
}

impl Place {
    fn after(rows: usize, limit: usize) -> Self {
        if rows < limit { Self::End } else { Self::Later }
    }

    /// The marker of a later page is no word of the caller: when its thing is deleted meanwhile, the same request succeeds the next
    /// time.
    fn error(self, error: Error) -> ApiError {
        match error {
            Error::Indexer(IndexerError::InvalidMarker { .. }) if self == Self::Later => {
                ApiError::busy(
                    "Other requests delete items of this listing at the same time: try again",
                )
            }
            other => other.into(),
        }
    }
}

/// Requires that a marker is one that the caller may have got from a page before.
async fn require_visible_marker(
    state: &ApiState,
    action: Action,
    caller: &Caller,
    query: &ResourceQuery,
    wanted: &str,
) -> ApiResult<()> {
    let invalid = || {
        let marker = wanted.to_owned();
        ApiError::from(Error::from(IndexerError::InvalidMarker { marker }))
    };
    let (id, revision) = match wanted.split_once('@') {
        Some((id, revision)) if query.history => (id, Some(revision)),
        _ => (wanted, None),
    };
    let id: ResourceId = id.parse().map_err(|_| invalid())?;
    let wanted = match revision {
        Some(revision) => format!("{id}@{revision}"),
        None => id.to_string(),
    };
    // A resource may have any number of revisions.
    let revisions = ResourceQuery {
        ids: Some(vec![id]),
        page: Page::first(ROWS_AT_ONCE),
        ..query.clone()
    };
    let mut pages = Pages::new(state, revisions);
    while let Some(rows) = pages.next().await? {
        let row = rows.iter().find(|row| marker(row, query.history) == wanted);
        if let Some(row) = row {
            let sight = RowSight::of(state, action, caller, std::slice::from_ref(row)).await?;
            return sight.may_see(row).await?.then_some(()).ok_or_else(invalid);
        }
    }
    Err(invalid())
}

/// Lists the metrics that a caller may see.
///
/// # Errors
/// As [`list_metrics`](gnocchi_core::Gnocchi::list_metrics); a marker that the caller may not see counts as unknown.
pub(super) async fn metrics(
    state: &ApiState,
    caller: &Caller,
    filter: &MetricFilter,
    page: &Page,
) -> ApiResult<Vec<Metric>> {
    if let Some(marker) = &page.marker {
        let rows = match marker.parse() {
            Ok(id) => {
                let only = MetricFilter {
                    ids: Some(vec![id]),
                    ..filter.clone()
                };
                state.gnocchi().list_metrics(&only, &Page::first(1)).await?
            }
            Err(_) => Vec::new(),
        };
        if permitted(state, caller, rows).await?.is_empty() {
            let marker = marker.clone();
            return Err(Error::from(IndexerError::InvalidMarker { marker }).into());
        }
    }
    let mut rows_page = Page {
        limit: page.limit.max(ROWS_AT_ONCE),
        ..page.clone()
    };
    let mut place = Place::First;
    let mut seen = Vec::new();
    while place != Place::End && seen.len() < page.limit {
        let rows = state.gnocchi().list_metrics(filter, &rows_page).await;
        let rows = rows.map_err(|error| place.error(error))?;
        place = Place::after(rows.len(), rows_page.limit);
        rows_page.marker = rows.last().map(|row| row.id.to_string());
        seen.extend(permitted(state, caller, rows).await?);
    }
    seen.truncate(page.limit);
    Ok(seen)
}

/// Leaves out the metrics that a caller may not see.
async fn permitted(
    state: &ApiState,
    caller: &Caller,
    metrics: Vec<Metric>,
) -> ApiResult<Vec<Metric>> {
    let resources = resources_of(state, metrics.iter()).await?;
    let mut seen = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let target = MetricTarget {
            metric: &metric,
            resource: metric.resource_id.and_then(|id| resources.get(&id)),
        };
        if may(state, Action::ListMetric, caller, &target).await? {
            seen.push(metric);
        }
    }
    Ok(seen)
}
