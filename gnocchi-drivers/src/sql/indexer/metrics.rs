use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use gnocchi_core::driver::{MetricFilter, MetricIndexer, MetricWithEnd};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    Metric, MetricId, MetricStatus, NewMetric, Page, ResourceId, SeenResource,
};
use hashbrown::HashMap;
use uuid::Uuid;

use super::archive_policies::{POLICY_COLUMNS, PolicyCache, no_such_policy, select_policies};
use super::metric_lists;
use super::seen::current_of;
use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

/// How many metrics one statement inserts at most.
const INSERTED_MAX: usize = 128;

pub(super) const METRIC_COLUMNS: &str =
    "metric.id, metric.creator, metric.name, metric.unit, metric.resource_id, metric.status";

/// What stands in `metric.status`.
const ACTIVE: i64 = 0;
const DELETED: i64 = 1;

/// Begins a query of metrics with their policies. The outer join says which table leads; each metric has a policy.
pub(super) fn select(from: &str) -> Statement {
    select_with("", from)
}

/// Begins a query of metrics with their policies and further columns.
fn select_with(columns: &str, from: &str) -> Statement {
    let mut statement = Statement::new("SELECT ");
    for part in [
        METRIC_COLUMNS,
        ", ",
        POLICY_COLUMNS,
        columns,
        " FROM ",
        from,
    ] {
        statement.push(part);
    }
    statement.push(" LEFT JOIN archive_policy ON archive_policy.name = metric.archive_policy_name");
    statement
}

/// What [`METRIC_COLUMNS`] hold.
struct StoredMetric {
    id: MetricId,
    creator: Option<String>,
    name: Option<String>,
    unit: Option<String>,
    resource_id: Option<ResourceId>,
    status: MetricStatus,
}

impl StoredMetric {
    fn read(row: &mut Row) -> Result<Self, SqlError> {
        Ok(Self {
            id: MetricId::from_uuid(row.id("metric.id")?),
            creator: row.optional_text("metric.creator")?,
            name: row.optional_text("metric.name")?,
            unit: row.optional_text("metric.unit")?,
            resource_id: row
                .optional_id("metric.resource_id")?
                .map(ResourceId::from_uuid),
            status: match row.integer("metric.status")? {
                ACTIVE => MetricStatus::Active,
                DELETED => MetricStatus::Deleted,
                other => return Err(SqlError::corrupt("metric.status", other.to_string())),
            },
        })
    }
}

/// Reads [`METRIC_COLUMNS`] and the name of the policy for their errors only.
pub(super) fn check_metric(row: &mut Row) -> Result<(), SqlError> {
    StoredMetric::read(row)?;
    row.text("metric.archive_policy_name").map(drop)
}

pub(super) fn read_metric(mut row: Row, policies: &PolicyCache) -> Result<Metric, SqlError> {
    read_columns(&mut row, policies)
}

/// Reads a metric and its policy; further columns are left.
fn read_columns(row: &mut Row, policies: &PolicyCache) -> Result<Metric, SqlError> {
    let stored = StoredMetric::read(row)?;
    Ok(Metric {
        id: stored.id,
        creator: stored.creator,
        name: stored.name,
        unit: stored.unit,
        resource_id: stored.resource_id,
        status: stored.status,
        archive_policy: policies.read(row)?,
    })
}

pub(super) fn uuids(ids: &[MetricId]) -> impl ExactSizeIterator<Item = Uuid> {
    ids.iter().map(|id| *id.as_uuid())
}

async fn create(
    session: &mut dyn Session,
    (policies, metrics, seen): &(Arc<PolicyCache>, Vec<NewMetric>, Vec<SeenResource>),
) -> Result<Vec<Metric>, SqlError> {
    let wanted = metrics.iter().filter_map(|metric| metric.resource_id);
    let wanted: BTreeSet<Uuid> = wanted.map(|id| *id.as_uuid()).collect();
    if wanted.is_empty() {
        return insert_metrics(session, policies, metrics).await;
    }
    let resources = current_of(session, &wanted).await?;
    for seen in seen {
        let current = resources.get(&seen.id);
        if current.is_some_and(|current| current != seen) {
            return Err(IndexerError::RevisionChanged { id: seen.id }.into());
        }
    }
    let owned = metrics.iter().map(|metric| {
        let resource = metric.resource_id.and_then(|id| resources.get(&id));
        let creator = resource.map_or(&metric.creator, |resource| &resource.creator);
        NewMetric {
            creator: creator.clone(),
            ..metric.clone()
        }
    });
    insert_metrics(session, policies, &owned.collect::<Vec<_>>()).await
}

/// Creates metrics as they are and returns them in order.
pub(super) async fn insert_metrics(
    session: &mut dyn Session,
    policies: &PolicyCache,
    metrics: &[NewMetric],
) -> Result<Vec<Metric>, SqlError> {
    let mut created = Vec::with_capacity(metrics.len());
    for part in metrics.chunks(INSERTED_MAX) {
        let names = part
            .iter()
            .map(|metric| metric.archive_policy_name.as_str())
            .collect();
        let wanted = select_policies(&*session, &names);
        let found = match session.fetch_and_execute(wanted, insert(part)).await {
            Ok(rows) => policies.read_all(rows)?,
            Err(error) => return Err(why_refused(session, part, error).await?),
        };
        for metric in part {
            let policy = found.get(&metric.archive_policy_name).ok_or_else(|| {
                SqlError::corrupt(
                    "metric.archive_policy_name",
                    format!("the unknown {}", metric.archive_policy_name),
                )
            })?;
            created.push(Metric {
                id: metric.id,
                creator: metric.creator.clone(),
                name: metric.name.clone(),
                unit: metric.unit.clone(),
                resource_id: metric.resource_id,
                archive_policy: Arc::clone(policy),
                status: MetricStatus::Active,
            });
        }
    }
    Ok(created)
}

fn insert(metrics: &[NewMetric]) -> Statement {
    let mut statement = Statement::new(
        "INSERT INTO metric (id, creator, name, unit, resource_id, archive_policy_name, status) VALUES ",
    );
    statement.push_list(", ", metrics, |statement, metric| {
        statement.push("(?, ?, ?, ?, ?, ?, 0)");
        statement.values.extend([
            (*metric.id.as_uuid()).into(),
            metric.creator.clone().into(),
            metric.name.clone().into(),
            metric.unit.clone().into(),
            metric.resource_id.map(|id| *id.as_uuid()).into(),
            metric.archive_policy_name.as_str().into(),
        ]);
    });
    statement
}

/// Finds out which metric the database refused to insert, and why.
async fn why_refused(
    session: &mut dyn Session,
    metrics: &[NewMetric],
    error: SqlError,
) -> Result<SqlError, SqlError> {
    if !error.is_foreign_key_violation() && !error.is_unique_violation() {
        return Ok(error);
    }
    if let Some(missing) = find_missing(session, metrics).await? {
        return Ok(missing);
    }
    let mut ids = BTreeSet::new();
    if let Some(twin) = metrics.iter().find(|metric| !ids.insert(metric.id)) {
        return Ok(IndexerError::MetricExists { id: twin.id }.into());
    }
    let mut places = BTreeSet::new();
    for metric in metrics {
        if let (Some(resource), Some(name)) = (metric.resource_id, metric.name.as_deref())
            && !places.insert((resource, name))
        {
            return Ok(IndexerError::NamedMetricExists {
                name: name.to_owned(),
            }
            .into());
        }
    }
    if !places.is_empty() {
        let mut statement = Statement::new("SELECT metric.name FROM ");
        let names = places
            .iter()
            .map(|(resource, name)| (*resource.as_uuid(), *name));
        session
            .dialect()
            .push_named(&mut statement, &mut names.into_iter());
        statement.push(" AS wanted JOIN metric ON metric.resource_id = wanted.id AND metric.name = wanted.name");
        if let Some(mut row) = session.fetch(statement).await?.pop() {
            return Ok(IndexerError::NamedMetricExists {
                name: row.text("metric.name")?,
            }
            .into());
        }
    }
    let mut statement = Statement::new("SELECT id FROM metric WHERE id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut ids.iter().map(|id| *id.as_uuid()));
    let taken = session.fetch(statement).await?.pop();
    Ok(match taken {
        Some(mut row) => {
            let id = MetricId::from_uuid(row.id("metric.id")?);
            IndexerError::MetricExists { id }.into()
        }
        None => error,
    })
}

/// Returns the policy or the resource that metrics refer to and that does not exist.
async fn find_missing(
    session: &mut dyn Session,
    metrics: &[NewMetric],
) -> Result<Option<SqlError>, SqlError> {
    let names: BTreeSet<&str> = metrics
        .iter()
        .map(|metric| metric.archive_policy_name.as_str())
        .collect();
    let mut existing = BTreeSet::new();
    for mut row in session.fetch(select_policies(&*session, &names)).await? {
        existing.insert(row.text("archive_policy.name")?);
    }
    if let Some(name) = names.into_iter().find(|name| !existing.contains(*name)) {
        return Ok(Some(no_such_policy(name)));
    }
    let wanted: BTreeSet<Uuid> = metrics
        .iter()
        .filter_map(|metric| metric.resource_id)
        .map(|id| *id.as_uuid())
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut statement = Statement::new("SELECT id FROM resource WHERE id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut wanted.iter().copied());
    let mut existing = BTreeSet::new();
    for mut row in session.fetch(statement).await? {
        existing.insert(row.id("resource.id")?);
    }
    let missing = wanted
        .into_iter()
        .find(|id| !existing.contains(id))
        .map(ResourceId::from_uuid);
    Ok(missing.map(|id| IndexerError::NoSuchResource { id }.into()))
}

async fn find(
    session: &mut dyn Session,
    (policies, ids): &(Arc<PolicyCache>, Vec<MetricId>),
) -> Result<Vec<Option<Metric>>, SqlError> {
    let mut statement = select("metric");
    statement.push(" WHERE metric.status = 0 AND metric.id IN ");
    session.dialect().push_ids(&mut statement, &mut uuids(ids));
    let mut found = HashMap::new();
    for row in session.fetch(statement).await? {
        let metric = read_metric(row, policies)?;
        found.insert(metric.id, metric);
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

async fn find_with_ends(
    session: &mut dyn Session,
    (policies, ids): &(Arc<PolicyCache>, Vec<MetricId>),
) -> Result<Vec<Option<MetricWithEnd>>, SqlError> {
    let mut statement = select_with(
        ", resource.ended_at",
        "metric LEFT JOIN resource ON resource.id = metric.resource_id",
    );
    statement.push(" WHERE metric.status = 0 AND metric.id IN ");
    session.dialect().push_ids(&mut statement, &mut uuids(ids));
    let mut found = HashMap::new();
    for mut row in session.fetch(statement).await? {
        let metric = read_columns(&mut row, policies)?;
        let resource_ended_at = row.optional_moment("resource.ended_at")?;
        found.insert(
            metric.id,
            MetricWithEnd {
                metric,
                resource_ended_at,
            },
        );
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

async fn find_named(
    session: &mut dyn Session,
    (policies, names): &(Arc<PolicyCache>, Vec<(ResourceId, String)>),
) -> Result<Vec<Option<Metric>>, SqlError> {
    let mut wanted = Statement::default();
    let pairs = &mut names
        .iter()
        .map(|(resource, name)| (*resource.as_uuid(), name.as_str()));
    session.dialect().push_named(&mut wanted, pairs);
    let mut statement = select(&format!(
        "{} AS wanted JOIN metric ON metric.resource_id = wanted.id AND metric.name = wanted.name",
        wanted.text
    ));
    statement.values = wanted.values;
    statement.push(" WHERE metric.status = 0");
    let mut found = HashMap::new();
    for row in session.fetch(statement).await? {
        let metric = read_metric(row, policies)?;
        if let (Some(resource), Some(name)) = (metric.resource_id, metric.name.clone()) {
            found.insert((resource, name), metric);
        }
    }
    Ok(names.iter().map(|name| found.get(name).cloned()).collect())
}

async fn delete(session: &mut dyn Session, ids: &[MetricId]) -> Result<(), SqlError> {
    let mut statement = Statement::new(
        "UPDATE metric SET status = 1, resource_id = NULL WHERE status = 0 AND id IN ",
    );
    session.dialect().push_ids(&mut statement, &mut uuids(ids));
    session.execute(statement).await.map(|_| ())
}

async fn list_deleted(session: &mut dyn Session, limit: &i64) -> Result<Vec<MetricId>, SqlError> {
    let statement =
        Statement::new("SELECT id FROM metric WHERE status = 1 ORDER BY id LIMIT ?").bind(*limit);
    let rows = session.fetch(statement).await?;
    rows.into_iter()
        .map(|mut row| Ok(MetricId::from_uuid(row.id("metric.id")?)))
        .collect()
}

async fn expunge(session: &mut dyn Session, ids: &[MetricId]) -> Result<(), SqlError> {
    let mut statement = Statement::new("DELETE FROM metric WHERE status = 1 AND id IN ");
    session.dialect().push_ids(&mut statement, &mut uuids(ids));
    session.execute(statement).await.map(|_| ())
}

#[async_trait]
impl MetricIndexer for SqlIndexer {
    async fn create_metrics(
        &self,
        metrics: &[NewMetric],
        seen: &[SeenResource],
    ) -> Result<Vec<Metric>, IndexerError> {
        if metrics.is_empty() {
            return Ok(Vec::new());
        }
        let access = if metrics.len() <= INSERTED_MAX {
            Access::Write
        } else {
            Access::Transaction
        };
        let arguments = (Arc::clone(&self.policies), metrics.to_vec(), seen.to_vec());
        self.database
            .call(access, "create metrics", arguments, |session, arguments| {
                Box::pin(create(session, arguments))
            })
            .await
    }

    async fn metrics(&self, ids: &[MetricId]) -> Result<Vec<Option<Metric>>, IndexerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = (Arc::clone(&self.policies), ids.to_vec());
        self.database
            .call(
                Access::Read,
                "read metrics",
                arguments,
                |session, arguments| Box::pin(find(session, arguments)),
            )
            .await
    }

    async fn metrics_with_ends(
        &self,
        ids: &[MetricId],
    ) -> Result<Vec<Option<MetricWithEnd>>, IndexerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = (Arc::clone(&self.policies), ids.to_vec());
        self.database
            .call(
                Access::Read,
                "read metrics",
                arguments,
                |session, arguments| Box::pin(find_with_ends(session, arguments)),
            )
            .await
    }

    async fn named_metrics(
        &self,
        names: &[(ResourceId, String)],
    ) -> Result<Vec<Option<Metric>>, IndexerError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = (Arc::clone(&self.policies), names.to_vec());
        self.database
            .call(
                Access::Read,
                "read metrics by name",
                arguments,
                |session, arguments| Box::pin(find_named(session, arguments)),
            )
            .await
    }

    async fn list_metrics(
        &self,
        filter: &MetricFilter,
        page: &Page,
    ) -> Result<Vec<Metric>, IndexerError> {
        let arguments = (Arc::clone(&self.policies), filter.clone(), page.clone());
        self.database
            .call(
                Access::Snapshot,
                "list metrics",
                arguments,
                |session, arguments| Box::pin(metric_lists::list(session, arguments)),
            )
            .await
    }

    async fn delete_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.database
            .call_always(
                Access::Write,
                "delete metrics",
                ids.to_vec(),
                |session, ids| Box::pin(delete(session, ids)),
            )
            .await
    }

    async fn deleted_metrics(&self, limit: usize) -> Result<Vec<MetricId>, IndexerError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database
            .call(
                Access::Read,
                "list deleted metrics",
                limit,
                |session, limit| Box::pin(list_deleted(session, limit)),
            )
            .await
    }

    async fn expunge_metrics(&self, ids: &[MetricId]) -> Result<(), IndexerError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.database
            .call_always(
                Access::Write,
                "expunge metrics",
                ids.to_vec(),
                |session, ids| Box::pin(expunge(session, ids)),
            )
            .await
    }
}
