//! Decisions about one caller: the rules as they are now, and the services that rules ask.
//!
//! [`policy`](crate::policy) decides without waiting; a rule may leave the decision to another service. [`Access`] waits for that
//! service and returns the decision. It carries the store, the caller and the rules, so an operation that takes an [`Access`] cannot be
//! called without saying who calls.

mod current;
mod denied;
mod remote;

use std::collections::HashMap;
use std::fmt;

pub use current::Policy;
pub use denied::Denied;
pub use remote::{NoRemoteChecks, RemoteChecker};

use crate::Gnocchi;
use crate::error::Error;
use crate::model::{GENERIC, Metric, Resource, ResourceId};
use crate::policy::{
    Action, Answers, Caller, Enforcer, MetricTarget, RemoteCheck, ResourceTarget, Target, Tenancy,
};

/// How many questions to other services one decision may take.
const REMOTE_CHECKS_MAX: usize = 32;

/// The rights of one caller in one store.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    gnocchi: &'a Gnocchi,
    caller: &'a Caller,
    policy: &'a Policy,
    checker: &'a dyn RemoteChecker,
}

/// Whether the resource of a metric counts when a rule is asked about many metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It counts in every way.
    WithResource,
    /// It can deny access, but not grant it.
    Alone,
}

/// Why a caller does not get access to stored metrics or resources.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The rules do not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// What the decision needs could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

impl<'a> Access<'a> {
    /// Combines a store, a caller and the rules that apply to the caller.
    #[must_use]
    pub fn new(
        gnocchi: &'a Gnocchi,
        caller: &'a Caller,
        policy: &'a Policy,
        checker: &'a dyn RemoteChecker,
    ) -> Self {
        Self {
            gnocchi,
            caller,
            policy,
            checker,
        }
    }

    /// Returns the store.
    #[must_use]
    pub fn gnocchi(&self) -> &'a Gnocchi {
        self.gnocchi
    }

    /// Returns the caller.
    #[must_use]
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Returns whether the rule of an action has no negation and asks no other service; see [`Enforcer::is_monotone`].
    #[must_use]
    pub fn is_monotone(&self, action: Action) -> bool {
        self.policy.current().is_monotone(action)
    }

    /// Returns whether the caller may do something.
    ///
    /// # Errors
    /// [`Denied::TooManyChecks`] when the rule asks too many other services.
    pub async fn may(
        &self,
        action: Action,
        target: &(impl Target + Sync + ?Sized),
    ) -> Result<bool, Denied> {
        let enforcer = self.policy.current();
        self.settle(|answers| enforcer.decide(action, self.caller, target, answers))
            .await
    }

    /// Requires that the caller may do something.
    ///
    /// # Errors
    /// [`Denied`] when they may not.
    pub async fn require(
        &self,
        action: Action,
        target: &(impl Target + Sync + ?Sized),
    ) -> Result<(), Denied> {
        if self.may(action, target).await? {
            Ok(())
        } else {
            Err(Denied::ByRule { action })
        }
    }

    /// Requires that the caller may do something to a resource.
    ///
    /// # Errors
    /// [`Denied`] when they may not.
    pub async fn require_on_resource(
        &self,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Denied> {
        self.require(action, &ResourceTarget(resource)).await
    }

    /// Requires that the caller may do something to a metric for its own sake, and that its resource, if it is given, does not forbid
    /// it.
    ///
    /// # Errors
    /// [`Denied`] when they may not.
    pub async fn require_alone(
        &self,
        action: Action,
        metric: &Metric,
        resource: Option<&Resource>,
    ) -> Result<(), Denied> {
        let alone = MetricTarget {
            metric,
            resource: None,
        };
        self.require(action, &alone).await?;
        if resource.is_some() {
            self.require(action, &MetricTarget { metric, resource })
                .await?;
        }
        Ok(())
    }

    /// Requires that the caller may do something to each of some metrics. Resources that the decision needs are read together.
    ///
    /// # Errors
    /// [`Denied`] when there is a metric to which they may not do it; [`AccessError::Store`] when the resources cannot be read.
    pub async fn require_on_metrics(
        &self,
        action: Action,
        metrics: impl Iterator<Item = &Metric> + Send,
        extent: Extent,
    ) -> Result<(), AccessError> {
        let enforcer = self.policy.current();
        let open: Vec<&Metric> = metrics
            .filter(|metric| !may_without_resource(&enforcer, action, self.caller, metric))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        if extent == Extent::Alone && enforcer.is_monotone(action) {
            return Err(Denied::ByRule { action }.into());
        }
        let resources = resources_of(self.gnocchi, open.iter().copied()).await?;
        for metric in open {
            let resource = metric.resource_id.and_then(|id| resources.get(&id));
            match extent {
                Extent::WithResource => {
                    let target = MetricTarget { metric, resource };
                    self.require(action, &target).await?;
                }
                Extent::Alone => self.require_alone(action, metric, resource).await?,
            }
        }
        Ok(())
    }

    /// Returns whether the caller may do something to a metric whatever its resource is.
    #[must_use]
    pub fn may_without_resource(&self, action: Action, metric: &Metric) -> bool {
        may_without_resource(&self.policy.current(), action, self.caller, metric)
    }

    /// Requires that the caller may learn which metric names a resource does not have: for a name that it has, the response is a
    /// refusal already, so any other response would tell the two apart. Callers that are bare names list all metrics anyway.
    ///
    /// # Errors
    /// [`Denied`] when no rule lets the caller see or change the resource.
    pub async fn require_insight(&self, resource: &Resource) -> Result<(), Denied> {
        const INSIGHTS: [Action; 4] = [
            Action::GetResource,
            Action::ListResource,
            Action::SearchResource,
            Action::UpdateResource,
        ];
        if self.caller.tenancy == Tenancy::Shared {
            return Ok(());
        }
        for action in INSIGHTS {
            if self.may(action, &ResourceTarget(resource)).await? {
                return Ok(());
            }
        }
        Err(Denied::ByRule {
            action: Action::GetResource,
        })
    }

    /// Makes a decision, asking other services as far as it takes.
    ///
    /// # Errors
    /// [`Denied::TooManyChecks`] when it takes too many.
    pub async fn settle<T>(
        &self,
        decide: impl Fn(&Answers) -> Result<T, Box<RemoteCheck>>,
    ) -> Result<T, Denied> {
        let mut answers = Answers::default();
        loop {
            match decide(&answers) {
                Ok(decided) => return Ok(decided),
                Err(_) if answers.len() >= REMOTE_CHECKS_MAX => {
                    tracing::warn!(REMOTE_CHECKS_MAX, "a rule asks too many services: denied");
                    return Err(Denied::TooManyChecks);
                }
                Err(check) => {
                    let allowed = self.checker.allows(&check).await;
                    answers.add(*check, allowed);
                }
            }
        }
    }
}

/// Returns whether a caller may do something to a metric whatever its resource is.
fn may_without_resource(
    enforcer: &Enforcer,
    action: Action,
    caller: &Caller,
    metric: &Metric,
) -> bool {
    let target = MetricTarget {
        metric,
        resource: None,
    };
    enforcer.is_monotone(action) && enforcer.allows(action, caller, &target)
}

/// Reads the resources that metrics belong to, all in one call.
///
/// # Errors
/// [`Error::Indexer`] when they cannot be read.
pub async fn resources_of(
    gnocchi: &Gnocchi,
    metrics: impl Iterator<Item = &Metric>,
) -> Result<HashMap<ResourceId, Resource>, Error> {
    let mut ids: Vec<ResourceId> = metrics.filter_map(|metric| metric.resource_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = gnocchi.resources(GENERIC, &ids).await?;
    let found = found.into_iter().flatten();
    Ok(found.map(|resource| (resource.id, resource)).collect())
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}
