//! What a caller may see of a listing, as plain data: indexers turn it into conditions.

use super::{Action, Answers, Caller, Enforcer, Properties, RemoteCheck, Tenancy};
use crate::model::Resource;

/// Which things of a listing a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility<T> {
    /// All of them.
    #[default]
    Everything,
    /// Those that fit.
    Only(T),
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
}

/// The metrics that fit at least one of the conditions given; none when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleMetrics {
    /// They were made from this project. A metric needs no resource for that.
    pub creator_project: Option<CreatorProject>,
    /// They hang on a resource that can be seen.
    pub of_resources: Option<VisibleResources>,
}

/// Whether a caller may see one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceAccess {
    /// He may.
    Allowed,
    /// He may see others, but must not learn that this one exists.
    Hidden,
    /// He may see none.
    Denied,
}

/// What every decision of a listing returns: the outcome, or the check that another service has to answer first.
type Decided<T> = Result<T, Box<RemoteCheck>>;

impl Enforcer {
    /// Decides which resources of a type a caller sees when he does something to a listing; `None` when he may not do it at
    /// all.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn visible_resources(
        &self,
        action: Action,
        caller: &Caller,
        resource_type: &str,
        answers: &Answers,
    ) -> Decided<Option<Visibility<VisibleResources>>> {
        if caller.tenancy == Tenancy::Shared {
            return Ok(Some(Visibility::Everything));
        }
        let any = Properties::new().with("resource_type", resource_type);
        if self.decide(action, caller, &any, answers)? {
            return Ok(Some(Visibility::Everything));
        }
        let visible = self.resources_of_project(action, caller, &any, "", answers)?;
        Ok(visible.map(Visibility::Only))
    }

    /// Decides which metrics a caller sees in a listing; `None` when he may not list at all.
    ///
    /// # Errors
    /// The check to do first, when another service has to decide.
    pub fn visible_metrics(
        &self,
        caller: &Caller,
        answers: &Answers,
    ) -> Decided<Option<Visibility<VisibleMetrics>>> {
        const ACTION: Action = Action::ListMetric;
        if caller.tenancy == Tenancy::Shared {
            return Ok(Some(Visibility::Everything));
        }
        let any = Properties::new();
        if self.decide(ACTION, caller, &any, answers)? {
            return Ok(Some(Visibility::Everything));
        }
        let own = made_from(&any, "", caller);
        let creator_project = self
            .decide(ACTION, caller, &own, answers)?
            .then(|| creator_project(caller));
        let of_resources = self.resources_of_project(ACTION, caller, &any, "resource.", answers)?;
        let visible = VisibleMetrics {
            creator_project,
            of_resources,
        };
        let sees_some = visible.creator_project.is_some() || visible.of_resources.is_some();
        Ok(sees_some.then_some(Visibility::Only(visible)))
    }

    /// Decides whether a caller may see a resource.
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
        let any = Properties::new();
        if caller.tenancy == Tenancy::Shared || self.decide(ACTION, caller, &any, answers)? {
            return Ok(ResourceAccess::Allowed);
        }
        let (user, project) = (caller.user_id.as_deref(), caller.project_id.as_deref());
        let created_by = resource.creator.as_deref().map(|creator| {
            let (user, project) = creator.split_once(':').unwrap_or((creator, ""));
            (
                Some(user),
                Some(project).filter(|project| !project.is_empty()),
            )
        });
        let (creator_user, creator_project) = created_by.unzip();
        let owner = resource.project_id.as_deref();
        let user_target = any
            .clone()
            .with_maybe("creator", user.map(ToOwned::to_owned));
        // What the rule is asked with, and whether the resource is that caller's.
        let steps = [
            (
                owned_by(&any, "", caller),
                project.is_some() && owner == project,
            ),
            (
                made_from(&any, "", caller),
                creator_project.is_some_and(|own| own == project),
            ),
            (
                user_target,
                user.is_some() && creator_user.is_some_and(|own| own == user),
            ),
        ];
        let mut access = ResourceAccess::Denied;
        for (target, is_his) in steps {
            if self.decide(ACTION, caller, &target, answers)? {
                if is_his {
                    return Ok(ResourceAccess::Allowed);
                }
                access = ResourceAccess::Hidden;
            }
        }
        Ok(access)
    }

    /// Decides which resources a caller sees for belonging to his project or being made from it; `prefix` stands before the
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
