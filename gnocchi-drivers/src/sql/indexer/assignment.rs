//! Metrics that come to a resource and leave it.

use std::collections::{BTreeMap, BTreeSet};

use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{MetricAssignment, MetricId, ResourceId};
use uuid::Uuid;

use super::archive_policies::PolicyCache;
use super::metrics::insert_metrics;
use super::seen::current_of;
use crate::sql::database::Session;
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

/// How many metrics one statement renames at most: it compares each row with each of them.
const RENAMED_MAX: usize = 64;

/// Returns the active metrics of resources by name; resources without metrics are left out.
pub(super) async fn metrics_of(
    session: &mut dyn Session,
    resources: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, BTreeMap<String, MetricId>>, SqlError> {
    if resources.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut statement = Statement::new(
        "SELECT resource_id, name, id FROM metric WHERE status = 0 AND resource_id IN ",
    );
    session
        .dialect()
        .push_ids(&mut statement, &mut resources.iter().copied());
    let mut found: BTreeMap<Uuid, BTreeMap<String, MetricId>> = BTreeMap::new();
    for mut row in session.fetch(statement).await? {
        let resource = row.id("metric.resource_id")?;
        let name = row.optional_text("metric.name")?;
        let id = MetricId::from_uuid(row.id("metric.id")?);
        if let Some(name) = name {
            found.entry(resource).or_default().insert(name, id);
        }
    }
    Ok(found)
}

/// Detaches, attaches and creates metrics of a resource with its creator. Attached ones must be active and of the same creator, and
/// may be taken only from where they were seen.
pub(super) async fn apply_assignment(
    session: &mut dyn Session,
    policies: &PolicyCache,
    (resource, creator): (ResourceId, Option<&str>),
    assignment: &MetricAssignment,
) -> Result<(), SqlError> {
    check_attached(session, (resource, creator), assignment).await?;
    let leaving: Vec<Uuid> = assignment
        .detached
        .iter()
        .chain(assignment.attached.keys())
        .map(|id| *id.as_uuid())
        .collect();
    if !leaving.is_empty() {
        // Also those that stay: two metrics may swap their names.
        let mut statement = Statement::new("UPDATE metric SET resource_id = NULL WHERE id IN ");
        session
            .dialect()
            .push_ids(&mut statement, &mut leaving.into_iter());
        session.execute(statement).await?;
    }
    let attached: Vec<(&MetricId, &String)> = assignment.attached.iter().collect();
    for part in attached.chunks(RENAMED_MAX) {
        let mut statement = Statement::new("UPDATE metric SET resource_id = ?, name = CASE id")
            .bind(*resource.as_uuid());
        for (id, name) in part {
            statement.push(" WHEN ? THEN ?");
            statement
                .values
                .extend([(*id.as_uuid()).into(), name.as_str().into()]);
        }
        statement.push(" END WHERE id IN ");
        session.dialect().push_ids(
            &mut statement,
            &mut part.iter().map(|(id, _)| *id.as_uuid()),
        );
        session.execute(statement).await?;
    }
    insert_metrics(session, policies, &assignment.created).await?;
    Ok(())
}

async fn check_attached(
    session: &mut dyn Session,
    (resource, creator): (ResourceId, Option<&str>),
    assignment: &MetricAssignment,
) -> Result<(), SqlError> {
    let attached = &assignment.attached;
    if attached.is_empty() {
        return Ok(());
    }
    let ids: BTreeSet<Uuid> = attached.keys().map(|id| *id.as_uuid()).collect();
    let mut statement =
        Statement::new("SELECT id, creator, resource_id FROM metric WHERE status = 0 AND id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut ids.into_iter());
    let mut found = BTreeMap::new();
    for mut row in session.fetch(statement).await? {
        let id = MetricId::from_uuid(row.id("metric.id")?);
        let own = row.optional_text("metric.creator")?.as_deref() == creator;
        let holder = row.optional_id("metric.resource_id")?;
        if own {
            found.insert(id, holder.filter(|holder| holder != resource.as_uuid()));
        }
    }
    if let Some(id) = attached.keys().find(|id| !found.contains_key(id)) {
        return Err(IndexerError::NoSuchMetric { id: *id }.into());
    }
    let taken = found
        .into_iter()
        .filter_map(|(id, holder)| Some((id, holder?)))
        .filter(|(id, _)| assignment.holders.contains_key(id));
    let taken: Vec<(MetricId, Uuid)> = taken.collect();
    if taken.is_empty() {
        return Ok(());
    }
    let holders = taken.iter().map(|(_, holder)| *holder).collect();
    let holders = current_of(session, &holders).await?;
    for (id, holder) in taken {
        let holder = ResourceId::from_uuid(holder);
        let current = holders.get(&holder);
        if current.is_some_and(|current| !assignment.may_take(id, current)) {
            return Err(IndexerError::RevisionChanged { id: holder }.into());
        }
    }
    Ok(())
}
