use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use carbonara::Timestamp;
use gnocchi_core::driver::{ResourceIndexer, ResourceQuery};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    GENERIC, MetricAssignment, MetricId, NewResource, Resource, ResourceId, ResourceType,
    ResourceUpdate, SeenResource,
};
use gnocchi_core::policy::{Visibility, VisibleResources};
use gnocchi_core::search::Condition;
use hashbrown::HashMap;
use uuid::Uuid;

use super::archive_policies::PolicyCache;
use super::assignment::{apply_assignment, metrics_of};
use super::conditions::Rows;
use super::reopening::reopen;
use super::resource_lists::list;
use super::resource_rows::{Types, read_all, select_resources};
use super::resource_types::find_type;
use super::seen::current_of;
use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::document::encode_attributes;
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

async fn create(
    session: &mut dyn Session,
    (policies, new, now): &(Arc<PolicyCache>, NewResource, Timestamp),
) -> Result<Resource, SqlError> {
    let resource_type = find_type(session, &new.resource_type).await?;
    let mut resource = new.first_revision(&resource_type, *now)?;
    let statement = Statement::new(
        "INSERT INTO resource (id, resource_type, creator, original_resource_id, started_at, ended_at, \
         revision_start, user_id, project_id, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(*resource.id.as_uuid())
    .bind(resource.resource_type.as_str())
    .bind(resource.creator.clone())
    .bind(resource.original_resource_id.as_str())
    .bind(resource.started_at)
    .bind(resource.ended_at)
    .bind(resource.revision_start)
    .bind(resource.user_id.clone())
    .bind(resource.project_id.clone())
    .bind(encode_attributes(&resource_type, &resource.attributes)?);
    match session.execute(statement).await {
        Ok(_) => {}
        Err(error) if error.is_unique_violation() => {
            return Err(IndexerError::ResourceExists { id: new.id }.into());
        }
        Err(error) => return Err(error),
    }
    let assignment = MetricAssignment::of_new(new);
    let owner = (new.id, new.creator.as_deref());
    apply_assignment(session, policies, owner, &assignment).await?;
    if !assignment.is_empty() {
        resource.metrics = read_metrics(session, new.id).await?;
    }
    Ok(resource)
}

async fn read_metrics(
    session: &mut dyn Session,
    id: ResourceId,
) -> Result<BTreeMap<String, MetricId>, SqlError> {
    let mut found = metrics_of(session, &BTreeSet::from([*id.as_uuid()])).await?;
    Ok(found.remove(id.as_uuid()).unwrap_or_default())
}

async fn find(
    session: &mut dyn Session,
    (resource_type, ids): &(String, Vec<ResourceId>),
) -> Result<Vec<Option<Resource>>, SqlError> {
    let mut statement = select_resources(&*session, "NULL, -1", Types::Read, None);
    statement.push(" FROM resource AS listing WHERE id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut ids.iter().map(|id| *id.as_uuid()));
    if resource_type != GENERIC {
        statement.push(" AND resource_type = ");
        statement.push_value(resource_type.as_str());
    }
    let found: HashMap<ResourceId, Resource> =
        read_all(session.fetch(statement).await?, None, None)?
            .into_iter()
            .map(|resource| (resource.id, resource))
            .collect();
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// What an update needs: the cache, the type that the caller names, the resource, the change, and the time.
type Update = (
    Arc<PolicyCache>,
    String,
    ResourceId,
    ResourceUpdate,
    Timestamp,
);

async fn update(
    session: &mut dyn Session,
    (policies, resource_type, id, update, now): &Update,
) -> Result<Resource, SqlError> {
    let wanted = (resource_type.clone(), vec![*id]);
    let mut found = find(session, &wanted).await?;
    let before = found
        .pop()
        .flatten()
        .ok_or(IndexerError::NoSuchResource { id: *id })?;
    if update.seen.as_ref().is_some_and(|seen| !seen.is(&before)) {
        return Err(IndexerError::RevisionChanged { id: *id }.into());
    }
    let resource_type = if before.resource_type == GENERIC {
        ResourceType::generic()
    } else {
        find_type(session, &before.resource_type).await?
    };
    let mut after = before;
    let assignment = MetricAssignment::of_update(&after, &after.metrics, update)?;
    let changed = after.apply(&update.normalised(&resource_type));
    after.check_life()?;
    if changed {
        after.revision_start = after.next_revision_start(*now);
        store_revision(
            session,
            &after,
            &encode_attributes(&resource_type, &after.attributes)?,
        )
        .await?;
    }
    if !assignment.is_empty() {
        let owner = (*id, after.creator.as_deref());
        apply_assignment(session, policies, owner, &assignment).await?;
        after.metrics = read_metrics(session, *id).await?;
    }
    Ok(after)
}

/// Makes a past revision of what is stored, then stores the new state.
async fn store_revision(
    session: &mut dyn Session,
    after: &Resource,
    attributes: &str,
) -> Result<(), SqlError> {
    store_past_revision(session, *after.id.as_uuid(), after.revision_start).await?;
    let current = Statement::new(
        "UPDATE resource SET started_at = ?, ended_at = ?, revision_start = ?, user_id = ?, project_id = ?, \
         attributes = ? WHERE id = ?",
    )
    .bind(after.started_at)
    .bind(after.ended_at)
    .bind(after.revision_start)
    .bind(after.user_id.clone())
    .bind(after.project_id.clone())
    .bind(attributes)
    .bind(*after.id.as_uuid());
    session.execute(current).await.map(|_| ())
}

/// Makes a past revision of what is stored, which ends when the next one begins.
pub(super) async fn store_past_revision(
    session: &mut dyn Session,
    id: Uuid,
    revision_end: Timestamp,
) -> Result<(), SqlError> {
    let past = Statement::new(
        "INSERT INTO resource_revision (id, resource_type, creator, original_resource_id, started_at, ended_at, \
         revision_start, revision_end, user_id, project_id, attributes, number) \
         SELECT id, resource_type, creator, original_resource_id, started_at, ended_at, \
         revision_start, ?, user_id, project_id, attributes, \
         (SELECT coalesce(max(past.number), 0) + 1 FROM resource_revision AS past WHERE past.id = resource.id) \
         FROM resource WHERE id = ?",
    );
    session.execute(past.bind(revision_end).bind(id)).await?;
    Ok(())
}

/// What is deleted: the type, the condition, and what the caller may see.
type Matching = (String, Condition, Visibility<VisibleResources>);

async fn delete_matching(
    session: &mut dyn Session,
    (resource_type, condition, visibility): &Matching,
) -> Result<usize, SqlError> {
    if resource_type != GENERIC {
        find_type(session, resource_type).await?;
    }
    let rows = Rows {
        alias: "resource",
        dialect: session.dialect(),
    };
    let mut fits = Statement::new(" WHERE ");
    rows.push(&mut fits, condition);
    if let Some(visible) = visibility.condition() {
        fits.push(" AND ");
        rows.push(&mut fits, &visible);
    }
    if resource_type != GENERIC {
        fits.push(" AND resource_type = ");
        fits.push_value(resource_type.as_str());
    }
    let mut metrics = Statement::new(
        "UPDATE metric SET status = 1, resource_id = NULL WHERE status = 0 \
         AND resource_id IN (SELECT id FROM resource",
    );
    metrics.push_statement(&fits);
    metrics.push(")");
    session.execute(metrics).await?;
    // History goes with them.
    let mut resources = Statement::new("DELETE FROM resource");
    resources.push_statement(&fits);
    let deleted = session.execute(resources).await?;
    Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
}

async fn delete(session: &mut dyn Session, ids: &[ResourceId]) -> Result<usize, SqlError> {
    let ids = || ids.iter().map(|id| *id.as_uuid());
    let mut metrics = Statement::new(
        "UPDATE metric SET status = 1, resource_id = NULL WHERE status = 0 AND resource_id IN ",
    );
    session.dialect().push_ids(&mut metrics, &mut ids());
    session.execute(metrics).await?;
    // History goes with them.
    let mut resources = Statement::new("DELETE FROM resource WHERE id IN ");
    session.dialect().push_ids(&mut resources, &mut ids());
    let deleted = session.execute(resources).await?;
    Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
}

async fn delete_seen(
    session: &mut dyn Session,
    seen: &[SeenResource],
) -> Result<Vec<ResourceId>, SqlError> {
    let ids: BTreeSet<Uuid> = seen.iter().map(|seen| *seen.id.as_uuid()).collect();
    let current = current_of(session, &ids).await?;
    let unchanged = seen
        .iter()
        .filter(|seen| current.get(&seen.id) == Some(seen));
    let unchanged: Vec<ResourceId> = unchanged.map(|seen| seen.id).collect();
    delete(session, &unchanged).await?;
    Ok(unchanged)
}

#[async_trait]
impl ResourceIndexer for SqlIndexer {
    async fn create_resource(
        &self,
        resource: &NewResource,
        now: Timestamp,
    ) -> Result<Resource, IndexerError> {
        let arguments = (Arc::clone(&self.policies), resource.clone(), now);
        self.database
            .call(
                Access::Transaction,
                "create a resource",
                arguments,
                |session, arguments| Box::pin(create(session, arguments)),
            )
            .await
    }

    async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Result<Vec<Option<Resource>>, IndexerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = (resource_type.to_owned(), ids.to_vec());
        self.database
            .call(
                Access::Read,
                "read resources",
                arguments,
                |session, arguments| Box::pin(find(session, arguments)),
            )
            .await
    }

    async fn list_resources(&self, query: &ResourceQuery) -> Result<Vec<Resource>, IndexerError> {
        self.database
            .call(
                Access::Snapshot,
                "list resources",
                query.clone(),
                |session, query| Box::pin(list(session, query)),
            )
            .await
    }

    async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        changes: &ResourceUpdate,
        now: Timestamp,
    ) -> Result<Resource, IndexerError> {
        let arguments = (
            Arc::clone(&self.policies),
            resource_type.to_owned(),
            id,
            changes.clone(),
            now,
        );
        self.database
            .call(
                Access::Transaction,
                "change a resource",
                arguments,
                |session, arguments| Box::pin(update(session, arguments)),
            )
            .await
    }

    async fn reopen_resources(
        &self,
        measured: &[(MetricId, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, IndexerError> {
        if measured.is_empty() {
            return Ok(Vec::new());
        }
        // Folding goes on when new data is refused.
        self.database
            .call_always(
                Access::Transaction,
                "take the end of resources back",
                (measured.to_vec(), now),
                |session, measured| Box::pin(reopen(session, measured)),
            )
            .await
    }

    async fn delete_resources(&self, ids: &[ResourceId]) -> Result<usize, IndexerError> {
        if ids.is_empty() {
            return Ok(0);
        }
        self.database
            .call_always(
                Access::Transaction,
                "delete resources",
                ids.to_vec(),
                |session, ids| Box::pin(delete(session, ids)),
            )
            .await
    }

    async fn delete_matching_resources(
        &self,
        resource_type: &str,
        condition: &Condition,
        visibility: &Visibility<VisibleResources>,
    ) -> Result<usize, IndexerError> {
        let arguments = (
            resource_type.to_owned(),
            condition.clone(),
            visibility.clone(),
        );
        self.database
            .call_always(
                Access::Transaction,
                "delete the resources that match",
                arguments,
                |session, arguments| Box::pin(delete_matching(session, arguments)),
            )
            .await
    }

    async fn delete_seen_resources(
        &self,
        seen: &[SeenResource],
    ) -> Result<Vec<ResourceId>, IndexerError> {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        self.database
            .call_always(
                Access::Transaction,
                "delete resources that were seen",
                seen.to_vec(),
                |session, seen| Box::pin(delete_seen(session, seen)),
            )
            .await
    }
}
