//! Which series of resources a caller may compute with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gnocchi_core::model::Glob;
use gnocchi_core::policy::{
    Action, Caller, MetricTarget, ResourceTarget, Sight, Tenancy, Visibility, VisibleResources,
};
use gnocchi_core::query::{Admission, Candidate, ResourceSelection, Revisions};

use crate::api::auth::{may, resource_reach};
use crate::api::response::error::ApiResult;
use crate::api::state::ApiState;

/// How many resources are asked about without a pause: it takes about half a millisecond.
const ASKED_AT_ONCE: usize = 256;

/// What a caller may compute with: the resources that `search resource` opens, and of those the metrics that `get metric` does.
pub(super) struct Admitted {
    pub(super) visibility: Visibility<VisibleResources>,
    gate: Option<Arc<Gate>>,
    /// Whether the response may reveal that something was left out: what belongs to other projects counts as absent.
    reveals_refusals: bool,
}

impl Admitted {
    /// Decides for one caller.
    ///
    /// # Errors
    /// 403 when there is no such resource.
    pub(super) async fn of(state: &ApiState, caller: &Caller, type_name: &str) -> ApiResult<Self> {
        let action = Action::SearchResource;
        let (visibility, each_resource) =
            match resource_reach(state, action, caller, type_name).await? {
                Sight::Listed(visibility) => (visibility, false),
                Sight::OneByOne => (Visibility::Everything, true),
            };
        let is_open = visibility == Visibility::Everything
            && !each_resource
            && state.enforcer().allows_all(Action::GetMetric, caller);
        let gate = (!is_open).then(|| {
            Arc::new(Gate {
                state: state.clone(),
                caller: caller.clone(),
                each_resource,
                admitted: AtomicBool::new(false),
                refused_resource: AtomicBool::new(false),
                refused_metric: AtomicBool::new(false),
            })
        });
        Ok(Self {
            visibility,
            gate,
            reveals_refusals: caller.tenancy == Tenancy::Shared,
        })
    }

    /// Returns what decides about each resource, if anything has to.
    pub(super) fn admission(&self) -> Option<Arc<dyn Admission>> {
        let gate = self.gate.clone()?;
        Some(gate)
    }

    /// Returns whether nothing of a selection was computed for want of rights: it has series that fit one of these patterns, and the
    /// caller may read none of them.
    ///
    /// # Errors
    /// What the store says when it cannot be looked at.
    pub(super) async fn is_refused(
        &self,
        state: &ApiState,
        selection: ResourceSelection,
        patterns: Vec<Glob>,
        revisions: Revisions,
    ) -> ApiResult<bool> {
        let Some(gate) = &self.gate else {
            return Ok(false);
        };
        let happened = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if happened(&gate.admitted) || happened(&gate.refused_metric) {
            return Ok(!happened(&gate.admitted));
        }
        if !self.reveals_refusals || happened(&gate.refused_resource) {
            return Ok(self.reveals_refusals);
        }
        if self.visibility == Visibility::Everything {
            return Ok(false);
        }
        let all = ResourceSelection {
            visibility: Visibility::Everything,
            admission: None,
            ..selection
        };
        Ok(state.gnocchi().has_series(all, patterns, revisions).await?)
    }
}

/// Asks the rules about resources and metrics.
#[derive(Debug)]
struct Gate {
    state: ApiState,
    caller: Caller,
    /// Whether the rule of resources is asked about each; otherwise the indexer lists no others.
    each_resource: bool,
    /// Whether a metric was let through.
    admitted: AtomicBool,
    /// Whether a resource with one of the metrics was left out.
    refused_resource: AtomicBool,
    /// Whether a metric of a resource that may be looked at was left out.
    refused_metric: AtomicBool,
}

impl Gate {
    async fn may_look_at(&self, candidate: &Candidate) -> bool {
        if !self.each_resource {
            return true;
        }
        // A past revision is no way around a rule about what the resource is now.
        for resource in [Some(&candidate.resource), candidate.present.as_deref()]
            .into_iter()
            .flatten()
        {
            let target = ResourceTarget(resource);
            let may = may(&self.state, Action::SearchResource, &self.caller, &target).await;
            if !may.unwrap_or(false) {
                return false;
            }
        }
        true
    }
}

#[async_trait]
impl Admission for Gate {
    async fn admit(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let mut admitted = Vec::with_capacity(candidates.len());
        for (asked, mut candidate) in candidates.into_iter().enumerate() {
            if asked % ASKED_AT_ONCE == ASKED_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            if !self.may_look_at(&candidate).await {
                if !candidate.metrics.is_empty() {
                    self.refused_resource.store(true, Ordering::Relaxed);
                }
                continue;
            }
            let mut readable = Vec::with_capacity(candidate.metrics.len());
            for metric in candidate.metrics {
                let target = MetricTarget {
                    metric: &metric,
                    resource: Some(candidate.present.as_deref().unwrap_or(&candidate.resource)),
                };
                let may = may(&self.state, Action::GetMetric, &self.caller, &target).await;
                let is_admitted = may.unwrap_or(false);
                let happened = if is_admitted {
                    &self.admitted
                } else {
                    &self.refused_metric
                };
                happened.store(true, Ordering::Relaxed);
                if is_admitted {
                    readable.push(metric);
                }
            }
            candidate.metrics = readable;
            admitted.push(candidate);
        }
        admitted
    }
}
