//! Metrics that come to a resource and leave it.

use std::collections::{BTreeMap, BTreeSet};

use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{MetricAssignment, MetricId, ResourceId};
use uuid::Uuid;

use super::archive_policies::PolicyCache;
use super::metrics::insert_metrics;
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

/// Detaches, attaches and creates metrics. Attached ones must be active and of the creator of the resource.
pub(super) async fn apply_assignment(
    session: &mut dyn Session,
    policies: &PolicyCache,
    resource: ResourceId,
    creator: Option<&str>,
    assignment: &MetricAssignment,
) -> Result<(), SqlError> {
    check_attached(session, creator, &assignment.attached).await?;
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
    creator: Option<&str>,
    attached: &BTreeMap<MetricId, String>,
) -> Result<(), SqlError> {
    if attached.is_empty() {
        return Ok(());
    }
    let mut statement =
        Statement::new("SELECT id, creator FROM metric WHERE status = 0 AND id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut attached.keys().map(|id| *id.as_uuid()));
    let mut creators = BTreeMap::new();
    for mut row in session.fetch(statement).await? {
        creators.insert(
            MetricId::from_uuid(row.id("metric.id")?),
            row.optional_text("metric.creator")?,
        );
    }
    let foreign = |id: &&MetricId| {
        creators
            .get(id)
            .is_none_or(|found| found.as_deref() != creator)
    };
    match attached.keys().find(foreign) {
        Some(id) => Err(IndexerError::NoSuchMetric { id: *id }.into()),
        None => Ok(()),
    }
}
