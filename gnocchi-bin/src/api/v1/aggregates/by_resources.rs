//! Series of the resources that fit a search.

use std::collections::BTreeSet;
use std::sync::Arc;

use carbonara::expression::Reference;
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{Glob, ResourceType};
use gnocchi_core::policy::Caller;
use gnocchi_core::query::{AggregatesError, KeepResources, ResourceSelection, Revisions};
use serde_json::{Value, json};

use super::admission::Admitted;
use super::operations::{Operations, pairs};
use super::parameters::Parameters;
use super::refusal;
use super::view::View;
use crate::api::auth::denied;
use crate::api::request::filter::{self, Rows};
use crate::api::request::query::Query;
use crate::api::request::schema::{Path, listed, shown_text};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::render::Document;
use crate::api::state::ApiState;
use crate::api::v1::document;
use crate::api::v1::resource::Attributes;

/// Into which groups the resources fall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// The properties by which they are grouped, sorted; none makes one group.
    group_by: Vec<String>,
    time: Time,
}

/// Which group a resource belongs to when it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    /// The current one.
    Now,
    /// The one at each timestamp.
    Then,
}

/// Who asks for what.
pub(super) struct Call<'a> {
    pub(super) state: &'a ApiState,
    pub(super) caller: &'a Caller,
    pub(super) parameters: &'a Parameters,
    pub(super) scope: Scope,
    pub(super) keep: KeepResources,
}

impl Scope {
    pub(super) fn parse(query: &Query) -> ApiResult<Self> {
        let time = if query.flag("use_history", false)? {
            Time::Then
        } else {
            Time::Now
        };
        Ok(Self {
            group_by: group_by(query),
            time,
        })
    }

    /// Returns whether past revisions count. They make a difference only to groups.
    fn is_history(&self) -> bool {
        self.time == Time::Then && !self.group_by.is_empty()
    }
}

/// Returns the properties by which resources are grouped, sorted, each once.
pub(super) fn group_by(query: &Query) -> Vec<String> {
    let names: BTreeSet<&str> = query
        .all("groupby")
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter().map(ToOwned::to_owned).collect()
}

impl Call<'_> {
    /// Answers with an expression over series of resources.
    pub(super) async fn compute(
        self,
        operations: Operations,
        resource_type: &str,
        search: &Value,
    ) -> ApiResult {
        let resource_type = find_type(self.state, resource_type).await?;
        let expression = Arc::new(operations.by_names()?);
        let admitted = Admitted::of(self.state, self.caller, resource_type.name()).await?;
        let selection = self.selection(&admitted, &resource_type, search)?;
        let references = expression.references();
        let query = self.parameters.query(Arc::clone(&expression))?;
        let (start, stop) = (self.parameters.start, self.parameters.stop);
        let view = View {
            references: &references,
            keep: self.keep,
            attributes: Attributes::through(resource_type.name(), false),
        };
        let gnocchi = self.state.gnocchi();
        let selected = selection.clone();
        let mut answer = Document::new();
        let written = if self.scope.is_history() {
            let groups = gnocchi.aggregates_with_history(&query, selection, start, stop, self.keep);
            groups.await.map(|groups| view.history(&mut answer, groups))
        } else {
            let groups = gnocchi.aggregates_of_resources(&query, selection, start, stop, self.keep);
            groups.await.map(|groups| {
                if self.scope.group_by.is_empty() {
                    for group in groups {
                        view.group(&mut answer, group);
                    }
                } else {
                    view.groups(&mut answer, groups);
                }
            })
        };
        match written {
            Ok(()) => document(self.state, answer),
            Err(error) => Err(self
                .refusal(error, &admitted, selected, &references)
                .await?),
        }
    }

    /// Says why nothing was computed.
    async fn refusal(
        &self,
        error: AggregatesError,
        admitted: &Admitted,
        selection: ResourceSelection,
        references: &[&Reference],
    ) -> ApiResult<ApiError> {
        let is_nothing = matches!(error, AggregatesError::NoSuchMetric { .. });
        if let AggregatesError::Store(Error::Indexer(IndexerError::InvalidSortKey { key, known })) =
            &error
        {
            let known = listed("attributes", key, known.iter().map(String::as_str));
            let key = shown_text(key);
            return Ok(refusal::of(error, &Value::Null).explained(format!(
                "resources cannot be grouped by {key} (groupby), which is not one of their attributes; {known}"
            )));
        }
        let refusal = refusal::of(error, &pairs(references));
        if !is_nothing {
            return Ok(refusal);
        }
        let revisions = if self.scope.is_history() {
            Revisions::All
        } else {
            Revisions::Current
        };
        let patterns = references.iter().map(|one| Glob::new(&one.name)).collect();
        let is_refused = admitted.is_refused(self.state, selection, patterns, revisions);
        Ok(if is_refused.await? { denied() } else { refusal })
    }

    fn selection(
        &self,
        admitted: &Admitted,
        resource_type: &ResourceType,
        search: &Value,
    ) -> ApiResult<ResourceSelection> {
        let filter = filter::of_value(search, &Path::Key(&Path::Root, "search"))?;
        let rows = Rows::of(self.scope.is_history());
        let condition = filter::bind(
            self.state,
            filter.as_ref(),
            self.caller,
            resource_type,
            rows,
        )?;
        Ok(ResourceSelection {
            resource_type: resource_type.name().to_owned(),
            condition,
            visibility: admitted.visibility.clone(),
            admission: admitted.admission(),
            group_by: self.scope.group_by.clone(),
        })
    }
}

/// Finds a resource type that the body names.
async fn find_type(state: &ApiState, name: &str) -> ApiResult<ResourceType> {
    match state.gnocchi().resource_type(name).await {
        Ok(found) => Ok(found),
        Err(Error::Indexer(IndexerError::NoSuchResourceType { name })) => Err(ApiError::bad_data(
            json!({"cause": "Resource type does not exist", "detail": name}),
        )),
        Err(error) => Err(error.into()),
    }
}
