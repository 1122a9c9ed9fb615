//! Measures of other systems on their way into the store: what can be stored is, and the rest is named.
//!
//! Senders throw a request away that is refused, and repeat one for ever that fails. So what is
//! wrong with one metric or resource must not cost the others anything: it is counted, and the
//! request goes on without it. Only what concerns the whole request ends it.

mod creation;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    GENERIC, Measures, Metric, MetricId, RejectReason, Rejection, Resource, ResourceId,
};
use gnocchi_core::policy::{Action, Caller};
use gnocchi_core::{AppendOptions, Error, Reported};
use http::StatusCode;
use serde_json::json;

use super::named::{Destination, Named, NamedBatch};
use super::resource_kind::ResourceKind;
use super::{Reason, Rejected, on_demand, shortened};
use crate::api::auth::require_alone;
use crate::api::error::{ApiError, ApiResult, Detail};
use crate::api::state::ApiState;
use creation::Attempt;

/// The pause before what is missing is looked for again because it was created or deleted at the same time.
const PAUSE: Duration = Duration::from_millis(5);

/// Stores what one caller sends; resources and metrics come into being with their first measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver<'a> {
    pub(super) state: &'a ApiState,
    pub(super) caller: &'a Caller,
    /// The type of the resources.
    pub(super) kind: &'a ResourceKind,
}

/// A batch while its metrics are found or created.
struct Work<'a> {
    batch: &'a NamedBatch,
    /// Which entries of the batch are left out.
    is_refused: Vec<bool>,
    rejected: &'a mut Rejected<ApiError>,
}

/// Where in the request measures stand first, the resource as the sender writes it, and the metric.
type Origin = (usize, Arc<Destination>, Arc<Metric>);

/// What is there already.
struct Found {
    /// One entry for each name of the batch.
    metrics: Vec<Option<Arc<Metric>>>,
    resources: HashMap<ResourceId, Resource>,
}

impl Receiver<'_> {
    /// Stores measures and returns how many, when they are durable. What is left out is added to `rejected`.
    ///
    /// # Errors
    /// What concerns all of the batch: 404 when the type does not exist, 403 when it doesn't and the caller may not create it, 503
    /// when others interfere for too long, and what the store says when it fails.
    pub(super) async fn store(
        &self,
        batch: NamedBatch,
        rejected: &mut Rejected<ApiError>,
    ) -> ApiResult<usize> {
        if batch.is_empty() {
            return Ok(0);
        }
        let metrics = self.metrics(&batch, rejected).await?;
        let mut origins = HashMap::with_capacity(metrics.len());
        let mut measures = Vec::with_capacity(metrics.len());
        for (named, metric) in batch.measures.into_iter().zip(metrics) {
            let Some(metric) = metric else { continue };
            measures.push(Measures {
                metric: metric.id,
                series: named.measures.series,
            });
            let origin = (named.place, named.destination, metric);
            origins.insert(origin.2.id, origin);
        }
        if measures.is_empty() {
            return Ok(0);
        }
        // No success of these protocols hides a measure that is not stored.
        let options = AppendOptions {
            sender: Some(self.caller),
            reported: Reported::All,
        };
        match self.state.gnocchi().append_with(measures, options).await {
            Ok(appended) => {
                add_rejections(&appended.rejected, &origins, rejected);
                Ok(appended.accepted)
            }
            // It was there just now, so there is nothing wrong with the request.
            Err(Error::Indexer(IndexerError::NoSuchMetric { .. })) => Err(on_demand::unsettled()),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds or creates the metric of each entry of a batch; `None` for those that are left out.
    async fn metrics(
        &self,
        batch: &NamedBatch,
        rejected: &mut Rejected<ApiError>,
    ) -> ApiResult<Vec<Option<Arc<Metric>>>> {
        let started = Instant::now();
        let mut work = Work {
            batch,
            is_refused: vec![false; batch.names.len()],
            rejected,
        };
        loop {
            let mut found = self.find(&mut work).await?;
            let missing = work.missing(&found.metrics);
            let attempt = if missing.is_empty() {
                Attempt::Nothing
            } else {
                self.create(&missing, &found.resources, &mut work).await?
            };
            if attempt == Attempt::Nothing {
                self.check_posts(&mut found, &mut work).await?;
                return Ok(found.metrics);
            }
            if started.elapsed() > self.state.settings().operation_timeout {
                return Err(on_demand::unsettled());
            }
            if attempt == Attempt::Raced {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Finds resources and metrics. An id that is taken by another type is a conflict, whatever its metrics.
    async fn find(&self, work: &mut Work<'_>) -> ApiResult<Found> {
        let batch = work.batch;
        let ids: BTreeSet<ResourceId> = batch.names.iter().map(|(id, _)| *id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let gnocchi = self.state.gnocchi();
        let mut resources = HashMap::with_capacity(ids.len());
        let mut conflicts = HashSet::new();
        for resource in (gnocchi.resources(GENERIC, &ids).await?.into_iter()).flatten() {
            if self.kind.holds(&resource) {
                resources.insert(resource.id, resource);
                continue;
            }
            conflicts.insert(resource.id);
        }
        if !conflicts.is_empty() {
            // A type that doesn't exist is the better reason.
            self.kind.find_or_create(self.state, self.caller).await?;
        }
        for (entry, (id, _)) in batch.names.iter().enumerate() {
            let address = &work.named(entry).destination.address;
            if conflicts.contains(id) {
                let reason = Reason::ResourceOfAnotherType;
                let destination = &batch.measures[entry].destination;
                work.refuse(&[entry], reason, &taken_by_another_type(destination))?;
            } else if resources.get(id).is_some_and(|found| !address.means(found)) {
                let reason = Reason::ResourceOfAnotherCreator;
                work.refuse(&[entry], reason, &on_demand::taken_name(address))?;
            }
        }
        let ids: Vec<Option<MetricId>> = (batch.names.iter().zip(&work.is_refused))
            .map(|((id, name), is_refused)| {
                let resource = resources.get(id).filter(|_| !is_refused)?;
                resource.metrics.get(name).copied()
            })
            .collect();
        let known: Vec<MetricId> = ids.iter().flatten().copied().collect();
        let mut known = gnocchi.metrics(&known).await?.into_iter();
        let metrics = ids.iter().map(|id| id.and_then(|_| known.next().flatten()));
        Ok(Found {
            metrics: metrics.collect(),
            resources,
        })
    }

    /// Leaves out what the caller may not send.
    async fn check_posts(&self, found: &mut Found, work: &mut Work<'_>) -> ApiResult<()> {
        // As in batches, the resource of a metric can deny access, but not grant it.
        let can_forbid = !(self.state.enforcer()).is_monotone(Action::PostMeasures);
        for (entry, found_metric) in found.metrics.iter_mut().enumerate() {
            let Some(metric) = found_metric else { continue };
            // Refused before another request created it.
            if work.is_refused[entry] {
                *found_metric = None;
                continue;
            }
            let resource = metric.resource_id.filter(|_| can_forbid);
            let resource = resource.and_then(|id| found.resources.get(&id));
            let (action, caller) = (Action::PostMeasures, self.caller);
            let may = require_alone(self.state, action, caller, metric, resource).await;
            if let Err(error) = may {
                work.refuse(&[entry], Reason::Denied, &error)?;
                *found_metric = None;
            }
        }
        Ok(())
    }
}

impl<'a> Work<'a> {
    fn named(&self, entry: usize) -> &'a Named {
        &self.batch.measures[entry]
    }

    /// Returns the entries that have no metric and are not left out.
    fn missing(&self, metrics: &[Option<Arc<Metric>>]) -> Vec<usize> {
        let entries = metrics.iter().zip(&self.is_refused).enumerate();
        entries
            .filter(|(_, (metric, is_refused))| metric.is_none() && !**is_refused)
            .map(|(entry, _)| entry)
            .collect()
    }

    /// Leaves entries out because of an error that concerns only them: what the caller may not do, or else `reason`.
    ///
    /// # Errors
    /// The error when it is one of the server, which concerns the whole request.
    fn refuse(&mut self, entries: &[usize], reason: Reason, error: &ApiError) -> ApiResult<()> {
        if error.status.is_server_error() {
            return Err(error.clone());
        }
        let reason = match error.status {
            StatusCode::FORBIDDEN => Reason::Denied,
            _ => reason,
        };
        for entry in entries {
            if std::mem::replace(&mut self.is_refused[*entry], true) {
                continue;
            }
            let named = self.named(*entry);
            let measures = named.measures.series.len();
            (self.rejected).add(reason, measures, named.place, || error.clone());
        }
        Ok(())
    }
}

/// Adds what the store does not take, and has counted itself.
fn add_rejections(
    rejections: &[Rejection],
    origins: &HashMap<MetricId, Origin>,
    rejected: &mut Rejected<ApiError>,
) {
    for Rejection {
        metric,
        reason,
        points,
    } in rejections
    {
        let Some((place, destination, metric)) = origins.get(metric) else {
            continue;
        };
        rejected.add(Reason::Store(*reason), *points, *place, || {
            let name = shortened(metric.name.as_deref().unwrap_or_default()).into_owned();
            let of = shortened(destination.address.original()).into_owned();
            let why = match reason {
                RejectReason::TooLate => format!(
                    "older than the back window of archive policy {}",
                    metric.archive_policy.name()
                ),
                RejectReason::TooFarAhead => "further in the future than max_future".to_owned(),
                other => other.as_str().to_owned(),
            };
            ApiError::bad_request(format!(
                "measures of the metric {name} of the resource {of} are not stored: {why}"
            ))
        });
    }
}

fn taken_by_another_type(destination: &Destination) -> ApiError {
    let address = &destination.address;
    let id = address.id();
    let error = ApiError {
        status: StatusCode::CONFLICT,
        detail: Detail::Data(json!({"cause": "Resource already exists", "detail": id.to_string()})),
        retry_after_seconds: None,
    };
    error.explained(format!(
        "the resource {} has another type; a resource has one type, so one id cannot be used in two databases",
        shortened(address.original())
    ))
}
