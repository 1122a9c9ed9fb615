//! What a caller may see of a listing, as plain data: indexers turn it into conditions.

use std::borrow::Cow;

use super::expression::Reliance;
use super::{Action, Answers, Caller, Enforcer, Properties, RemoteCheck, ResourceTarget, Tenancy};
use crate::model::Resource;
use crate::model::escaped_user;

/// Which things of a listing a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility<T> {
    /// All of them.
    #[default]
    Everything,
    /// Those that fit.
    Only(T),
}

/// How the things of a listing that a caller may see are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight<T> {
    /// The indexer lists exactly them.
    Listed(Visibility<T>),
    /// The rule relies on more than indexers filter by, so it decides about each thing.
    OneByOne,
}

/// Who made a thing, as far as its visibility goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatorProject {
    /// The creator is not known.
    Unknown,
    /// The creator is a user of this project.
    Project(String),
}

/// The resources that fit at least one of the conditions given; none when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleResources {
    /// They belong to this project.
    pub project_id: Option<String>,
    /// They were made from this project.
    pub creator_project: Option<CreatorProject>,
    /// This is who made them.
    pub creator: Option<String>,
}

/// The metrics that fit at least one of the conditions given; none when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleMetrics {
    /// They were made from this project. A metric needs no resource for that.
    pub creator_project: Option<CreatorProject>,
    /// They belong to a resource that can be seen.
    pub of_resources: Option<VisibleResources>,
}

/// Whether a caller may see one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceAccess {
    /// They may.
    Allowed,
    /// They may see others, but must not learn that this one exists.
    Hidden,
    /// They may see none.
    Denied,
}

/// What every decision of a listing returns: the outcome, or the check that another service has to answer first.
type Decided<T> = Result<T, Box<RemoteCheck>>;

/// The credentials of callers and the properties of resources and metrics by whose equality indexers filter.
const OF_RESOURCES: [(&str, &str); 3] = [
    ("project_id", "project_id"),
    ("project_id", "created_by_project_id"),
    ("user", "creator"),
];
const OF_METRICS: [(&str, &str); 4] = [
    ("project_id", "created_by_project_id"),
    ("project_id", "resource.project_id"),
    ("project_id", "resource.created_by_project_id"),
    ("user", "creator"),
];

impl Enforcer {
    /// Decides which resources of a type a caller sees when they list or search them; `None` when they may not do it at all. A
    /// caller that is a bare name sees all.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn visible_resources(
        &self,
        action: Action,
        caller: &Caller,
        resource_type: &str,
        answers: &Answers,
    ) -> Decided<Option<Sight<VisibleResources>>> {
        if caller.tenancy == Tenancy::Shared {
            return Ok(Some(Sight::Listed(Visibility::Everything)));
        }
        self.reachable_resources(action, caller, resource_type, answers)
    }

    /// Decides which resources of a type a caller may do something to, all at once: what is more than looking at a list is not open
    /// to bare names either. `None` when there can be no such resource.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn reachable_resources(
        &self,
        action: Action,
        caller: &Caller,
        resource_type: &str,
        answers: &Answers,
    ) -> Decided<Option<Sight<VisibleResources>>> {
        if self.reliance(action, &OF_RESOURCES) == Reliance::Whole {
            return Ok(Some(Sight::OneByOne));
        }
        let any = Properties::new().with("resource_type", resource_type);
        if self.decide(action, caller, &any, answers)? {
            return Ok(Some(Sight::Listed(Visibility::Everything)));
        }
        let visible = match caller.tenancy {
            Tenancy::Projects => self.resources_of_project(action, caller, &any, "", answers)?,
            Tenancy::Shared => self.resources_of_user(action, caller, &any, answers)?,
        };
        let has_creator_project =
            (visible.as_ref()).is_some_and(|all| all.creator_project.is_some());
        if caller.tenancy == Tenancy::Projects
            && !has_creator_project
            && self.opens_own(action, caller, &any, answers)?
        {
            return Ok(Some(Sight::OneByOne));
        }
        Ok(visible.map(|visible| Sight::Listed(Visibility::Only(visible))))
    }

    /// Decides which metrics a caller sees in a listing; `None` when they may not list at all. A caller that is a bare name sees all.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn visible_metrics(
        &self,
        caller: &Caller,
        answers: &Answers,
    ) -> Decided<Option<Sight<VisibleMetrics>>> {
        const ACTION: Action = Action::ListMetric;
        if caller.tenancy == Tenancy::Shared {
            return Ok(Some(Sight::Listed(Visibility::Everything)));
        }
        if self.reliance(ACTION, &OF_METRICS) == Reliance::Whole {
            return Ok(Some(Sight::OneByOne));
        }
        let any = Properties::new();
        if self.decide(ACTION, caller, &any, answers)? {
            return Ok(Some(Sight::Listed(Visibility::Everything)));
        }
        let own = made_from(&any, "", caller);
        let creator_project = self
            .decide(ACTION, caller, &own, answers)?
            .then(|| creator_project(caller));
        if creator_project.is_none() && self.opens_own(ACTION, caller, &any, answers)? {
            return Ok(Some(Sight::OneByOne));
        }
        let of_resources = self.resources_of_project(ACTION, caller, &any, "resource.", answers)?;
        let visible = VisibleMetrics {
            creator_project,
            of_resources,
        };
        let sees_some = visible.creator_project.is_some() || visible.of_resources.is_some();
        Ok(sees_some.then_some(Sight::Listed(Visibility::Only(visible))))
    }

    /// Decides whether a caller may see a resource. The rule is asked about the resource itself; what it says of the caller's own
    /// project and user only tells whether a resource that they may not see is hidden from them. Bare names learn from listings
    /// what exists, so nothing is hidden from them.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn access_to_resource(
        &self,
        caller: &Caller,
        resource: &Resource,
        answers: &Answers,
    ) -> Decided<ResourceAccess> {
        const ACTION: Action = Action::GetResource;
        if self.decide(ACTION, caller, &ResourceTarget(resource), answers)? {
            return Ok(ResourceAccess::Allowed);
        }
        if caller.tenancy == Tenancy::Shared {
            return Ok(ResourceAccess::Denied);
        }
        let any = Properties::new();
        let user = caller.user_id.as_deref().map(escaped_user);
        let user = any.clone().with_maybe("creator", user.map(Cow::into_owned));
        for target in [
            owned_by(&any, "", caller),
            made_from(&any, "", caller),
            user,
        ] {
            if self.decide(ACTION, caller, &target, answers)? {
                return Ok(ResourceAccess::Hidden);
            }
        }
        Ok(ResourceAccess::Denied)
    }

    /// Decides which resources a caller that is a bare name may do something to for having made them.
    fn resources_of_user(
        &self,
        action: Action,
        caller: &Caller,
        any: &Properties,
        answers: &Answers,
    ) -> Decided<Option<VisibleResources>> {
        let own = any.clone().with_maybe("creator", caller.creator.clone());
        let made = self.decide(action, caller, &own, answers)?;
        let creator = caller.creator.clone().filter(|_| made);
        Ok(creator.map(|creator| VisibleResources {
            creator: Some(creator),
            ..VisibleResources::default()
        }))
    }

    /// Decides whether a rule lets a caller with a project through for having made a thing, whatever its project is: indexers do not
    /// filter by that.
    fn opens_own(
        &self,
        action: Action,
        caller: &Caller,
        any: &Properties,
        answers: &Answers,
    ) -> Decided<bool> {
        if caller.project_id.is_none() {
            return Ok(false);
        }
        let own = any.clone().with_maybe("creator", caller.creator.clone());
        self.decide(action, caller, &own, answers)
    }

    /// Decides which resources a caller sees for belonging to their project or being made from it; `prefix` stands before the
    /// properties of a resource.
    fn resources_of_project(
        &self,
        action: Action,
        caller: &Caller,
        any: &Properties,
        prefix: &str,
        answers: &Answers,
    ) -> Decided<Option<VisibleResources>> {
        let passes = |target: Properties| self.decide(action, caller, &target, answers);
        let owned = passes(owned_by(any, prefix, caller))?;
        let made = passes(made_from(any, prefix, caller))?;
        let visible = VisibleResources {
            // Nothing belongs to a caller without project.
            project_id: caller.project_id.clone().filter(|_| owned),
            creator_project: made.then(|| creator_project(caller)),
            creator: None,
        };
        let sees_some = visible.project_id.is_some() || visible.creator_project.is_some();
        Ok(sees_some.then_some(visible))
    }
}

fn owned_by(any: &Properties, prefix: &str, caller: &Caller) -> Properties {
    let name = format!("{prefix}project_id");
    any.clone().with_maybe(&name, caller.project_id.clone())
}

fn made_from(any: &Properties, prefix: &str, caller: &Caller) -> Properties {
    let name = format!("{prefix}created_by_project_id");
    any.clone().with_maybe(&name, caller.project_id.clone())
}

fn creator_project(caller: &Caller) -> CreatorProject {
    match &caller.project_id {
        Some(project) => CreatorProject::Project(project.clone()),
        None => CreatorProject::Unknown,
    }
}

#[cfg(test)]
#[path = "visibility_tests.rs"]
mod tests;
