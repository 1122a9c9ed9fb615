//! Deleting all resources that match a filter: those that the caller may delete.

use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::model::{Page, Resource, SeenResource, SortKey};
use gnocchi_core::policy::{
    Action, Caller, ResourceTarget, Sight, Tenancy, Visibility, VisibleResources,
};
use gnocchi_core::search::Condition;

use super::one_by_one::{Pages, ROWS_AT_ONCE};
use crate::api::attempts::Attempts;
use crate::api::auth::{denied, may, resource_reach};
use crate::api::response::error::ApiResult;
use crate::api::state::ApiState;

/// A deletion of many resources by one caller.
pub(super) struct Deletion<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    /// The rules that must all allow it.
    actions: &'static [Action],
    reach: Sight<VisibleResources>,
}

impl<'a> Deletion<'a> {
    /// Decides what the caller may delete at once. A caller without a project needs the rule for a single resource as
    /// well; for a caller with one, the indexer filters by it, which is what the rule of the call is for.
    ///
    /// # Errors
    /// 403 when that is nothing.
    pub(super) async fn of(
        state: &'a ApiState,
        caller: &'a Caller,
        type_name: &str,
    ) -> ApiResult<Self> {
        let actions: &[Action] = match caller.tenancy {
            Tenancy::Projects => &[Action::DeleteResources],
            Tenancy::Shared => &[Action::DeleteResources, Action::DeleteResource],
        };
        let mut reach = Sight::Listed(Visibility::Everything);
        for action in actions {
            let own = resource_reach(state, *action, caller, type_name).await?;
            reach = narrower(reach, own);
        }
        Ok(Self {
            state,
            caller,
            actions,
            reach,
        })
    }

    /// Deletes the resources of a type that match a condition and returns how many there were.
    ///
    /// # Errors
    /// 403 when there are some, and the caller may delete none of them. Those of other projects count as absent.
    pub(super) async fn delete(&self, type_name: &str, condition: Condition) -> ApiResult<usize> {
        let hides = self.caller.tenancy == Tenancy::Projects;
        let (deleted, passed_over) = match &self.reach {
            Sight::Listed(visibility) => {
                let deleted = self
                    .state
                    .gnocchi()
                    .delete_matching_resources(type_name, &condition, visibility)
                    .await?;
                let looks = deleted == 0 && !hides;
                (deleted, looks && self.exists(type_name, condition).await?)
            }
            Sight::OneByOne => self.delete_one_by_one(type_name, condition).await?,
        };
        if deleted == 0 && passed_over && !hides {
            return Err(denied());
        }
        Ok(deleted)
    }

    /// Asks about each resource, then deletes those that the caller may delete together.
    async fn delete_one_by_one(
        &self,
        type_name: &str,
        condition: Condition,
    ) -> ApiResult<(usize, bool)> {
        let attempts = Attempts::new(self.state);
        let mut deleted = 0;
        loop {
            let (seen, passed_over) = self.look_for(type_name, condition.clone()).await?;
            let gone = self.state.gnocchi().delete_seen_resources(&seen).await?;
            deleted += gone.len();
            // What has changed since the rules were asked is looked at again.
            if gone.len() == seen.len() {
                return Ok((deleted, passed_over));
            }
            attempts.again()?;
        }
    }

    /// Returns the matching resources that the caller may delete, and whether there are matching resources that the caller may not delete.
    async fn look_for(
        &self,
        type_name: &str,
        condition: Condition,
    ) -> ApiResult<(Vec<SeenResource>, bool)> {
        let query = ResourceQuery {
            condition: Some(condition),
            metric_names: Some(Vec::new()),
            page: Page {
                limit: ROWS_AT_ONCE,
                marker: None,
                sort: vec![SortKey::ascending("id")],
            },
            ..ResourceQuery::of_type(type_name)
        };
        let mut pages = Pages::new(self.state, query);
        let (mut seen, mut passed_over) = (Vec::new(), false);
        while let Some(resources) = pages.next().await? {
            for resource in resources {
                if self.may_delete(&resource).await? {
                    seen.push(SeenResource::of(&resource));
                } else {
                    passed_over = true;
                }
            }
        }
        Ok((seen, passed_over))
    }

    async fn may_delete(&self, resource: &Resource) -> ApiResult<bool> {
        for action in self.actions {
            if !may(self.state, *action, self.caller, &ResourceTarget(resource)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn exists(&self, type_name: &str, condition: Condition) -> ApiResult<bool> {
        let query = ResourceQuery {
            condition: Some(condition),
            page: Page::first(1),
            ..ResourceQuery::of_type(type_name)
        };
        Ok(!self
            .state
            .gnocchi()
            .list_resources(&query)
            .await?
            .is_empty())
    }
}

/// Returns what both open. Of a bare name they open everything or what it has made, so one of them lies within the other.
fn narrower(
    one: Sight<VisibleResources>,
    other: Sight<VisibleResources>,
) -> Sight<VisibleResources> {
    match (one, other) {
        (Sight::OneByOne, _) | (_, Sight::OneByOne) => Sight::OneByOne,
        (Sight::Listed(Visibility::Everything), other) => other,
        (one, _) => one,
    }
}
